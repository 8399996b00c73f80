/**
 * A machine driven as somebody at its serial line, screen and keyboard would drive it, who waits for one thing after the
 * other and tells how it goes.
 *
 *     const guest = new Guest(machine(image));
 *     guest.screen("Linux", seconds(5));
 *     guest.press("ArrowDown", "Enter");
 *     guest.serial("login:", seconds(60));
 */
import type { Key } from "@castaway/devices";
import { ms, type Nanoseconds } from "@castaway/kit";
import type { Machine, Watch } from "castaway";

/** How often the screen is looked at. */
const GLANCE: Nanoseconds = ms(20);
/** Host seconds between two lines of progress. */
const REPORT = 20;

/** Lines of a kernel's log that tell of trouble with clocks, APICs or interrupts. */
const TROUBLE =
  /unstable|calibration (deviates|not consistent)|spurious|lost interrupt|nobody cared|APIC error|lockup|stall|WARNING|BUG:|Call Trace/i;

/** Runs a machine that is not alone, in so much virtual time; see `Machine.run`. */
export type RunAlong = (atMost: Nanoseconds) => { readonly reason: string; readonly detail: string };

export class Guest {
  readonly pc: Machine;
  readonly #along: RunAlong | undefined;
  readonly #start: number;
  /** Characters of the serial line up to the end of what was waited for. */
  #readTo = 0;
  #reported: number;
  #retired = 0;

  /**
   * @param start when it began to run, in host milliseconds
   * @param along how it runs if it is on a network; by itself if left out
   */
  constructor(pc: Machine, start = performance.now(), along?: RunAlong) {
    this.pc = pc;
    this.#along = along;
    this.#start = this.#reported = start;
  }

  /** What the screen shows, without blanks at the ends of lines; nothing in a graphics mode. */
  get screenText(): string {
    const lines = this.pc.board.vga?.screen()?.lines ?? [];
    return lines
      .map((line) => line.trimEnd())
      .join("\n")
      .trimEnd();
  }

  /**
   * Types `type` and waits for `text` on the serial line: for what is printed from then on, or without `type` for what
   * comes after the text that was waited for last. @returns what it printed meanwhile
   */
  serial(text: string, atMost: Nanoseconds, type = ""): string {
    const { com1 } = this.pc;
    const from = type === "" ? this.#readTo : com1.length;
    const watch = com1.shows(text);
    if (type !== "") com1.type(type);
    this.#until(`"${text}" on the serial line`, atMost, () => com1.indexOf(text, from) >= 0, watch);
    this.#readTo = com1.indexOf(text, from) + text.length;
    return com1.text.slice(from - com1.length);
  }

  /** Waits until `text` has been printed on the debug port. */
  debug(text: string, atMost: Nanoseconds): void {
    this.#until(`"${text}" on the debug port`, atMost, () => this.pc.debugLog.text.includes(text));
  }

  /** Waits for a text on the screen. */
  screen(text: string | RegExp, atMost: Nanoseconds): void {
    const shown = () => (typeof text === "string" ? this.screenText.includes(text) : text.test(this.screenText));
    this.#until(`${text} on the screen`, atMost, shown);
  }

  /** Presses keys one after the other. */
  press(...keys: Key[]): void {
    for (const key of keys) this.pc.board.keyboard.press(key);
  }
  /** Types text on the keyboard. */
  type(text: string): void {
    this.pc.board.keyboard.type(text);
  }

  /** Waits for the guest to switch the machine off, and reads its log. @throws Error if the log tells of trouble */
  poweredOff(atMost: Nanoseconds): void {
    this.#until("power off", atMost, () => this.pc.poweredOff);
    const trouble = this.pc.com1.text.split("\n").filter((line) => TROUBLE.test(line));
    if (trouble.length > 0) throw new Error(`the kernel's log complains:\n${trouble.join("\n")}`);
  }

  #until(what: string, atMost: Nanoseconds, met: () => boolean, watch?: Watch): void {
    const { pc } = this;
    const end = pc.now + atMost;
    while (!met()) {
      const { reason, detail } = this.#run(Math.min(GLANCE, end - pc.now), watch);
      if (met()) break;
      const over = reason === "limit" && pc.now >= end;
      if (over || (reason !== "limit" && reason !== "watch"))
        throw new Error(
          `no ${what}: ${over ? `after ${seconds(atMost)} s` : `${reason} ${detail}`}\n${this.#lastSeen()}`,
        );
      this.#report(what);
    }
  }

  #run(atMost: Nanoseconds, watch?: Watch): ReturnType<RunAlong> {
    if (this.#along === undefined) return this.pc.run(watch === undefined ? { atMost } : { atMost, until: watch });
    const stop = this.#along(atMost);
    watch?.look();
    return stop;
  }

  #lastSeen(): string {
    return `the serial line's end:\n${this.pc.com1.text.slice(-1500)}\nthe screen:\n${this.screenText}`;
  }

  #report(what: string): void {
    const now = performance.now();
    if (now - this.#reported < REPORT * 1000) return;
    const { retired } = this.pc.board.cpu;
    const mips = (retired - this.#retired) / (now - this.#reported) / 1000;
    console.log(`      waiting for ${what}: ${this.measures()}, now ${mips.toFixed(1)} MIPS`);
    this.#reported = now;
    this.#retired = retired;
  }

  /** Time here, virtual time, instructions. */
  measures(): string {
    const { now, board } = this.pc;
    const host = (performance.now() - this.#start) / 1000;
    const { retired } = board.cpu;
    const speed = (retired / host / 1e6).toFixed(1);
    return `${host.toFixed(1)} s, ${seconds(now)} s of virtual time, ${(retired / 1e6).toFixed(0)} million instructions, ${speed} MIPS`;
  }
}

const seconds = (time: Nanoseconds): string => (time / 1e9).toFixed(2);
