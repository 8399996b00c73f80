/** `castaway vmm build`: the hypervisor's sources and extensions as a multiboot program. */
import { basename } from "node:path";
import { buildVmm, CompileError, type StackUse, type VmmImage } from "@castaway/vmm/host";
import { type Console, checkWritable, readText } from "../console.ts";
import { EXIT, UserError } from "../exit.ts";
import { writeWhole } from "../snapshots.ts";
import type { BuildOptions } from "./options.ts";

/** @returns the exit code. @throws UserError that says what is wrong, and where */
export async function build(options: BuildOptions, { out, vmmSources }: Console): Promise<number> {
  const { output, debugFile, recursion } = options;
  checkWritable(output);
  checkWritable(debugFile);
  const files = extensionFiles(options.extension);
  const extensions = Object.fromEntries([...files].map(([name, path]) => [name, readText(path)]));
  const image = await buildVmm({ sources: await vmmSources(), extensions, recursion }).catch((error) => {
    throw error instanceof CompileError ? new UserError(complaints(error, files)) : error;
  });
  writeWhole(output, image.bytes);
  if (debugFile !== undefined) writeWhole(debugFile, image.debugFile);
  out.write(`${summary(image, output)}\n`);
  return EXIT.done;
}

/** Paths by the names that the files have beside each other. */
function extensionFiles(paths: readonly string[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const path of paths) {
    const name = basename(path);
    if (!name.endsWith(".ts"))
      throw new UserError(`--extension: ${path} is no TypeScript file: its name ends otherwise`);
    if (files.has(name)) throw new UserError(`--extension: ${path} and ${files.get(name)} have the same name`);
    files.set(name, path);
  }
  return files;
}

/** A line each, with the user's own paths. */
function complaints({ complaints }: CompileError, files: ReadonlyMap<string, string>): string {
  const lines = complaints.map(({ file, line, message }) => {
    if (file === null) return message;
    const own = files.get(file.replace(/^extensions\//, ""));
    return `${file.startsWith("extensions/") && own !== undefined ? own : file}:${line}: ${message}`;
  });
  return lines.length === 1 ? lines[0]! : ["the hypervisor cannot be compiled:", ...lines].join("\n");
}

function summary({ size, stacks }: VmmImage, path: string): string {
  const number = (value: number) => `${value}`.replace(/\B(?=(\d{3})+$)/g, ",");
  const stack = ({ used, room }: StackUse) => `${number(used)} of ${number(room)} bytes`;
  return [
    `${path}: ${number(size.file)} bytes; code ${number(size.code)}, stubs ${number(size.stubs)}, data ${number(size.data)}`,
    `stack: ${stack(stacks.first)} on the first processor, ${stack(stacks.others)} on each other, at most`,
  ].join("\n");
}
