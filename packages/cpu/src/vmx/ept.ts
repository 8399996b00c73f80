/**
 * EPT: translation of guest-physical addresses [SDM 3C 28.2]. Four levels; pages of 4 KiB, 2 MiB and 1 GiB; pages that can
 * only be executed; accessed and dirty flags. Memory types are checked, and mean nothing here otherwise.
 *
 * A misconfiguration anywhere on the way comes before a violation, which is what the entries' rights refuse together.
 */
import type { Fault } from "../core/exceptions.ts";
import { type Nested, PHYSICAL_BITS, RESERVED_HIGH, type Tables } from "../core/paging.ts";
import { PAGE } from "../core/physical.ts";
import type { Access } from "../core/tlb.ts";
import { EXIT } from "./reasons.ts";
import type { Vmx } from "./vmx.ts";

/** Bits of EPT entries [SDM 3C tables 28-1 to 28-6], and of the EPTP: accessed and dirty flags are in use. */
const R = 1,
  W = 2,
  X = 4,
  RIGHTS = R | W | X,
  PS = 0x80,
  A = 0x100,
  D = 0x200;
const EPTP_MARKS = 0x40;
/** The bits of an entry's upper word that belong to the physical address; the others of the address are reserved. */
const HIGH_OF_PAGE = (1 << (PHYSICAL_BITS - 32)) - 1;
/** Bits of the exit qualification of a violation, besides the access (2:0) and the rights (5:3) [SDM 3C table 27-7]. */
const LINEAR_VALID = 0x80,
  OF_LINEAR = 0x100;

/** One per processor; results stay in its fields, so that a translation allocates nothing. */
export class Ept implements Nested {
  readonly #memory: Tables;
  readonly #vmx: Vmx;
  /** Rights that may be asked for: none for a debugger, who looks whatever they are. */
  readonly #asked: number;
  /** Its page. */
  #pml4 = 0;
  #marks = false;
  /** Physical page of the last successful translation; entries that the last translation read. */
  page = 0;
  steps = 0;
  // The last translation: what was translated, whether to get at a paging structure, what all its entries allow.
  #guestPhysical = 0;
  #ofStructure = false;
  #rights = 0;
  // Why it was refused.
  #reason = 0;
  #wanted = 0;

  constructor(memory: Tables, vmx: Vmx, asked = RIGHTS) {
    this.#memory = memory;
    this.#vmx = vmx;
    this.#asked = asked;
  }

  /** Takes up an EPTP, which was checked [SDM 3C 24.6.11]. */
  load(low: number, high: number): void {
    this.#pml4 = (low >>> 12) | ((high & HIGH_OF_PAGE) << 20);
    this.#marks = (low & EPTP_MARKS) !== 0;
  }

  /**
   * The place of an entry of the guest's paging structures, which is read. With accessed and dirty flags the access
   * counts as a write [SDM 3C 28.2.4].
   */
  structure(guestPhysical: number): boolean {
    this.#ofStructure = true;
    return this.#translate(guestPhysical, this.#marks ? R | W : R);
  }
  /** The guest's flags are set in the entry that was translated last: a read and a write of it. */
  markStructure(): boolean {
    return !(W & this.#asked & ~this.#rights) || this.#refuse(EXIT.eptViolation, R | W);
  }
  /** The place of data or code. */
  final(guestPhysical: number, access: Access): boolean {
    this.#ofStructure = false;
    return this.#translate(guestPhysical, 1 << access);
  }
  /** Makes `fault` the VM exit of the last refusal. `linear`: the address that was being translated; null: none was. */
  leave(linear: number | null, fault: Fault): void {
    const { exit } = this.#vmx,
      how = linear === null ? 0 : this.#ofStructure ? LINEAR_VALID : LINEAR_VALID | OF_LINEAR;
    if (this.#reason === EXIT.eptMisconfiguration) exit.begin(EXIT.eptMisconfiguration);
    else {
      exit.begin(EXIT.eptViolation, this.#wanted | (this.#rights << 3) | how);
      if (linear !== null) exit.guestLinear = linear;
    }
    exit.guestPhysical = this.#guestPhysical;
    this.#vmx.unwindBy(fault);
  }
  observer(memory: Tables): Ept {
    const other = new Ept(memory, this.#vmx, 0);
    other.#pml4 = this.#pml4;
    return other;
  }

  /** Pages are numbers of at most 28 bits: 24 such steps make a walk of four, so they are integers here. */
  #translate(guestPhysical: number, wanted: number): boolean {
    const memory = this.#memory,
      page = (guestPhysical / PAGE) | 0;
    this.#guestPhysical = guestPhysical;
    this.#rights = RIGHTS;
    for (let table = this.#pml4, level = 4; ; level--) {
      const shift = 9 * (level - 1),
        offset = ((page >>> shift) & 511) * 8,
        host = memory.hostOf(table);
      const low = host === 0 ? memory.read32(table * PAGE + offset) : memory.u32[(host + offset) >>> 2]!,
        high = host === 0 ? memory.read32(table * PAGE + offset + 4) : memory.u32[(host + offset + 4) >>> 2]!;
      this.steps = 5 - level;
      this.#rights &= low;
      if (!(low & RIGHTS)) return this.#refuse(EXIT.eptViolation, wanted);
      const leaf = level === 1 || (level < 4 && (low & PS) !== 0);
      if (isMisconfigured(low, high, level, leaf)) return this.#refuse(EXIT.eptMisconfiguration, wanted);
      const next = (low >>> 12) | ((high & HIGH_OF_PAGE) << 20);
      if (leaf) return this.#accept(table * PAGE + offset, low, next | (page & ((1 << shift) - 1)), wanted);
      if (this.#marks && !(low & A)) memory.write32(table * PAGE + offset, low | A);
      table = next;
    }
  }
  #accept(at: number, low: number, page: number, wanted: number): boolean {
    if (wanted & this.#asked & ~this.#rights) return this.#refuse(EXIT.eptViolation, wanted);
    const marks = wanted & W ? A | D : A;
    if (this.#marks && marks & ~low) this.#memory.write32(at, low | marks);
    this.page = page;
    return true;
  }
  #refuse(reason: number, wanted: number): false {
    this.#reason = reason;
    this.#wanted = wanted;
    return false;
  }
}

/** An entry that is present, but is none that the manual allows [SDM 3C 28.2.3.1]. */
function isMisconfigured(low: number, high: number, level: number, leaf: boolean): boolean {
  if ((low & (R | W)) === W) return true;
  if (high & RESERVED_HIGH) return true;
  if (!leaf) return (low & (level === 4 ? 0xf8 : 0x78)) !== 0;
  if (low & (level === 3 ? 0x3ffff000 : level === 2 ? 0x1ff000 : 0)) return true;
  const type = (low >>> 3) & 7; // UC, WC, WT, WP or WB
  return type === 2 || type === 3 || type === 7;
}
