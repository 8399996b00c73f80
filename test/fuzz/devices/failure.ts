/** What a board, or a network, must never do, whatever is done to it. */

export type FailureKind =
  /** An exception. */
  | "exception"
  /** No end within the host's time. */
  | "loop"
  /** More events than time can explain. */
  | "events"
  /** Something was read that is no unsigned number of its size. */
  | "answer"
  /** A state that grows and grows, in what is saved or on the host's heap. */
  | "growth"
  /** A state that does not fit its shape, or is not what is saved again after it was restored. */
  | "state"
  /** A run that went through save and restore does something else than the straight one. */
  | "restore"
  /** The same run twice gives two results. */
  | "chance"
  /** Of a network: counters that do not add up, a disk that nobody asked to change, time that stands still. */
  | "account"
  | "image"
  | "time";

export class Failure extends Error {
  override readonly name = "Failure";
  readonly kind: FailureKind;
  constructor(kind: FailureKind, what: string) {
    super(`${kind}: ${what}`);
    this.kind = kind;
  }
  /** What a shorter list must fail with, too. */
  get signature(): string {
    return this.kind === "exception" ? this.message.split("\n")[0]!.replace(/\d+/g, "") : this.kind;
  }
}

export function assertHolds(holds: boolean, kind: FailureKind, what: () => string): void {
  if (!holds) throw new Failure(kind, what());
}
