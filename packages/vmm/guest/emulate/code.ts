/** The bytes of the instruction at CS:RIP, read one after the other through the guest's paging; at most 15. */
import { physRead8 } from "../x86.ts";
import { AC, CS, GuestRegisters } from "./guest.ts";
import { GuestMemory } from "./memory.ts";
import { Access, Translation, Walker } from "./walk.ts";

export const MAX_LENGTH: u32 = 15;
/** Room for what is read as two words. */
const ROOM: u32 = 16;

/** How reading went. After anything but OK bytes read as zero. */
export enum Fetch {
  OK,
  /** A page fault at `faultAddress`. */
  PAGE_FAULT,
  TOO_LONG,
}

export class Code {
  /** What was read, for whoever wants to tell about it. */
  bytes: StaticArray<u8> = new StaticArray<u8>(ROOM);
  length: u32 = 0;
  state: Fetch = Fetch.OK;
  faultAddress: u64 = 0;
  errorCode: u32 = 0;
  private registers: GuestRegisters;
  private memory: GuestMemory;
  private walker: Walker;
  private long: bool = false;
  private placed: bool = false;
  private physical: u64 = 0;
  /** What the instruction can take of this page is RAM: nobody need be asked for each byte. */
  private plain: bool = false;

  constructor(registers: GuestRegisters, memory: GuestMemory, walker: Walker) {
    this.registers = registers;
    this.memory = memory;
    this.walker = walker;
  }

  /** Begins anew at CS:RIP; `long`: in 64-bit mode. */
  begin(long: bool): void {
    this.long = long;
    this.length = 0;
    this.placed = false;
    this.state = Fetch.OK;
  }
  /** Where the first byte is. @returns u64.MAX_VALUE if that is not in RAM */
  first(): u64 {
    return this.locate() && this.plain ? this.physical : u64.MAX_VALUE;
  }
  /** As if all bytes of an instruction had been read. */
  skip(length: u32): void {
    this.length = length;
  }

  next(): u32 {
    if (this.state !== Fetch.OK) return 0;
    if (this.length === MAX_LENGTH) {
      this.state = Fetch.TOO_LONG;
      return 0;
    }
    if (!this.locate()) return 0;
    const at = this.physical++;
    const byte = this.plain ? physRead8(at) : this.memory.codeByte(at);
    unchecked((this.bytes[this.length++] = <u8>byte));
    return byte;
  }
  /** `count` bytes, least significant first, with the sign of the last. */
  signed(count: u32): u64 {
    let value: u64 = 0;
    for (let shift: u32 = 0; shift < 8 * count; shift += 8) value |= (<u64>this.next()) << shift;
    const unused = 64 - 8 * count;
    return <u64>(<i64>(value << unused) >> unused);
  }

  /** Translates where a page begins: at the first byte, and where the instruction crosses into another page. */
  private locate(): bool {
    const r = this.registers;
    const offset = r.rip + this.length;
    const linear = this.long ? offset : (r.segment(CS).base + offset) & 0xffffffff;
    if (this.placed && (this.length === 0 || (linear & 0xfff) !== 0)) return true;
    if (this.walker.translate(linear, Access.EXECUTE, r.cpl === 3, (r.rflags & AC) !== 0) === Translation.OK) {
      const at = this.walker.physical;
      this.physical = at;
      this.plain = this.memory.isPlain(at, min<u64>(MAX_LENGTH, 0x1000 - (at & 0xfff)));
      this.placed = true;
      return true;
    }
    this.state = Fetch.PAGE_FAULT;
    this.faultAddress = linear;
    this.errorCode = this.walker.errorCode;
    return false;
  }
}
