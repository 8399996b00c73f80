/**
 * Segment registers from descriptors that say what the registers hide [SDM 3A 3.4.5], whatever the guest's own tables say
 * meanwhile. LGDT is given a base such that any selector's descriptor is the one in the page; the same goes for an LDT.
 */

import * as V from "../core/vmcs.ts";
import { vmread } from "../x86.ts";
import { Code } from "./code.ts";
import { CS, DESCRIPTORS, LDT_DESCRIPTORS, LDT_POINTERS, LDTR, LLDT, LTR, POINTERS, SS, TR } from "./layout.ts";

/** Access rights as the VMCS has them [SDM 3C table 24-2]. */
const UNUSABLE: u32 = 1 << 16;
const PRESENT: u32 = 0x80;
const CODE_OR_DATA: u32 = 0x10;
const IS_CODE: u32 = 8;
const CONFORMING: u32 = 4;
const READABLE: u32 = 2;
const WRITABLE: u32 = 2;
const LONG: u32 = 1 << 13;
const BIG: u32 = 1 << 14;
const GRANULAR: u32 = 1 << 15;
const LDT: u64 = 0x82;
const BUSY: u32 = 2;
/** Table indicator of a selector. */
const LOCAL: u32 = 4;
const WHOLE: u32 = 0xffff;

/** A segment register as the VMCS has it. */
export class Hidden {
  selector: u32 = 0;
  base: u64 = 0;
  limit: u32 = 0;
  rights: u32 = 0;

  load(n: u32): void {
    this.selector = <u32>vmread(V.GUEST_ES_SELECTOR + 2 * n);
    this.base = vmread(V.GUEST_ES_BASE + 2 * n);
    this.limit = <u32>vmread(V.GUEST_ES_LIMIT + 2 * n);
    this.rights = <u32>vmread(V.GUEST_ES_ACCESS + 2 * n);
  }
  get usable(): bool {
    return (this.rights & UNUSABLE) === 0;
  }
  get isNull(): bool {
    return (this.selector & 0xfffc) === 0;
  }
  get dpl(): u32 {
    return (this.rights >> 5) & 3;
  }
  get isLong(): bool {
    return (this.rights & LONG) !== 0;
  }
  get isBig(): bool {
    return (this.rights & BIG) !== 0;
  }
  get isReadableCode(): bool {
    const bits = PRESENT | CODE_OR_DATA | IS_CODE | READABLE;
    return (this.rights & bits) === bits;
  }
  /** The base is the selector's, as real mode loads it. */
  get isParagraph(): bool {
    return this.base === (<u64>this.selector) << 4;
  }
  /** The first eight bytes of a descriptor. @param type bits 47:40; @param base its low half */
  descriptor(type: u32, base: u32): u64 {
    const limit = (this.rights & GRANULAR) !== 0 ? this.limit >> 12 : this.limit,
      flags = ((this.rights >> 12) << 4) | ((limit >> 16) & 15);
    return (
      (limit & 0xffff) |
      ((<u64>(base & 0xffffff)) << 16) |
      ((<u64>(type & 0xff)) << 40) |
      ((<u64>(flags & 0xff)) << 48) |
      ((<u64>(base >> 24)) << 56)
    );
  }
}

export class Segments {
  private all: StaticArray<Hidden> = new StaticArray<Hidden>(8);
  constructor(private page: usize) {
    for (let n = 0; n < 8; n++) this.all[n] = new Hidden();
  }

  load(): void {
    for (let n: u32 = 0; n < 8; n++) this.of(n).load(n);
  }
  of(n: u32): Hidden {
    return this.all[n];
  }
  get cpl(): u32 {
    return this.of(SS).dpl;
  }

