/** A file that is written during a run, piece by piece. */
import { closeSync, openSync, writeSync } from "node:fs";
import { fileError } from "./exit.ts";

export class StreamFile {
  readonly #path: string;
  readonly #what: string;
  readonly #fd: number;
  readonly #warn: (line: string) => void;
  #open = true;

  /**
   * Begins the file, in place of what was there.
   * @param what it is, for people: "the capture"
   * @param warn told once, if the file cannot be written any more; the run goes on
   * @throws UserError if it cannot be written
   */
  constructor(path: string, what: string, warn: (line: string) => void) {
    this.#path = path;
    this.#what = what;
    this.#warn = warn;
    try {
      this.#fd = openSync(path, "w");
    } catch (error) {
      throw fileError("write", path, error);
    }
  }

  write(bytes: Uint8Array): void {
    if (!this.#open) return;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    } catch (error) {
      this.#warn(`${fileError("write", this.#path, error).message}; ${this.#what} ends here`);
      this.close();
    }
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}
