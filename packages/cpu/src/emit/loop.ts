/**
 * What is emitted once per process: the loop over blocks and their records, and the way of accesses to pages that are
 * slow for nothing but decoded code.
 */

import { Code, I32, I64, Module, type Op } from "@castaway/kit/wasm";
import { BLOCK_TABLE_ENTRIES, CODE_GRANULE, LAYOUT, TLB_ENTRIES, TLB_ENTRY_BYTES } from "../core/physical.ts";
import { CS, S, SEG, segment } from "../core/state.ts";
import { ENTRY, EXECUTE, SLOW, WRITE } from "../core/tlb.ts";
import { declareImports, SLOT } from "./handlers.ts";
import { HEADER, HEADER_BYTES, REC, RECORD_BYTES, STATUS } from "./records.ts";

/** Index in the block table; the same hash is emitted below. */
export const slotOf = (physical: number) =>
  LAYOUT.blockTable + (((physical ^ (physical >>> 14)) & (BLOCK_TABLE_ENTRIES - 1)) << 4);

/** Part of every key in the block table, so that an empty entry equals none. */
export const KEY_VALID = 8;

/** Runs the records of a block from its first one on; leaves the last one in `rec` and what it answered in `status`. */
function emitBlock(code: Code, rec: number, status: number, handlerType: number): void {
  code.i32(0);
  code
    .i32(0)
    .memory("i32.load", S.BUDGET)
    .get(rec)
    .i32(HEADER_BYTES)
    .op("i32.sub")
    .memory("i32.load", HEADER_BYTES + HEADER.count)
    .op("i32.sub")
    .memory("i32.store", S.BUDGET);
  code.open("loop");
  const again = code.depth;
  code
    .get(rec)
    .get(rec)
    .memory("i32.load16_u", REC.handler)
    .callIndirect(handlerType)
    .tee(status)
    .op("i32.eqz")
    .open("if");
  code.get(rec).i32(RECORD_BYTES).op("i32.add").set(rec).branch(again).end();
  code.end();
}

/** The loop, one block by itself, and the two handlers that every machine has. */
function emitLoop(): WebAssembly.Module {
  const module = new Module(),
    imports = declareImports(module);
  const handlerType = module.type([I32], [I32]);
  const end = new Code(1);
  end.i32(0).i32(0).memory("i64.load", S.RIP);
  end.get(0).i32(RECORD_BYTES).op("i32.sub").memory("i64.load16_u", REC.next).op("i64.add");
  end.i32(0).memory("i64.load", S.LINEAR_MASK).op("i64.and").memory("i64.store", S.RIP).i32(STATUS.jumped);
  const stale = new Code(1);
  stale.i32(STATUS.stale);
  const run = new Code(0),
    rec = run.local(I32),
    entry = run.local(I32),
    slot = run.local(I32),
    status = run.local(I32);
  const rip = run.local(I64),
    linear = run.local(I64),
    physical = run.local(I64);
  const state32 = (at: number) => run.i32(0).memory("i32.load", at);
  const state64 = (at: number) => run.i32(0).memory("i64.load", at);
  const leaveIf = (why: number) => run.open("if").i32(why).op("return").end();
  run.open("loop");
  const next = run.depth;
  state32(S.BUDGET).i32(1).op("i32.lt_s");
  state32(S.ATTENTION).op("i32.or");
  leaveIf(STATUS.budget);
  // Execute entry of the TLB for CS:RIP.
  state64(S.RIP).tee(rip);
  state64(segment(CS) + SEG.effectiveBase).op("i64.add");
  state64(S.LINEAR_MASK).op("i64.and").tee(linear);
  run
    .i64(12n)
    .op("i64.shr_u")
    .op("i32.wrap_i64")
    .i32(TLB_ENTRIES - 1)
    .op("i32.and")
    .i32(31 - Math.clz32(TLB_ENTRY_BYTES))
    .op("i32.shl");
  state32(S.TLB_BASE).op("i32.add").tee(entry);
  const array = EXECUTE * TLB_ENTRIES * TLB_ENTRY_BYTES;
  run.memory("i64.load", array + ENTRY.tag);
  run.get(linear).i64(-4096n).op("i64.and").i32(0).memory("i64.load32_u", S.TLB_EXEC_CONTEXT).op("i64.or").op("i64.ne");
  leaveIf(STATUS.lookUp);
  run
    .get(entry)
    .memory("i64.load32_u", array + ENTRY.page)
    .i64(12n)
    .op("i64.shl")
    .get(linear)
    .i64(4095n)
    .op("i64.and")
    .op("i64.or")
    .tee(physical);
  // The block table.
  run
    .op("i32.wrap_i64")
    .tee(slot)
    .get(slot)
    .i32(14)
    .op("i32.shr_u")
    .op("i32.xor")
    .i32(BLOCK_TABLE_ENTRIES - 1)
    .op("i32.and")
    .i32(4)
    .op("i32.shl")
    .tee(slot);
  run
    .memory("i64.load", LAYOUT.blockTable)
    .get(physical)
    .i64(4n)
    .op("i64.shl")
    .i32(0)
    .memory("i64.load32_u", S.MODE)
    .op("i64.or")
    .i64(BigInt(KEY_VALID))
    .op("i64.or")
    .op("i64.ne");
  leaveIf(STATUS.lookUp);
  run
    .get(slot)
    .memory("i32.load", LAYOUT.blockTable + 8)
    .set(rec);
  // The whole block must be within the limit of CS.
  run
    .get(rip)
    .get(rec)
    .i32(HEADER_BYTES)
    .op("i32.sub")
    .memory("i64.load32_u", HEADER_BYTES + HEADER.bytes)
    .op("i64.add")
    .i64(-1n)
    .op("i64.add");
  state64(S.CODE_LAST).op("i64.gt_u");
  leaveIf(STATUS.lookUp);
  emitBlock(run, rec, status, handlerType);
  run.get(status).i32(STATUS.jumped).op("i32.eq").branchIf(next);
  run.end();
  run.i32(0).get(rec).memory("i32.store", S.RECORD).get(status);
  const functions = [module.function(end, [I32], [I32]), module.function(stale, [I32], [I32])];
  module.function(run, [], [I32], "run");
  const one = new Code(1),
    answer = one.local(I32);
  emitBlock(one, 0, answer, handlerType);
  one.i32(0).get(0).memory("i32.store", S.RECORD).get(answer);
  module.function(one, [I32], [I32], "block");
  module.function(emitStore(imports.store), [I32, I32], [I32], "store");
  module.function(emitModify(imports.modify), [I32, I32], [I32], "modify");
  module.elements(SLOT.end, functions);
  return new WebAssembly.Module(module.encode());
}
let loopModule: WebAssembly.Module | null = null;
/** The module with the loop, of the process. Exports `run`, `block`, `store` and `modify`. */
export const loop = (): WebAssembly.Module => (loopModule ??= emitLoop());

