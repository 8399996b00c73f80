/**
 * The guest's accesses to registers in memory, followed at the VM exits that they cause: the processor's registers and page
 * tables are still the guest's when the exit is announced. Of stores only those of a register or an immediate are followed,
 * of loads only MOV; drivers use no others.
 */
import { type Cpu, type Decoded, Decoder, definitions, GPR_NAMES, OpcodeMap } from "@castaway/cpu";

/** A store to memory. `high` are the upper 32 bits if it is of 8 bytes. */
export interface Store {
  readonly bytes: number;
  readonly low: number;
  readonly high: number;
}

/** A load of 4 bytes: the register that they go to, and where the next instruction is. */
export interface Load {
  readonly into: string;
  readonly next: number;
}

const LONGEST = 15;
const PAGE = 4096;
const STORES = new Set(["mov", "movnti", "xchg"]);
/** These read the memory that stands where others have their target. */
const LOADS = new Set(["cmp", "test", "bt"]);

let opcodes: OpcodeMap | undefined;

export class GuestAccesses {
  readonly #cpu: Cpu;
  readonly #decoder: Decoder;

  constructor(cpu: Cpu) {
    opcodes ??= new OpcodeMap(definitions);
    const { features } = cpu.model;
    this.#cpu = cpu;
    this.#decoder = new Decoder(opcodes, (form) => form.feature === undefined || features.has(form.feature));
  }

  /**
   * What the instruction at `ip` stores; null if it only loads, and a text that says what it is if it cannot be followed.
   * @param ip the offset in CS, signed as canonical addresses are
   */
  stores(processor: number, ip: number): Store | string | null {
    const insn = this.#decode(processor, ip);
    if (insn === null) return "an instruction that is not in memory";
    const [target, source] = insn.operands;
    const { name } = insn.def;
    if (LOADS.has(name) || (target !== undefined && target.kind !== "mem" && name !== "xchg")) return null;
    const memory = name === "xchg" && source?.kind === "mem" ? source : target;
    const value = memory === target ? source : target;
    if (!STORES.has(name) || memory?.kind !== "mem" || value === undefined) return name;
    const width = memory.size / 8;
    if (value.kind === "imm") return { bytes: width, low: insn.immLow >>> 0, high: insn.immHigh >>> 0 };
    if (value.kind !== "gpr") return name;
    const held = this.#cpu.get(GPR_NAMES[value.reg >> 3]!, processor).shiftRightUnsigned(8 * (value.reg & 7));
    return { bytes: width, low: held.low >>> 0, high: held.high >>> 0 };
  }

  /** What the instruction at `ip` loads 4 bytes into; null if it is neither MOV nor IN of them. */
  loads(processor: number, ip: number): Load | null {
    const insn = this.#decode(processor, ip);
    if (insn === null) return null;
    const next = ip + insn.length;
    if (insn.def.name === "in") return { into: "RAX", next };
    const [target, source] = insn.operands;
    const plain = insn.def.name === "mov" && target?.kind === "gpr" && source?.kind === "mem" && source.size === 32;
    return plain ? { into: GPR_NAMES[target.reg >> 3]!, next } : null;
  }

  #decode(processor: number, ip: number): Decoded | null {
    const cpu = this.#cpu;
    const mode = cpu.state("mode", processor);
    const long = (mode & 3) === 2;
    const linear = long ? ip : (cpu.state("CS.base", processor) + ip) % 2 ** 32;
    const bytes = this.#code(processor, linear);
    return this.#decoder.decode(bytes, 0, bytes.length, {
      bits: ([16, 32, 64, 64] as const)[mode & 3]!,
      real: (mode & 4) !== 0,
    });
  }

  /** As many bytes as are there: the page after the instruction may not be. */
  #code(processor: number, linear: number): Uint8Array {
    const whole = this.#cpu.readLinear(linear, LONGEST, processor);
    if (whole !== null) return whole;
    const inPage = PAGE - (((linear % PAGE) + PAGE) % PAGE);
    return this.#cpu.readLinear(linear, Math.min(inPage, LONGEST), processor) ?? new Uint8Array(0);
  }
}
