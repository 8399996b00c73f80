/**
 * The emitted interpreter: one WebAssembly loop per process that looks up blocks and runs their records, and per machine
 * an instance of it with the calls that leave it.
 */
import type { Block, BlockCache } from "../core/blocks.ts";
import { type Decoded, NO_REGISTER, RIP_BASE } from "../core/decode.ts";
import { VECTORS } from "../core/exceptions.ts";
import { helpers, vectorHelpers } from "../core/helpers.ts";
import { BLOCK_TABLE_ENTRIES, LAYOUT, type PhysicalMemory, TLB_ENTRIES, TLB_ENTRY_BYTES } from "../core/physical.ts";
import type { Processor } from "../core/processor.ts";
import { type Executor, faulted, leaveWithin, runBlock, wholeBlockAt } from "../core/run.ts";
import { CS, S, SEG, SS, segment } from "../core/state.ts";
import { ENTRY, EXECUTE } from "../core/tlb.ts";
import { declareImports, handlerStore, helperNames, SLOT, vectorHelperNames } from "./handlers.ts";
import { HEADER, HEADER_BYTES, REC, RECORD_BYTES, STATUS } from "./records.ts";
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
  code.get(rec).get(rec).memory("i32.load", REC.handler).callIndirect(handlerType).tee(status).op("i32.eqz").open("if");
  code.get(rec).i32(RECORD_BYTES).op("i32.add").set(rec).branch(again).end();
  code.end();
}

