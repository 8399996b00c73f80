/**
 * The real-time clock and its battery-backed memory [MC146818], at ports 70 and 71. It shows virtual time from the date
 * that it was built with. Registers are brought up to date when somebody looks; a timer of the clock runs only while an
 * interrupt is enabled and not asserted yet.
 */
import {
  bytes,
  type Clock,
  type IrqLine,
  type Nanoseconds,
  natural,
  record,
  type StateOf,
  seconds,
  TickRate,
  type Timer,
  timerState,
  u8,
  us,
} from "@castaway/kit";
import { bytewise } from "../bytewise.ts";
import type { Device } from "../device.ts";
import { civilTime, secondsOf, weekday } from "./calendar.ts";

const SIZE = 128;
/** Where what is in the memory [MC146818 "Address map"]; the century is a PC's convention. */
const AT = {
  SECONDS: 0x00,
  SECONDS_ALARM: 0x01,
  MINUTES: 0x02,
  MINUTES_ALARM: 0x03,
  HOURS: 0x04,
  HOURS_ALARM: 0x05,
  WEEKDAY: 0x06,
  DAY: 0x07,
  MONTH: 0x08,
  YEAR: 0x09,
  A: 0x0a,
  B: 0x0b,
  C: 0x0c,
  D: 0x0d,
  CENTURY: 0x32,
};
const A = { RS: 0x0f, DV: 0x70, UIP: 0x80, WRITABLE: 0x7f };
const B = { H24: 0x02, BINARY: 0x04, SQWE: 0x08, UIE: 0x10, AIE: 0x20, PIE: 0x40, SET: 0x80 };
const FLAGS = { UF: 0x10, AF: 0x20, PF: 0x40, IRQF: 0x80 };
const D = { VRT: 0x80 };
/** Alarm bytes from C0 on match anything [MC146818 "Time, calendar, and alarm locations"]. */
const ANY = 0xc0;
const PM_BIT = 0x80;

/** The divider chain's input. Periodic interrupts are whole numbers of its ticks. */
const CRYSTAL = new TickRate(32768);
/** UIP is set so long before an update [MC146818 "Update cycle"]; the update itself takes no time here. */
const UIP_TIME: Nanoseconds = us(244);
const SECOND: Nanoseconds = seconds(1);
const DAY = 86400;

export const rtcState = record({
  cmos: bytes(SIZE),
  index: u8,
  /** When the next second begins. */
  next: natural,
  /** The tick of the crystal up to which periodic events are in register C. */
  seen: natural,
  event: timerState,
});
export type RtcState = StateOf<typeof rtcState>;

export interface RtcEnv {
  readonly clock: Clock;
  /** IRQ 8. */
  readonly irq: IrqLine;
}
export type RtcOptions = {
  /** What it shows at virtual time 0: seconds from 1970 on, UTC. */
  readonly start: number;
  /** Bytes of the memory, from 0E on; the others are 0. */
  readonly nvram?: Readonly<Record<number, number>>;
};

