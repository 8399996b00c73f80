/**
 * The local APIC of one processor [SDM 3A chapter 10]: its registers in memory (xAPIC) or MSRs (x2APIC), interrupts on
 * their way to the processor, and messages to other APICs.
 */
import { type Clock, flag, list, oneOf, record, type StateOf, u32 } from "@castaway/kit";
import type { MmioHandler } from "../core/physical.ts";
import { type ApicBus, EXT_INT, FIXED, INIT, type Listener, LOWEST, type Message, NMI, SMI, START_UP } from "./bus.ts";
import { ERROR, LEVEL, LVT_BITS, MASKED, REG, REMOTE_IRR, SOFTWARE_ENABLED, VERSION } from "./registers.ts";
import { ApicTimer, apicTimerState } from "./timer.ts";
import { Vectors } from "./vectors.ts";

/** All that a local APIC may touch. */
export interface ApicEnv {
  readonly clock: Clock;
  readonly bus: ApicBus;
  /** An interrupt may have become deliverable: look at `requested`. */
  attend(): void;
  /** NMI, INIT, SMI or SIPI for the processor. */
  signal(event: "nmi" | "init" | "smi" | "sipi", vector: number): void;
  /** INTA cycle: the vector of the external interrupt controller. */
  acknowledgePic(): number;
}
/** Switched off in IA32_APIC_BASE, or in one of its two modes. */
export type ApicMode = "disabled" | "xapic" | "x2apic";

export const localApicState = record({
  mode: oneOf("disabled", "xapic", "x2apic"),
  id: u32,
  tpr: u32,
  ldr: u32,
  dfr: u32,
  svr: u32,
  esr: u32,
  errors: u32,
  icrLow: u32,
  icrHigh: u32,
  lvt: list(u32, 6),
  lines: list(flag, 2),
  isr: list(u32, 8),
  tmr: list(u32, 8),
  irr: list(u32, 8),
  timer: apicTimerState,
});
export type LocalApicState = StateOf<typeof localApicState>;

export class LocalApic implements MmioHandler, Listener {
  readonly #env: ApicEnv;
  readonly #initialId: number;
  readonly #timer: ApicTimer;
  readonly #isr = new Vectors();
  readonly #tmr = new Vectors();
  readonly #irr = new Vectors();
  readonly #lvt = new Uint32Array(6);
  /** Levels of LINT0 and LINT1. */
  readonly #lines = [false, false];
  #mode: ApicMode = "xapic";
  #id: number;
  #tpr = 0;
  #ldr = 0;
  #dfr = 0xffffffff;
  #svr = 0xff;
  #esr = 0;
  /** Errors since the last write to ESR. */
  #errors = 0;
  #icrLow = 0;
  #icrHigh = 0;
  /** An interrupt waits that only IF holds back. */
  requested = false;

  constructor(id: number, env: ApicEnv) {
    this.#initialId = this.#id = id;
    this.#env = env;
    this.#timer = new ApicTimer(`apic${id}.timer`, env.clock, () => this.#raise(REG.LVT_TIMER));
    env.bus.attach(this);
    this.reset();
  }

  // ---- state ----

