/**
 * One logical processor: its state, its memory access, and the small set of operations that helpers are written with.
 * The loops that run instructions are in executor files; what the state means is in modes.ts, segments.ts, events.ts.
 */

import type { LocalApic } from "../apic/local.ts";
import { EntryChecks } from "../vmx/checks/checks.ts";
import { GuestTranslation } from "../vmx/translation.ts";
import { Vmx } from "../vmx/vmx.ts";
import type { MemoryAccess, Rights } from "./access.ts";
import type { BegunBlock, BlockCache } from "./blocks.ts";
import type { Decoded } from "./decode.ts";
import type { Evaluator } from "./evaluator.ts";
import { type Exception, type Fault, VECTORS } from "./exceptions.ts";
import { readFlags, writeFlags } from "./flags.ts";
import { HostDebug } from "./host-debug.ts";
import type { Model } from "./model.ts";
import { refreshModes } from "./modes.ts";
import { CR0_PE, CR0_PG, EFER_LMA } from "./paging.ts";
import type { PhysicalMemory } from "./physical.ts";
import { CpuProbes } from "./probes.ts";
import { CS, S, SEG, segment } from "./state.ts";
import { type Unimplemented, unimplemented } from "./unimplemented.ts";

/** How far below 0 a charge takes the budget, which has 32 bits: seconds of waiting are charged at once. */
const LEAST_BUDGET = 1 << 30;

/** What a processor asks of the board around it. All calls are synchronous; time is virtual. */
export interface Board {
  /** Port I/O; `bytes` is 1, 2 or 4; the answer is unsigned. */
  portRead(port: number, bytes: number): number;
  portWrite(port: number, bytes: number, value: number): void;
  /** Virtual time in nanoseconds at the instruction that asks. */
  now(): number;
  /** FERR#: an x87 exception is to be reported as IRQ 13, since CR0.NE is clear. Absent: nobody listens. */
  ferr?(): void;
}

export class Processor {
  readonly id: number;
  readonly memory: PhysicalMemory;
  readonly access: MemoryAccess;
  readonly model: Model;
  readonly board: Board;
  /** The one fault object of this processor. */
  readonly pendingFault: Fault;
  /** The evaluator: helpers read and write their operands through it. */
  x!: Evaluator;
  /** Offset in CS of the instruction at hand, and of the one after it. */
  ip = 0;
  nextIP = 0;
  /** Set when a helper or a semantics has set RIP itself. */
  jumped = false;
  /** Set by a helper that returns instead of throwing `pendingFault`, see `abandonInstruction` in vmx/exit.ts. */
  unwinds = false;

  /** Decoded code, shared with the other processors of the machine. */
  blocks!: BlockCache;
  /** Instructions retired when the budget is used up; and those of the running block not yet retired. */
  retiredEnd = 0;
  /** Virtual time spent on other things than instructions, in nanoseconds. */
  charged = 0;
  remaining = 0;
  /** A debugger stopped the loop: it goes on with its turn, and perhaps within a block. */
  interrupted = false;
  begun: BegunBlock | null = null;
  /** Where a debugger was told that this processor stands: no breakpoint stops it there again; see host-debug.ts. */
  passed: { linear: number; retired: number } | null = null;
  /** A repeated instruction ends after each iteration. */
  oneIteration = false;
  /** Events and faults delivered so far, for stepping. */
  deliveries = 0;
  /** Events are blocked while fewer instructions are retired than this (STI, MOV SS, POP SS). */
  shadowEnd = 0;
  /** RFLAGS.RF is in force while fewer instructions are retired than this, see debug.ts. */
  resumeEnd = 0;
  /** The fault in `pendingFault` came up after its transfer or task switch was done: it is raised at `ip`, which is there. */
  committed = false;
  /** The event that is being delivered, in the format of the VMCS's IDT-vectoring information, or 0; its error code. */
  vectoring = 0;
  vectoringCode = 0;
  /** TF was set when the instruction at hand began: it ends with a single-step trap, unless an event comes first. */
  stepTrap = false;
  /** Bits for DR6 of the #DB in `pendingFault`. */
  debugBits = 0;
  /** Events from outside that this processor has not looked at yet: bits of S.PENDING, and the vector of a SIPI. */
  signals = 0;
  sipiVector = 0;
  /** Told to look for events since it looked last. */
  attended = false;
  /** The turn ended with a PAUSE: the other processors go on first. */
  yielded = false;
  /** Logical processors of the machine, for CPUID. */
  processors = 1;
  /** The local APIC, through which interrupts come; null: none, only NMI and INIT. */
  apic: LocalApic | null = null;
  /** VMX operation, and the VMCS in use. */
  readonly vmx = new Vmx();
  readonly entryChecks: EntryChecks;
  readonly translation: GuestTranslation;
  /** Events for tools, shared by the processors of the machine. */
  probes = new CpuProbes();
  /** Debugging from outside, shared by the processors of the machine. */
  debug = new HostDebug();
  /** Set when the run must end with a typed outcome: something is not implemented, or a breakpoint was reached. */
  stopped: string | null = null;

