/**
 * Does what the guest's instruction does that accessed intercepted memory (R4.4): fetches and decodes it, checks all its
 * operands, lets mediators and memory answer, and brings the registers up to date.
 *
 * What follows an instruction is left to the caller: blocking by STI or MOV SS ends after DONE; with RFLAGS.TF a
 * single-step trap is pending (BS in the VMCS's pending debug exceptions). Data breakpoints are not looked at.
 */
import { offsetOf, signExtend } from "./address.ts";
import { Arithmetic } from "./arithmetic.ts";
import { Code, Fetch } from "./code.ts";
import { Decoder } from "./decode.ts";
import {
  CR0_PG,
  CR4_LA57,
  CS,
  DF,
  EFER_LMA,
  ES,
  FS,
  GuestContext,
  GuestRegisters,
  maskOf,
  RAX,
  RCX,
  RDI,
  RF,
  RSI,
  RSP,
  SEGMENT_BIG,
  SEGMENT_LONG,
  SS,
  ZF,
} from "./guest.ts";
import { Instruction, Operation, Refusal, Repeat, Source } from "./instruction.ts";
import { GuestMemory } from "./memory.ts";
import { Exception, NOTHING, Operand, PAGE_FAULT } from "./operand.ts";
import { Access, Walker } from "./walk.ts";

/** Bytes of most registers. */
const WORD: u32 = 4;

export enum Outcome {
  /** Registers, RIP and RFLAGS are as they are to be: at the next instruction, or at the same one if it repeats. */
  DONE,
  /** Nothing has changed; the guest is to get `exception`. */
  EXCEPTION,
  /** Nothing has changed; `refusal` says why. */
  REFUSED,
}

export class Emulator {
  readonly exception: Exception;
  refusal: Refusal = Refusal.NONE;
  readonly code: Code;
  private context: GuestContext;
  private registers: GuestRegisters;
  private memory: GuestMemory;
  private decoder: Decoder;
  private insn: Instruction;
  private arithmetic: Arithmetic = new Arithmetic();
  /** The operand of ModRM, or a string's source; the stack's word, or a string's destination. */
  private operand: Operand;
  private other: Operand;
  private long: bool = false;
  /** Where the guest's access was. */
  private exit: u64 = 0;

  constructor(context: GuestContext, registers: GuestRegisters, memory: GuestMemory) {
    this.context = context;
    this.registers = registers;
    const walker = new Walker(context, memory);
    const code = new Code(registers, memory, walker);
    const decoder = new Decoder(code);
    const exception = new Exception();
    this.memory = memory;
    this.code = code;
    this.decoder = decoder;
    this.insn = decoder.insn;
    this.exception = exception;
    this.operand = new Operand(context, registers, memory, walker, exception);
    this.other = new Operand(context, registers, memory, walker, exception);
  }

  /**
   * Emulates the instruction at RIP (one iteration, if it repeats), whose access to `physical` was an EPT violation. If it is
   * known what kind of access it was and for which linear address, that need not be translated again.
   */
  emulate(physical: u64, linear: u64 = 0, access: u32 = NOTHING): Outcome {
    const c = this.context;
    const r = this.registers;
    this.exit = physical;
    if ((c.cr0 & CR0_PG) !== 0 && (c.cr4 & CR4_LA57) !== 0) return this.refuse(Refusal.PAGING);
    const cs = r.segment(CS).rights;
    this.long = (c.efer & EFER_LMA) !== 0 && (cs & SEGMENT_LONG) !== 0;
    this.code.begin(this.long);
    const refusal = this.decoder.decode(this.long ? 64 : (cs & SEGMENT_BIG) !== 0 ? 32 : 16);
    this.insn = this.decoder.insn;
    if (this.code.state === Fetch.TOO_LONG) return this.refuse(Refusal.TOO_LONG);
    if (this.code.state === Fetch.PAGE_FAULT) return this.faultAtFetch();
    if (refusal !== Refusal.NONE) return this.refuse(refusal);
    this.arithmetic.flags = r.rflags;
    if (this.long && access !== NOTHING && this.move(physical, linear, access)) return this.finish();
    this.operand.see(linear, physical, access);
    this.other.see(linear, physical, access);
    return this.insn.isString ? this.string() : this.general();
  }

