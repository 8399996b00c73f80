/**
 * The x87 registers as its instructions see them: the stack, tags, exceptions and the pointers to the last instruction
 * [SDM 1 8.1]. Operations are helpers, by name, over one `Unit`: so that fast paths can be put before the call.
 */
import type { Unit as Availability, Exec, Semantics } from "../core/exec.ts";
import { type Form, form, type HelperBody, type Instruction, instruction, rare } from "../core/forms.ts";
import type { PhysicalMemory } from "../core/physical.ts";
import type { Processor } from "../core/processor.ts";
import { CS, S } from "../core/state.ts";
import { F80, FpEnv, IE } from "../fp/index.ts";

/** FSW: condition codes, stack fault, and the two summaries, which are always alike [SDM 1 figure 8-4]. */
export const C0 = 1 << 8, C1 = 1 << 9, C2 = 1 << 10, C3 = 1 << 14, SF = 1 << 6, SUMMARY = 1 << 7 | 1 << 15;
export const EXCEPTIONS = 0x3f, TOP = 7 << 11;
/** FCW: what can be written; bit 6 reads as one [SDM 1 figure 8-6]. After FNINIT: 037F. */
const FCW_WRITABLE = 0x1f3f, FCW_ONES = 0x40;
export const FCW_INITIAL = 0x37f;

/** What one instruction works on: the unit of the processor that runs it. */
export class Unit {
  readonly env = new FpEnv("x87");
  #cpu!: Processor;
  #memory!: PhysicalMemory;

