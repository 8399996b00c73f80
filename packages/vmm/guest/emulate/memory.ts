/**
 * The guest's memory as the emulator sees it: RAM, registers that somebody mediates, and the VMM's own range, which reads
 * as zeros and ignores what is written (R2.7), whatever way leads there: an operand, page tables, code.
 */
import { physRead8, physRead16, physRead32, physRead64, physWrite8, physWrite16, physWrite32 } from "../x86.ts";

export class GuestMemory {
  /** The VMM's own range: `hiddenEnd` is the first address after it. */
  private hiddenFirst: u64;
  private hiddenEnd: u64;
  /** The first address that intrinsics do not reach: nothing is there. */
  private reach: u64;
  /** How many writes to it were dropped. */
  dropped: u64 = 0;

  constructor(hiddenFirst: u64, hiddenEnd: u64, reach: u64) {
    this.reach = reach;
    this.hiddenFirst = hiddenFirst;
    this.hiddenEnd = hiddenEnd;
  }

  /** Does somebody answer for registers at this address? Whoever knows overrides these three. */
  isMediated(_address: u64): bool {
    return false;
  }
  /** `bytes` is 1, 2 or 4, and the address a multiple of it. */
  readRegister(_address: u64, _bytes: u32): u64 {
    return 0;
  }
  writeRegister(_address: u64, _bytes: u32, _value: u64): void {}

  private isHidden(address: u64): bool {
    return address >= this.reach || (address >= this.hiddenFirst && address < this.hiddenEnd);
  }

  /** Reads an aligned piece of 1, 2 or 4 bytes as an instruction's operand. */
  read(address: u64, bytes: u32): u64 {
    if (this.isMediated(address)) return this.readRegister(address, bytes);
    if (this.isHidden(address)) return 0;
    return bytes === 4 ? physRead32(address) : bytes === 2 ? physRead16(address) : physRead8(address);
  }
  write(address: u64, bytes: u32, value: u64): void {
    if (this.isMediated(address)) this.writeRegister(address, bytes, value);
    else if (this.isHidden(address)) this.dropped++;
    else if (bytes === 4) physWrite32(address, <u32>value);
    else if (bytes === 2) physWrite16(address, <u32>value);
    else physWrite8(address, <u32>value);
  }

  /**
   * Whether `bytes` from here on, within a page, are RAM that the guest may read: then `physRead8` reads them. Both ends are
   * asked for: registers that lie wholly between would be met by a device's own bytes.
   */
  isPlain(address: u64, bytes: u64): bool {
    const last = address + bytes - 1;
    return !this.isHidden(address) && !this.isHidden(last) && !this.isMediated(address) && !this.isMediated(last);
  }
  /** A byte of an instruction. In a device's registers it is what its mediator says, here and below. */
  codeByte(address: u64): u32 {
    if (this.isMediated(address)) return <u32>this.readRegister(address, 1) & 0xff;
    return this.isHidden(address) ? 0 : physRead8(address);
  }
  /** Entries of paging structures, of 4 and 8 bytes. */
  entry32(address: u64): u64 {
    if (this.isMediated(address)) return this.readRegister(address, 4) & 0xffffffff;
    return this.isHidden(address) ? 0 : physRead32(address);
  }
  entry64(address: u64): u64 {
    if (this.isMediated(address)) return this.entry32(address) | (this.entry32(address + 4) << 32);
    return this.isHidden(address) ? 0 : physRead64(address);
  }
  /**
   * Sets flags in an entry whose lower half was `low`, unless another processor has changed it since: then they are not
   * wanted any more. (Between the look and the write another one can still come: as narrow as it gets without a locked
   * intrinsic.) A device's registers are never marked.
   */
  mark(address: u64, low: u32, flags: u32): void {
    if ((low & flags) === flags || this.isHidden(address) || this.isMediated(address)) return;
    if (physRead32(address) === low) physWrite32(address, low | flags);
  }
}
