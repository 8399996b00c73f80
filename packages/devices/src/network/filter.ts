/**
 * What the card takes in: the 16 receive addresses, the multicast table and the VLAN table [8254x 3.2.1, 9.3, 13.5].
 * Access to them is by double words; others read a part and write nothing.
 */
import { list, ones, readBig, readLittle, record, type StateOf, u32 } from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";
import { type MacRegisters, RCTL } from "./registers.ts";
import { isBroadcast, isMulticast } from "./statistics.ts";

const tableWords = 128;
const addressWords = 32;

export const filterState = record({
  MTA: list(u32, tableWords),
  /** RAL and RAH of each address in turn. */
  RA: list(u32, addressWords),
  VFTA: list(u32, tableWords),
});
export type FilterState = StateOf<typeof filterState>;

/** RAH: the address counts; bits 17:16 say which address of the frame it is compared with. */
const AV = 0x8000_0000;
const AS = 0x0003_0000;
const RAH_BITS = 0x8003_ffff;

/** Why a frame is taken: its address is one of ours, it may be, or it is not. */
export type Match = "exact" | "inexact" | "none";

export class Filter implements Device<FilterState> {
  readonly #regs: MacRegisters;
  readonly #mta = new Uint32Array(tableWords);
  readonly #ra = new Uint32Array(addressWords);
  readonly #vfta = new Uint32Array(tableWords);
  readonly mta = words(this.#mta);
  readonly ra = words(this.#ra, (index) => (index % 2 === 1 ? RAH_BITS : 0xffff_ffff));
  readonly vfta = words(this.#vfta);

  constructor(regs: MacRegisters) {
    this.#regs = regs;
  }

  /** The station's own address, receive address 0: 6 bytes. */
  get station(): Uint8Array {
    const [low, high] = this.#ra;
    return Uint8Array.of(low, low >>> 8, low >>> 16, low >>> 24, high, high >>> 8);
  }
  set station(mac: Uint8Array) {
    this.#ra[0] = readLittle(mac, 0, 4);
    this.#ra[1] = readLittle(mac, 4, 2) | AV;
  }

  /** Looks at the addresses of a frame. [8254x 3.2.1] */
  match(frame: Uint8Array): Match {
    const { RCTL: control } = this.#regs;
    if (this.#isListed(frame)) return "exact";
    if ((control & RCTL.BAM) !== 0 && isBroadcast(frame)) return "exact";
    if (!isMulticast(frame)) return (control & RCTL.UPE) !== 0 ? "inexact" : "none";
    return (control & RCTL.MPE) !== 0 || this.#isHashed(frame) ? "inexact" : "none";
  }

  /** Whether the VLAN filter lets a frame with this tag pass. [8254x 9.3, 13.4.22] */
  passesVlan(tag: number): boolean {
    const { RCTL: control } = this.#regs;
    if ((control & RCTL.VFE) === 0) return true;
    if ((control & RCTL.CFIEN) !== 0 && ((control & RCTL.CFI) !== 0) !== ((tag & 0x1000) !== 0)) return false;
    return isSet(this.#vfta, tag & 0xfff);
  }

  reset(): void {
    for (const table of [this.#mta, this.#ra, this.#vfta]) table.fill(0);
  }
  save(): FilterState {
    return { MTA: [...this.#mta], RA: [...this.#ra], VFTA: [...this.#vfta] };
  }
  restore(state: FilterState): void {
    this.#mta.set(state.MTA);
    this.#ra.set(state.RA);
    this.#vfta.set(state.VFTA);
  }

  #isListed(frame: Uint8Array): boolean {
    for (let index = 0; index < addressWords; index += 2) {
      const high = this.#ra[index + 1];
      const select = (high & AS) >>> 16;
      if ((high & AV) === 0 || select > 1) continue;
      const at = 6 * select; // the destination, or the source
      if (readLittle(frame, at, 4) === this.#ra[index] && readLittle(frame, at + 4, 2) === (high & 0xffff)) return true;
    }
    return false;
  }

  /** 12 of the last 16 bits of the address are the place in the table; RCTL.MO says which 12. [8254x 13.5.1] */
  #isHashed(frame: Uint8Array): boolean {
    const offset = (this.#regs.RCTL >>> 12) & 3;
    const tail = readLittle(frame, 4, 2);
    return isSet(this.#mta, (tail >>> [4, 3, 2, 0][offset]) & 0xfff);
  }
}

/** The tag of a frame whose type is `VET`, or null. [8254x 9.2] */
export function tagOf(frame: Uint8Array, VET: number): number | null {
  return frame.length >= 18 && readBig(frame, 12, 2) === VET ? readBig(frame, 14, 2) : null;
}

const isSet = (table: Uint32Array, place: number): boolean => ((table[place >>> 5] >>> (place & 31)) & 1) !== 0;

function words(table: Uint32Array, mask: (index: number) => number = () => 0xffff_ffff): RegisterSpace {
  return {
    read: (offset, bytes) => ((table[offset >>> 2] >>> (8 * (offset & 3))) & ones(8 * bytes)) >>> 0,
    write: (offset, bytes, value) => {
      if (bytes === 4 && (offset & 3) === 0) table[offset >>> 2] = value & mask(offset >>> 2);
    },
  };
}
