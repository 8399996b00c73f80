/**
 * Writes the instructions that a processor leaves by: straight code without a branch, whose operands are constants, so that
 * in the end every register can hold the guest's value. It lies in a page of its own, runs in 64-, 32- and 16-bit code one
 * after the other, and finds the page's data at other addresses in each.
 */
import { LGDT, RAX, RCX, RDX } from "./layout.ts";

const SIXTEEN: u32 = 16;
const LONG: u32 = 64;

export class Code {
  private page: usize;
  private at: usize;
  /** Size of the code that is written: 64, 32 or 16. */
  bits: u32 = LONG;
  /** Linear address of the page where the code runs. */
  runsAt: u64 = 0;
  /** Outside of 64-bit code: data of the page is read through CS, whose base this is; else through a flat DS. */
  throughCs: bool = false;
  csBase: u64 = 0;

  constructor(page: usize) {
    this.page = page;
    this.at = page;
  }

  /** Bytes so far. */
  get length(): u32 {
    return <u32>(this.at - this.page);
  }
  /** Linear address of the next instruction. */
  get here(): u64 {
    return this.runsAt + this.length;
  }

  bytes1(a: u32): void {
    store<u8>(this.at++, a);
  }
  bytes2(a: u32, b: u32): void {
    this.bytes1(a);
    this.bytes1(b);
  }
  bytes3(a: u32, b: u32, c: u32): void {
    this.bytes2(a, b);
    this.bytes1(c);
  }
  word16(value: u32): void {
    store<u16>(this.at, value);
    this.at += 2;
  }
  word32(value: u32): void {
    store<u32>(this.at, value);
    this.at += 4;
  }
  word64(value: u64): void {
    store<u64>(this.at, value);
    this.at += 8;
  }

  /** In 16-bit code the operands have 32 bits nevertheless. */
  private wide(): void {
    if (this.bits === SIXTEEN) this.bytes1(0x66);
  }
  /** MOV register, constant: all of the register. */
  move(register: u32, value: u64): void {
    if (this.bits === LONG) {
      this.bytes2(0x48 | (register >> 3), 0xb8 | (register & 7));
      this.word64(value);
    } else this.move32(register, <u32>value);
  }
  /** MOV of 32 bits; RAX to RDI only. */
  move32(register: u32, value: u32): void {
    this.wide();
    this.bytes1(0xb8 | register);
    this.word32(value);
  }
  /** MOV to a control register; RAX is lost. */
  control(n: u32, value: u64): void {
    this.move(RAX, value);
    this.bytes3(0x0f, 0x22, 0xc0 | (n << 3));
  }
  /** MOV to DR7; RAX is lost. */
  debugControl(value: u64): void {
    this.move(RAX, value);
    this.bytes3(0x0f, 0x23, 0xf8);
  }
  /** WRMSR; RAX, RCX, RDX are lost. */
  register(index: u32, value: u64): void {
    this.move32(RCX, index);
    this.move32(RAX, <u32>value);
    this.move32(RDX, <u32>(value >> 32));
    this.bytes2(0x0f, 0x30);
  }
  /** MOV to a segment register by its number; RAX is lost. */
  segment(n: u32, selector: u32): void {
    this.move32(RAX, selector);
    this.bytes2(0x8e, 0xc0 | (n << 3));
  }
  /** LLDT (2) or LTR (3); RAX is lost. */
  system(extension: u32, selector: u32): void {
    this.move32(RAX, selector);
    this.bytes3(0x0f, 0x00, 0xc0 | (extension << 3));
  }
  /** LGDT or LIDT of what lies at an offset in the page. */
  table(extension: u32, offset: u32): void {
    if (this.throughCs && this.bits !== LONG) this.bytes1(0x2e);
    if (this.bits === SIXTEEN) this.bytes2(0x66, 0x67);
    this.bytes3(0x0f, 0x01, (extension << 3) | 5);
    if (this.bits === LONG) this.word32(offset - this.length - 4);
    else this.word32(<u32>(this.runsAt + offset - (this.throughCs ? this.csBase : 0)));
  }
  descriptors(offset: u32): void {
    this.table(LGDT, offset);
  }

  /** RFLAGS from the stack, which is the page's; RAX is lost. */
  flags(value: u64): void {
    this.move(RAX, value);
    this.wide();
    this.bytes1(0x50);
    this.wide();
    this.bytes1(0x9d);
  }
  /** RETF in 64-bit code to what follows, which runs at another address with another CS; RAX is lost. */
  farReturn(selector: u32, runsAt: u64, bits: u32): void {
    this.move(RAX, selector);
    this.bytes1(0x50);
    const rest: u32 = 10 + 1 + 2; // MOV, PUSH, RETF
    this.move(RAX, runsAt + this.length + rest);
    this.bytes3(0x50, 0x48, 0xcb);
    this.runsAt = runsAt;
    this.bits = bits;
  }
  /** JMP far in 32-bit code to what follows, with another CS of this base. */
  farJump(selector: u32, base: u64, bits: u32): void {
    const bytes: u32 = 7;
    this.bytes1(0xea);
    this.word32(<u32>(this.here - 1 + bytes - base));
    this.word16(selector);
    this.csBase = base;
    this.throughCs = true;
    this.bits = bits;
  }
  /** JMP near outside of 64-bit code, by a distance. */
  nearJump(to: u32): void {
    this.wide();
    this.bytes1(0xe9);
    this.word32(<u32>(to - (this.here - this.csBase + 4)));
  }
  /** JMP to the address that the page has at an offset; 64-bit code. */
  indirectJump(offset: u32): void {
    this.bytes2(0xff, 0x25);
    this.word32(offset - this.length - 4);
  }
  /** JMP far in real mode. */
  realJump(selector: u32, offset: u32): void {
    this.bytes2(0x66, 0xea);
    this.word32(offset);
    this.word16(selector);
  }
}
