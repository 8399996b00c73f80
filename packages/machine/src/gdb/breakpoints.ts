/** The breakpoints and watchpoints that gdb has set (packets Z and z), and what a stop at one of them is called. */
import type { HostDebug, WatchKind } from "@castaway/cpu";
import type { MachineStop } from "../machine.ts";
import { addressText } from "./packets.ts";

/** The first number of Z and z. */
const [SOFTWARE, HARDWARE, WRITE, READ, ACCESS] = [0, 1, 2, 3, 4];
const KINDS: Readonly<Record<number, WatchKind>> = { [WRITE]: "write", [READ]: "read", [ACCESS]: "access" };
const NAMES: Readonly<Record<number, string>> = { [WRITE]: "watch", [READ]: "rwatch", [ACCESS]: "awatch" };
/** Of each sort, so that memory stays bounded. */
const MOST = 1024;
const LONGEST_WATCH = 2 ** 20;

interface Watchpoint {
  readonly type: number;
  readonly linear: number;
  readonly bytes: number;
}

export class Breakpoints {
  readonly #debug: HostDebug;
  /** Software and hardware breakpoints by address: one bit each. They are the same but in name. */
  readonly #breakpoints = new Map<number, number>();
  readonly #watchpoints = new Map<string, Watchpoint>();
  /** Breakpoints that were taken away since all processors were to go on. */
  readonly #lifted = new Set<number>();

  constructor(debug: HostDebug) {
    this.#debug = debug;
  }

  /** To set what is set already changes nothing. False if there are too many, or it cannot be. */
  add(type: number, linear: number, bytes: number): boolean {
    if (type === SOFTWARE || type === HARDWARE) {
      const known = this.#breakpoints.get(linear) ?? 0;
      if (known === 0 && this.#breakpoints.size >= MOST) return false;
      if (known === 0) this.#debug.addBreakpoint(linear);
      this.#breakpoints.set(linear, known | (1 << type));
      this.#lifted.delete(linear);
      return true;
    }
    const kind = KINDS[type],
      key = `${type} ${linear} ${bytes}`;
    if (kind === undefined || bytes < 1 || bytes > LONGEST_WATCH || linear + bytes > 2 ** 47) return false;
    if (this.#watchpoints.has(key)) return true;
    if (this.#watchpoints.size >= MOST) return false;
    this.#debug.addWatchpoint(linear, bytes, kind);
    this.#watchpoints.set(key, { type, linear, bytes });
    return true;
  }
  /** To take away what is not set changes nothing. */
  remove(type: number, linear: number, bytes: number): void {
    const kind = KINDS[type];
    if (kind !== undefined) {
      if (this.#watchpoints.delete(`${type} ${linear} ${bytes}`)) this.#debug.removeWatchpoint(linear, bytes, kind);
      return;
    }
    const known = this.#breakpoints.get(linear) ?? 0,
      left = known & ~(1 << type);
    if (known === left) return;
    if (left !== 0) this.#breakpoints.set(linear, left);
    else {
      this.#breakpoints.delete(linear);
      this.#debug.removeBreakpoint(linear);
      if (this.#lifted.size < MOST) this.#lifted.add(linear);
    }
  }
  clear(): void {
    for (const linear of this.#breakpoints.keys()) this.#debug.removeBreakpoint(linear);
    for (const { type, linear, bytes } of this.#watchpoints.values())
      this.#debug.removeWatchpoint(linear, bytes, KINDS[type]!);
    this.#breakpoints.clear();
    this.#watchpoints.clear();
    this.#lifted.clear();
  }

  /**
   * To step one processor over a breakpoint gdb takes it away, and believes that the others stand still meanwhile. They do
   * not, so the breakpoint stays for them. @returns what ends it
   */
  guard(linear: number, others: readonly number[]): () => void {
    if (!this.#lifted.has(linear)) return () => {};
    for (const cpu of others) this.#debug.addBreakpoint(linear, { cpu });
    return () => {
      for (const cpu of others) this.#debug.removeBreakpoint(linear, { cpu });
    };
  }
  /** All processors are to go on: gdb has set again what it wants. */
  resumed(): void {
    this.#lifted.clear();
  }

  has(linear: number): boolean {
    return this.#breakpoints.has(linear);
  }

  /**
   * What the stop is called in a stop reply [GDB E.3]; "" if gdb knows nothing of it.
   * @param understood the features that gdb has said it knows
   */
  describe({ reason, address = 0, access }: MachineStop, understood: ReadonlySet<string>): string {
    if (reason === "breakpoint") {
      const hardware = ((this.#breakpoints.get(address) ?? 0) >> SOFTWARE) & 1 ? "swbreak" : "hwbreak";
      return understood.has(hardware) ? `${hardware}:;` : "";
    }
    if (reason !== "watchpoint") return "";
    const met = [...this.#watchpoints.values()].filter((w) => address >= w.linear && address < w.linear + w.bytes),
      type = [access === "write" ? WRITE : READ, ACCESS].find((type) => met.some((w) => w.type === type));
    return type === undefined ? "" : `${NAMES[type]}:${addressText(address)};`;
  }
}