/**
 * A store that missed its fast path: `(record, size) -> status`, address in ARG2, data in ARG0. Where the page is slow
 * only for the code in it and the bytes are not code, it is done here; the rest is TypeScript's.
 */
function emitStore(elsewhere: number): Code {
  const code = new Code(2),
    { entry, address, bytes } = emitCodeEntry(code);
  // The granules that the bytes are in: the lowest bits of a word of the map, shifted.
  const granule = 31 - Math.clz32(CODE_GRANULE);
  const first = code.local(I32),
    offset = () => code.get(address).i32(4095).op("i32.and").get(bytes).op("i32.add").i32(1).op("i32.sub");
  code.get(address).i32(4095).op("i32.and").i32(granule).op("i32.shr_u").set(first);
  code
    .get(entry)
    .memory("i32.load", WRITES + ENTRY.code)
    .get(first)
    .i32(3)
    .op("i32.shr_u")
    .op("i32.add");
  code.memory("i32.load").get(first).i32(7).op("i32.and").op("i32.shr_u");
  code.i32(2);
  offset().i32(granule).op("i32.shr_u").get(first).op("i32.sub").op("i32.shl").i32(1).op("i32.sub");
  code.op("i32.and").op("i32.eqz").open("if");
  emitHost(code, entry, address);
  const value = (at: number) => code.i32(0).memory("i64.load", S.ARG0 + at);
  for (const [size, op] of [
    [1, "i64.store8"],
    [2, "i64.store16"],
    [4, "i64.store32"],
    [8, "i64.store"],
    [16, "i64.store"],
  ] as const) {
    code.get(bytes).i32(size).op("i32.eq").open("if").get(address);
    value(0).memory(op);
    if (size === 16) {
      code.get(address);
      value(8).memory(op, 8);
    }
    code.i32(0).op("return").end();
  }
  return code.end().end().end().get(0).get(1).call(elsewhere);
}
/** The read of a read-modify-write, in the same way: the result goes to RESULT. */
function emitModify(elsewhere: number): Code {
  const code = new Code(2),
    { entry, address, bytes } = emitCodeEntry(code);
  emitHost(code, entry, address);
  for (const [size, op] of [
    [1, "i64.load8_u"],
    [2, "i64.load16_u"],
    [4, "i64.load32_u"],
    [8, "i64.load"],
  ] as const satisfies readonly (readonly [number, Op])[]) {
    code.get(bytes).i32(size).op("i32.eq").open("if").i32(0).get(address).memory(op);
    code.memory("i64.store", S.RESULT).i32(0).op("return").end();
  }
  return code.end().end().get(0).get(1).call(elsewhere);
}
const WRITES = WRITE * TLB_ENTRIES * TLB_ENTRY_BYTES;

/** Opens two blocks that are entered if the write entry of the bytes at ARG2 is slow, and that only for code. */
function emitCodeEntry(code: Code): { entry: number; address: number; bytes: number } {
  const entry = code.local(I32),
    address = code.local(I32),
    bytes = code.local(I32),
    linear = code.local(I64);
  code.get(1).i32(0xff).op("i32.and").set(bytes);
  code.i32(0).memory("i64.load", S.ARG2).tee(linear).op("i32.wrap_i64").tee(address);
  code
    .i32(12)
    .op("i32.shr_u")
    .i32(TLB_ENTRIES - 1)
    .op("i32.and")
    .i32(TLB_ENTRY_BYTES)
    .op("i32.mul");
  code.i32(0).memory("i32.load", S.TLB_BASE).op("i32.add").tee(entry);
  // With SLOW in the context (alignment checks, breakpoints) nothing is equal.
  code
    .memory("i64.load", WRITES + ENTRY.tag)
    .i64(BigInt(SLOW))
    .op("i64.xor");
  code.get(linear).get(bytes).op("i64.extend_i32_u").op("i64.add").i64(-1n).op("i64.add").i64(-4096n).op("i64.and");
  code.i32(0).memory("i64.load32_u", S.TLB_CONTEXT).op("i64.or").op("i64.eq").open("if");
  code
    .get(entry)
    .memory("i32.load", WRITES + ENTRY.code)
    .open("if");
  return { entry, address, bytes };
}
/** Turns the low bits of the address into the host address. */
function emitHost(code: Code, entry: number, address: number): void {
  code
    .get(entry)
    .memory("i32.load", WRITES + ENTRY.host)
    .get(address)
    .i32(4095)
    .op("i32.and")
    .op("i32.or")
    .set(address);
}
