/** Whether the local disk is what it must be: during the run what was seen to be wrong, at the end a comparison. */
import type { Laboratory } from "castaway";
import { EXIT } from "../exit.ts";
import type { Verification } from "./summary.ts";

/** What watches a disk from outside. */
export interface DiskWatcher {
  /** What was wrong so far. */
  readonly findings: readonly string[];
  /** Bytes that the guest wrote. */
  readonly guestBytes: number;
  /** Compares the disk. */
  verify(): boolean;
}

export class Verdict {
  readonly #lab: Laboratory;
  readonly #watcher: DiskWatcher | null;
  #told: ((verification: Verification | null) => void) | null = null;

  constructor(lab: Laboratory, watcher: DiskWatcher | null) {
    this.#lab = lab;
    this.#watcher = watcher;
  }

  /** Between slices: what makes it senseless to go on. */
  problem(): { problem: string; code: number } | null {
    if (this.#told !== null && this.#lab.phase === "bare") {
      const told = this.#told;
      this.#told = null;
      told(this.compare());
    }
    const [first] = this.#watcher?.findings ?? [];
    return first === undefined ? null : { problem: first, code: EXIT.differs };
  }
  /** Compares once the hypervisor is gone. @returns null if it is not, or nobody watched */
  compare(): Verification | null {
    const watcher = this.#watcher;
    if (watcher === null || this.#lab.observer.phase !== "bare") return null;
    const verified = watcher.verify();
    return { verified, guestBytes: watcher.guestBytes, findings: watcher.findings };
  }
  /** Calls back between slices once the hypervisor is gone. */
  whenCompared(told: (verification: Verification | null) => void): void {
    this.#told = told;
  }
}

export const verdictOf = (lab: Laboratory): Verdict => new Verdict(lab, null);
