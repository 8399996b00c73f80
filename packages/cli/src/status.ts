/** The status line: where the run is, how fast it goes, what time it is for the guest. */
import type { Machine } from "castaway";

const PAGING = 0x80000000; // CR0.PG [SDM 3A 2.5]

/** Follows a machine and sums it up. It looks between slices only. */
export class Status {
  readonly #machine: Machine;
  readonly #now: () => number;
  /** Host time and instructions when the speed was measured last. */
  #since: { time: number; instructions: number };
  #mips = 0;
  /** The disk was read since power-on or reset. */
  #loading = false;
  /** The guest has switched paging on since then: no boot loader does. */
  #system = false;

  /** @param now host time in milliseconds */
  constructor(machine: Machine, now: () => number) {
    this.#machine = machine;
    this.#now = now;
    this.#since = { time: now(), instructions: machine.instructions };
    for (const drive of machine.board.drives)
      drive.commands.on(({ name, sectors }) => (this.#loading ||= sectors > 0 && /READ/.test(name)));
    machine.probes.resets.on(() => (this.#loading = this.#system = false));
  }

  get phase(): "firmware" | "boot loader" | "system" | "off" {
    if (this.#machine.poweredOff) return "off";
    this.#system ||= (this.#machine.board.cpu.get("CR0").low & PAGING) !== 0;
    return this.#system ? "system" : this.#loading ? "boot loader" : "firmware";
  }
  /** `system | 45 MIPS | 12.3 s`; the speed is that of the last second or so. */
  line(): string {
    const { instructions, now } = this.#machine;
    const time = this.#now();
    if (time - this.#since.time >= 1000 || this.#mips === 0) {
      const elapsed = Math.max(1, time - this.#since.time);
      this.#mips = (instructions - this.#since.instructions) / elapsed / 1000;
      this.#since = { time, instructions };
    }
    return `${this.phase} | ${this.#mips.toFixed(0)} MIPS | ${(now / 1e9).toFixed(1)} s`;
  }
}

/**
 * Whether a stream of bytes to a terminal is between two characters and between two control sequences [ECMA-48 5.4]: only
 * there may something else be written in between.
 */
export class Rest {
  #inside: "" | "escape" | "sequence" | "string" = "";
  #continuation = 0;

  feed(byte: number): void {
    if (byte === 0x1b) this.#inside = "escape";
    else if (this.#inside === "escape") this.#inside = kindOf(byte);
    else if (this.#inside === "sequence") this.#inside = byte >= 0x40 && byte <= 0x7e ? "" : "sequence";
    else if (this.#inside === "string") this.#inside = byte === 0x07 ? "" : "string";
    else if (byte >= 0xc0) this.#continuation = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    else this.#continuation = byte >= 0x80 ? Math.max(0, this.#continuation - 1) : 0;
  }
  get reached(): boolean {
    return this.#inside === "" && this.#continuation === 0;
  }
}

/** What the byte after ESC begins: a control sequence, a control string, an escape sequence with intermediates, or its end. */
function kindOf(byte: number): "" | "escape" | "sequence" | "string" {
  if (byte === 0x5b) return "sequence"; // CSI
  if ([0x5d, 0x50, 0x58, 0x5e, 0x5f].includes(byte)) return "string"; // OSC, DCS, SOS, PM, APC
  return byte >= 0x20 && byte <= 0x2f ? "escape" : "";
}
