/** A file as the bytes under a disk: only what the guest touches is read, so large sparse images cost nothing. */
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import type { ByteStore } from "@castaway/devices";

export class FileStore implements ByteStore {
  readonly size: number;
  readonly readOnly: boolean;
  readonly #fd: number;

  /** @throws an error of the file system */
  constructor(path: string, { readOnly }: { readOnly: boolean }) {
    this.#fd = openSync(path, readOnly ? "r" : "r+");
    this.readOnly = readOnly;
    this.size = fstatSync(this.#fd).size;
  }

  read(position: number, into: Uint8Array): void {
    for (let at = 0; at < into.length; ) {
      const count = readSync(this.#fd, into, at, into.length - at, position + at);
      if (count === 0) throw new Error("the file has become shorter");
      at += count;
    }
  }
  write(position: number, from: Uint8Array): void {
    for (let at = 0; at < from.length; ) at += writeSync(this.#fd, from, at, from.length - at, position + at);
  }
  flush(): void {
    fsyncSync(this.#fd);
  }
  close(): void {
    closeSync(this.#fd);
  }
}