export class Rtc implements Device<RtcState> {
  /** Ports 70 and 71. */
  readonly ports = bytewise(
    (offset) => (offset === 0 ? this.#index : offset === 1 ? this.#read(this.#index & (SIZE - 1)) : 0xff),
    (offset, value) => this.#write(offset, value),
  );
  readonly #env: RtcEnv;
  readonly #cmos = new Uint8Array(SIZE);
  readonly #event: Timer;
  #index = 0;
  #next: Nanoseconds;
  #seen = 0;

  constructor(env: RtcEnv, { start, nvram = {} }: RtcOptions) {
    this.#env = env;
    this.#event = env.clock.timer("rtc.event", () => this.#drive());
    for (const [at, value] of Object.entries(nvram)) this.#cmos[Number(at)] = value;
    this.#cmos[AT.A] = 0x26; // 32 kHz, 1024 Hz
    this.#cmos[AT.B] = B.H24;
    this.#cmos[AT.D] = D.VRT;
    this.#showTime(start);
    this.#cmos[AT.WEEKDAY] = (weekday(start) % 7) + 1;
    this.#next = env.clock.now + SECOND;
    this.#seen = CRYSTAL.ticksAt(env.clock.now);
  }

  /** RESET# ends interrupts; time, dividers and memory go on, on battery [MC146818 "RESET"]. */
  reset(): void {
    this.#settle();
    this.#cmos[AT.B] &= ~(B.PIE | B.AIE | B.UIE | B.SQWE);
    this.#cmos[AT.C] = 0;
    this.#index = 0;
    this.#drive();
  }
  save(): RtcState {
    const { index, next, seen } = { index: this.#index, next: this.#next, seen: this.#seen };
    return { cmos: this.#cmos.slice(), index, next, seen, event: this.#event.save() };
  }
  restore(state: RtcState): void {
    this.#cmos.set(state.cmos);
    this.#index = state.index;
    this.#next = state.next;
    this.#seen = state.seen;
    this.#event.restore(state.event);
    this.#env.irq.set((this.#cmos[AT.C] & FLAGS.IRQF) !== 0);
  }

  #read(at: number): number {
    this.#settle();
    if (at === AT.A) return this.#cmos[AT.A] | (this.#isUpdating ? A.UIP : 0);
    const value = this.#cmos[at];
    if (at === AT.C) {
      this.#cmos[AT.C] = 0;
      this.#drive();
    }
    return value;
  }
  #write(offset: number, value: number): void {
    if (offset !== 1) {
      if (offset === 0) this.#index = value;
      return;
    }
    const at = this.#index & (SIZE - 1);
    this.#settle();
    if (at === AT.A) this.#writeA(value);
    else if (at === AT.B) this.#cmos[AT.B] = value & B.SET ? value & ~B.UIE : value;
    else if (at !== AT.C && at !== AT.D) this.#cmos[at] = value;
    this.#drive();
  }
  /** Half a second after the divider chain was let go the first second begins [MC146818 "Divider control"]. */
  #writeA(value: number): void {
    const stood = !this.#isCounting;
    this.#cmos[AT.A] = value & A.WRITABLE;
    if (stood && this.#isCounting) this.#next = this.#env.clock.now + SECOND / 2;
  }

  // ---- time ----

  /** The divider chain is not held in reset. */
  get #isCounting(): boolean {
    return (this.#cmos[AT.A] & A.DV) <= 0x20;
  }
  get #isUpdating(): boolean {
    const runs = this.#isCounting && !(this.#cmos[AT.B] & B.SET);
    return runs && this.#next - this.#env.clock.now <= UIP_TIME;
  }

