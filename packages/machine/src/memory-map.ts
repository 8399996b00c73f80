/**
 * The physical address space of the board: RAM, ROM and shadowed ROM below, and device ranges that come and go above
 * them. A page that a device covers is taken from RAM as long as the device decodes it.
 */
import type { MmioHandler, PhysicalMemory } from "@castaway/cpu";
import type { RegisterSpace } from "@castaway/devices";

const PAGE = 4096;
const PAGES = 1 << 20;

interface Range {
  readonly base: number;
  readonly size: number;
  readonly space: RegisterSpace;
  /** Host memory behind the range, if it is plain memory (a frame buffer, an option ROM); else 0. */
  readonly host: number;
  readonly writable: boolean;
}

/** Where a page leads without devices: host addresses for reads and writes, 0 for none. */
interface Ground {
  read: number;
  write: number;
}

export class MemoryMap {
  readonly #physical: PhysicalMemory;
  readonly #changed: () => void;
  readonly #ground = new Map<number, Ground>();
  readonly #ranges = new Map<number, Range[]>();

  /** `changed` is called after every change: translations of addresses to host memory are stale. */
  constructor(physical: PhysicalMemory, changed: () => void) {
    this.#physical = physical;
    this.#changed = changed;
  }

  /** What lies under the devices at a page: RAM, ROM (no writes), or nothing (both 0). */
  setGround(page: number, read: number, write: number): void {
    this.#ground.set(page, { read, write });
    this.#apply(page);
  }
  /** To be called once after a series of `setGround`. */
  settle(): void {
    this.#changed();
  }

  /** A device decodes these addresses from now on. `host`: it is plain memory there. */
  map(base: number, size: number, space: RegisterSpace, host = 0, writable = true): void {
    const range = { base, size, space, host, writable };
    for (const page of pagesOf(base, size)) {
      const list = this.#ranges.get(page) ?? [];
      list.push(range);
      this.#ranges.set(page, list);
      this.#apply(page);
    }
    this.#changed();
  }
  unmap(base: number, size: number, space: RegisterSpace): void {
    for (const page of pagesOf(base, size)) {
      const list = (this.#ranges.get(page) ?? []).filter((r) => !(r.space === space && r.base === base));
      if (list.length > 0) this.#ranges.set(page, list);
      else this.#ranges.delete(page);
      this.#apply(page);
    }
    this.#changed();
  }

  #apply(page: number): void {
    const { readHost, writeHost, ramBytes } = this.#physical;
    const ranges = this.#ranges.get(page);
    const whole = ranges?.at(-1);
    if (whole !== undefined && whole.host !== 0) {
      const host = whole.host + (page * PAGE - whole.base);
      this.#physical.mapMmio(page, this.#handler(page));
      readHost[page] = host;
      writeHost[page] = whole.writable ? host : 0;
    } else if (whole !== undefined) this.#physical.mapMmio(page, this.#handler(page));
    else {
      const ground = this.#ground.get(page) ?? (page < ramBytes / PAGE ? this.#ram(page) : { read: 0, write: 0 });
      this.#physical.unmap(page);
      readHost[page] = ground.read;
      writeHost[page] = ground.write;
    }
  }
  #ram(page: number): Ground {
    const host = this.#physical.ram.byteOffset + page * PAGE;
    return { read: host, write: host };
  }
  /** The last range that covers an address answers; between ranges of a page there is nothing. */
  #handler(page: number): MmioHandler {
    const find = (address: number) =>
      this.#ranges
        .get(page)
        ?.filter((r) => address >= r.base && address < r.base + r.size)
        .at(-1);
    return {
      read: (address, bytes) => {
        const range = find(address);
        return range === undefined ? 0xffffffff >>> (32 - 8 * bytes) : range.space.read(address - range.base, bytes);
      },
      write: (address, bytes, value) => {
        const range = find(address);
        range?.space.write(address - range.base, bytes, value);
      },
    };
  }
}

/** Pages that a range touches, below 4 GiB. */
function* pagesOf(base: number, size: number): Iterable<number> {
  const last = Math.min(Math.ceil((base + size) / PAGE), PAGES);
  for (let page = Math.floor(base / PAGE); page < last; page++) yield page;
}
