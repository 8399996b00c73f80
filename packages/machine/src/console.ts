/** Text that a machine prints or shows, and what to wait for in it. */

/** A condition that `run` ends at. */
export interface Watch {
  /** What it waits for, for people. */
  readonly name: string;
  /** True once it has happened. */
  readonly seen: boolean;
  /** Looks now. */
  look(): void;
  /**
   * Looks whenever it could have happened and calls `heard` when it has. Without this method `run` looks every 10 ms of
   * virtual time. @returns a function that ends it
   */
  listen?(heard: () => void): () => void;
}

/** Collects what a serial port or a debug port prints; keeps the last part only. */
export class Transcript {
  #text = "";
  /** Characters that were printed before those that are kept. */
  #dropped = 0;
  readonly #limit: number;
  readonly #listeners = new Set<(byte: number) => void>();

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
  }
  /** Calls `listener` with every byte from now on. @returns a function that ends it */
  onByte(listener: (byte: number) => void): () => void {
    const own = (byte: number) => listener(byte); // the same function may listen twice
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }
  /** All that is kept. */
  get text(): string {
    return this.#text;
  }
  /** How many characters were printed since the beginning. */
  get length(): number {
    return this.#dropped + this.#text.length;
  }
  /** Where `text` is found at or after character `from`, counted from the beginning; -1 if nowhere in what is kept. */
  indexOf(text: string, from: number): number {
    const at = this.#text.indexOf(text, from - this.#dropped);
    return at < 0 ? -1 : this.#dropped + at;
  }
  /** Waits for a text that is printed from now on. */
  shows(text: string): Watch {
    return new TextWatch(this, text);
  }
}

class TextWatch implements Watch {
  readonly name: string;
  seen = false;
  readonly #transcript: Transcript;
  /** It is not before this character. */
  #from: number;
  constructor(transcript: Transcript, text: string) {
    this.#transcript = transcript;
    this.name = text;
    this.#from = transcript.length;
  }
  look(): void {
    this.seen ||= this.#transcript.indexOf(this.name, this.#from) >= 0;
    this.#from = Math.max(this.#from, this.#transcript.length - this.name.length + 1);
  }
  listen(heard: () => void): () => void {
    return this.#transcript.onByte(() => {
      this.look();
      if (this.seen) heard();
    });
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
