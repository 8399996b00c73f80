/**
 * The guest as it was interrupted: what its processor's control registers and segments say, and its general registers.
 * The caller fills these from the VMCS before it emulates, and brings back what has changed: the general registers, RIP
 * and RFLAGS.
 */

/** Registers as instructions encode them. */
export const RAX: u32 = 0;
export const RCX: u32 = 1;
export const RSP: u32 = 4;
export const RBP: u32 = 5;
export const RSI: u32 = 6;
export const RDI: u32 = 7;
/** Segment registers, likewise. */
export const ES: u32 = 0;
export const CS: u32 = 1;
export const SS: u32 = 2;
export const DS: u32 = 3;
export const FS: u32 = 4;
export const GS: u32 = 5;

export const CR0_PE: u64 = 1;
export const CR0_WP: u64 = 1 << 16;
export const CR0_AM: u64 = 1 << 18;
export const CR0_PG: u64 = 1 << 31;
export const CR4_PSE: u64 = 1 << 4;
export const CR4_PAE: u64 = 1 << 5;
export const CR4_LA57: u64 = 1 << 12;
export const CR4_SMEP: u64 = 1 << 20;
export const CR4_SMAP: u64 = 1 << 21;
export const CR4_PKE: u64 = 1 << 22;
export const EFER_LMA: u64 = 1 << 10;
export const EFER_NXE: u64 = 1 << 11;

export const CF: u64 = 1;
export const PF: u64 = 1 << 2;
export const AF: u64 = 1 << 4;
export const ZF: u64 = 1 << 6;
export const SF: u64 = 1 << 7;
export const DF: u64 = 1 << 10;
export const OF: u64 = 1 << 11;
export const RF: u64 = 1 << 16;
export const VM: u64 = 1 << 17;
export const AC: u64 = 1 << 18;

/** Bits of a segment's access rights as the VMCS holds them [SDM 3C table 24-2]. */
export const SEGMENT_WRITABLE: u32 = 1 << 1;
export const SEGMENT_DOWN: u32 = 1 << 2;
export const SEGMENT_CODE: u32 = 1 << 3;
export const SEGMENT_LONG: u32 = 1 << 13;
export const SEGMENT_BIG: u32 = 1 << 14;
export const SEGMENT_UNUSABLE: u32 = 1 << 16;

/** A segment register's hidden part. */
export class Segment {
  base: u64 = 0;
  /** In bytes, granularity applied. */
  limit: u32 = 0;
  rights: u32 = 0;
}

/** What decides on addresses. */
export class GuestContext {
  cr0: u64 = 0;
  cr3: u64 = 0;
  /** As the guest's instructions work, not as it reads them: with what the VMM has set. */
  cr4: u64 = 0;
  efer: u64 = 0;
  /** The VMCS's guest PDPTEs: they are what PAE paging uses (R4.6). */
  pdptes: StaticArray<u64> = new StaticArray<u64>(4);
  /** Width of physical addresses, from CPUID 80000008h: 32 to 52. */
  physicalBits: u32 = 36;
}

export class GuestRegisters {
  /** Address of sixteen 64-bit words: the general registers in encoding order, RSP among them. */
  general: usize;
  rip: u64 = 0;
  rflags: u64 = 0;
  /** In encoding order: ES, CS, SS, DS, FS, GS. */
  segments: StaticArray<Segment> = new StaticArray<Segment>(6);

  constructor(general: usize) {
    this.general = general;
    for (let i = 0; i < 6; i++) this.segments[i] = new Segment();
  }

  segment(n: u32): Segment {
    return unchecked(this.segments[n]);
  }
  /** The privilege level of a guest is SS's [SDM 3C 24.4.1]. */
  get cpl(): u32 {
    return (this.segment(SS).rights >> 5) & 3;
  }

  /** All 64 bits of a register. */
  get(n: u32): u64 {
    return load<u64>(this.general + ((n & 15) << 3));
  }
  /**
   * Writes the low 1, 2, 4 or 8 bytes. Four clear the upper half, fewer leave the rest as it is [SDM 1 3.4.1.1]. `shift`
   * is 8 for AH, CH, DH and BH, else 0.
   */
  set(n: u32, bytes: u32, value: u64, shift: u32 = 0): void {
    const at = this.general + ((n & 15) << 3);
    if (bytes >= 4) store<u64>(at, value & maskOf(bytes));
    else {
      const mask = maskOf(bytes) << shift;
      store<u64>(at, (load<u64>(at) & ~mask) | ((value << shift) & mask));
    }
  }
}

/** Ones in the low 1, 2, 4 or 8 bytes. */
export function maskOf(bytes: u32): u64 {
  return <u64>-1 >> (64 - 8 * bytes);
}
