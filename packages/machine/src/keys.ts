/** The keyboard, seen from outside: somebody's fingers. */
import type { Key, Keyboard } from "@castaway/devices";

export class Keys {
  readonly #keyboard: Keyboard;
  readonly #typed: () => void;

  /** @param typed called after every stroke */
  constructor(keyboard: Keyboard, typed: () => void) {
    this.#keyboard = keyboard;
    this.#typed = typed;
  }

  /** The lights as the system set them last. */
  get leds() {
    return this.#keyboard.leds;
  }
  /** How many key events the guest has not taken yet. */
  get pending(): number {
    return this.#keyboard.pending;
  }
  /**
   * Types text on a US keyboard: printable ASCII, newline, tab, backspace, escape, and control characters.
   * @returns how many characters were taken; the rest exceeds what can wait
   * @throws ConfigError if there is a character that the keyboard does not have; then nothing is typed
   */
  type(text: string): number {
    return this.#told(this.#keyboard.type(text));
  }
  /** Presses keys together: `press("ControlLeft", "AltLeft", "Delete")`. @returns false if too much is waiting */
  press(...chord: Key[]): boolean {
    return this.#told(this.#keyboard.press(...chord));
  }
  /** Presses a key and keeps it down. @returns false if too much is waiting */
  down(key: Key): boolean {
    return this.#told(this.#keyboard.down(key));
  }
  /** Releases a key. @returns false if too much is waiting */
  up(key: Key): boolean {
    return this.#told(this.#keyboard.up(key));
  }
  #told<T>(answer: T): T {
    this.#typed();
    return answer;
  }
}
