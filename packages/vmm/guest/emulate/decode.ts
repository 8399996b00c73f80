/**
 * Decodes the instructions that drivers and firmware access device registers with [SDM 2 chapter 2, appendix A]. All
 * others are refused with a reason.
 */
import { Code, Fetch } from "./code.ts";
import { DS, RAX } from "./guest.ts";
import { Instruction, Operation, Refusal, Repeat, Source } from "./instruction.ts";
import { KnownInstructions } from "./known.ts";
import { decodeMemory } from "./modrm.ts";
import { Prefixes } from "./prefixes.ts";

export class Decoder {
  /** What was decoded last. */
  insn!: Instruction;
  private known: KnownInstructions = new KnownInstructions();
  private code: Code;
  /** Size of code: 16, 32 or 64 bits. */
  private bits: u32 = 64;
  private prefixes: Prefixes = new Prefixes();
  /** The byte ModRM. */
  private modrm: u32 = 0;

  constructor(code: Code) {
    this.code = code;
    this.insn = this.known.of(0).insn;
  }

  /**
   * Decodes the instruction at the beginning of the code. After NONE it is in `insn`. If the code's state is not OK, that
   * is the answer, whatever this says.
   */
  decode(bits: u32): Refusal {
    const first = this.code.first(),
      known = this.known.of(first);
    this.insn = known.insn;
    if (known.holds(first, bits)) {
      this.code.skip(known.insn.length);
      return Refusal.NONE;
    }
    known.forget();
    const refusal = this.read(bits);
    const whole = refusal === Refusal.NONE && this.code.state === Fetch.OK;
    if (whole && KnownInstructions.fits(first)) known.keep(first, bits, this.code.bytes);
    return refusal;
  }
  private read(bits: u32): Refusal {
    const insn = this.insn;
    this.bits = bits;
    insn.source = Source.NONE;
    insn.shift = 0;
    const p = this.prefixes;
    const opcode = p.read(this.code, bits);
    insn.lock = p.lock;
    insn.repeat = p.repeat;
    insn.addressBytes = p.address ? (bits === 32 ? 2 : 4) : bits >> 3;
    insn.segment = p.segmentOr(DS);
    const refusal = opcode === 0x0f ? this.twoBytes(this.code.next()) : this.oneByte(opcode);
    insn.length = this.code.length;
    if (refusal !== Refusal.NONE || this.code.state !== Fetch.OK) return refusal;
    if (insn.lock && !this.isLockable()) return Refusal.LOCK;
    return Refusal.NONE;
  }

  /** Width of the operand: a byte where the opcode's lowest bit is clear, else as mode and prefixes say. */
  private width(opcode: u32): u32 {
    return (opcode & 1) === 0 ? 1 : this.wide();
  }
  private wide(): u32 {
    if ((this.prefixes.rex & 8) !== 0) return 8;
    return (this.bits === 16) !== this.prefixes.operand ? 2 : 4;
  }

