/** Whether the local disk is what it must be: what was seen to be wrong during the run, and a comparison at the end. */
import type { Laboratory, Verification } from "castaway";
import { EXIT } from "../exit.ts";

export class Verdict {
  readonly #lab: Laboratory;
  /** What the last comparison said; null: there was none. */
  verified: boolean | null = null;
  #told: ((verification: Verification | null) => void) | null = null;

  constructor(lab: Laboratory) {
    this.#lab = lab;
  }

  /** Between slices: what makes it senseless to go on. */
  problem(): { problem: string; code: number } | null {
    if (this.#told !== null && this.#lab.phase === "bare") {
      const told = this.#told;
      this.#told = null;
      told(this.compare());
    }
    const [first] = this.#lab.oracle?.findings ?? [];
    return first === undefined ? null : { problem: first.message, code: EXIT.differs };
  }
  /** Compares once the hypervisor is gone. @returns null if it is not */
  compare(): Verification | null {
    const verification = this.#lab.observer.phase === "bare" ? this.#lab.verify() : null;
    this.verified = verification?.verified ?? null;
    return verification;
  }
  /** Calls back between slices once the hypervisor is gone. */
  whenBare(told: (verification: Verification | null) => void): void {
    this.#told = told;
  }

  /** What is wrong, for people: the first findings, or else the first sector that differs. */
  wrongs(verification: Verification | null): string[] {
    const findings = (this.#lab.oracle?.findings ?? []).slice(0, MOST).map(({ message }) => message);
    const { firstDifference } = verification ?? {};
    return findings.length > 0 || firstDifference === undefined ? findings : [firstDifference.message];
  }
}

const MOST = 10;
