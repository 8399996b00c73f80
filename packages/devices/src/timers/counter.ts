/**
 * One counter of an 8254 [8254]: a function of the tick at which it was loaded. Nothing counts; values and the level of
 * OUT are computed when somebody asks, and so is the tick of OUT's next edge. A tick is a whole clock period of CLK
 * since the machine was built.
 *
 * A count is loaded by the clock pulse after it was written or triggered: at tick t + 1, if it happened in tick t.
 */
import { flag, natural, nullable, record, type Shape, StateError, type StateOf, u8, u16 } from "@castaway/kit";

/** A tick: an integer that may lie before the machine was built. */
const tickShape: Shape<number> = {
  check(value, path) {
    if (!Number.isSafeInteger(value)) throw new StateError(path, `${String(value)} is no tick`);
  },
};

export const counterState = record({
  mode: u8,
  bcd: flag,
  /** Which bytes are accessed: 1 the low one, 2 the high one, 3 both. */
  access: u8,
  /** What was written last, 1 to 65536; 0: nothing since the control word. The data sheet's CR. */
  written: natural,
  /** What is being counted down from; 0: nothing. Its CE has been loaded with it. */
  count: natural,
  /** The tick at which `count` was or will be loaded; or would have been, if it took over in the middle of a square wave. */
  start: tickShape,
  /** Modes 2 and 3: when `written` takes over from `count`. */
  takesOver: nullable(natural),
  /** Ticks since `start` while the gate stops counting. */
  stopped: nullable(natural),
  gate: flag,
  /** Mode 1: OUT until the load. */
  before: flag,
  /** Mode 4: its strobe is over, as the gate fell since. */
  struck: flag,
  /** The first byte of two that are written. */
  low: nullable(u8),
  /** The second byte of two is read next. */
  readsHigh: flag,
  latch: nullable(u16),
  status: nullable(u8),
});
export type CounterState = StateOf<typeof counterState>;

const initial = (gate: boolean): CounterState => ({
  mode: 0,
  bcd: false,
  access: 3,
  written: 0,
  count: 0,
  start: 0,
  takesOver: null,
  stopped: null,
  gate,
  before: true,
  struck: false,
  low: null,
  readsHigh: false,
  latch: null,
  status: null,
});

export class Counter {
  #s: CounterState;

  constructor(gate: boolean) {
    this.#s = initial(gate);
  }

  reset(gate: boolean): void {
    this.#s = initial(gate);
  }
  save(): CounterState {
    return { ...this.#s };
  }
  restore(state: CounterState): void {
    this.#s = { ...state };
  }

  // ---- the programmer's side ----

  /** A control word other than a latch command: bits 5:0. */
  control(word: number): void {
    const mode = (word >> 1) & 7;
    const s = initial(this.#s.gate);
    this.#s = { ...s, access: (word >> 4) & 3, mode: mode > 5 ? mode & 3 : mode, bcd: (word & 1) !== 0 };
  }

  latchCount(tick: number): void {
    this.#settle(tick);
    this.#s.latch ??= this.#shown(tick);
  }
  latchStatus(tick: number): void {
    this.#settle(tick);
    const s = this.#s;
    const pending = s.count === 0 || s.count !== s.written || s.takesOver !== null || tick < s.start;
    const bits = (this.out(tick) ? 0x80 : 0) | (pending ? 0x40 : 0) | (s.access << 4) | (s.mode << 1) | (s.bcd ? 1 : 0);
    s.status ??= bits;
  }

  read(tick: number): number {
    this.#settle(tick);
    const s = this.#s;
    if (s.status !== null) {
      const { status } = s;
      s.status = null;
      return status;
    }
    const value = s.latch ?? this.#shown(tick);
    const high = s.access === 2 || (s.access === 3 && s.readsHigh);
    if (s.access === 3) s.readsHigh = !s.readsHigh;
    if (!s.readsHigh) s.latch = null;
    return high ? value >> 8 : value & 0xff;
  }

  write(tick: number, byte: number): void {
    this.#settle(tick);
    const s = this.#s;
    if (s.access === 3 && s.low === null) {
      s.low = byte;
      if (s.mode === 0) s.count = 0; // the first byte stops counting, and OUT goes low
      return;
    }
    const value = s.access === 1 ? byte : s.access === 2 ? byte << 8 : (byte << 8) | (s.low ?? 0);
    s.low = null;
    s.written = fromRegister(value, s.bcd);
    this.#written(tick);
  }

  #written(tick: number): void {
    const s = this.#s;
    if (s.mode === 1 || s.mode === 5) return; // waits for a trigger
    const periodic = s.mode === 2 || s.mode === 3;
    if (periodic && !s.gate) return; // waits for the gate
    if (periodic && s.count !== 0 && tick >= s.start) s.takesOver = tick + this.#untilReload(tick);
    else this.#load(tick);
  }
  #load(tick: number): void {
    const s = this.#s;
    s.count = s.written;
    s.start = tick + 1;
    s.takesOver = null;
    s.struck = false;
    s.stopped = s.gate || s.mode === 1 || s.mode === 5 ? null : 0;
  }

