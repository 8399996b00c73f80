/**
 * The physical address space of the board: RAM, ROM and shadowed ROM below, and device ranges that come and go above
 * them. Below 1 MiB a page that a device covers is taken from RAM as long as the device decodes it. From there to the end of RAM
 * nothing takes its place: the host bridge forwards no access to PCI [82441FX 4.1].
 */
import type { MmioHandler, PhysicalMemory } from "@castaway/cpu";
import type { RegisterSpace } from "@castaway/devices";
import { Probe } from "@castaway/kit";
import type { Access } from "./ports.ts";

const PAGE = 4096;
const PAGES = 1 << 20;
/** Address line 20, as a bit of page numbers. */
const A20 = 1 << 8;

/** From this page on RAM is RAM, whatever decodes the same addresses. */
const RAM_ALONE = 0x100;

/** Physical addresses that a device answers. */
export interface MemoryRange {
  readonly base: number;
  readonly size: number;
  readonly space: RegisterSpace;
  /** Host memory behind the range, if it is plain memory (a frame buffer, an option ROM); else 0. */
  readonly host: number;
  readonly writable: boolean;
  readonly rank: number;
}

/** Puts a range after those of the same or a lower rank. */
export function insertByRank<R extends { readonly rank: number }>(list: R[], range: R): void {
  let at = list.length;
  while (at > 0 && list[at - 1]!.rank > range.rank) at--;
  list.splice(at, 0, range);
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
  /** Of each page the ranges that cover some of it, the latest last. */
  readonly #pages = new Map<number, MemoryRange[]>();
  readonly #ranges = new Set<MemoryRange>();
  #a20 = true;
  /** Every access by a processor to a device's registers; those of local APICs and of plain memory are not among them. */
  readonly accesses = new Probe<Access>("memory-mapped accesses");

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

  /**
   * Gate A20 [SDM 3B 20.1.1]: while it is closed, RAM at odd megabytes is not reached: the even ones below appear there.
   * Devices and the firmware's ROM stay where they are. Code that is overwritten through the other address goes stale.
   */
  setA20(open: boolean): void {
    if (open === this.#a20) return;
    this.#a20 = open;
    for (let page = A20; page < this.#physical.ramBytes / PAGE; page += page & A20 ? 1 : A20) this.#apply(page);
    this.#changed();
  }

  /**
   * A device decodes these addresses from now on. `host`: it is plain memory there. Where ranges overlap that of the highest
   * `rank` answers, whichever was mapped last.
   */
  map(base: number, size: number, space: RegisterSpace, { host = 0, writable = true, rank = 0 } = {}): void {
    const range = { base, size, space, host, writable, rank };
    this.#ranges.add(range);
    for (const page of pagesOf(base, size)) {
      const list = this.#pages.get(page) ?? [];
      insertByRank(list, range);
      this.#pages.set(page, list);
      this.#apply(page);
    }
    this.#changed();
  }
  unmap(base: number, size: number, space: RegisterSpace): void {
    for (const range of this.#ranges) if (range.space === space && range.base === base) this.#ranges.delete(range);
    for (const page of pagesOf(base, size)) {
      const list = (this.#pages.get(page) ?? []).filter((r) => !(r.space === space && r.base === base));
      if (list.length > 0) this.#pages.set(page, list);
      else this.#pages.delete(page);
      this.#apply(page);
    }
    this.#changed();
  }
  /** What devices decode now, by its first address; of ranges that begin there together the one that answers comes last. */
  ranges(): MemoryRange[] {
    return [...this.#ranges].sort((a, b) => a.base - b.base || a.rank - b.rank);
  }

  #apply(page: number): void {
    const { readHost, writeHost, ramBytes } = this.#physical;
    const isRam = page >= RAM_ALONE && page < ramBytes / PAGE;
    const ranges = isRam ? undefined : this.#pages.get(page);
    const whole = ranges?.at(-1);
    if (whole !== undefined && whole.host !== 0) {
      const host = whole.host + (page * PAGE - whole.base);
      this.#physical.mapMmio(page, this.#handler(page));
      readHost[page] = host;
      writeHost[page] = whole.writable ? host : 0;
    } else if (whole !== undefined) this.#physical.mapMmio(page, this.#handler(page));
    else {
      const gated = this.#a20 || page >= ramBytes / PAGE ? page : page & ~A20;
      const ground = this.#ground.get(gated) ?? (gated < ramBytes / PAGE ? this.#ram(gated) : { read: 0, write: 0 });
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
      this.#pages
        .get(page)
        ?.filter((r) => address >= r.base && address < r.base + r.size)
        .at(-1);
    const { accesses } = this;
    return {
      read: (address, bytes) => {
        const range = find(address);
        const none = 0xffffffff >>> (32 - 8 * bytes);
        const value = range === undefined ? none : range.space.read(address - range.base, bytes);
        if (accesses.active) accesses.emit({ write: false, address, bytes, value });
        return value;
      },
      write: (address, bytes, value) => {
        if (accesses.active) accesses.emit({ write: true, address, bytes, value });
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
