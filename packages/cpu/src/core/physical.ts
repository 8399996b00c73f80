/**
 * Physical memory as the processors of one machine share it: one WebAssembly memory that holds processor state, TLBs,
 * decoded code and guest RAM, and the map from physical pages to places in it.
 */
import { ConfigError } from "@castaway/kit";
import { WINDOW, WINDOW_BYTES } from "./state.ts";

export const PAGE = 4096;
/** Physical pages below 4 GiB. Nothing is mapped above: reads there give all ones. */
const PAGES = 1 << 20;
export const MAX_CPUS = 16;
/** Guest RAM at most: a WebAssembly memory is 4 GiB, less state. */
export const MAX_RAM = 3.5 * 2 ** 30;

/** Entries in each of the three TLB arrays, and bytes per entry, see tlb.ts. */
export const TLB_ENTRIES = 1024;
export const TLB_ENTRY_BYTES = 32;
const TLB_BYTES = 3 * TLB_ENTRIES * TLB_ENTRY_BYTES;
/** Direct-mapped table from physical address and mode to decoded block: key (8 bytes), record address, spare. */
export const BLOCK_TABLE_ENTRIES = 1 << 16;
const RECORD_ARENA = 4 * 2 ** 20;
/**
 * Maps of code in pages, see `codeMaps`: a bit for each granule of so many bytes that may hold code. One is read as 32
 * bits at a time.
 */
export const CODE_GRANULE = 8;
export const CODE_MAP_BYTES = PAGE / CODE_GRANULE / 8;
export const CODE_MAPS = 4096;

/** What a device at physical addresses answers. Accesses never cross a page; 8-byte ones arrive as two. */
export interface MmioHandler {
  /** `bytes` is 1, 2 or 4; the answer is unsigned. */
  read(address: number, bytes: number): number;
  write(address: number, bytes: number, value: number): void;
}

const unmapped: MmioHandler = {
  read: (_address, bytes) => (bytes === 4 ? 0xffffffff : (1 << (8 * bytes)) - 1),
  write: () => {},
};

/** Addresses within the WebAssembly memory. */
export const LAYOUT = (() => {
  const saveAreas = WINDOW + WINDOW_BYTES;
  const tlbs = 0x20000;
  const blockTable = tlbs + MAX_CPUS * TLB_BYTES;
  const records = blockTable + BLOCK_TABLE_ENTRIES * 16,
    codeMaps = records + RECORD_ARENA;
  return {
    saveAreas,
    tlbs,
    tlbBytes: TLB_BYTES,
    blockTable,
    records,
    recordsEnd: records + RECORD_ARENA,
    codeMaps,
    ram: codeMaps + CODE_MAPS * CODE_MAP_BYTES + PAGE,
  };
})();

export class PhysicalMemory {
  readonly wasm: WebAssembly.Memory;
  readonly ramBytes: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly i64: BigInt64Array;
  /** Host address (offset in the WebAssembly memory) of each physical page for reads and for writes; 0: MMIO. */
  readonly readHost = new Uint32Array(PAGES);
  readonly writeHost = new Uint32Array(PAGES);
  /** Physical pages from which code was decoded: writes to them take the slow path. */
  readonly codePages = new Uint8Array(PAGES);
  /** Where the maps of such pages are; a page without one has its writes looked at in TypeScript. Kept by the block cache. */
  readonly codeMaps = new Map<number, number>();
  readonly #handlers = new Map<number, MmioHandler>();
  #free: number;

  /** `ramBytes`: a multiple of 4096, at most 3.5 GiB. `extraBytes`: for ROM images and frame buffers, see `allocate`. */
  constructor(ramBytes: number, extraBytes = 0) {
    if (!Number.isInteger(ramBytes / PAGE) || ramBytes <= 0 || ramBytes + extraBytes > MAX_RAM) {
      throw new ConfigError(
        "memory",
        ramBytes,
        "a positive multiple of 4096 bytes, at most 3.5 GiB with ROMs and frame buffers",
      );
    }
    this.ramBytes = ramBytes;
    const pages = Math.ceil((LAYOUT.ram + ramBytes + extraBytes) / 65536);
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.wasm.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.#free = LAYOUT.ram + ramBytes;
    for (let page = 0; page < ramBytes / PAGE; page++) this.mapHost(page, LAYOUT.ram + page * PAGE, true);
  }

  /** Guest RAM as bytes: offset 0 is physical address 0. */
  get ram(): Uint8Array {
    return this.u8.subarray(LAYOUT.ram, LAYOUT.ram + this.ramBytes);
  }