  /** Can MOV, RETF, LLDT and LTR at privilege level 0 bring protected mode's registers into this state? */
  areLoadable(): bool {
    const code = this.of(CS);
    if ((code.rights & CONFORMING) === 0 && code.dpl !== 0) return false;
    if (!code.isReadableCode || code.isNull || (code.selector & 3) !== 0) return false;
    for (let n: u32 = 0; n < LDTR; n++) if (n !== CS && !this.isLoadable(n)) return false;
    return this.areSystemLoadable();
  }
  private isLoadable(n: u32): bool {
    const segment = this.of(n);
    if (!segment.usable) return segment.isNull && (n !== SS || (this.of(CS).isLong && segment.selector === 0));
    if (segment.isNull || (segment.rights & PRESENT) === 0) return false;
    if (n === SS) return (segment.selector & 3) === 0;
    const conforming = IS_CODE | CONFORMING;
    return (segment.rights & conforming) === conforming || (segment.selector & 3) <= segment.dpl;
  }
  areSystemLoadable(): bool {
    return this.of(LDTR).isNull || !this.of(LDTR).usable || (this.of(LDTR).selector & LOCAL) === 0;
  }
  /** Real mode's: loads set selector and base together. */
  areReal(): bool {
    const bits = UNUSABLE | PRESENT | 0x60 | CODE_OR_DATA | IS_CODE | WRITABLE;
    for (let n: u32 = 0; n < LDTR; n++) {
      const segment = this.of(n);
      if (!segment.isParagraph) return false;
      if (n !== CS && (segment.rights & bits) !== (PRESENT | CODE_OR_DATA | WRITABLE)) return false;
    }
    return this.of(CS).limit >= WHOLE && !this.of(CS).isBig;
  }

  /** Writes descriptors, and what finds them when the page is at this linear address. */
  place(runsAt: u64): void {
    for (let n: u32 = 0; n < 8; n++) {
      const segment = this.of(n),
        type = n === TR ? segment.rights & ~BUSY : segment.rights,
        local = n < LDTR && (segment.selector & LOCAL) !== 0;
      const at = DESCRIPTORS + 16 * n,
        table = runsAt + at - (this.selectorOf(n) & 0xfff8);
      store<u64>(this.page + at, segment.descriptor(type, <u32>segment.base));
      store<u64>(this.page + at + 8, segment.base >> 32);
      this.pointer(POINTERS + 16 * n, table);
      if (local) this.placeLdt(n, table, runsAt);
    }
  }
  private placeLdt(n: u32, table: u64, runsAt: u64): void {
    const at = LDT_DESCRIPTORS + 16 * n;
    store<u64>(this.page + at, WHOLE | ((table & 0xffffff) << 16) | (LDT << 40) | (((table >> 24) & 0xff) << 56));
    store<u64>(this.page + at + 8, table >> 32);
    this.pointer(LDT_POINTERS + 16 * n, runsAt + at - 8);
  }
  private pointer(at: u32, base: u64): void {
    store<u16>(this.page + at, WHOLE);
    store<u64>(this.page + at + 2, base);
  }

  /** A guest that never loaded TR has a null selector there, which nothing can load: another one takes its place. */
  private selectorOf(n: u32): u32 {
    return n === TR && this.of(n).isNull ? 8 : this.of(n).selector;
  }
  /** Makes the selector's descriptor the one in the page. */
  find(code: Code, n: u32): void {
    if (n < LDTR && (this.of(n).selector & LOCAL) !== 0) {
      code.descriptors(LDT_POINTERS + 16 * n);
      code.system(LLDT, 8);
    } else code.descriptors(POINTERS + 16 * n);
  }
  /** Loads ES, SS, DS, FS or GS. */
  write(code: Code, n: u32): void {
    this.find(code, n);
    code.segment(n, this.of(n).selector);
  }
  writeTask(code: Code): void {
    this.find(code, TR);
    code.system(LTR, this.selectorOf(TR));
  }
  writeLdt(code: Code): void {
    const ldt = this.of(LDTR);
    this.find(code, LDTR);
    code.system(LLDT, ldt.usable ? ldt.selector : ldt.selector & 3);
  }
}