  private oneByte(opcode: u32): Refusal {
    if (opcode < 0x40 && (opcode & 7) < 4)
      return this.withRegister(<Operation>(opcode >> 3), opcode, (opcode & 2) === 0);
    switch (opcode) {
      case 0x63:
        return this.bits === 64 ? this.extending(Operation.MOVSX, min<u32>(this.wide(), 4)) : Refusal.UNKNOWN;
      case 0x80:
      case 0x81:
      case 0x82:
      case 0x83:
        return this.group1(opcode);
      case 0x84:
      case 0x85:
        return this.withRegister(Operation.TEST, opcode, true);
      case 0x86:
      case 0x87:
        return this.withRegister(Operation.XCHG, opcode, true);
      case 0x88:
      case 0x89:
        return this.withRegister(Operation.MOV, opcode, true);
      case 0x8a:
      case 0x8b:
        return this.withRegister(Operation.MOV, opcode, false);
      case 0x8f:
        return this.stack(Operation.POP, 0);
      case 0xa0:
      case 0xa1:
        return this.moffs(opcode, false);
      case 0xa2:
      case 0xa3:
        return this.moffs(opcode, true);
      case 0xc6:
      case 0xc7:
        return this.moveImmediate(opcode);
      case 0xf6:
      case 0xf7:
        return this.group3(opcode);
      case 0xfe:
      case 0xff:
        return this.group5(opcode);
      default:
        return this.stringOpcode(opcode);
    }
  }
  private stringOpcode(opcode: u32): Refusal {
    switch (opcode & 0xfe) {
      case 0xa4:
        return this.string(Operation.MOVS, opcode);
      case 0xa6:
        return this.string(Operation.CMPS, opcode);
      case 0xaa:
        return this.string(Operation.STOS, opcode);
      case 0xac:
        return this.string(Operation.LODS, opcode);
      case 0xae:
        return this.string(Operation.SCAS, opcode);
      default:
        return Refusal.UNKNOWN;
    }
  }
  private twoBytes(opcode: u32): Refusal {
    switch (opcode) {
      case 0xa3:
        return this.withRegister(Operation.BT, opcode, true);
      case 0xab:
        return this.withRegister(Operation.BTS, opcode, true);
      case 0xb3:
        return this.withRegister(Operation.BTR, opcode, true);
      case 0xbb:
        return this.withRegister(Operation.BTC, opcode, true);
      case 0xba:
        return this.group8();
      case 0xb0:
      case 0xb1:
        return this.withRegister(Operation.CMPXCHG, opcode, true);
      case 0xb6:
      case 0xb7:
        return this.extending(Operation.MOV, opcode === 0xb6 ? 1 : 2);
      case 0xbe:
      case 0xbf:
        return this.extending(Operation.MOVSX, opcode === 0xbe ? 1 : 2);
      case 0xc0:
      case 0xc1:
        return this.withRegister(Operation.XADD, opcode, true);
      case 0xc3:
        return this.moveNonTemporal();
      default:
        return Refusal.UNKNOWN;
    }
  }

  /** The instruction's memory operand by ModRM, `bytes` wide. */
  private memory(operation: Operation, bytes: u32): Refusal {
    const insn = this.insn;
    insn.operation = operation;
    insn.bytes = insn.memoryBytes = bytes;
    insn.toMemory = true;
    this.modrm = this.code.next();
    if (this.modrm >= 0xc0) return Refusal.NO_MEMORY;
    const standard = decodeMemory(insn, this.code, this.modrm, this.prefixes.rex, this.bits === 64);
    insn.segment = this.prefixes.segmentOr(standard);
    return Refusal.NONE;
  }
  private get extension(): u32 {
    return (this.modrm >> 3) & 7;
  }
  /** Takes the register operand from ModRM. Without REX, 4 to 7 are AH, CH, DH and BH for a byte. */
  private useRegister(): void {
    const insn = this.insn;
    let n = this.extension;
    insn.source = Source.REGISTER;
    if (insn.bytes === 1 && this.prefixes.rex === 0 && n >= 4) {
      insn.shift = 8;
      n -= 4;
    }
    insn.register = n | ((this.prefixes.rex & 4) << 1);
  }
  /** Takes an immediate operand of `bytes` bytes. */
  private useImmediate(bytes: u32): void {
    this.insn.source = Source.IMMEDIATE;
    this.insn.immediate = this.code.signed(bytes);
  }

