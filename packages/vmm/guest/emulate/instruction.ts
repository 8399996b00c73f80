/** A decoded instruction. One of its operands is in memory; what else there is, is a register or an immediate. */

/** The first eight are in the order of their opcodes. */
export enum Operation {
  ADD,
  OR,
  ADC,
  SBB,
  AND,
  SUB,
  XOR,
  CMP,
  TEST,
  INC,
  DEC,
  NOT,
  NEG,
  /** MOV, MOVNTI and MOVZX: what is read is extended with zeros. */
  MOV,
  /** MOVSX, MOVSXD. */
  MOVSX,
  XCHG,
  XADD,
  CMPXCHG,
  BT,
  BTS,
  BTR,
  BTC,
  PUSH,
  POP,
  // The string instructions are the last.
  MOVS,
  CMPS,
  STOS,
  LODS,
  SCAS,
}

/** The operand beside the one in memory. */
export enum Source {
  NONE,
  REGISTER,
  IMMEDIATE,
}
export enum Repeat {
  NONE,
  /** REP and REPE: F3. */
  REP,
  REPNE,
}

/** Why an instruction is not emulated. */
export enum Refusal {
  NONE,
  /** It is none of those that this emulator knows. */
  UNKNOWN,
  /** It has no operand in memory. */
  NO_MEMORY,
  /** LOCK is not allowed before it. */
  LOCK,
  /** It is longer than 15 bytes. */
  TOO_LONG,
  /** None of its operands is at the address of the exit. The guest may have changed it since: trying again is safe. */
  ELSEWHERE,
  /** The guest uses paging that this VMM does not offer it. */
  PAGING,
}

/** For the log. */
export function describe(refusal: Refusal): string {
  switch (refusal) {
    case Refusal.UNKNOWN:
      return "an instruction that is not emulated";
    case Refusal.NO_MEMORY:
      return "an instruction without memory operand";
    case Refusal.LOCK:
      return "LOCK where it is not allowed";
    case Refusal.TOO_LONG:
      return "an instruction of more than 15 bytes";
    case Refusal.ELSEWHERE:
      return "an instruction that accesses another address";
    case Refusal.PAGING:
      return "unknown paging mode";
    default:
      return "emulated";
  }
}

/** `base` of an address relative to the next instruction, and no register at all. */
export const RIP: u32 = 16;
export const NO_REGISTER: u32 = 17;

export class Instruction {
  operation: Operation = Operation.MOV;
  length: u32 = 0;
  /** Width of the operation in bytes: 1, 2, 4, 8. */
  bytes: u32 = 0;
  /** Width of the access to memory: less for MOVZX and MOVSX. */
  memoryBytes: u32 = 0;
  /** 2, 4 or 8. */
  addressBytes: u32 = 0;
  /** Is memory the destination, or the first operand of a comparison? */
  toMemory: bool = false;
  source: Source = Source.NONE;
  register: u32 = 0;
  /** 8 if it is AH, CH, DH or BH. */
  shift: u32 = 0;
  /** With its sign in all the upper bits. */
  immediate: u64 = 0;

  base: u32 = NO_REGISTER;
  index: u32 = NO_REGISTER;
  /** By how much the index is shifted. */
  scale: u32 = 0;
  /** With its sign in all the upper bits. */
  displacement: u64 = 0;
  segment: u32 = 0;

  repeat: Repeat = Repeat.NONE;
  lock: bool = false;

  /** No register, no displacement. */
  clearAddress(): void {
    this.base = this.index = NO_REGISTER;
    this.scale = 0;
    this.displacement = 0;
  }
  get isString(): bool {
    return this.operation >= Operation.MOVS;
  }
  /** Does it write to memory (with or without a read before)? */
  get writesMemory(): bool {
    const op = this.operation;
    return this.toMemory && op !== Operation.CMP && op !== Operation.TEST && op !== Operation.BT;
  }
}
