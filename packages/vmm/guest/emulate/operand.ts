/**
 * An operand in memory: checked against its segment and translated first, accessed afterwards, so that nothing has
 * happened when an instruction faults. It may cross into another page.
 */
import {
  AC,
  CR0_AM,
  CR0_PE,
  FS,
  GuestContext,
  GuestRegisters,
  SEGMENT_BIG,
  SEGMENT_CODE,
  SEGMENT_DOWN,
  SEGMENT_UNUSABLE,
  SEGMENT_WRITABLE,
  SS,
  VM,
} from "./guest.ts";
import { GuestMemory } from "./memory.ts";
import { Access, Translation, Walker } from "./walk.ts";

/** Vectors of exceptions. */
export const STACK_FAULT: u32 = 12;
export const GENERAL_PROTECTION: u32 = 13;
export const PAGE_FAULT: u32 = 14;
export const ALIGNMENT_CHECK: u32 = 17;

/** No access: {@link Operand.see}. */
export const NOTHING: u32 = u32.MAX_VALUE;

/** An exception that the guest is to get. */
export class Exception {
  vector: u32 = 0;
  errorCode: u32 = 0;
  /** For CR2, after a page fault. */
  address: u64 = 0;

  set(vector: u32, errorCode: u32, address: u64 = 0): void {
    this.vector = vector;
    this.errorCode = errorCode;
    this.address = address;
  }
}

export class Operand {
  private context: GuestContext;
  private registers: GuestRegisters;
  private memory: GuestMemory;
  private walker: Walker;
  private exception: Exception;
  /** Where it is, and where its part in the second page is, if it has one. */
  private first: u64 = 0;
  private second: u64 = 0;
  private bytes: u32 = 0;
  private inFirst: u32 = 0;
  /** What the processor has translated itself, of this instruction. */
  private seenLinear: u64 = 0;
  private seenPhysical: u64 = 0;
  private seenAccess: u32 = NOTHING;

  constructor(
    context: GuestContext,
    registers: GuestRegisters,
    memory: GuestMemory,
    walker: Walker,
    exception: Exception,
  ) {
    this.context = context;
    this.registers = registers;
    this.memory = memory;
    this.walker = walker;
    this.exception = exception;
  }

  /** The processor was about to access `physical`, for `linear`: page tables allowed it. {@link NOTHING}: not known. */
  see(linear: u64, physical: u64, access: u32): void {
    this.seenLinear = linear;
    this.seenPhysical = physical;
    this.seenAccess = access;
  }

  /** Places it at an offset in a segment. False: the exception says why it cannot be accessed. */
  place(segment: u32, offset: u64, bytes: u32, access: Access, long: bool): bool {
    const r = this.registers;
    const linear = long ? this.longLinear(segment, offset) : (r.segment(segment).base + offset) & 0xffffffff;
    const inSegment = long
      ? isCanonical(linear) && isCanonical(linear + bytes - 1)
      : this.isWithin(segment, offset, bytes, access === Access.WRITE);
    if (!inSegment) {
      this.exception.set(segment === SS ? STACK_FAULT : GENERAL_PROTECTION, 0);
      return false;
    }
    const checksAlignment = r.cpl === 3 && (this.context.cr0 & CR0_AM) !== 0 && (r.rflags & AC) !== 0;
    if (checksAlignment && (linear & (bytes - 1)) !== 0) {
      this.exception.set(ALIGNMENT_CHECK, 0);
      return false;
    }
    this.bytes = bytes;
    this.inFirst = min<u32>(bytes, 0x1000 - (<u32>linear & 0xfff));
    return this.translate(linear, access, long);
  }
  private longLinear(segment: u32, offset: u64): u64 {
    return segment >= FS ? this.registers.segment(segment).base + offset : offset;
  }
  private translate(linear: u64, access: Access, long: bool): bool {
    if (!this.translatePage(linear, access)) return false;
    this.first = this.walker.physical;
    if (!this.crosses) return true;
    const next = linear + this.inFirst;
    if (!this.translatePage(long ? next : next & 0xffffffff, access)) return false;
    this.second = this.walker.physical;
    return true;
  }
  private translatePage(linear: u64, access: Access): bool {
    if (linear === this.seenLinear && <u32>access === this.seenAccess) {
      this.walker.physical = this.seenPhysical;
      return true;
    }
    const r = this.registers;
    if (this.walker.translate(linear, access, r.cpl === 3, (r.rflags & AC) !== 0) === Translation.OK) return true;
    this.exception.set(PAGE_FAULT, this.walker.errorCode, linear);
    return false;
  }
  private get crosses(): bool {
    return this.inFirst !== this.bytes;
  }

  /** Limit and type of the segment [SDM 3A 5.3, 5.5]; types mean nothing outside of protected mode. */
  private isWithin(segment: u32, offset: u64, bytes: u32, write: bool): bool {
    const s = this.registers.segment(segment);
    if ((s.rights & SEGMENT_UNUSABLE) !== 0) return false;
    const last = offset + bytes - 1;
    if ((s.rights & (SEGMENT_CODE | SEGMENT_DOWN)) === SEGMENT_DOWN) {
      const top: u64 = (s.rights & SEGMENT_BIG) !== 0 ? 0xffffffff : 0xffff;
      if (offset <= s.limit || last > top) return false;
    } else if (last > s.limit) return false;
    if ((this.context.cr0 & CR0_PE) === 0 || (this.registers.rflags & VM) !== 0) return true;
    // Bit 1 of the type lets data be written and code be read.
    if ((s.rights & SEGMENT_CODE) !== 0) return !write && (s.rights & SEGMENT_WRITABLE) !== 0;
    return !write || (s.rights & SEGMENT_WRITABLE) !== 0;
  }

  /** Is a part of it at this physical address? */
  isAt(physical: u64): bool {
    return this.first === physical || (this.crosses && this.second === physical);
  }

  /** Reads it, in aligned pieces of 4, 2 and 1 bytes, lowest first. */
  read(): u64 {
    let value: u64 = 0;
    for (let done: u32 = 0; done < this.bytes; ) {
      const at = this.addressOf(done);
      const n = this.pieceAt(at, done);
      value |= (this.memory.read(at, n) & (0xffffffff >> (32 - 8 * n))) << (8 * done);
      done += n;
    }
    return value;
  }
  write(value: u64): void {
    for (let done: u32 = 0; done < this.bytes; ) {
      const at = this.addressOf(done);
      const n = this.pieceAt(at, done);
      this.memory.write(at, n, (value >> (8 * done)) & (0xffffffff >> (32 - 8 * n)));
      done += n;
    }
  }
  private addressOf(done: u32): u64 {
    return done < this.inFirst ? this.first + done : this.second + (done - this.inFirst);
  }
  /** How many bytes are accessed at once. */
  private pieceAt(at: u64, done: u32): u32 {
    const left = (done < this.inFirst ? this.inFirst : this.bytes) - done;
    if ((at & 3) === 0 && left >= 4) return 4;
    return (at & 1) === 0 && left >= 2 ? 2 : 1;
  }
}

/** Are bits 63:47 equal [SDM 1 3.3.7.1]? */
function isCanonical(linear: u64): bool {
  return <u64>(<i64>(linear << 16) >> 16) === linear;
}
