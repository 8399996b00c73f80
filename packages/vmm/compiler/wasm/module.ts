/** A parsed module, as the code generator reads it. */
import type { ValueType } from "./opcodes.ts";

export interface FunctionType {
  readonly parameters: readonly ValueType[];
  /** None or one. */
  readonly results: readonly ValueType[];
}

export interface Instruction {
  readonly name: string;
  /** Where it stands in the file: what the source map speaks of. */
  readonly at: number;
  /** The index, the constant of i32.const, the offset of an access, the type of call_indirect; else 0. */
  readonly operand: number;
  /** The constant of i64.const; else 0. */
  readonly wide: bigint;
  /** The result of a block. */
  readonly result?: ValueType;
  /** The labels of br_table without the default, which is `operand`. */
  readonly labels?: readonly number[];
}

export interface WasmFunction {
  readonly index: number;
  name: string;
  readonly type: FunctionType;
  /** Where an imported function comes from. */
  readonly imported?: { readonly module: string; readonly name: string };
  /** Parameters first. */
  readonly locals: ValueType[];
  readonly body: Instruction[];
}

export interface Global {
  readonly type: ValueType;
  readonly mutable: boolean;
  readonly initial: bigint;
}

/** Bytes that stand in memory from the start. */
export interface DataSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface WasmModule {
  readonly types: FunctionType[];
  /** Imported ones first. */
  readonly functions: WasmFunction[];
  readonly globals: Global[];
  /** The function table; a hole is null. */
  readonly table: (number | null)[];
  readonly data: DataSegment[];
  /** Exported functions. */
  readonly exports: Map<string, number>;
  /** Linear memory, in pages of 64 KiB. */
  memoryPages: number;
}

/** Equal for equal types, whatever their indices: what call_indirect compares. */
export const typeKey = ({ parameters, results }: FunctionType): string => `${parameters.join()}:${results.join()}`;