  /** Takes up an instruction that is not a control instruction, after its last access that can fault. */
  begin(cpu: Processor): this {
    this.#cpu = cpu;
    this.#memory = cpu.memory;
    notePointers(cpu);
    this.env.loadFcw(this.fcw).begin();
    return this;
  }
  /** The register that the low bits of the ModRM byte name. */
  get i(): number { return this.#cpu.x.insn.modrm & 7; }

  get fcw(): number { return this.#memory.u16[S.FCW >> 1]!; }
  get fsw(): number { return this.#memory.u16[S.FSW >> 1]!; }
  set fsw(value: number) { this.#memory.u16[S.FSW >> 1] = value; }
  /** Sets those of `mask`, a set of condition codes, that are in `codes`, and clears the others of it. */
  setCodes(mask: number, codes: number): void { this.fsw = (this.fsw & ~mask) | codes; }

  // ---- the stack ----
  #physical(i: number): number { return ((this.fsw >> 11) + i) & 7; }
  isEmpty(i: number): boolean { return (this.#memory.u16[S.FTW >> 1]! >> this.#physical(i) & 1) === 0; }
  free(i: number): void { this.#memory.u16[S.FTW >> 1]! &= ~(1 << this.#physical(i)); }
  /** Moves TOP by 1 or -1. */
  turn(by: number): void { this.fsw = (this.fsw & ~TOP) | ((this.#physical(by) & 7) << 11); }
  st(i: number): bigint {
    const at = S.FPR + 16 * this.#physical(i), { u64, u16 } = this.#memory;
    return BigInt(u16[(at + 8) >> 1]!) << 64n | u64[at >> 3]!;
  }
  /** Writes ST(i), which is no longer empty. */
  setSt(i: number, value: bigint): void {
    const n = this.#physical(i), at = S.FPR + 16 * n, { u64, u16 } = this.#memory;
    u64[at >> 3] = value;
    u16[(at + 8) >> 1] = Number(value >> 64n);
    u16[S.FTW >> 1]! |= 1 << n;
  }
  push(value: bigint): void { this.turn(-1); this.setSt(0, value); }
  pop(count = 1): void {
    for (let n = 0; n < count; n++) { this.free(0); this.turn(1); }
  }

  // ---- exceptions ----
  /** A register that must hold something is empty. True if that is masked: the result is the indefinite [SDM 1 8.5.1.1]. */
  underflow(): boolean { return this.#stackFault(0); }
  /** The register that would be pushed into is not empty. */
  overflow(): boolean { return this.#stackFault(C1); }
  #stackFault(direction: number): boolean {
    this.setCodes(C1, SF | direction);
    this.#report(IE);
    return (this.fcw & IE) !== 0;
  }
  #report(flags: number): void {
    this.fsw |= flags;
    if ((flags & ~this.fcw & EXCEPTIONS) !== 0) this.fsw |= SUMMARY;
  }
  /** Reports what the operation found; true if its result is to be written, and the stack popped. */
  finish(suppressed = this.env.suppressed): boolean {
    const { env } = this;
    this.#report(env.reported);
    if (env.roundedUp && !suppressed) this.fsw |= C1;
    return !suppressed;
  }
}
const unit = new Unit();
/** The unit, for an instruction that is not a control instruction. These codes are cleared: nearly all clear C1, and set it if need be. */
export function begin(cpu: Processor, cleared = C1): Unit {
  unit.begin(cpu).setCodes(cleared, 0);
  return unit;
}
export const INDEFINITE = F80.indefinite;

/**
 * FIP, FDP and FOP: every instruction that is not a control instruction leaves its own [SDM 1 8.1.8, 8.1.9]. FDP stays
 * where there is no operand in memory.
 */
function notePointers(cpu: Processor): void {
  const { insn } = cpu.x, { u16 } = cpu.memory;
  u16[S.FOP >> 1] = (insn.form.byte & 7) << 8 | insn.modrm;
  u16[S.FCS >> 1] = cpu.selector(CS);
  cpu.setNumber(S.FIP, cpu.ip);
  if (!insn.hasMemory) return;
  u16[S.FDS >> 1] = cpu.selector(insn.segment);
  cpu.setU64(S.FDP, cpu.x.address(insn.operands[0]!));
}

// ---- control and status words, in the vocabulary ----

/** Loads FCW: which exceptions of those in FSW now wait decides the summaries [SDM 2A "FLDCW"]. */
export function loadFcw<V>(x: Exec<V>, value: V): void {
  const fcw = x.or(x.and(value, x.const(FCW_WRITABLE)), x.const(FCW_ONES));
  x.setState(S.FCW, fcw, 2);
  loadFsw(x, fcw, x.state(S.FSW, 2));
}
export function loadFsw<V>(x: Exec<V>, fcw: V, value: V): void {
  const waiting = x.isNonZero(x.and(x.and(value, x.not(fcw)), x.const(EXCEPTIONS)));
  x.setState(S.FSW, x.or(x.and(value, x.const(~SUMMARY)), x.select(waiting, x.const(SUMMARY), x.const(0))), 2);
}
/** FNINIT: all but the registers themselves [SDM 2A "FINIT"]. */
export function initialize<V>(x: Exec<V>): void {
  const zero = x.const(0);
  x.setState(S.FCW, x.const(FCW_INITIAL), 2);
  for (const at of [S.FSW, S.FTW, S.FOP, S.FCS, S.FDS]) x.setState(at, zero, 2);
  x.setState(S.FIP, zero);
  x.setState(S.FDP, zero);
}

/** A waiting instruction of this unit, and one that does not look for exceptions that wait [SDM 1 8.6]. */
export const x87 = (name: string, forms: Form[], run: Semantics, rest: Partial<Instruction> = {}): Instruction =>
  instruction(name, forms.map(gated), run, { unit: "x87", ...rest });
export const x87Control = (name: string, forms: Form[], run: Semantics, rest: Partial<Instruction> = {}): Instruction =>
  instruction(name, forms.map(gated), run, { unit: "x87control", ...rest });
/** The same, all in TypeScript, with an operand in memory of a size that depends on the mode. */
export const x87Rare = (name: string, opcode: string, helper: HelperBody, unit: Availability): Instruction =>
  rare(name, [gated(form(opcode, "M"))], helper, { unit });
const gated = (f: Form): Form => ({ feature: "fpu", ...f });
