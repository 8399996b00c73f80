/** The VMM's compiler: AssemblyScript to WebAssembly to x86-64. See docs/vmm-compiler.md. */
export { ASSEMBLYSCRIPT, type AscResult, compileSources, type Sources } from "./asc.ts";
export type { LineRow } from "./dwarf.ts";
export { CompileError, type Complaint } from "./errors.ts";
export { type Image, type ImageOptions, type ImageSymbol, makeImage } from "./image.ts";
export * as layout from "./layout.ts";
