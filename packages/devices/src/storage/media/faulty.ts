/** A disk with bad sectors, for tests and fault injection. */
import type { BlockDevice } from "@castaway/kit";

export class FaultyDisk implements BlockDevice {
  /** Sectors that cannot be read. */
  readonly unreadable = new Set<number>();
  /** Sectors that cannot be written. */
  readonly unwritable = new Set<number>();
  /** Whether flushes fail. */
  unflushable = false;
  readonly sectorSize: number;
  readonly sectors: number;
  readonly readOnly: boolean;
  readonly #disk: BlockDevice;

  constructor(disk: BlockDevice) {
    this.#disk = disk;
    this.sectorSize = disk.sectorSize;
    this.sectors = disk.sectors;
    this.readOnly = disk.readOnly;
  }

  read(lba: number, into: Uint8Array): boolean {
    return !this.#hits(this.unreadable, lba, into) && this.#disk.read(lba, into);
  }

  write(lba: number, from: Uint8Array): boolean {
    return !this.#hits(this.unwritable, lba, from) && this.#disk.write(lba, from);
  }

  flush(): boolean {
    return !this.unflushable && this.#disk.flush();
  }

  #hits(bad: ReadonlySet<number>, lba: number, data: Uint8Array): boolean {
    const end = lba + data.length / this.sectorSize;
    for (const at of bad) if (at >= lba && at < end) return true;
    return false;
  }
}
