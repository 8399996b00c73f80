/**
 * From linear to guest-physical addresses, as the guest's paging says [SDM 3A chapter 4]: none, 32-bit, PAE, 4-level. The
 * walk sets accessed and dirty flags where the processor has not done so yet. Paging with 5 levels and protection keys
 * are not for guests of this VMM (R3.2).
 */
import { CR0_PG, CR0_WP, CR4_PAE, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_LMA, EFER_NXE, GuestContext } from "./guest.ts";
import { KnownWalk, KnownWalks } from "./known.ts";
import { GuestMemory } from "./memory.ts";

/** Kinds of accesses. A read-modify-write is a write. */
export enum Access {
  READ,
  WRITE,
  EXECUTE,
}
export enum Translation {
  OK,
  /** An entry is not present. */
  NOT_PRESENT,
  /** The entries do not allow this access. */
  RIGHTS,
  /** An entry has a reserved bit set. */
  RESERVED,
}

/** Bits of entries. */
const P: u64 = 1;
const RW: u64 = 1 << 1;
const US: u64 = 1 << 2;
const A: u32 = 1 << 5;
const D: u32 = 1 << 6;
const PS: u64 = 1 << 7;
const XD: u64 = 1 << 63;
/** Bits of a page fault's error code [SDM 3A 4.7]. */
const PF_P: u32 = 1;
const PF_W: u32 = 1 << 1;
const PF_U: u32 = 1 << 2;
const PF_RSVD: u32 = 1 << 3;
const PF_I: u32 = 1 << 4;

/** Address bits of an entry, and those above the flags in the low word. */
const ADDRESS: u64 = 0x000ffffffffff000;

export class Walker {
  /** The guest-physical address, after OK. */
  physical: u64 = 0;
  /** The page fault's error code, after anything else. */
  errorCode: u32 = 0;
  private context: GuestContext;
  private memory: GuestMemory;
  // What is asked.
  private access: Access = Access.READ;
  private user: bool = false;
  private overridesSmap: bool = false;
  // The rights gathered on the way down, and the entry at hand.
  private writable: bool = true;
  private userPage: bool = true;
  private noExecute: bool = false;
  private at: u64 = 0;
  private entry: u64 = 0;
  private known: KnownWalks = new KnownWalks();
  /** What is remembered of the walk at hand; of a walk that is not, {@link spare} is. */
  private trail!: KnownWalk;
  private spare: KnownWalk = new KnownWalk();

  constructor(context: GuestContext, memory: GuestMemory) {
    this.context = context;
    this.memory = memory;
    this.trail = this.spare;
  }

  /**
   * Translates for one access by a program: `user` at CPL 3, `overridesSmap` with RFLAGS.AC. `linear` is below 4 GiB
   * outside of 64-bit mode, else canonical.
   */
  translate(linear: u64, access: Access, user: bool, overridesSmap: bool): Translation {
    const c = this.context;
    if ((c.cr0 & CR0_PG) === 0) {
      this.physical = linear & 0xffffffff;
      return Translation.OK;
    }
    if ((c.efer & EFER_LMA) === 0) {
      this.trail = this.spare;
      this.spare.begin();
      return this.walk(linear, access, user, overridesSmap);
    }
    const asked = <u32>access | (user ? 4 : 0) | (overridesSmap ? 8 : 0),
      known = this.known.of(linear, asked);
    if (known.holds(linear, asked, c)) {
      this.physical = known.physicalOf(linear);
      return Translation.OK;
    }
    known.begin();
    this.trail = known;
    const result = this.walk(linear, access, user, overridesSmap);
    if (result === Translation.OK) known.end(linear, asked, c, this.physical);
    return result;
  }
  private walk(linear: u64, access: Access, user: bool, overridesSmap: bool): Translation {
    const c = this.context;
    this.access = access;
    this.user = user;
    this.overridesSmap = overridesSmap;
    this.writable = this.userPage = true;
    this.noExecute = false;
    if ((c.cr4 & CR4_PAE) === 0) return this.walk32(linear);
    return (c.efer & EFER_LMA) !== 0 ? this.walk4Level(linear) : this.walkPae(linear);
  }

  private walk32(linear: u64): Translation {
    const c = this.context;
    let refusal = this.step32((c.cr3 & 0xfffff000) + ((linear >> 22) << 2));
    if (refusal !== Translation.OK) return refusal;
    if ((this.entry & PS) !== 0 && (c.cr4 & CR4_PSE) !== 0) {
      // Bits 13 and up are address bits 32 and up, as far as there are such; the rest, to bit 21, is reserved [table 4-4].
      const width = min<u32>(c.physicalBits, 40);
      if ((this.entry & 0x3fe000) >> (width - 19) !== 0) return this.refuse(Translation.RESERVED);
      return this.finish(((this.entry & 0x1fe000) << 19) | (this.entry & 0xffc00000), 0x3fffff, linear);
    }
    this.use();
    refusal = this.step32((this.entry & 0xfffff000) + (((linear >> 12) & 0x3ff) << 2));
    return refusal === Translation.OK ? this.finish(this.entry & 0xfffff000, 0xfff, linear) : refusal;
  }
  private step32(at: u64): Translation {
    this.at = at;
    this.entry = this.memory.entry32(at);
    if ((this.entry & P) === 0) return this.refuse(Translation.NOT_PRESENT);
    this.gather(this.entry);
    return Translation.OK;
  }