  constructor(id: number, memory: PhysicalMemory, access: MemoryAccess, model: Model, board: Board) {
    this.id = id;
    this.memory = memory;
    this.access = access;
    this.model = model;
    this.board = board;
    this.pendingFault = access.fault;
    this.entryChecks = new EntryChecks(this);
    this.translation = new GuestTranslation(this);
  }

  // ---- state fields, by their addresses in S ----
  u32(at: number): number {
    return this.memory.u32[at >> 2]!;
  }
  setU32(at: number, value: number): void {
    this.memory.u32[at >> 2] = value;
  }
  /** As a number: exact for canonical addresses and everything below 2^53; signed. */
  number(at: number): number {
    return this.memory.i32[(at >> 2) + 1]! * 2 ** 32 + this.memory.u32[at >> 2]!;
  }
  /** Writes a 64-bit field from a signed or unsigned number that is exact. */
  setNumber(at: number, value: number): void {
    this.memory.u32[at >> 2] = value >>> 0;
    this.memory.i32[(at >> 2) + 1] = Math.floor(value / 2 ** 32);
  }
  u64(at: number): bigint {
    return this.memory.u64[at >> 3]!;
  }
  setU64(at: number, value: bigint): void {
    this.memory.u64[at >> 3] = value;
  }
  gpr(n: number): bigint {
    return this.memory.u64[(S.GPR >> 3) + n]!;
  }
  setGpr(n: number, value: bigint): void {
    this.memory.u64[(S.GPR >> 3) + n] = value;
  }
  gpr32(n: number): number {
    return this.memory.u32[(S.GPR >> 2) + 2 * n]!;
  }
  /** As a 32-bit register write: the upper half becomes zero. */
  setGpr32(n: number, value: number): void {
    this.memory.u32[(S.GPR >> 2) + 2 * n] = value;
    this.memory.u32[(S.GPR >> 2) + 2 * n + 1] = 0;
  }
  get flags(): number {
    return readFlags(this.memory);
  }
  set flags(value: number) {
    writeFlags(this.memory, value);
  }

  // ---- modes ----
  get cpl(): number {
    return this.u32(S.CPL);
  }
  get protectedMode(): boolean {
    return (this.u32(S.CR0) & CR0_PE) !== 0;
  }
  get paging(): boolean {
    return (this.u32(S.CR0) & CR0_PG) !== 0;
  }
  /** IA-32e mode (64-bit or compatibility), and 64-bit mode proper. */
  get ia32e(): boolean {
    return (this.u32(S.EFER) & EFER_LMA) !== 0;
  }
  get long(): boolean {
    return this.ia32e && (this.segmentAccess(CS) & 0x2000) !== 0;
  }
  segmentAccess(n: number): number {
    return this.u32(segment(n) + SEG.access);
  }
  selector(n: number): number {
    return this.u32(segment(n) + SEG.selector);
  }
  /** Recomputes every derived field; to be called after control registers, EFER, segment registers or flags changed. */
  refresh(): void {
    refreshModes(this);
  }

