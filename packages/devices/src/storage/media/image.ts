/** Media that only read: an image in memory, and nothing at all. Put an {@link OverlayDisk} over them to write. */
import type { BlockDevice, Bytes } from "@castaway/kit";
import { checkSectorSize, defaultSectorSize, wholeSectors } from "./sectors.ts";
import type { Sparse } from "./sparse.ts";

/** A disk image as bytes. An image that ends within a sector is filled up with zeros. */
export class ImageDisk implements BlockDevice {
  readonly sectorSize: number;
  readonly sectors: number;
  readonly readOnly = true;
  readonly #image: Uint8Array;

  /**
   * @param image its bytes: kept, not copied, and never changed
   * @throws ConfigError if it is empty
   */
  constructor(image: Uint8Array, { sectorSize = defaultSectorSize }: { sectorSize?: number } = {}) {
    this.sectorSize = checkSectorSize(sectorSize);
    this.sectors = wholeSectors(image.length, sectorSize, true, "image size");
    this.#image = image;
  }

  read(lba: number, into: Uint8Array): boolean {
    const start = lba * this.sectorSize;
    const there = this.#image.subarray(start, start + into.length);
    into.set(there);
    into.fill(0, there.length);
    return true;
  }

  write(): boolean {
    return false;
  }

  flush(): boolean {
    return true;
  }
}

/** A disk of zeros that cannot be written. */
export class ZeroDisk implements BlockDevice, Sparse {
  readonly sectorSize: number;
  readonly sectors: number;
  readonly readOnly = true;

  /** @throws ConfigError unless `size` is one or more whole sectors */
  constructor(size: Bytes, { sectorSize = defaultSectorSize }: { sectorSize?: number } = {}) {
    this.sectorSize = checkSectorSize(sectorSize);
    this.sectors = wholeSectors(size, sectorSize, false);
  }

  nextData(): number {
    return this.sectors;
  }

  read(_lba: number, into: Uint8Array): boolean {
    into.fill(0);
    return true;
  }

  write(): boolean {
    return false;
  }

  flush(): boolean {
    return true;
  }
}
