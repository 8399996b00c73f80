/** A module as pieces for the linker: its functions, and the globals and the table that they use. */

import { functionSymbol, typeNumber } from "./codegen/calls.ts";
import { compileFunction } from "./codegen/function.ts";
import { UnsupportedError } from "./errors.ts";
import { helpers } from "./helpers.ts";
import type { Piece } from "./link.ts";
import type { WasmModule } from "./wasm/module.ts";
import { Assembler } from "./x64/assembler.ts";

export interface ModuleOptions {
  /** What memory.size says, until allocation is ended: pages of 64 KiB. */
  readonly memoryPages: number;
}

/** @throws {UnsupportedError} at what the back end cannot do */
export function modulePieces(module: WasmModule, { memoryPages }: ModuleOptions): Piece[] {
  const own = module.functions.filter(({ imported }) => imported === undefined);
  return [
    ...own.map((fn): Piece => {
      const { code, stackBytes, calls } = compileFunction(module, fn);
      return { symbol: functionSymbol(fn.index), name: fn.name, kind: "code", code, stackBytes, calls };
    }),
    ...helpers(),
    data("globals", globals(module)),
    data("table", table(module)),
    data("memoryPages", new Assembler().u32(memoryPages)),
  ];
}

function data(symbol: string, asm: Assembler): Piece {
  return { symbol, name: symbol, kind: "data", code: asm.finish(symbol), stackBytes: 0, calls: new Set() };
}

function globals(module: WasmModule): Assembler {
  const asm = new Assembler();
  for (const { type, initial } of module.globals) asm.u64(type === "i64" ? initial : BigInt.asUintN(32, initial));
  return asm;
}

/** No type has this number: a call by a pointer to nothing stops. */
const NOTHING = -1;

function table(module: WasmModule): Assembler {
  const asm = new Assembler();
  for (const index of module.table) {
    if (index === null) {
      asm.u32(0).u32(NOTHING);
      continue;
    }
    const fn = module.functions[index]!;
    if (fn.imported)
      throw new UnsupportedError(
        `the import ${fn.name} is used as a value; wrap it in a function of your own`,
        0,
        null,
      );
    asm.reference(functionSymbol(index), "absolute4").u32(typeNumber(module, fn.type));
  }
  return asm;
}
