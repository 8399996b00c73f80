/** An instruction's prefixes, in any order and number [SDM 2A 2.1.1, 2.2.1]. */
import { Code, Fetch } from "./code.ts";
import { CS, DS, ES, FS, GS, SS } from "./guest.ts";
import { Repeat } from "./instruction.ts";

export class Prefixes {
  /** 66 and 67: the other size of operands, of addresses. */
  operand: bool = false;
  address: bool = false;
  lock: bool = false;
  /** The last one of F2 and F3. */
  repeat: Repeat = Repeat.NONE;
  /** REX, or 0. It counts right before the opcode only. */
  rex: u32 = 0;
  /** The segment that one names; none: above GS. */
  private segment: u32 = 0;
  private long: bool = false;

  /** The segment that is named, or else the standard one. */
  segmentOr(standard: u32): u32 {
    return this.segment <= GS ? this.segment : standard;
  }

  /** Reads the prefixes of code of 16, 32 or 64 bits; the opcode's first byte. */
  read(code: Code, bits: u32): u32 {
    this.operand = this.address = this.lock = false;
    this.repeat = Repeat.NONE;
    this.segment = 0xff;
    this.rex = 0;
    this.long = bits === 64;
    while (code.state === Fetch.OK) {
      const byte = code.next();
      if (this.long && (byte & 0xf0) === 0x40) {
        this.rex = byte;
        continue;
      }
      if (!this.take(byte)) return byte;
      this.rex = 0;
    }
    return 0;
  }
  /** False: it is no prefix. */
  private take(byte: u32): bool {
    switch (byte) {
      case 0x26:
        return this.name(ES);
      case 0x2e:
        return this.name(CS);
      case 0x36:
        return this.name(SS);
      case 0x3e:
        return this.name(DS);
      case 0x64:
        return this.name(FS);
      case 0x65:
        return this.name(GS);
      case 0x66:
        this.operand = true;
        return true;
      case 0x67:
        this.address = true;
        return true;
      case 0xf0:
        this.lock = true;
        return true;
      case 0xf2:
        this.repeat = Repeat.REPNE;
        return true;
      case 0xf3:
        this.repeat = Repeat.REP;
        return true;
      default:
        return false;
    }
  }
  /** In 64-bit mode only FS and GS mean anything [SDM 1 3.3.7.1]. */
  private name(segment: u32): bool {
    if (!this.long || segment >= FS) this.segment = segment;
    return true;
  }
}