  /** Power-up. The mode follows IA32_APIC_BASE. */
  reset(): void {
    this.#id = this.#initialId;
    this.init();
  }
  /** INIT keeps the APIC id; all else is as after power-up [SDM 3A 10.4.7.3]. */
  init(): void {
    for (const set of [this.#isr, this.#tmr, this.#irr]) set.clear();
    this.#lvt.fill(MASKED);
    this.#tpr = this.#esr = this.#errors = this.#icrLow = this.#icrHigh = 0;
    this.#dfr = 0xffffffff;
    this.#svr = 0xff;
    this.#ldr = this.#mode === "x2apic" ? this.#logicalX2Id() : 0;
    this.#timer.reset();
    this.#update();
  }
  #logicalX2Id(): number {
    return (((this.#id & ~15) << 12) | (1 << (this.#id & 15))) >>> 0;
  }
  get mode(): ApicMode {
    return this.#mode;
  }
  /** As IA32_APIC_BASE says; a switch-off loses the state [SDM 3A 10.4.7.1, 10.12.5.1]. */
  setMode(mode: ApicMode): void {
    if (mode === this.#mode) return;
    const off = mode === "disabled";
    this.#mode = mode;
    if (off) this.init();
    if (mode === "x2apic") {
      this.#id = this.#initialId;
      this.#ldr = this.#logicalX2Id();
    }
    this.#update();
  }

  save(): LocalApicState {
    return {
      mode: this.#mode,
      id: this.#id,
      tpr: this.#tpr,
      ldr: this.#ldr,
      dfr: this.#dfr,
      svr: this.#svr,
      esr: this.#esr,
      errors: this.#errors,
      icrLow: this.#icrLow,
      icrHigh: this.#icrHigh,
      lvt: [...this.#lvt],
      lines: [...this.#lines],
      isr: [...this.#isr.words],
      tmr: [...this.#tmr.words],
      irr: [...this.#irr.words],
      timer: this.#timer.save(),
    };
  }
  restore(s: LocalApicState): void {
    this.#mode = s.mode;
    this.#id = s.id;
    this.#tpr = s.tpr;
    this.#ldr = s.ldr;
    this.#dfr = s.dfr;
    this.#svr = s.svr;
    this.#esr = s.esr;
    this.#errors = s.errors;
    this.#icrLow = s.icrLow;
    this.#icrHigh = s.icrHigh;
    this.#lvt.set(s.lvt);
    this.#lines.splice(0, 2, ...s.lines);
    this.#isr.words.set(s.isr);
    this.#tmr.words.set(s.tmr);
    this.#irr.words.set(s.irr);
    this.#timer.restore(s.timer);
    this.#update();
  }

  // ---- the processor's side ----

  get id(): number {
    return this.#id;
  }
  get taskPriority(): number {
    return this.#tpr;
  }
  setTaskPriority(value: number): void {
    this.#tpr = value & 0xff;
    this.#update();
  }
  /** Processor priority: the higher of the task's and that of the interrupt in service [SDM 3A 10.8.3.1]. */
  get #ppr(): number {
    const serving = Math.max(0, this.#isr.highest());
    return this.#tpr >> 4 >= serving >> 4 ? this.#tpr : serving & 0xf0;
  }
  get arbitrationPriority(): number {
    return this.#ppr;
  }

  /** The vector of the interrupt that `requested` announced; it is in service from now on [SDM 3A 10.8.4]. */
  acknowledge(): number {
    const vector = this.#deliverable();
    if (vector < 0) {
      const external = this.#env.acknowledgePic();
      this.#update();
      return external;
    }
    this.#irr.remove(vector);
    this.#isr.add(vector);
    this.#update();
    return vector;
  }
  /** The highest requested vector, if its class is above the processor's priority; else -1. */
  #deliverable(): number {
    const vector = this.#irr.highest();
    return vector >= 0 && vector >> 4 > this.#ppr >> 4 && this.#enabled ? vector : -1;
  }
  get #enabled(): boolean {
    return this.#mode !== "disabled" && (this.#svr & SOFTWARE_ENABLED) !== 0;
  }
  /** Does the external controller ask, through LINT0 or past an APIC that is off? */
  get #externalRequest(): boolean {
    if (!this.#lines[0]) return false;
    const lvt = this.#lvt[REG.LVT_LINT0 - REG.LVT_TIMER]!;
    return this.#mode === "disabled" || (!(lvt & MASKED) && ((lvt >> 8) & 7) === EXT_INT);
  }
  /** `requested` is a function of the registers: recomputed after every change. */
  #update(): void {
    this.requested = this.#deliverable() >= 0 || this.#externalRequest;
    if (this.requested) this.#env.attend();
  }

  #endOfInterrupt(): void {
    const vector = this.#isr.highest();
    if (vector < 0) return;
    this.#isr.remove(vector);
    if (this.#tmr.has(vector)) {
      for (const i of [REG.LVT_LINT0, REG.LVT_LINT1]) {
        if ((this.#lvt[i - REG.LVT_TIMER]! & 0xff) === vector) this.#lvt[i - REG.LVT_TIMER]! &= ~REMOTE_IRR;
      }
      this.#env.bus.endOfInterrupt(vector);
      this.#followLines();
    }
    this.#update();
  }

  // ---- interrupts from inside: LVT ----

  /** LINT0 or LINT1 changes; active high. */
  setLine(pin: 0 | 1, high: boolean): void {
    const rises = high && !this.#lines[pin],
      lvt = REG.LVT_LINT0 + pin,
      entry = this.#lvt[lvt - REG.LVT_TIMER]!;
    this.#lines[pin] = high;
    if (this.#mode === "disabled") {
      if (pin === 1 && rises) this.#env.signal("nmi", 0);
    } else if (rises && !(((entry >> 8) & 7) === FIXED && entry & LEVEL)) this.#raise(lvt);
    this.#followLines();
    this.#update();
  }
  /** Level-triggered pins ask again as long as they are high and nothing of theirs is in service. */
  #followLines(): void {
    for (const pin of [0, 1]) {
      const i = REG.LVT_LINT0 + pin - REG.LVT_TIMER,
        entry = this.#lvt[i]!;
      if (!this.#lines[pin] || entry & MASKED || ((entry >> 8) & 7) !== FIXED || !(entry & LEVEL) || entry & REMOTE_IRR)
        continue;
      this.#lvt[i] = entry | REMOTE_IRR;
      this.#acceptVector(entry & 0xff, true);
    }
  }
  /** Something local happened: what its LVT entry says is done [SDM 3A 10.5.1]. */
  #raise(register: number): void {
    const entry = this.#lvt[register - REG.LVT_TIMER]!;
    if (this.#mode === "disabled" || entry & MASKED) return;
    const mode = register === REG.LVT_TIMER || register === REG.LVT_ERROR ? FIXED : (entry >> 8) & 7;
    if (mode === FIXED) this.#acceptVector(entry & 0xff, false);
    else if (mode === NMI) this.#env.signal("nmi", 0);
    else if (mode === SMI) this.#env.signal("smi", 0);
    else if (mode === INIT) this.#env.signal("init", 0);
  }
  #error(bit: number): void {
    const fresh = !(this.#errors & bit);
    this.#errors |= bit;
    if (fresh) this.#raise(REG.LVT_ERROR);
  }
  #acceptVector(vector: number, level: boolean): void {
    if (!this.#enabled) return;
    if (vector < 16) {
      this.#error(ERROR.RECEIVE_VECTOR);
      return;
    }
    this.#irr.add(vector);
    this.#tmr.put(vector, level);
    this.#update();
  }

  // ---- messages ----

  /** [SDM 3A 10.6.2, 10.12.10] */
  matches(destination: number, logical: boolean, wide: boolean): boolean {
    if (this.#mode === "disabled") return false;
    if (destination === (wide ? 0xffffffff : 0xff)) return true;
    if (!logical) return destination === this.#id;
    if (this.#mode === "x2apic")
      return destination >>> 16 === this.#ldr >>> 16 && (destination & this.#ldr & 0xffff) !== 0;
    const mine = this.#ldr >>> 24,
      to = destination & 0xff,
      flat = this.#dfr >>> 28 === 15;
    return flat ? (mine & to) !== 0 : mine >> 4 === to >> 4 && (mine & to & 15) !== 0;
  }
  accept(message: Message): void {
    switch (message.mode) {
      case FIXED:
      case LOWEST:
        this.#acceptVector(message.vector, message.level);
        return;
      case NMI:
        this.#env.signal("nmi", 0);
        return;
      case SMI:
        this.#env.signal("smi", 0);
        return;
      case INIT:
        if (message.assert) this.#env.signal("init", 0);
        return;
      case START_UP:
        this.#env.signal("sipi", message.vector);
        return;
      default: // ExtINT as a message: an external controller's request is a line here
    }
  }
  /** A write to ICR's low word sends [SDM 3A 10.6.1]. */
  #send(): void {
    const low = this.#icrLow,
      mode = (low >> 8) & 7,
      vector = low & 0xff,
      shorthand = (low >> 18) & 3,
      wide = this.#mode === "x2apic";
    const level = (low & 0x8000) !== 0,
      assert = (low & 0x4000) !== 0;
    if (mode <= LOWEST && vector < 16) {
      this.#error(ERROR.SEND_VECTOR);
      return;
    }
    if (mode === 3 || mode === EXT_INT || (mode === INIT && level && !assert)) return; // reserved; INIT level de-assert does nothing
    const message: Message = {
      mode,
      vector,
      logical: (low & 0x800) !== 0,
      destination: wide ? this.#icrHigh : this.#icrHigh >>> 24,
      level: false,
      assert: true,
    };
    const { bus } = this.#env;
    if (shorthand === 0) bus.deliver(message, wide);
    else if (shorthand === 1) this.accept(message);
    else bus.broadcast(message, shorthand === 3 ? this : undefined);
  }

  // ---- registers ----

  /** Value of a register, or null if there is none (or it cannot be read). */
  #get(register: number): number | null {
    if (register >= REG.ISR && register < REG.ESR) return this.#setOf(register).words[register & 7]!;
    if (register >= REG.LVT_TIMER && register <= REG.LVT_ERROR) return this.#lvt[register - REG.LVT_TIMER]!;
    switch (register) {
      case REG.ID:
        return this.#mode === "x2apic" ? this.#id : (this.#id << 24) >>> 0;
      case REG.VERSION:
        return VERSION;
      case REG.TPR:
        return this.#tpr;
      case REG.PPR:
        return this.#ppr;
      case REG.LDR:
        return this.#ldr;
      case REG.SVR:
        return this.#svr;
      case REG.ESR:
        return this.#esr;
      case REG.ICR:
        return this.#icrLow;
      case REG.INITIAL_COUNT:
        return this.#timer.initial;
      case REG.CURRENT_COUNT:
        return this.#timer.current;
      case REG.DIVIDE:
        return this.#timer.divide;
      default:
        return null;
    }
  }
  #setOf(register: number): Vectors {
    return register < REG.TMR ? this.#isr : register < REG.IRR ? this.#tmr : this.#irr;
  }

  /** Writes a register that both modes have; false if there is none. */
  #set(register: number, value: number): boolean {
    if (register in LVT_BITS) {
      this.#setLvt(register, value);
      return true;
    }
    switch (register) {
      case REG.TPR:
        this.setTaskPriority(value);
        return true;
      case REG.EOI:
        this.#endOfInterrupt();
        return true;
      case REG.SVR:
        this.#setSvr(value);
        return true;
      case REG.ESR:
        this.#esr = this.#errors;
        this.#errors = 0;
        return true; // what was gathered becomes visible
      case REG.INITIAL_COUNT:
        this.#timer.initial = value;
        return true;
      case REG.DIVIDE:
        this.#timer.divide = value;
        return true;
      default:
        return false;
    }
  }
  #setLvt(register: number, value: number): void {
    const i = register - REG.LVT_TIMER,
      kept = this.#lvt[i]! & REMOTE_IRR;
    this.#lvt[i] = (value & LVT_BITS[register]!) | kept | (this.#svr & SOFTWARE_ENABLED ? 0 : MASKED);
    if (register === REG.LVT_TIMER) this.#timer.mode = (value >> 17) & 3;
    this.#followLines();
    this.#update();
  }
  /** Switching it off masks every LVT entry [SDM 3A 10.4.7.2]. */
  #setSvr(value: number): void {
    this.#svr = value & 0x3ff;
    if (!(value & SOFTWARE_ENABLED)) for (let i = 0; i < 6; i++) this.#lvt[i]! |= MASKED;
    this.#update();
  }

  /** In TSC-deadline mode; see msr.ts. */
  get deadline(): bigint {
    return this.#timer.deadline;
  }
  setDeadline(deadline: bigint, time: number): void {
    this.#timer.setDeadline(deadline, time);
  }

  // ---- xAPIC: registers in memory, 32 bits each on 16-byte boundaries [SDM 3A 10.4.1] ----

  read(address: number, bytes: number): number {
    const offset = address & 0xfff,
      value = this.#readMemory(offset >> 4);
    if (value === null) this.#error(ERROR.REGISTER);
    const shifted = offset & 12 ? 0 : (value ?? 0) >>> (8 * (offset & 3));
    return bytes === 4 ? shifted : shifted & ((1 << (8 * bytes)) - 1);
  }
  #readMemory(register: number): number | null {
    switch (register) {
      case REG.EOI:
      case REG.RRD:
        return 0;
      case REG.APR:
        return this.#ppr;
      case REG.DFR:
        return this.#dfr;
      case REG.ICR_HIGH:
        return this.#icrHigh;
      default:
        return this.#get(register);
    }
  }
  write(address: number, bytes: number, value: number): void {
    const register = (address & 0xfff) >> 4;
    if (address & 15 || bytes !== 4) return; // undefined; ignored
    switch (register) {
      case REG.ID:
        this.#id = value >>> 24;
        return;
      case REG.LDR:
        this.#ldr = (value & 0xff000000) >>> 0;
        return;
      case REG.DFR:
        this.#dfr = (value | 0xfffffff) >>> 0;
        return;
      case REG.ICR:
        this.#icrLow = value & 0xccfff;
        this.#send();
        return;
      case REG.ICR_HIGH:
        this.#icrHigh = (value & 0xff000000) >>> 0;
        return;
      default:
        if (!this.#set(register, value)) this.#error(ERROR.REGISTER);
    }
  }

  // ---- x2APIC: MSRs [SDM 3A 10.12.1.2] ----

  /** Null: #GP(0). */
  readMsr(register: number): bigint | null {
    if (this.#mode !== "x2apic" || register === REG.EOI || register === REG.SELF_IPI) return null;
    if (register === REG.ICR) return (BigInt(this.#icrHigh) << 32n) | BigInt(this.#icrLow);
    const value = this.#get(register);
    return value === null ? null : BigInt(value);
  }
  /** False: #GP(0), for a register that is not there or cannot be written, and for reserved bits. */
  writeMsr(register: number, low: number, high: number): boolean {
    if (this.#mode !== "x2apic" || (high !== 0 && register !== REG.ICR) || low & ~this.#writableX2(register))
      return false;
    if (register === REG.ICR) {
      this.#icrLow = low;
      this.#icrHigh = high >>> 0;
      this.#send();
    } else if (register === REG.SELF_IPI) {
      if (low < 16) this.#error(ERROR.SEND_VECTOR);
      else this.#acceptVector(low, false);
    } else return this.#set(register, low >>> 0);
    return true;
  }
  /** The bits that an x2APIC's register lets be written; EOI and ESR take zero only. */
  #writableX2(register: number): number {
    switch (register) {
      case REG.TPR:
      case REG.SELF_IPI:
        return 0xff;
      case REG.SVR:
        return 0x3ff;
      case REG.ICR:
        return 0xccfff;
      case REG.DIVIDE:
        return 11;
      case REG.INITIAL_COUNT:
        return -1;
      default:
        return LVT_BITS[register] ?? 0;
    }
  }
}
