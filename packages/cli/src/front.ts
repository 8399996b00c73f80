/** What stands between the machine and the user while it runs: a terminal, or plain output. */
import type { Machine } from "castaway";

/** What the user may ask for while the machine runs. */
export interface Wishes {
  quit(): void;
  save(): void;
}

export interface Front {
  /** Takes the terminal. */
  open(wishes: Wishes): void;
  /** Shows what has happened since the last call; called between slices. */
  show(): void;
  /** A message of castaway itself. */
  note(text: string): void;
  /** Gives the terminal back; calling it twice does no harm. */
  close(): void;
}

/** Bytes of the serial port as they come, and nothing else. */
export class PlainFront implements Front {
  readonly #out: NodeJS.WritableStream;
  readonly #err: NodeJS.WritableStream;
  #bytes: number[] = [];
  /** Whether the output so far ends with a line. */
  atLineStart = true;

  /** @param silent the serial port is not shown: the screen is, when the run ends */
  constructor(machine: Machine, out: NodeJS.WritableStream, err: NodeJS.WritableStream, silent = false) {
    this.#out = out;
    this.#err = err;
    if (!silent) machine.com1.onByte((byte) => this.#bytes.push(byte));
  }
  open(): void {}
  show(): void {
    if (this.#bytes.length === 0) return;
    this.atLineStart = this.#bytes.at(-1) === 0x0a;
    this.#out.write(Uint8Array.from(this.#bytes));
    this.#bytes = [];
  }
  note(text: string): void {
    this.#err.write(`castaway: ${text}\n`);
  }
  close(): void {
    this.show();
  }
}