  /** What drivers do nearly always: MOV of an aligned word in 64-bit mode, at the address that the processor has translated. */
  private move(physical: u64, linear: u64, access: u32): bool {
    const insn = this.insn,
      r = this.registers;
    if (insn.operation !== Operation.MOV || insn.memoryBytes !== WORD || (physical & (WORD - 1)) !== 0) return false;
    if (access !== <u32>(insn.toMemory ? Access.WRITE : Access.READ)) return false;
    const base = insn.segment >= FS ? r.segment(insn.segment).base : 0;
    if (base + offsetOf(insn, r) !== linear) return false;
    if (insn.toMemory) this.memory.write(physical, WORD, this.source() & 0xffffffff);
    else this.setRegister(this.memory.read(physical, WORD));
    return true;
  }

  private refuse(why: Refusal): Outcome {
    this.refusal = why;
    return Outcome.REFUSED;
  }
  private faultAtFetch(): Outcome {
    this.exception.set(PAGE_FAULT, this.code.errorCode, this.code.faultAddress);
    return Outcome.EXCEPTION;
  }
  private get next(): u64 {
    const next = this.registers.rip + this.insn.length;
    return this.long ? next : next & 0xffffffff;
  }
  /** The instruction is over, and with it what RF suppressed [SDM 3B 17.3.1.1]. */
  private finish(): Outcome {
    this.registers.rip = this.next;
    this.registers.rflags = this.arithmetic.flags & ~RF;
    return Outcome.DONE;
  }

  private placeOperand(access: Access): bool {
    return this.operand.place(
      this.insn.segment,
      offsetOf(this.insn, this.registers),
      this.insn.memoryBytes,
      access,
      this.long,
    );
  }

  private general(): Outcome {
    const insn = this.insn;
    if (insn.operation === Operation.PUSH) return this.push();
    if (insn.operation === Operation.POP) return this.pop();
    if (!this.placeOperand(insn.writesMemory ? Access.WRITE : Access.READ)) return Outcome.EXCEPTION;
    if (!this.operand.isAt(this.exit)) return this.refuse(Refusal.ELSEWHERE);
    this.perform(insn.operation);
    return this.finish();
  }
  private perform(operation: Operation): void {
    switch (operation) {
      case Operation.MOV:
        if (this.insn.toMemory) this.operand.write(this.source());
        else this.setRegister(this.operand.read());
        return;
      case Operation.MOVSX:
        return this.setRegister(signExtend(this.operand.read(), this.insn.memoryBytes));
      case Operation.XCHG:
      case Operation.XADD:
        return this.exchange(operation);
      case Operation.CMPXCHG:
        return this.compareAndExchange();
      case Operation.INC:
      case Operation.DEC:
      case Operation.NOT:
      case Operation.NEG:
        return this.operand.write(this.arithmetic.unary(operation, this.insn.bytes, this.operand.read()));
      case Operation.BT:
      case Operation.BTS:
      case Operation.BTR:
      case Operation.BTC:
        return this.bit(operation);
      default:
        return this.binary(operation);
    }
  }
  private source(): u64 {
    const insn = this.insn;
    return insn.source === Source.IMMEDIATE ? insn.immediate : this.registers.get(insn.register) >> insn.shift;
  }
  private setRegister(value: u64): void {
    this.registers.set(this.insn.register, this.insn.bytes, value, this.insn.shift);
  }
  private binary(operation: Operation): void {
    const insn = this.insn;
    const source = this.source();
    const memory = this.operand.read();
    if (insn.toMemory) {
      const result = this.arithmetic.binary(operation, insn.bytes, memory, source);
      if (insn.writesMemory) this.operand.write(result);
    } else {
      const result = this.arithmetic.binary(operation, insn.bytes, source, memory);
      if (operation !== Operation.CMP) this.setRegister(result);
    }
  }
  private exchange(operation: Operation): void {
    const source = this.source();
    const old = this.operand.read();
    const isSum = operation === Operation.XADD;
    this.operand.write(isSum ? this.arithmetic.binary(Operation.ADD, this.insn.bytes, old, source) : source);
    this.setRegister(old);
  }
  /** Memory is written even if the comparison fails: with what was there [SDM 2A "CMPXCHG"]. */
  private compareAndExchange(): void {
    const bytes = this.insn.bytes;
    const old = this.operand.read();
    const accumulator = this.registers.get(RAX);
    this.arithmetic.binary(Operation.CMP, bytes, accumulator, old);
    const equal = (this.arithmetic.flags & ZF) !== 0;
    this.operand.write(equal ? this.source() : old);
    if (!equal) this.registers.set(RAX, bytes, old);
  }
  private bit(operation: Operation): void {
    const n = this.source() & (8 * this.insn.bytes - 1);
    const result = this.arithmetic.bit(operation, this.operand.read(), n);
    if (operation !== Operation.BT) this.operand.write(result);
  }

