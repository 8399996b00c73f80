/** How fast a deployment goes, over the last second or so of the host's time, in units a second of virtual time. */
import type { Laboratory } from "castaway";

interface Sample {
  readonly host: number;
  readonly now: number;
  readonly network: number;
  readonly disk: number;
  readonly exits: number;
  readonly local: number;
  readonly instructions: number;
}

export interface Rates {
  /** Bytes a virtual second on the deployment card's cable, of the drive's writes, and of what became local. */
  readonly network: number;
  readonly disk: number;
  readonly local: number;
  /** VM exits a virtual second. */
  readonly exits: number;
  /** Million instructions a second of the host. */
  readonly mips: number;
}

/** Milliseconds of the host that rates are of. */
const WINDOW = 1000;

export class Meter {
  readonly #lab: Laboratory;
  readonly #now: () => number;
  #samples: Sample[] = [];

  /** @param now host time in milliseconds */
  constructor(lab: Laboratory, now: () => number) {
    this.#lab = lab;
    this.#now = now;
  }

  /** Looks. @returns null while too little time has passed */
  measure(): Rates | null {
    const { machine, lan, observer, localBytes } = this.#lab;
    const { toA, toB } = lan.net.links[0]!;
    const last: Sample = {
      host: this.#now(),
      now: machine.now,
      network: toA.statistics.sentBytes + toB.statistics.sentBytes,
      disk: observer.disk.written,
      exits: machine.vmExits.total,
      local: localBytes,
      instructions: machine.instructions,
    };
    this.#samples.push(last);
    while (this.#samples.length > 2 && last.host - this.#samples[1]!.host >= WINDOW) this.#samples.shift();
    const first = this.#samples[0]!;
    const seconds = (last.now - first.now) / 1e9;
    if (seconds <= 0) return null;
    const rate = (name: "network" | "disk" | "exits" | "local") => (last[name] - first[name]) / seconds;
    return {
      network: rate("network"),
      disk: rate("disk"),
      local: rate("local"),
      exits: rate("exits"),
      mips: (last.instructions - first.instructions) / Math.max(1, last.host - first.host) / 1000,
    };
  }
}
