/**
 * The emitted interpreter: one WebAssembly loop per process that looks up blocks and runs their records, and per machine
 * an instance of it with the calls that leave it.
 */
import type { Block, BlockCache } from "../core/blocks.ts";
import { type BoundOperand, type Decoded, NO_REGISTER, RIP_BASE } from "../core/decode.ts";
import { VECTORS } from "../core/exceptions.ts";
import { BLOCK_TABLE_ENTRIES, LAYOUT, type PhysicalMemory, TLB_ENTRIES, TLB_ENTRY_BYTES } from "../core/physical.ts";
import type { Processor } from "../core/processor.ts";
import { type Executor, faulted, leaveWithin, runBlock, wholeBlockAt } from "../core/run.ts";
import { CS, S, SEG, SS, segment } from "../core/state.ts";
import { ENTRY, EXECUTE } from "../core/tlb.ts";
import {
  declareImports,
  handlerStore,
  hasLongOffset,
  numberedHelpers,
  numberedVectorHelpers,
  SLOT,
} from "./handlers.ts";
import { END_BYTES, HEADER, HEADER_BYTES, REC, RECORD_BYTES, STATUS } from "./records.ts";
import { strideOf } from "./stride.ts";
import { Code, I32, I64, Module } from "./wasm.ts";

/** Index in the block table; the same hash is emitted below. */
const slotOf = (physical: number) =>
  LAYOUT.blockTable + (((physical ^ (physical >>> 14)) & (BLOCK_TABLE_ENTRIES - 1)) << 4);

/** Part of every key in the block table, so that an empty entry equals none. */
const KEY_VALID = 8;

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
  const module = new Module();
  declareImports(module);
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
    .i32(Math.clz32(1) - Math.clz32(TLB_ENTRY_BYTES))
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
  module.elements(SLOT.end, functions);
  return new WebAssembly.Module(module.encode());
}
let loopModule: WebAssembly.Module | null = null;

/** Slots of the function table at first, and by how many it grows: every instance holds a copy of it. */
const TABLE_SLOTS = 1024;

export class Interpreter implements Executor {
  readonly name = "interpreter";
  readonly #memory: PhysicalMemory;
  readonly #blocks: BlockCache;
  readonly #imports: { env: Record<string, WebAssembly.ImportValue> };
  readonly #loop: () => number;
  readonly #block: (record: number) => number;
  readonly #patience: number;
  readonly #table: WebAssembly.Table;
  #cpu!: Processor;
  /** The first number of a handler module that this machine has not instantiated. */
  #modules = 0;
  /** The blocks that records are of, by record number. */
  readonly #owners: Block[] = [];
  /** A debugger wants to stop before this record: its handler, which now ends the block, was this one. */
  #held: { record: number; handler: number } | null = null;
  #free: number = LAYOUT.records;

