/**
 * A script of what to wait for and what to type, in the order of the command line: `--expect login: --type 'root\n'`.
 * It is fed each byte that the guest prints. What is typed depends on them alone, never on how the run was cut.
 */

/** One step; texts are bytes, one character each. */
export type Step = { readonly kind: "expect" | "type"; readonly text: string };

/** An expected text, and when it was seen. */
export interface Expectation {
  readonly text: string;
  /** Virtual time in nanoseconds; null: not yet. */
  seen: number | null;
}

export class Script {
  readonly expectations: readonly Expectation[];
  readonly #steps: readonly Step[];
  #at = 0;
  /** What was printed since the step began, as far back as the text is long. */
  #printed = "";
  #met = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.expectations = steps.filter(({ kind }) => kind === "expect").map(({ text }) => ({ text, seen: null }));
  }

  /** The text that is waited for now; null if something is to be typed, or nothing is left. */
  get awaited(): string | null {
    const step = this.#steps[this.#at];
    return step?.kind === "expect" ? step.text : null;
  }
  /** Whether all steps are done. */
  get over(): boolean {
    return this.#at === this.#steps.length;
  }
  /** Whether the run ends when the script is over: it waited for something last. */
  get endsRun(): boolean {
    return this.#steps.at(-1)?.kind === "expect";
  }
  /** The text of the last step. */
  get last(): string {
    return this.#steps.at(-1)?.text ?? "";
  }
  /** The first text that was never seen. */
  get missing(): string | null {
    return this.expectations[this.#met]?.text ?? null;
  }

  /** The guest has printed a byte. @returns whether there is now something to type, or nothing left */
  feed(byte: number, now: number): boolean {
    const { awaited } = this;
    if (awaited === null) return false;
    this.#printed = (this.#printed + String.fromCharCode(byte)).slice(-awaited.length);
    if (this.#printed !== awaited) return false;
    this.meet(now);
    return this.awaited === null;
  }
  /** The awaited text has been seen, wherever. */
  meet(now: number): void {
    this.expectations[this.#met++].seen = now;
    this.#at++;
    this.#printed = "";
  }
  /** What is to be typed now, once; null if nothing. */
  take(): string | null {
    let text: string | null = null;
    for (; this.#steps[this.#at]?.kind === "type"; this.#at++) text = (text ?? "") + this.#steps[this.#at].text;
    return text;
  }
}