  private walkPae(linear: u64): Translation {
    const pdpte = unchecked(this.context.pdptes[<i32>(linear >> 30) & 3]);
    if ((pdpte & P) === 0) return this.refuse(Translation.NOT_PRESENT);
    return this.walkDirectory(this.tableAt(pdpte), linear);
  }
  private walk4Level(linear: u64): Translation {
    let refusal = this.step64(this.tableAt(this.context.cr3), (linear >> 39) & 511, PS);
    if (refusal !== Translation.OK) return refusal;
    this.use();
    refusal = this.step64(this.tableAt(this.entry), (linear >> 30) & 511, 0x3fffe000);
    if (refusal !== Translation.OK) return refusal;
    if ((this.entry & PS) !== 0) return this.finish(this.tableAt(this.entry), 0x3fffffff, linear);
    this.use();
    return this.walkDirectory(this.tableAt(this.entry), linear);
  }
  /** The two levels that PAE and 4-level paging have in common. */
  private walkDirectory(directory: u64, linear: u64): Translation {
    let refusal = this.step64(directory, (linear >> 21) & 511, 0x1fe000);
    if (refusal !== Translation.OK) return refusal;
    if ((this.entry & PS) !== 0) return this.finish(this.tableAt(this.entry), 0x1fffff, linear);
    this.use();
    refusal = this.step64(this.tableAt(this.entry), (linear >> 12) & 511, 0);
    return refusal === Translation.OK ? this.finish(this.tableAt(this.entry), 0xfff, linear) : refusal;
  }
  private tableAt(entry: u64): u64 {
    return entry & ADDRESS & (((<u64>1) << this.context.physicalBits) - 1);
  }
  /** `ifLarge`: bits that are reserved in an entry with PS. In a PML4E PS itself is. */
  private step64(table: u64, index: u64, ifLarge: u64): Translation {
    const c = this.context;
    this.at = table + 8 * index;
    const entry = (this.entry = this.memory.entry64(this.at));
    if ((entry & P) === 0) return this.refuse(Translation.NOT_PRESENT);
    let reserved = ADDRESS & ~(((<u64>1) << c.physicalBits) - 1);
    if ((c.efer & EFER_LMA) === 0) reserved |= 0x7ff0000000000000;
    if ((c.efer & EFER_NXE) === 0) reserved |= XD;
    if ((entry & PS) !== 0) reserved |= ifLarge;
    if ((entry & reserved) !== 0) return this.refuse(Translation.RESERVED);
    this.gather(entry);
    return Translation.OK;
  }

  private gather(entry: u64): void {
    if ((entry & RW) === 0) this.writable = false;
    if ((entry & US) === 0) this.userPage = false;
    if ((entry & XD) !== 0) this.noExecute = true;
  }
  /** The walk goes on below this entry: it is marked as accessed. */
  private use(): void {
    this.mark(A);
  }
  private mark(flags: u32): void {
    this.memory.mark(this.at, <u32>this.entry, flags);
    if (this.memory.isMediated(this.at)) this.trail.spoil();
    this.trail.step(this.at, this.entry | flags);
  }
  /** The entry maps a page, of which `inPage` are the offset's bits. */
  private finish(page: u64, inPage: u64, linear: u64): Translation {
    if (!this.permitted()) return this.refuse(Translation.RIGHTS);
    this.mark(this.access === Access.WRITE ? A | D : A);
    this.physical = (page & ~inPage) | (linear & inPage);
    return Translation.OK;
  }
  /** Access rights [SDM 3A 4.6.1]. */
  private permitted(): bool {
    const c = this.context;
    if (this.user && !this.userPage) return false;
    const supervisorAtUserPage = !this.user && this.userPage;
    if (this.access === Access.EXECUTE) return !this.noExecute && !(supervisorAtUserPage && (c.cr4 & CR4_SMEP) !== 0);
    if (supervisorAtUserPage && (c.cr4 & CR4_SMAP) !== 0 && !this.overridesSmap) return false;
    return this.access === Access.READ || this.writable || (!this.user && (c.cr0 & CR0_WP) === 0);
  }

  private refuse(why: Translation): Translation {
    const c = this.context;
    let code = why === Translation.NOT_PRESENT ? 0 : PF_P;
    if (why === Translation.RESERVED) code |= PF_RSVD;
    if (this.access === Access.WRITE) code |= PF_W;
    if (this.user) code |= PF_U;
    const tellsFetches = ((c.cr4 & CR4_PAE) !== 0 && (c.efer & EFER_NXE) !== 0) || (c.cr4 & CR4_SMEP) !== 0;
    if (this.access === Access.EXECUTE && tellsFetches) code |= PF_I;
    this.errorCode = code;
    return why;
  }
}
