/**
 * The emitted interpreter of one machine: instances of the loop (loop.ts) and of the handlers, the records that they
 * read, and the calls that leave emitted code.
 */
import type { Block, BlockCache } from "../core/blocks.ts";
import { type BoundOperand, type Decoded, NO_REGISTER, RIP_BASE } from "../core/decode.ts";
import { VECTORS } from "../core/exceptions.ts";
import { BLOCK_TABLE_ENTRIES, LAYOUT, type PhysicalMemory } from "../core/physical.ts";
import type { Processor } from "../core/processor.ts";
import { type Executor, faulted, leaveWithin, runBlock, wholeBlockAt } from "../core/run.ts";
import { S, SEG, SS, segment } from "../core/state.ts";
import { handlerStore, hasLongOffset, numberedHelpers, numberedVectorHelpers, SLOT } from "./handlers.ts";
import { KEY_VALID, loop, slotOf } from "./loop.ts";
import { END_BYTES, HEADER, HEADER_BYTES, REC, RECORD_BYTES, STATUS } from "./records.ts";
import { strideOf } from "./stride.ts";

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
    const env = { memory: memory.wasm, table: this.#table, ...this.#calls() },
      { exports } = new WebAssembly.Instance(loop(), { env });
    this.#imports = { env: { ...env, store: exports["store"]!, modify: exports["modify"]! } };
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
    if (!block.valid || !this.#blocks.holds(block) || !this.#ready(block)) runBlock(cpu, block);
    else if (block.secondPage >= 0) {
      if (block.record === 0) this.#translate(block);
      this.#runOne(cpu, block);
    } else {
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
          return this.#done(record!, !this.#cpu.unwinds);
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
          return this.#done(record!, !cpu.unwinds) || (cpu.jumped ? STATUS.jumped : 0);
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
