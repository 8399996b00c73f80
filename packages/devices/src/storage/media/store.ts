/**
 * A disk over bytes that live with the host: a raw file, mostly. The host gives a {@link ByteStore}, whose calls may
 * throw (no space, no permission, the file is gone): the guest then sees an error of its drive, and the user the event.
 */
import { type BlockDevice, type Bytes, Probe } from "@castaway/kit";
import { checkSectorSize, defaultSectorSize, wholeSectors } from "./sectors.ts";

/** Bytes at positions, as a file has them. All calls are synchronous and move everything, or throw. */
export interface ByteStore {
  readonly size: Bytes;
  readonly readOnly: boolean;
  /** Fills `into` from `position` on; what lies beyond `size` is not asked for. Holes of sparse files read as zeros. */
  read(position: Bytes, into: Uint8Array): void;
  /** Within `size`. */
  write(position: Bytes, from: Uint8Array): void;
  /** Makes all writes survive the end of the process and of the host (`fsync`). */
  flush(): void;
}

export type StoreFailure = { operation: "read" | "write" | "flush"; lba: number; sectors: number; error: unknown };

export class StoreDisk implements BlockDevice {
  /** What the host threw. */
  readonly failures = new Probe<StoreFailure>("disk file failures");
  readonly sectorSize: number;
  readonly sectors: number;
  readonly readOnly: boolean;
  readonly #store: ByteStore;

  /** @throws ConfigError if the store is empty, or is writable and ends within a sector */
  constructor(store: ByteStore, { sectorSize = defaultSectorSize }: { sectorSize?: number } = {}) {
    this.sectorSize = checkSectorSize(sectorSize);
    this.sectors = wholeSectors(store.size, sectorSize, store.readOnly, "image size");
    this.readOnly = store.readOnly;
    this.#store = store;
  }

  read(lba: number, into: Uint8Array): boolean {
    const start = lba * this.sectorSize;
    const there = Math.min(into.length, this.#store.size - start);
    into.fill(0, there);
    return this.#try("read", lba, into.length, () => this.#store.read(start, into.subarray(0, there)));
  }

  write(lba: number, from: Uint8Array): boolean {
    if (this.readOnly) return false;
    return this.#try("write", lba, from.length, () => this.#store.write(lba * this.sectorSize, from));
  }

  flush(): boolean {
    return this.readOnly || this.#try("flush", 0, 0, () => this.#store.flush());
  }

  #try(operation: StoreFailure["operation"], lba: number, bytes: number, act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      this.failures.emit({ operation, lba, sectors: bytes / this.sectorSize, error });
      return false;
    }
  }
}
