/** Text that a machine prints, and what to wait for in it. */

/** A condition that `run` ends at. */
export interface Watch {
  /** What it waits for, for people. */
  readonly name: string;
  /** True once it has happened. */
  readonly seen: boolean;
}

/** Collects what a serial port or the debug port prints; keeps the last part only. */
export class Transcript {
  #text = "";
  readonly #limit: number;
  readonly #listeners: ((byte: number) => void)[] = [];
  readonly #watches: TextWatch[] = [];
  /** Called when a watch has seen its text. */
  onSeen: () => void = () => {};

  /** `limit`: characters kept. */
  constructor(limit = 1 << 20) {
    this.#limit = limit;
  }

  /** One more character: a byte, shown as Latin-1. */
  append(byte: number): void {
    this.#text += String.fromCharCode(byte);
    if (this.#text.length > 2 * this.#limit) {
      this.#text = this.#text.slice(-this.#limit);
    }
    for (const listener of this.#listeners) listener(byte);
    for (const watch of this.#watches) if (watch.look(this.#text)) this.onSeen();
  }
  /** Calls `listener` with every byte from now on. */
  onByte(listener: (byte: number) => void): void {
    this.#listeners.push(listener);
  }
  /** All that is kept. */
  get text(): string {
    return this.#text;
  }
  /** Waits for a text that is printed from now on. */
  shows(text: string): Watch {
    const watch = new TextWatch(text, this.#text.length);
    this.#watches.push(watch);
    return watch;
  }
}

class TextWatch implements Watch {
  readonly name: string;
  seen = false;
  /** Matches may begin here. */
  readonly #from: number;
  constructor(name: string, from: number) {
    this.name = name;
    this.#from = from;
  }
  /** Looks at the end of the text, which has just grown by one character; true when the text is met for the first time. */
  look(text: string): boolean {
    if (this.seen || text.length - this.name.length < this.#from || !text.endsWith(this.name)) return false;
    this.seen = true;
    return true;
  }
}