  /** `patience`: instructions to evaluate rather than make a module for them, see `HandlerStore.ready`. */
  constructor(memory: PhysicalMemory, blocks: BlockCache, patience: number) {
    this.#memory = memory;
    this.#patience = patience;
    this.#blocks = blocks;
    this.#table = new WebAssembly.Table({ element: "anyfunc", initial: TABLE_SLOTS });
    this.#imports = { env: { memory: memory.wasm, table: this.#table, ...this.#calls() } };
    loopModule ??= emitLoop();
    const { exports } = new WebAssembly.Instance(loopModule, this.#imports);
    this.#loop = exports["run"] as () => number;
    this.#block = exports["block"] as (record: number) => number;
    blocks.onDrop = (block) => this.#drop(block);
  }

  run(cpu: Processor): void {
    this.#cpu = cpu;
    const { i32 } = this.#memory;
    i32[S.MID_REPEAT >> 2] = 0;
    for (;;) {
      const status = this.#loop();
      cpu.remaining = 0;
      if (status === STATUS.budget) return;
      if (status !== STATUS.lookUp) this.#left(cpu, status, i32[S.RECORD >> 2]!);
      else if (!this.#lookUp(cpu)) return;
      if (i32[S.ACTIVITY >> 2] !== 0 || cpu.stopped !== null) return;
    }
  }

  /** An instruction left by other ways than its end. */
  #left(cpu: Processor, status: number, record: number): void {
    const owner = this.#owner(record),
      start = cpu.number(S.RIP),
      ip = this.#enter(record);
    if (status === STATUS.stale) {
      const { remaining } = cpu;
      this.#memory.i32[S.BUDGET >> 2]! += remaining;
      cpu.remaining = 0;
      cpu.setNumber(S.RIP, ip);
      this.#release();
      if (owner.valid) leaveWithin(cpu, owner, start, owner.insns.length - remaining);
      return;
    }
    this.#release();
    if (status === STATUS.raise) {
      cpu.pendingFault.vector = cpu.u32(S.ARG0);
      cpu.pendingFault.code = cpu.u32(S.ARG0 + 8);
    } else if (status === STATUS.segment) {
      const n = this.#memory.i32[S.ARG0 >> 2]!;
      cpu.setFault((n < 0 ? cpu.x.insn.segment : n) === SS ? "SS" : "GP", 0);
    }
    faulted(cpu, ip);
  }
  #owner(record: number): Block {
    return this.#owners[(record - LAYOUT.records) >> 4]!;
  }
  /** Tells the processor which instruction is at hand; its offset in CS. */
  #enter(record: number): number {
    const cpu = this.#cpu,
      { u16, u8 } = this.#memory,
      long = cpu.u32(S.LINEAR_MASK + 4) !== 0;
    const next = cpu.number(S.RIP) + u16[(record + REC.next) >> 1]!,
      ip = next - u8[record + REC.length]!;
    const { insns } = this.#owner(record),
      remaining = u8[record + REC.remaining]!;
    cpu.remaining = remaining;
    cpu.setBounds(insns[insns.length - remaining]!, long ? ip : ip >>> 0, long ? next : next >>> 0);
    return cpu.ip;
  }

  /** The block at RIP was not in the table: find or build it. False if the loop must look for events first. */
  #lookUp(cpu: Processor): boolean {
    const { i32 } = this.#memory,
      block = wholeBlockAt(cpu);
    if (block === null) return i32[S.ATTENTION >> 2] === 0;
    if (block.secondPage >= 0 || !block.valid || !this.#blocks.holds(block) || !this.#ready(block))
      runBlock(cpu, block);
    else {
      this.#enterTable(block);
      if (cpu.debug.active && cpu.debug.inMarkedPage(cpu)) this.#runOne(cpu, block);
    }
    return true;
  }
  /** A block that the loop would not find. */
  #runOne(cpu: Processor, block: Block): void {
    const status = this.#block(block.record);
    cpu.remaining = 0;
    if (status !== STATUS.jumped) this.#left(cpu, status, this.#memory.i32[S.RECORD >> 2]!);
  }
  /** A watchpoint was touched by the instruction of a record: the block ends with it. */
  #hold(record: number): void {
    const { u16, u8 } = this.#memory,
      next = record + RECORD_BYTES;
    if (this.#held !== null || u8[record + REC.remaining] === 1) return;
    this.#held = { record: next, handler: u16[(next + REC.handler) >> 1]! };
    u16[(next + REC.handler) >> 1] = SLOT.stale;
  }
  #release(): void {
    if (this.#held === null) return;
    const { record, handler } = this.#held;
    this.#held = null;
    if (this.#owner(record).valid) this.#memory.u16[(record + REC.handler) >> 1] = handler;
  }
  #ready(block: Block): boolean {
    return block.record !== 0 || handlerStore.ready(block.insns, this.#patience);
  }
  #enterTable(block: Block): void {
    if (block.record === 0) this.#translate(block);
    const { u32 } = this.#memory,
      { physical } = block,
      slot = slotOf(physical) >> 2;
    u32[slot] = (physical << 4) | block.mode | KEY_VALID;
    u32[slot + 1] = Math.floor(physical / 2 ** 28);
    u32[slot + 2] = block.record;
  }
  #drop(block: Block): void {
    if (block.record === 0) return;
    const { u32, u16 } = this.#memory,
      slot = slotOf(block.physical);
    if (u32[(slot + 8) >> 2] === block.record) u32.fill(0, slot >> 2, (slot + 16) >> 2);
    for (let i = 0; i < block.insns.length; i++) u16[(block.record + i * RECORD_BYTES + REC.handler) >> 1] = SLOT.stale;
    block.record = 0;
  }

  #translate(block: Block): void {
    const { i32, u16 } = this.#memory,
      { insns } = block,
      count = insns.length,
      bytes = HEADER_BYTES + count * RECORD_BYTES + END_BYTES;
    if (this.#free + bytes > LAYOUT.recordsEnd) this.#reclaim();
    this.#instantiate();
    const first = this.#free + HEADER_BYTES;
    this.#free += bytes;
    i32[(first + HEADER.count) >> 2] = count;
    i32[(first + HEADER.bytes) >> 2] = block.bytes;
    for (let i = 0, delta = 0; i < count; i++) {
      const at = first + i * RECORD_BYTES,
        insn = insns[i]!;
      this.#owners[(at - LAYOUT.records) >> 4] = block;
      this.#record(at, insn, delta, count - i);
      delta += insn.length;
    }
    u16[(first + count * RECORD_BYTES + REC.handler) >> 1] = SLOT.end;
    block.record = first;
  }
  /** The arena is full: every translation goes, and the blocks that are needed come back. */
  #reclaim(): void {
    this.#blocks.forgetTranslations();
    this.#memory.u32.fill(0, LAYOUT.blockTable >> 2, (LAYOUT.blockTable + BLOCK_TABLE_ENTRIES * 16) >> 2);
    this.#free = LAYOUT.records;
  }
  #instantiate(): void {
    const { modules, next } = handlerStore.since(this.#modules);
    this.#modules = next;
    for (const { module, end } of modules) {
      while (end > this.#table.length) this.#table.grow(TABLE_SLOTS);
      new WebAssembly.Instance(module, this.#imports);
    }
  }
  #record(at: number, insn: Decoded, delta: number, remaining: number): void {
    const { i32, u16, u8 } = this.#memory,
      { operands, base, index } = insn,
      half = at >> 1,
      next = delta + insn.length;
    u16[half + REC.handler / 2] = insn.handler;
    u8[at + REC.remaining] = remaining;
    u8[at + REC.scale] = insn.scale;
    for (let i = 0; i < operands.length && i < 3; i++) u16[half + REC.operands / 2 + i] = addressOf(operands[i]!);
    u16[half + REC.base / 2] = base === NO_REGISTER ? S.ZERO : base === RIP_BASE ? S.RIP : S.GPR + 8 * base;
    u16[half + REC.index / 2] = index === NO_REGISTER ? S.ZERO : S.GPR + 8 * index;
    u16[half + REC.segment / 2] = segment(insn.segment);
    this.#immediate((at + REC.imm) >> 2, insn, next);
    i32[(at + REC.disp) >> 2] = insn.dispLow;
    u16[half + REC.next / 2] = next;
    u8[at + REC.length] = insn.length;
  }
  /** Immediates are cut to their operand's size; displacements count from the block's start. */
  #immediate(at: number, insn: Decoded, next: number): void {
    const { i32 } = this.#memory,
      { operands } = insn;
    let low = insn.immLow,
      high = insn.immHigh;
    for (let i = 0; i < operands.length; i++) {
      const { kind, size } = operands[i]!;
      if (kind === "rel") {
        const target = low + next;
        low = target | 0;
        high = Math.floor(target / 2 ** 32);
        break;
      }
      if (kind !== "imm") continue;
      if (size < 64) high = 0;
      if (size < 32) low &= (1 << size) - 1;
      break;
    }
    if (hasLongOffset(insn)) {
      low = insn.dispLow;
      high = insn.dispHigh;
    }
    i32[at] = low;
    i32[at + 1] = high;
  }

  // ---- calls out of emitted code: each answers 0, or leaves a fault in the processor's fault object ----

  #calls(): Record<string, (...args: number[]) => number> {
    const { u64 } = this.#memory,
      vector = (at: number) => u64[at >> 3]! | (u64[(at >> 3) + 1]! << 64n);
    return {
      load: (record, size) =>
        this.#done(record!, this.#reach(record!, size!) && this.#cpu.access.load(this.#linear, size! & 0xff, S.RESULT)),
      store: (record, size) =>
        this.#done(record!, this.#reach(record!, size!) && this.#cpu.access.store(this.#linear, size! & 0xff, S.ARG0)),
      modify: (record, size) =>
        this.#done(
          record!,
          this.#reach(record!, size!) && this.#cpu.access.loadForWrite(this.#linear, size! & 0xff, S.RESULT),
        ),
      probe: (record, size) =>
        this.#done(record!, this.#reach(record!, size!) && this.#cpu.access.probeWrite(this.#linear, size! & 0xff)),
      helper: (record, number) => {
        this.#begin(record!);
        try {
          const body = numberedHelpers.bodies[number! & 0xffff]!;
          u64[S.RESULT >> 3] = body(this.#cpu, this.#words(number! >> 16));
          return this.#done(record!, true);
        } catch (e) {
          return this.#unwound(e);
        }
      },
      vectorHelper: (record, number) => {
        this.#begin(record!);
        try {
          const body = numberedVectorHelpers.bodies[number! & 0xffff]!;
          const result = body(this.#cpu, vector(S.VECTOR_A), vector(S.VECTOR_B), this.#words(number! >> 16));
          u64[S.RESULT >> 3] = result;
          u64[(S.RESULT >> 3) + 1] = result >> 64n;
          return this.#done(record!, true);
        } catch (e) {
          return this.#unwound(e);
        }
      },
      rare: (record) => {
        const cpu = this.#cpu;
        this.#begin(record!);
        try {
          cpu.x.run(cpu.x.insn, cpu.ip, cpu.nextIP);
          return this.#done(record!, true) || (cpu.jumped ? STATUS.jumped : 0);
        } catch (e) {
          return this.#unwound(e);
        }
      },
      stride: (record) => {
        this.#enter(record!);
        return strideOf(this.#cpu);
      },
    };
  }
  /** What emitted code is told after an access or a helper. */
  #done(record: number, done: boolean): number {
    if (this.#cpu.debug.stop !== null) this.#hold(record);
    return done ? 0 : STATUS.fault;
  }
  /** Where the access at hand goes; set by `#reach`. */
  #linear = 0;
  /** The address in ARG2, of an access that `size` describes. False if it is not canonical, which raises. */
  #reach(record: number, size: number): boolean {
    const cpu = this.#cpu,
      { i32, u32 } = this.#memory;
    this.#enter(record);
    const linear = i32[(S.ARG2 >> 2) + 1]! * 2 ** 32 + u32[S.ARG2 >> 2]!;
    this.#linear = linear;
    if (linear >= -(2 ** 47) && linear + (size & 0xff) <= 2 ** 47) return true;
    if (cpu.u32(S.LINEAR_MASK + 4) === 0) return true;
    const stack = size & 0x100 || (size & 0x200 && cpu.x.insn.segment === SS);
    cpu.pendingFault.vector = stack ? VECTORS.SS : VECTORS.GP;
    cpu.pendingFault.code = 0;
    return false;
  }
  #begin(record: number): void {
    this.#enter(record);
    this.#cpu.jumped = false;
  }
  /** A fault that unwinds becomes a status. */
  #unwound(e: unknown): number {
    if (e !== this.#cpu.pendingFault) throw e;
    return STATUS.fault;
  }
  /** The arguments of a helper. */
  #words(count: number): bigint[] {
    const words: bigint[] = [];
    for (let i = 0; i < count; i++) words.push(this.#memory.u64[(S.ARG0 >> 3) + i]!);
    return words;
  }
}

/** Where a register operand is in the state window; 0 for what is not a register. */
function addressOf({ kind, reg }: BoundOperand): number {
  if (kind === "gpr") return S.GPR + reg;
  if (kind === "xmm") return S.YMM + 32 * reg;
  if (kind === "mm") return S.FPR + 16 * reg;
  return kind === "seg" ? segment(reg) + SEG.selector : 0;
}
