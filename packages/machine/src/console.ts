/** Text that a machine prints or shows, and what to wait for in it. */

/** A condition that `run` ends at. */
export interface Watch {
  /** What it waits for, for people. */
  readonly name: string;
  /** True once it has happened. */
  readonly seen: boolean;
  /** For conditions that nobody tells of: looks now. `run` calls it every 10 ms of virtual time. */
  poll?(): void;
}

/** Collects what a serial port or a debug port prints; keeps the last part only. */
export class Transcript {
  #text = "";
  /** Characters that were printed before those that are kept. */
  #dropped = 0;
  readonly #limit: number;
  readonly #listeners = new Set<(byte: number) => void>();
  #watches: TextWatch[] = [];
  /** Called when a watch has seen its text. */
  onSeen: () => void = () => {};

  /** @param limit characters kept, at least */
  constructor(limit = 1 << 20) {
    this.#limit = limit;
  }

  /** One more character: a byte, shown as Latin-1. */
  append(byte: number): void {
    this.#text += String.fromCharCode(byte);
    if (this.#text.length > 2 * this.#limit) {
      this.#dropped += this.#text.length - this.#limit;
      this.#text = this.#text.slice(-this.#limit);
    }
    for (const listener of this.#listeners) listener(byte);
    if (this.#watches.length > 0) this.#look();
  }
  #look(): void {
    const open = this.#watches.filter((watch) => !watch.look(this.#text, this.#dropped));
    if (open.length === this.#watches.length) return;
    this.#watches = open;
    this.onSeen();
  }
  /** Calls `listener` with every byte from now on. @returns a function that ends it */
  onByte(listener: (byte: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  /** All that is kept. */
  get text(): string {
    return this.#text;
  }
  /** Waits for a text that is printed from now on. */
  shows(text: string): Watch {
    const watch = new TextWatch(text, this.#dropped + this.#text.length);
    this.#watches.push(watch);
    return watch;
  }
}

class TextWatch implements Watch {
  readonly name: string;
  seen = false;
  /** Matches begin here or later, counted from the first character ever. */
  readonly #from: number;
  constructor(name: string, from: number) {
    this.name = name;
    this.#from = from;
  }
  /** Looks at the end of the text, which has just grown by one character; true if it ends in what is awaited. */
  look(text: string, dropped: number): boolean {
    const begins = text.length - this.name.length;
    this.seen = begins >= 0 && dropped + begins >= this.#from && text.endsWith(this.name);
    return this.seen;
  }
}

/** A serial port, seen from outside: what it prints, and typing into it. */
export class SerialPort extends Transcript {
  readonly #receive: (bytes: Uint8Array) => void;
  constructor(receive: (bytes: Uint8Array) => void) {
    super();
    this.#receive = receive;
  }
  /** Sends characters to the guest, which takes them as it makes room. Characters above FF are sent as their low byte. */
  type(text: string): void {
    this.#receive(Uint8Array.from(text, (c) => c.charCodeAt(0)));
  }
}