  // ---- time, in retired instructions ----
  /** Exact at the instruction at hand, not counting it. */
  retired(): number {
    return this.retiredEnd - this.memory.i32[S.BUDGET >> 2]! - this.remaining;
  }
  /** Blocks events until the instruction after the one at hand is done; `by` is the bit of S.INTERRUPTIBILITY. */
  startShadow(by: 1 | 2): void {
    this.shadowEnd = this.retired() + 2;
    this.setU32(S.INTERRUPTIBILITY, (this.u32(S.INTERRUPTIBILITY) & ~3) | by);
  }
  inShadow(): boolean {
    return this.retired() < this.shadowEnd;
  }
  /** Makes the loop look for events at the next block boundary; a processor that is halted has a turn for it. */
  attend(): void {
    this.attended = true;
    this.memory.i32[S.ATTENTION >> 2] = 1;
  }
  /** Virtual time in nanoseconds that this processor has spent: an instruction each, what it was charged, and halts. */
  time(): number {
    return this.retired() + this.charged;
  }
  /** Adds virtual time beyond the instructions' own: cost model, halts. */
  charge(nanoseconds: number): void {
    const { i32 } = this.memory,
      taken = Math.max(0, Math.min(nanoseconds, i32[S.BUDGET >> 2]! + LEAST_BUDGET));
    this.charged += nanoseconds;
    this.retiredEnd -= taken;
    i32[S.BUDGET >> 2]! -= taken;
  }
  /** Ends this processor's turn with the instruction at hand, which ends its block. */
  yieldTurn(): void {
    if (this.processors === 1) return;
    this.yielded = true;
    this.limitTo(this.time() + 1);
  }
  /** Ends the budget at this virtual time, if that is sooner: a device armed an earlier timer. */
  limitTo(time: number): void {
    const excess = this.memory.i32[S.BUDGET >> 2]! + this.remaining - (time - this.time());
    if (excess <= 0) return;
    this.memory.i32[S.BUDGET >> 2]! -= excess;
    this.retiredEnd -= excess;
  }
  /** NMI, INIT, SIPI or SMI from outside, at any time, whichever processor runs: `event` is a bit of S.PENDING. */
  signal(event: number, sipiVector = 0): void {
    const init = 2,
      sipi = 4;
    if (event === init) this.signals &= ~sipi; // what came before an INIT is lost
    if (event === sipi) this.sipiVector = sipiVector;
    this.signals |= event;
    this.attend();
  }
  /** Tells which instruction is at hand. */
  setBounds(insn: Decoded, ip: number, nextIP: number): void {
    this.x.insn = insn;
    this.ip = ip;
    this.nextIP = nextIP;
  }

  // ---- faults: these unwind to the executor ----
  fault(exception: Exception, code = 0): never {
    this.setFault(exception, code);
    throw this.pendingFault;
  }
  /** The same as a value, for paths that do not unwind. */
  setFault(exception: Exception, code: number): void {
    this.pendingFault.vector = VECTORS[exception];
    this.pendingFault.code = code;
  }
  /** Ends the run with a typed outcome before the instruction at hand: this is in the list, but not written yet. */
  unimplemented(what: Unimplemented): never {
    return unimplemented(this, what);
  }
  requireCpl0(): void {
    if (this.cpl !== 0) this.fault("GP", 0);
  }

  // ---- memory by linear address ----
  /** Reads 1, 2, 4 or 8 bytes; faults unwind. The address is canonical (or below 4 GiB). */
  readLinear(linear: number, bytes: 1 | 2 | 4, rights: Rights = "current"): number {
    if (!this.access.load(linear, bytes, S.RESULT, rights)) throw this.pendingFault;
    return this.memory.u32[S.RESULT >> 2]!;
  }
  readLinear64(linear: number, rights: Rights = "current"): bigint {
    if (!this.access.load(linear, 8, S.RESULT, rights)) throw this.pendingFault;
    return this.memory.u64[S.RESULT >> 3]!;
  }
  writeLinear(linear: number, bytes: 1 | 2 | 4, value: number, rights: Rights = "current"): void {
    this.memory.u32[S.ARG0 >> 2] = value;
    if (!this.access.store(linear, bytes, S.ARG0, rights)) throw this.pendingFault;
  }
  writeLinear64(linear: number, value: bigint, rights: Rights = "current"): void {
    this.memory.u64[S.ARG0 >> 3] = value;
    if (!this.access.store(linear, 8, S.ARG0, rights)) throw this.pendingFault;
  }

  /** Continues at this offset in CS, which the caller has checked; ends the block. */
  jumpTo(ip: number): void {
    this.setNumber(S.RIP, ip);
    this.jumped = true;
  }
}

/** Is this 64-bit word a canonical address (bits 63:47 equal)? */
export const isCanonical = (address: bigint): boolean => BigInt.asIntN(48, address) === BigInt.asIntN(64, address);
export type { Decoded };