  /** Width of the stack pointer in bytes. */
  private get stackBytes(): u32 {
    if (this.long) return 8;
    return (this.registers.segment(SS).rights & SEGMENT_BIG) !== 0 ? 4 : 2;
  }
  private push(): Outcome {
    const r = this.registers;
    const bytes = this.insn.bytes;
    const top = (r.get(RSP) - bytes) & maskOf(this.stackBytes);
    if (!this.placeOperand(Access.READ)) return Outcome.EXCEPTION;
    if (!this.other.place(SS, top, bytes, Access.WRITE, this.long)) return Outcome.EXCEPTION;
    if (!this.operand.isAt(this.exit) && !this.other.isAt(this.exit)) return this.refuse(Refusal.ELSEWHERE);
    this.other.write(this.operand.read());
    r.set(RSP, this.stackBytes, top);
    return this.finish();
  }
  /** The destination's address is computed with the new RSP [SDM 2B "POP"]. */
  private pop(): Outcome {
    const r = this.registers;
    const bytes = this.insn.bytes;
    const before = r.get(RSP);
    const top = before & maskOf(this.stackBytes);
    if (!this.other.place(SS, top, bytes, Access.READ, this.long)) return Outcome.EXCEPTION;
    r.set(RSP, this.stackBytes, top + bytes);
    const placed = this.placeOperand(Access.WRITE);
    if (placed && (this.operand.isAt(this.exit) || this.other.isAt(this.exit))) {
      this.operand.write(this.other.read());
      return this.finish();
    }
    r.set(RSP, 8, before);
    return placed ? this.refuse(Refusal.ELSEWHERE) : Outcome.EXCEPTION;
  }

  /** One iteration of a string instruction [SDM 1 7.3.9]: from (segment):rSI, to ES:rDI. */
  private string(): Outcome {
    const insn = this.insn;
    const r = this.registers;
    const op = insn.operation;
    const mask = maskOf(insn.addressBytes);
    const usesSource = op === Operation.MOVS || op === Operation.CMPS || op === Operation.LODS;
    const usesDestination = op !== Operation.LODS;
    const access = op === Operation.MOVS || op === Operation.STOS ? Access.WRITE : Access.READ;
    if (insn.repeat !== Repeat.NONE && (r.get(RCX) & mask) === 0) return this.refuse(Refusal.ELSEWHERE);
    if (usesSource && !this.operand.place(insn.segment, r.get(RSI) & mask, insn.bytes, Access.READ, this.long))
      return Outcome.EXCEPTION;
    if (usesDestination && !this.other.place(ES, r.get(RDI) & mask, insn.bytes, access, this.long))
      return Outcome.EXCEPTION;
    const isAtExit = (usesSource && this.operand.isAt(this.exit)) || (usesDestination && this.other.isAt(this.exit));
    if (!isAtExit) return this.refuse(Refusal.ELSEWHERE);
    this.performString(op);
    if (usesSource) this.advance(RSI);
    if (usesDestination) this.advance(RDI);
    return insn.repeat === Repeat.NONE || this.isLast() ? this.finish() : this.again();
  }
  private performString(operation: Operation): void {
    const bytes = this.insn.bytes;
    const accumulator = this.registers.get(RAX);
    switch (operation) {
      case Operation.MOVS:
        return this.other.write(this.operand.read());
      case Operation.STOS:
        return this.other.write(accumulator);
      case Operation.LODS:
        return this.registers.set(RAX, bytes, this.operand.read());
      case Operation.SCAS:
        this.arithmetic.binary(Operation.CMP, bytes, accumulator, this.other.read());
        return;
      default: {
        const first = this.operand.read();
        this.arithmetic.binary(Operation.CMP, bytes, first, this.other.read());
      }
    }
  }
  private advance(register: u32): void {
    const bytes: u64 = this.insn.bytes;
    const step = (this.registers.rflags & DF) !== 0 ? 0 - bytes : bytes;
    this.registers.set(register, this.insn.addressBytes, this.registers.get(register) + step);
  }
  /** Counts an iteration; true if no other follows. */
  private isLast(): bool {
    const insn = this.insn;
    const r = this.registers;
    r.set(RCX, insn.addressBytes, r.get(RCX) - 1);
    if ((r.get(RCX) & maskOf(insn.addressBytes)) === 0) return true;
    if (insn.operation !== Operation.CMPS && insn.operation !== Operation.SCAS) return false;
    return ((this.arithmetic.flags & ZF) !== 0) === (insn.repeat === Repeat.REPNE);
  }
  /** The guest goes on with the next iteration. */
  private again(): Outcome {
    this.registers.rflags = this.arithmetic.flags;
    return Outcome.DONE;
  }
}