  /** Host memory for a ROM or a frame buffer, as a page-aligned address; out of the `extraBytes` given at the start. */
  allocate(bytes: number): number {
    const at = this.#free;
    this.#free += Math.ceil(bytes / PAGE) * PAGE;
    if (this.#free > this.u8.length)
      throw new ConfigError("extraBytes", bytes, "at least the sum of all ROMs and frame buffers");
    return at;
  }
  /** Maps a page to host memory; a page that is not writable sends writes to its handler (absent: ignored). */
  mapHost(page: number, host: number, writable: boolean): void {
    this.readHost[page] = host;
    this.writeHost[page] = writable ? host : 0;
    this.#handlers.delete(page);
  }
  /** Maps pages to a device. The caller must then flush the TLBs of every processor. */
  mapMmio(page: number, handler: MmioHandler, keepReads = false): void {
    if (!keepReads) this.readHost[page] = 0;
    this.writeHost[page] = 0;
    this.#handlers.set(page, handler);
  }
  unmap(page: number): void {
    this.mapMmio(page, unmapped);
  }
  handler(page: number): MmioHandler {
    return this.#handlers.get(page) ?? unmapped;
  }

  /** Physical reads and writes of page tables, VMCS and the like: no paging, no TLB. `address` is below 2^52. */
  read32(address: number): number {
    const page = Math.floor(address / PAGE);
    if (page >= PAGES) return 0xffffffff;
    const host = this.readHost[page]!;
    return host === 0 ? this.handler(page).read(address, 4) >>> 0 : this.u32[(host + (address & (PAGE - 1))) >>> 2]!;
  }
  /** Where reads of a physical page of memory go; 0: it is a device's, or there is none. */
  hostOf(page: number): number {
    return page < PAGES ? this.readHost[page]! : 0;
  }
  write32(address: number, value: number): void {
    const page = Math.floor(address / PAGE);
    if (page >= PAGES) return;
    const host = this.writeHost[page]!;
    if (host === 0) this.handler(page).write(address, 4, value >>> 0);
    else {
      this.u32[(host + (address & (PAGE - 1))) >>> 2] = value;
      if (this.codePages[page]) this.onCodeWrite(address, 4);
    }
  }
  /** Called after a write to a page that holds decoded code; the block cache sets it. */
  onCodeWrite: (address: number, bytes: number) => void = () => {};

  /** A write by a bus master; tells the block cache. Pages that are not memory are skipped. */
  dmaWrite(address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = address + done,
        page = Math.floor(at / PAGE),
        host = page < PAGES ? this.writeHost[page]! : 0,
        n = adjacent(this.writeHost, at, bytes.length - done);
      if (host !== 0) {
        const to = host + (at % PAGE);
        if (n <= FEW) for (let i = 0; i < n; i++) this.u8[to + i] = bytes[done + i]!;
        else this.u8.set(n === bytes.length ? bytes : bytes.subarray(done, done + n), to);
        this.#tellOfCode(at, n);
      }
      done += n;
    }
  }
  #tellOfCode(address: number, bytes: number): void {
    for (let at = address, n = 0; at < address + bytes; at += n) {
      n = Math.min(PAGE - (at % PAGE), address + bytes - at);
      if (this.codePages[Math.floor(at / PAGE)]) this.onCodeWrite(at, n);
    }
  }
  /** A read by a bus master. Pages that are not memory give all ones. */
  dmaRead(address: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const at = address + done,
        page = Math.floor(at / PAGE),
        host = page < PAGES ? this.readHost[page]! : 0,
        n = adjacent(this.readHost, at, into.length - done),
        from = host + (at % PAGE);
      if (host === 0) into.fill(0xff, done, done + n);
      else if (n <= FEW) for (let i = 0; i < n; i++) into[done + i] = this.u8[from + i]!;
      else into.set(this.u8.subarray(from, from + n), done);
      done += n;
    }
  }
}

/** Bytes that are moved one by one: a view of so few costs more. */
const FEW = 32;

/** How many of `bytes` bytes from `address` on are moved at once: up to where the next page lies elsewhere in `hosts`. */
function adjacent(hosts: Uint32Array, address: number, bytes: number): number {
  let page = Math.floor(address / PAGE),
    n = PAGE - (address % PAGE);
  for (; n < bytes && page + 1 < PAGES && hosts[page + 1] === hosts[page]! + PAGE; n += PAGE) page++;
  return Math.min(n, bytes);
}