  private withRegister(operation: Operation, opcode: u32, toMemory: bool): Refusal {
    const refusal = this.memory(operation, this.width(opcode));
    this.insn.toMemory = toMemory;
    this.useRegister();
    return refusal;
  }
  /** A register is loaded from memory of another width. */
  private extending(operation: Operation, from: u32): Refusal {
    const refusal = this.memory(operation, this.wide());
    this.insn.memoryBytes = from;
    this.insn.toMemory = false;
    this.useRegister();
    return refusal;
  }
  /** MOVNTI: 4 or 8 bytes in code of any size, and no prefix that would make it something else. */
  private moveNonTemporal(): Refusal {
    if (this.prefixes.operand || this.prefixes.repeat !== Repeat.NONE) return Refusal.UNKNOWN;
    const refusal = this.memory(Operation.MOV, (this.prefixes.rex & 8) !== 0 ? 8 : 4);
    this.useRegister();
    return refusal;
  }
  private group1(opcode: u32): Refusal {
    if (opcode === 0x82 && this.bits === 64) return Refusal.UNKNOWN;
    const refusal = this.memory(Operation.ADD, this.width(opcode));
    this.insn.operation = <Operation>this.extension;
    this.useImmediate(opcode === 0x81 ? min<u32>(this.insn.bytes, 4) : 1);
    return refusal;
  }
  private group3(opcode: u32): Refusal {
    const refusal = this.memory(Operation.TEST, this.width(opcode));
    const insn = this.insn;
    if (this.extension < 2) this.useImmediate(min<u32>(insn.bytes, 4));
    else if (this.extension === 2) insn.operation = Operation.NOT;
    else if (this.extension === 3) insn.operation = Operation.NEG;
    else return Refusal.UNKNOWN;
    return refusal;
  }
  private group5(opcode: u32): Refusal {
    const refusal = this.memory(Operation.INC, this.width(opcode));
    if (this.extension === 0) return refusal;
    this.insn.operation = Operation.DEC;
    if (this.extension === 1) return refusal;
    return opcode === 0xff && this.extension === 6 ? this.onStack(Operation.PUSH, refusal) : Refusal.UNKNOWN;
  }
  private group8(): Refusal {
    const refusal = this.memory(Operation.BT, this.wide());
    if (this.extension < 4) return Refusal.UNKNOWN;
    this.insn.operation = <Operation>(Operation.BT + (this.extension - 4));
    this.useImmediate(1);
    return refusal;
  }
  private stack(operation: Operation, extension: u32): Refusal {
    const refusal = this.memory(operation, 0);
    return this.extension === extension ? this.onStack(operation, refusal) : Refusal.UNKNOWN;
  }
  /** In 64-bit mode words of 32 bits cannot be pushed or popped [SDM 1 6.2.2]. */
  private onStack(operation: Operation, refusal: Refusal): Refusal {
    const insn = this.insn;
    insn.operation = operation;
    insn.toMemory = operation === Operation.POP;
    insn.bytes = insn.memoryBytes =
      this.bits === 64 ? (this.prefixes.operand && (this.prefixes.rex & 8) === 0 ? 2 : 8) : this.wide();
    return refusal;
  }
  private moveImmediate(opcode: u32): Refusal {
    const refusal = this.memory(Operation.MOV, this.width(opcode));
    if (this.extension !== 0) return Refusal.UNKNOWN;
    this.useImmediate(min<u32>(this.insn.bytes, 4));
    return refusal;
  }
  /** Memory at an offset that is part of the instruction, and the accumulator. */
  private moffs(opcode: u32, toMemory: bool): Refusal {
    this.accumulator(Operation.MOV, opcode);
    const insn = this.insn;
    insn.toMemory = toMemory;
    insn.displacement = this.code.signed(insn.addressBytes);
    return Refusal.NONE;
  }
  private string(operation: Operation, opcode: u32): Refusal {
    this.accumulator(operation, opcode);
    return Refusal.NONE;
  }
  private accumulator(operation: Operation, opcode: u32): void {
    const insn = this.insn;
    insn.operation = operation;
    insn.bytes = insn.memoryBytes = this.width(opcode);
    insn.source = Source.REGISTER;
    insn.register = RAX;
    insn.clearAddress();
  }

  /** LOCK goes with what reads, changes and writes memory [SDM 2A "LOCK"]. */
  private isLockable(): bool {
    const insn = this.insn;
    if (insn.isString || !insn.writesMemory) return false;
    return insn.operation !== Operation.MOV && insn.operation !== Operation.POP;
  }
}