/** The loop, one block by itself, and the two handlers that every machine has. */
function emitLoop(): WebAssembly.Module {
  const module = new Module();
  declareImports(module);
  const handlerType = module.type([I32], [I32]);
  const end = new Code(1);
  end.i32(0).i32(0).memory("i64.load", S.RIP).get(0).memory("i64.load32_s", REC.next).op("i64.add");
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

/** Slots of the function table: more handlers than there are forms and shapes. */
const TABLE_SLOTS = 16384;

export class Interpreter implements Executor {
  readonly name = "interpreter";
  readonly #memory: PhysicalMemory;
  readonly #blocks: BlockCache;
  readonly #imports: { env: Record<string, WebAssembly.ImportValue> };
  readonly #loop: () => number;
  readonly #block: (record: number) => number;
  #cpu!: Processor;
  /** Handler modules of the process that this machine has instantiated so far. */
  #modules = 0;
  /** Decoded instructions by record number. */
  readonly #decoded: Decoded[] = [];
  /** And the blocks that they are of. */
  readonly #owners: Block[] = [];
  /** A debugger wants to stop before this record: its handler, which now ends the block, was this one. */
  #held: { record: number; handler: number } | null = null;
  #free: number = LAYOUT.records;

  constructor(memory: PhysicalMemory, blocks: BlockCache) {
    this.#memory = memory;
    this.#blocks = blocks;
    const table = new WebAssembly.Table({ element: "anyfunc", initial: TABLE_SLOTS });
    this.#imports = { env: { memory: memory.wasm, table, ...this.#calls() } };
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
    const owner = this.#owners[(record - LAYOUT.records) / 16]!,
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
  /** Tells the processor which instruction is at hand; its offset in CS. */
  #enter(record: number): number {
    const cpu = this.#cpu,
      { u16, i32 } = this.#memory,
      long = cpu.u32(S.LINEAR_MASK + 4) !== 0;
    const start = cpu.number(S.RIP),
      ip = start + i32[(record + REC.delta) >> 2]!,
      next = start + i32[(record + REC.next) >> 2]!;
    cpu.remaining = u16[(record + REC.remaining) >> 1]!;
    cpu.setBounds(this.#decoded[(record - LAYOUT.records) / 16]!, long ? ip : ip >>> 0, long ? next : next >>> 0);
    return cpu.ip;
  }

  /** The block at RIP was not in the table: find or build it. False if the loop must look for events first. */
  #lookUp(cpu: Processor): boolean {
    const { i32 } = this.#memory,
      block = wholeBlockAt(cpu);
    if (block === null) return i32[S.ATTENTION >> 2] === 0;
    if (block.secondPage >= 0 || !block.valid || !this.#remembered(block)) runBlock(cpu, block);
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
    const { i32, u16 } = this.#memory,
      next = record + RECORD_BYTES;
    if (this.#held !== null || u16[(record + REC.remaining) >> 1] === 1) return;
    this.#held = { record: next, handler: i32[(next + REC.handler) >> 2]! };
    i32[(next + REC.handler) >> 2] = SLOT.stale;
  }
  #release(): void {
    if (this.#held === null) return;
    const { record, handler } = this.#held;
    this.#held = null;
    if (this.#owners[(record - LAYOUT.records) / 16]!.valid) this.#memory.i32[(record + REC.handler) >> 2] = handler;
  }
  #remembered(block: Block): boolean {
    return this.#blocks.holds(block);
  }
  #enterTable(block: Block): void {
    if (block.record === 0) this.#translate(block);
    const { u32, u64 } = this.#memory,
      slot = slotOf(block.physical);
    u64[slot >> 3] = BigInt(block.physical) * 16n + BigInt(block.mode | KEY_VALID);
    u32[(slot + 8) >> 2] = block.record;
  }
  #drop(block: Block): void {
    if (block.record === 0) return;
    const { u32, i32 } = this.#memory,
      slot = slotOf(block.physical);
    if (u32[(slot + 8) >> 2] === block.record) u32.fill(0, slot >> 2, (slot + 16) >> 2);
    block.insns.forEach((_, i) => {
      i32[(block.record + i * RECORD_BYTES + REC.handler) >> 2] = SLOT.stale;
    });
    block.record = 0;
  }

  #translate(block: Block): void {
    const bytes = HEADER_BYTES + (block.insns.length + 1) * RECORD_BYTES;
    if (this.#free + bytes > LAYOUT.recordsEnd) this.#reclaim();
    handlerStore.prepare(block.insns);
    this.#instantiate();
    const { i32 } = this.#memory,
      first = this.#free + HEADER_BYTES,
      count = block.insns.length;
    this.#free += bytes;
    i32[(first + HEADER.count) >> 2] = count;
    i32[(first + HEADER.bytes) >> 2] = block.bytes;
    for (let i = 0; i < count; i++) this.#record(first + i * RECORD_BYTES, block, i);
    const end = first + count * RECORD_BYTES;
    i32[(end + REC.handler) >> 2] = SLOT.end;
    i32[(end + REC.next) >> 2] = block.bytes;
    block.record = first;
  }
  /** The arena is full: every translation goes, and the blocks that are needed come back. */
  #reclaim(): void {
    this.#blocks.forgetTranslations();
    this.#memory.u32.fill(0, LAYOUT.blockTable >> 2, (LAYOUT.blockTable + BLOCK_TABLE_ENTRIES * 16) >> 2);
    this.#decoded.length = this.#owners.length = 0;
    this.#free = LAYOUT.records;
  }
  #instantiate(): void {
    for (; this.#modules < handlerStore.modules.length; this.#modules++) {
      new WebAssembly.Instance(handlerStore.modules[this.#modules]!.module, this.#imports);
    }
  }
  #record(at: number, block: Block, index: number): void {
    const { i32, u16, u8 } = this.#memory,
      insn = block.insns[index]!,
      delta = block.offsets[index]!,
      next = delta + insn.length;
    this.#decoded[(at - LAYOUT.records) / 16] = insn;
    this.#owners[(at - LAYOUT.records) / 16] = block;
    i32[(at + REC.handler) >> 2] = handlerStore.slot(insn)!;
    insn.operands.forEach((o, i) => {
      if (i > 2) return;
      const address =
        o.kind === "gpr"
          ? S.GPR + o.reg
          : o.kind === "xmm"
            ? S.YMM + 32 * o.reg
            : o.kind === "mm"
              ? S.FPR + 16 * o.reg
              : o.kind === "seg"
                ? segment(o.reg) + SEG.selector
                : 0;
      u16[(at + REC.operands + 2 * i) >> 1] = address;
    });
    const slot = (n: number) => (n === NO_REGISTER ? S.ZERO : n === RIP_BASE ? S.RIP : S.GPR + 8 * n);
    u16[(at + REC.base) >> 1] = slot(insn.base);
    u16[(at + REC.index) >> 1] = slot(insn.index);
    u8[at + REC.scale] = insn.scale;
    this.#immediate(at + REC.imm, insn, next);
    const low = insn.dispLow + (insn.base === RIP_BASE ? next : 0);
    i32[(at + REC.disp) >> 2] = low;
    i32[(at + REC.disp + 4) >> 2] = insn.base === RIP_BASE ? Math.floor(low / 2 ** 32) : insn.dispHigh;
    u16[(at + REC.segment) >> 1] = segment(insn.segment);
    u16[(at + REC.remaining) >> 1] = block.insns.length - index;
    i32[(at + REC.delta) >> 2] = delta;
    i32[(at + REC.next) >> 2] = next;
  }
  /** Immediates are cut to their operand's size; displacements count from the block's start. */
  #immediate(at: number, insn: Decoded, next: number): void {
    const { i32 } = this.#memory,
      operand = insn.operands.find((o) => o.kind === "imm" || o.kind === "rel");
    let low = insn.immLow,
      high = insn.immHigh;
    if (operand?.kind === "rel") {
      const target = insn.immLow + next;
      low = target | 0;
      high = Math.floor(target / 2 ** 32);
    } else if (operand !== undefined && operand.size < 64) {
      high = 0;
      if (operand.size < 32) low &= (1 << operand.size) - 1;
    }
    i32[at >> 2] = low;
    i32[(at + 4) >> 2] = high;
  }

  // ---- calls out of emitted code: each answers 0, or leaves a fault in the processor's fault object ----

  #calls(): Record<string, (...args: number[]) => number> {
    return {
      load: (record, size) =>
        this.#access(record!, size!, (cpu, linear, bytes) => cpu.access.load(linear, bytes, S.RESULT)),
      store: (record, size) =>
        this.#access(record!, size!, (cpu, linear, bytes) => cpu.access.store(linear, bytes, S.ARG0)),
      modify: (record, size) =>
        this.#access(record!, size!, (cpu, linear, bytes) => cpu.access.loadForWrite(linear, bytes, S.RESULT)),
      probe: (record, size) =>
        this.#access(record!, size!, (cpu, linear, bytes) => cpu.access.probeWrite(linear, bytes)),
      helper: (record, number) =>
        this.#guard(record!, (cpu) => {
          const { u64 } = this.#memory;
          const args = [0, 1, 2, 3, 4, 5].map((i) => u64[(S.ARG0 >> 3) + i]!);
          u64[S.RESULT >> 3] = helpers[helperNames.names[number!]!]!(cpu, args);
        }),
      vectorHelper: (record, number) =>
        this.#guard(record!, (cpu) => {
          const { u64 } = this.#memory,
            vector = (at: number) => u64[at >> 3]! | (u64[(at >> 3) + 1]! << 64n);
          const words = [0, 1, 2].map((i) => u64[(S.ARG0 >> 3) + i]!);
          const result = vectorHelpers[vectorHelperNames.names[number!]!]!(
            cpu,
            vector(S.VECTOR_A),
            vector(S.VECTOR_B),
            words,
          );
          u64[S.RESULT >> 3] = result;
          u64[(S.RESULT >> 3) + 1] = result >> 64n;
        }),
      rare: (record) => {
        const status = this.#guard(record!, (cpu) => cpu.x.run(cpu.x.insn, cpu.ip, cpu.nextIP));
        return status === 0 && this.#cpu.jumped ? STATUS.jumped : status;
      },
      stride: (record) => {
        this.#enter(record!);
        return strideOf(this.#cpu);
      },
    };
  }
  #access(record: number, size: number, access: (cpu: Processor, linear: number, bytes: number) => boolean): number {
    const cpu = this.#cpu,
      { i32, u32 } = this.#memory,
      bytes = size & 0xff,
      low = u32[S.ARG2 >> 2]!,
      high = i32[(S.ARG2 >> 2) + 1]!;
    this.#enter(record);
    const linear = high * 2 ** 32 + low;
    if (cpu.u32(S.LINEAR_MASK + 4) !== 0 && (linear < -(2 ** 47) || linear + bytes > 2 ** 47)) {
      const stack = size & 0x100 || (size & 0x200 && cpu.x.insn.segment === SS);
      cpu.pendingFault.vector = stack ? VECTORS.SS : VECTORS.GP;
      cpu.pendingFault.code = 0;
      return STATUS.fault;
    }
    const done = access(cpu, linear, bytes);
    if (cpu.debug.stop !== null) this.#hold(record);
    return done ? 0 : STATUS.fault;
  }
  /** Runs a helper; a fault that unwinds becomes a status. */
  #guard(record: number, body: (cpu: Processor) => void): number {
    const cpu = this.#cpu;
    this.#enter(record);
    cpu.jumped = false;
    try {
      body(cpu);
      if (cpu.debug.stop !== null) this.#hold(record);
      return 0;
    } catch (e) {
      if (e !== cpu.pendingFault) throw e;
      return STATUS.fault;
    }
  }
}