  /** Brings time and flags up to now. */
  #settle(): void {
    const { now } = this.#env.clock;
    const tick = CRYSTAL.ticksAt(now);
    const period = this.#period;
    let flags = 0;
    if (period > 0 && tick - (tick % period) > this.#seen) flags |= FLAGS.PF;
    this.#seen = tick;
    if (!this.#isCounting) this.#next = now + SECOND;
    else if (now >= this.#next) {
      const count = 1 + Math.floor((now - this.#next) / SECOND);
      this.#next += count * SECOND;
      if (!(this.#cmos[AT.B] & B.SET)) flags |= this.#advance(count);
    }
    this.#cmos[AT.C] |= flags;
  }
  /** So many seconds pass. @returns the flags that this sets */
  #advance(count: number): number {
    const alarm = this.#untilAlarm();
    const time = this.#time();
    const days = Math.floor((time + count) / DAY) - Math.floor(time / DAY);
    this.#showTime(time + count);
    this.#cmos[AT.WEEKDAY] = ((this.#cmos[AT.WEEKDAY] + 6 + days) % 7) + 1;
    return FLAGS.UF | (alarm !== undefined && alarm <= count ? FLAGS.AF : 0);
  }
  /** What the registers show, in seconds from 1970 on. */
  #time(): number {
    const value = (at: number) => this.#decode(this.#cmos[at]);
    return secondsOf({
      year: 100 * value(AT.CENTURY) + value(AT.YEAR),
      month: value(AT.MONTH),
      day: value(AT.DAY),
      hour: this.#decodeHour(this.#cmos[AT.HOURS]),
      minute: value(AT.MINUTES),
      second: value(AT.SECONDS),
    });
  }
  #showTime(time: number): void {
    const { year, month, day, hour, minute, second } = civilTime(time);
    const cmos = this.#cmos;
    const wrapped = ((year % 10000) + 10000) % 10000;
    cmos[AT.SECONDS] = this.#encode(second);
    cmos[AT.MINUTES] = this.#encode(minute);
    cmos[AT.HOURS] = this.#encodeHour(hour);
    cmos[AT.DAY] = this.#encode(day);
    cmos[AT.MONTH] = this.#encode(month);
    cmos[AT.YEAR] = this.#encode(wrapped % 100);
    cmos[AT.CENTURY] = this.#encode(Math.floor(wrapped / 100));
  }
  /** Seconds, 1 to 86400, until the alarm matches; undefined if it never will. */
  #untilAlarm(): number | undefined {
    const part = (at: number, decode: (byte: number) => number) =>
      this.#cmos[at] >= ANY ? undefined : decode(this.#cmos[at]);
    const second = part(AT.SECONDS_ALARM, (byte) => this.#decode(byte));
    const minute = part(AT.MINUTES_ALARM, (byte) => this.#decode(byte));
    const hour = part(AT.HOURS_ALARM, (byte) => this.#decodeHour(byte));
    if ((second ?? 0) > 59 || (minute ?? 0) > 59 || (hour ?? 0) > 23) return undefined;
    const from = this.#time();
    let at = from + 1;
    /** Moves on to the next time at which a digit of `unit` seconds, of which there are `range`, is `wanted`. */
    const reach = (wanted: number | undefined, unit: number, range: number): boolean => {
      const digit = Math.floor(at / unit);
      const missing = wanted === undefined ? 0 : (((wanted - digit) % range) + range) % range;
      if (missing > 0) at = (digit + missing) * unit;
      return missing > 0;
    };
    while (reach(second, 1, 60) || reach(minute, 60, 60) || reach(hour, 3600, 24));
    return at - from;
  }

  // ---- formats [MC146818 "Time, calendar, and alarm locations"] ----

  #encode(value: number): number {
    return this.#cmos[AT.B] & B.BINARY ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }
  #decode(byte: number): number {
    return this.#cmos[AT.B] & B.BINARY ? byte : 10 * (byte >> 4) + (byte & 15);
  }
  #encodeHour(hour: number): number {
    if (this.#cmos[AT.B] & B.H24) return this.#encode(hour);
    return this.#encode(((hour + 11) % 12) + 1) | (hour >= 12 ? PM_BIT : 0);
  }
  #decodeHour(byte: number): number {
    if (this.#cmos[AT.B] & B.H24) return this.#decode(byte);
    return (this.#decode(byte & ~PM_BIT) % 12) + (byte & PM_BIT ? 12 : 0);
  }

  // ---- interrupts ----

  /** Ticks of the crystal between periodic events; 0: there are none [MC146818 table 5]. */
  get #period(): number {
    const rate = this.#cmos[AT.A] & A.RS;
    if (rate === 0 || !this.#isCounting) return 0;
    return rate < 3 ? 64 << rate : 1 << (rate - 1);
  }
  /** IRQF and the line follow from flags and enables, which have the same places; if there is none yet, waits for one. */
  #drive(): void {
    this.#settle();
    const enabled = this.#cmos[AT.B] & (B.PIE | B.AIE | B.UIE);
    const asserted = (this.#cmos[AT.C] & enabled) !== 0;
    if (asserted) this.#cmos[AT.C] |= FLAGS.IRQF;
    else this.#cmos[AT.C] &= ~FLAGS.IRQF;
    const at = asserted || enabled === 0 ? undefined : this.#nextEvent(enabled);
    if (at === undefined) this.#event.disarm();
    else this.#event.armAt(at);
    this.#env.irq.set(asserted);
  }
  /** When the first enabled flag will be set. */
  #nextEvent(enabled: number): Nanoseconds | undefined {
    const times: Nanoseconds[] = [];
    const period = this.#period;
    if (enabled & B.PIE && period > 0) times.push(CRYSTAL.timeOf(this.#seen - (this.#seen % period) + period));
    if (this.#isCounting && !(this.#cmos[AT.B] & B.SET)) {
      if (enabled & B.UIE) times.push(this.#next);
      const alarm = enabled & B.AIE ? this.#untilAlarm() : undefined;
      if (alarm !== undefined) times.push(this.#next + (alarm - 1) * SECOND);
    }
    return times.length > 0 ? Math.min(...times) : undefined;
  }
}
