/**
 * What the emulator uses of its host beyond the language itself: WebAssembly and UTF-8, which Node and every browser have.
 * Written by hand so that no package sees the DOM's or Node's types, and so cannot use either by accident.
 */
declare namespace WebAssembly {
  type ValueType = "i32" | "i64" | "f32" | "f64" | "v128" | "funcref" | "externref";
  type ImportExportKind = "function" | "global" | "memory" | "table";
  type ExportValue = Function | Global | Memory | Table;
  type Exports = Record<string, ExportValue>;
  type ImportValue = ExportValue | number | bigint;
  type Imports = Record<string, Record<string, ImportValue>>;

  interface MemoryDescriptor {
    /** In pages of 64 KiB. */
    initial: number;
    maximum?: number;
    shared?: boolean;
  }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer;
    /** Grows by `delta` pages and returns the size before; detaches `buffer`. */
    grow(delta: number): number;
  }

  interface TableDescriptor {
    element: "anyfunc" | "externref";
    initial: number;
    maximum?: number;
  }
  class Table {
    constructor(descriptor: TableDescriptor, value?: unknown);
    readonly length: number;
    get(index: number): any;
    set(index: number, value?: unknown): void;
    grow(delta: number, value?: unknown): number;
  }

  class Global<T = any> {
    constructor(descriptor: { value: ValueType; mutable?: boolean }, value?: T);
    value: T;
    valueOf(): T;
  }

  class Module {
    constructor(bytes: ArrayBuffer | ArrayBufferView);
    static exports(module: Module): { name: string; kind: ImportExportKind }[];
    static imports(module: Module): { module: string; name: string; kind: ImportExportKind }[];
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Exports;
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  function validate(bytes: ArrayBuffer | ArrayBufferView): boolean;
  function compile(bytes: ArrayBuffer | ArrayBufferView): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
}

/** Text as UTF-8. */
declare class TextEncoder {
  encode(text: string): Uint8Array;
}
declare class TextDecoder {
  constructor(encoding?: string);
  decode(bytes: Uint8Array): string;
}