  /** The gate's level. A rising edge triggers modes 1 and 5 and restarts 2 and 3; a low level stops 0, 2, 3 and 4. */
  setGate(tick: number, high: boolean): void {
    const s = this.#s;
    if (s.gate === high) return;
    this.#settle(tick);
    const out = this.out(tick);
    s.gate = high;
    if (s.mode === 1 || s.mode === 5) {
      if (!high || s.written === 0) return;
      s.before = out;
      this.#load(tick);
    } else if (!high) {
      s.takesOver = null;
      s.stopped = Math.max(0, tick - s.start);
      s.struck = s.stopped >= s.count;
    } else if (s.mode === 2 || s.mode === 3) {
      if (s.written !== 0) this.#load(tick);
      s.stopped = null;
    } else {
      if (tick >= s.start) s.start = tick - (s.stopped ?? 0);
      s.stopped = null;
    }
  }

  // ---- the counting element ----

  #elapsed(tick: number): number {
    return this.#s.stopped ?? tick - this.#s.start;
  }
  /** Mode 3: how long OUT is high. */
  get #highHalf(): number {
    return (this.#s.count + 1) >> 1;
  }
  /** Modes 2 and 3: ticks until the counter is loaded again, at the end of the cycle or of the half cycle. */
  #untilReload(tick: number): number {
    const { count, mode } = this.#s;
    const place = this.#elapsed(tick) % count;
    return mode === 3 && place < this.#highHalf ? this.#highHalf - place : count - place;
  }
  /** Lets a new count take over whose time has come. In mode 3 the half cycle that begins may be the low one. */
  #settle(tick: number): void {
    const s = this.#s;
    if (s.takesOver === null || tick < s.takesOver) return;
    const low = s.mode === 3 && (s.takesOver - s.start) % s.count === this.#highHalf;
    s.count = s.written;
    s.start = s.takesOver - (low ? this.#highHalf : 0);
    s.takesOver = null;
  }

  /** The level of OUT. */
  out(tick: number): boolean {
    this.#settle(tick);
    const { mode, count, start, gate, stopped, before, struck } = this.#s;
    if (count === 0) return mode !== 0;
    if (stopped === null && tick < start) return mode === 1 ? before : mode !== 0;
    const elapsed = this.#elapsed(tick);
    if (mode === 0 || mode === 1) return elapsed >= count;
    if (mode > 3) return elapsed !== count || struck;
    if (!gate) return true;
    const place = elapsed % count;
    return mode === 2 ? place !== count - 1 || count === 1 : place < this.#highHalf;
  }

  /** The next tick after `tick` at which OUT may change; undefined if it stays until somebody writes or moves the gate. */
  nextEdge(tick: number): number | undefined {
    this.#settle(tick);
    const { mode, count, start, stopped } = this.#s;
    if (count === 0 || stopped !== null) return undefined;
    if (tick < start && mode !== 0) return start;
    const elapsed = tick - start;
    if (mode === 0 || mode === 1) return elapsed < count ? start + count : undefined;
    if (mode > 3) return elapsed < count ? start + count : elapsed === count ? tick + 1 : undefined;
    if (count === 1) return this.#s.takesOver ?? undefined;
    const place = elapsed % count;
    if (mode === 2) return place < count - 1 ? tick + count - 1 - place : tick + 1;
    return tick + this.#untilReload(tick);
  }

  /** The counter as it is read. */
  #shown(tick: number): number {
    const { mode, count, written, bcd } = this.#s;
    const range = bcd ? 10000 : 0x10000;
    if (count === 0) return toRegister(written % range, bcd);
    const elapsed = Math.max(0, this.#elapsed(tick));
    let value = count - elapsed;
    if (mode === 2) value = count - (elapsed % count);
    else if (mode === 3) {
      const place = elapsed % count;
      const within = place < this.#highHalf ? place : place - this.#highHalf;
      value = (count & ~1) - 2 * within; // an odd count is loaded less one
    }
    return toRegister(((value % range) + range) % range, bcd);
  }
}

/** What a register's bits count: 0 is the largest count. */
function fromRegister(value: number, bcd: boolean): number {
  if (!bcd) return value === 0 ? 0x10000 : value;
  const digits = (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
  return digits % 10000 === 0 ? 10000 : digits % 10000;
}
function toRegister(value: number, bcd: boolean): number {
  if (!bcd) return value;
  let bits = 0;
  for (let shift = 0, rest = value; shift < 16; shift += 4) {
    bits |= (rest % 10) << shift;
    rest = (rest - (rest % 10)) / 10;
  }
  return bits;
}
