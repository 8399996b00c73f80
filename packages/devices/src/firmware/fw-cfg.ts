/**
 * fw_cfg: how the board tells its firmware what it is made of. A 16-bit selector and a byte-wide data port; items are
 * fixed when the board is built. There is no DMA interface, and nothing can be written.
 *
 *     const fwCfg = new FwCfg({ ...boardItems({ cpus: 1 }), files: { "etc/e820": e820(mib(512)) } });  // ports 510, 511
 */
import { assert, natural, record, type StateOf, u16, writeBig, writeLittle } from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";

/** Keys of items that have no name. */
export const FW_CFG = {
  SIGNATURE: 0x00,
  /** Features: bit 0 this interface, bit 1 DMA. */
  ID: 0x01,
  /** 16 bits; 1: the firmware also puts its screen onto the first serial port. */
  NO_GRAPHIC: 0x04,
  CPUS: 0x05,
  NUMA: 0x0d,
  BOOT_MENU: 0x0e,
  MAX_CPUS: 0x0f,
  DIRECTORY: 0x19,
  /** The first file of the directory. */
  FILES: 0x20,
  ACPI_TABLES: 0x8000,
  SMBIOS: 0x8001,
  /** 8 bits; 1: the 8254 is input 2 of the I/O APIC, not 0. */
  IRQ0_OVERRIDE: 0x8002,
  E820: 0x8003,
};

export type FwCfgOptions = {
  /** Items by key. Items that are not there read as zeros. */
  readonly items?: ReadonlyMap<number, Uint8Array>;
  /** Files by name, at most 55 characters. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
};

export const fwCfgState = record({ selector: u16, position: natural });
export type FwCfgState = StateOf<typeof fwCfgState>;

const NAME_SIZE = 56;
const ENTRY_SIZE = 64;

export class FwCfg implements Device<FwCfgState>, RegisterSpace {
  readonly #items: ReadonlyMap<number, Uint8Array>;
  #selector = 0;
  #position = 0;

  constructor({ items = new Map(), files = {} }: FwCfgOptions) {
    const all = new Map([[FW_CFG.SIGNATURE, ascii("QEMU")], [FW_CFG.ID, Uint8Array.of(1, 0, 0, 0)], ...items]);
    const names = Object.keys(files).sort();
    all.set(FW_CFG.DIRECTORY, directory(names, files));
    for (const [index, name] of names.entries()) all.set(FW_CFG.FILES + index, files[name]);
    this.#items = all;
  }

  reset(): void {
    this.#selector = this.#position = 0;
  }
  save(): FwCfgState {
    return { selector: this.#selector, position: this.#position };
  }
  restore(state: FwCfgState): void {
    this.#selector = state.selector;
    this.#position = state.position;
  }

  /** Offset 0: the selector, written as 16 bits. Offset 1: the data, read as bytes; each read moves on by one. */
  read(offset: number, bytes: number): number {
    if (offset !== 1 || bytes !== 1) return 0;
    const item = this.#items.get(this.#selector);
    return item !== undefined && this.#position < item.length ? item[this.#position++] : 0;
  }
  write(offset: number, bytes: number, value: number): void {
    if (offset !== 0 || bytes !== 2) return;
    this.#selector = value & 0xffff;
    this.#position = 0;
  }
}

/** The file directory: all of it big-endian. */
function directory(names: readonly string[], files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const bytes = new Uint8Array(4 + ENTRY_SIZE * names.length);
  writeBig(bytes, 0, 4, names.length);
  for (const [index, name] of names.entries()) {
    assert(name.length < NAME_SIZE, "a file of fw_cfg has a name of at most 55 characters", { name });
    const at = 4 + ENTRY_SIZE * index;
    writeBig(bytes, at, 4, files[name].length);
    writeBig(bytes, at + 4, 2, FW_CFG.FILES + index);
    bytes.set(ascii(name), at + 8);
  }
  return bytes;
}

/** The bytes of a text of ASCII characters. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** An integer of so many bytes, little-endian. */
export function little(value: number, size: 1 | 2 | 4): Uint8Array {
  const bytes = new Uint8Array(size);
  writeLittle(bytes, 0, size, value);
  return bytes;
}

/** The bytes of all parts, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
