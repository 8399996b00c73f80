/** An image on a larger blank disk. */
import { nextData, type Sparse } from "@castaway/devices";
import type { BlockDevice } from "@castaway/kit";

export class StartDisk implements BlockDevice, Sparse {
  readonly sectorSize: number;
  readonly sectors: number;
  readonly readOnly = true;
  readonly #image: BlockDevice;

  constructor(image: BlockDevice, sectors: number) {
    this.sectorSize = image.sectorSize;
    this.sectors = sectors;
    this.#image = image;
  }

  read(lba: number, into: Uint8Array): boolean {
    const there = Math.max(0, Math.min(into.length, (this.#image.sectors - lba) * this.sectorSize));
    into.fill(0, there);
    return there === 0 || this.#image.read(lba, into.subarray(0, there));
  }
  write(): boolean {
    return false;
  }
  flush(): boolean {
    return true;
  }
  nextData(lba: number): number {
    const next = lba < this.#image.sectors ? nextData(this.#image, lba) : this.sectors;
    return next < this.#image.sectors ? next : this.sectors;
  }
}
