/** `--pcap`: what passes the machine's cables, in a file that is whole at every moment. */
import { closeSync, openSync, writeSync } from "node:fs";
import { Capture, type Lan } from "castaway";
import { fileError } from "./exit.ts";

export class PcapFile {
  readonly #path: string;
  readonly #fd: number;
  readonly #warn: (line: string) => void;
  #open = true;

  /**
   * Begins the file, in place of what was there.
   * @param warn told once, if the file cannot be written any more; the run goes on
   * @throws UserError if it cannot be written
   */
  constructor(path: string, lan: Lan, warn: (line: string) => void) {
    this.#path = path;
    this.#warn = warn;
    try {
      this.#fd = openSync(path, "w");
    } catch (error) {
      throw fileError("write", path, error);
    }
    const capture = new Capture({ write: (block) => this.#write(block) });
    for (const tap of lan.taps) capture.watch(tap);
  }

  #write(block: Uint8Array): void {
    if (!this.#open) return;
    try {
      for (let at = 0; at < block.length; ) at += writeSync(this.#fd, block, at);
    } catch (error) {
      this.#warn(`${fileError("write", this.#path, error).message}; the capture ends here`);
      this.close();
    }
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }
}
