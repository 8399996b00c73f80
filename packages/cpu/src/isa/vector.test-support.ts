/** A processor with flat memory on which tests of the vector and x87 families run single instructions in the evaluator. */
import { MemoryAccess } from "../core/access.ts";
import { type Decoded, Decoder } from "../core/decode.ts";
import { Evaluator } from "../core/evaluator.ts";
import { type Exception, Fault, VECTORS } from "../core/exceptions.ts";
import type { Instruction } from "../core/forms.ts";
import { OpcodeMap } from "../core/opcodes.ts";
import { PhysicalMemory } from "../core/physical.ts";
import { Processor } from "../core/processor.ts";
import { CS, S, SEG, segment } from "../core/state.ts";

const NAMES = new Map(Object.entries(VECTORS).map(([name, vector]): [number, Exception] => [vector, name as Exception]));
const RAM = 1 << 16;
/** Where tests put their operands; a register that points there: RSI. */
export const DATA = 0x8000;

export interface Rig {
  readonly cpu: Processor;
  /** Decodes and runs one instruction at `ip`; the exception it raised, or null. */
  step(bytes: readonly number[], ip?: number): Exception | null;
  /** Code size: 64 (flat), 32 or 16, protected or real. */
  mode(bits: 16 | 32 | 64, real?: boolean): void;
  xmm(n: number): bigint;
  setXmm(n: number, value: bigint): void;
  /** Physical x87 register: 80 bits; its low 64 bits are the MMX register. */
  fpr(n: number): bigint;
  setFpr(n: number, value: bigint): void;
  readonly ram: Uint8Array;
  /** Little-endian memory of `bytes` bytes. */
  peek(at: number, bytes: number): bigint;
  poke(at: number, bytes: number, value: bigint): void;
}

export function rig(definitions: readonly Instruction[]): Rig {
  const memory = new PhysicalMemory(RAM), fault = new Fault(), access = new MemoryAccess(memory, 0, fault);
  const model = { name: "test", vendor: "GenuineIntel", brand: "", family: 6, modelNumber: 1, stepping: 1, microcode: 0, maxLeaf: 0, features: new Set<never>() };
  const cpu = new Processor(0, memory, access, model, { portRead: () => 0xffffffff, portWrite: () => {}, now: () => 0 });
  const decoder = new Decoder(new OpcodeMap(definitions)), x = new Evaluator(cpu);
  cpu.x = x;
  let bits: 16 | 32 | 64 = 64, real = false;
  const setMode = (b: typeof bits, r = false) => {
    bits = b;
    real = r;
    cpu.setU64(S.CR0, r ? 0x20n : 0x21n);
    cpu.setU64(S.CR4, 0x600n);
    cpu.setU64(S.EFER, b === 64 ? 0x500n : 0n);
    for (let n = 0; n < 6; n++) {
      cpu.setU32(segment(n) + SEG.selector, n === CS ? 8 : 16);
      cpu.setU32(segment(n) + SEG.access, (n === CS ? 0x9b : 0x93) | (b === 64 && n === CS ? 0x2000 : b === 16 ? 0 : 0x4000));
      cpu.setU64(segment(n) + SEG.base, 0n);
      cpu.setU64(segment(n) + SEG.limit, 0xffffffffn);
    }
    cpu.refresh();
  };
  setMode(64);
  cpu.flags = 2;
  cpu.setU32(S.MXCSR, 0x1f80);
  memory.u16[S.FCW >> 1] = 0x37f;
  cpu.refresh();
  const peek = (at: number, bytes: number) => {
    let v = 0n;
    for (let i = 0; i < bytes; i++) v |= BigInt(memory.ram[at + i]!) << BigInt(8 * i);
    return v;
  };
  return {
    cpu, ram: memory.ram, peek, mode: setMode,
    step(bytes, ip = 0x1000) {
      const insn: Decoded | null = decoder.decode(Uint8Array.from(bytes), 0, bytes.length, { bits, real });
      if (insn === null || insn.length !== bytes.length) throw new Error(`not one whole instruction: ${bytes.map((b) => b.toString(16)).join(" ")}`);
      try {
        x.run(insn, ip, ip + insn.length);
      } catch (e) {
        if (e !== cpu.pendingFault) throw e;
        return NAMES.get(cpu.pendingFault.vector)!;
      }
      return null;
    },
    xmm: (n) => cpu.u64(S.YMM + 32 * n) | (cpu.u64(S.YMM + 32 * n + 8) << 64n),
    setXmm(n, value) {
      cpu.setU64(S.YMM + 32 * n, BigInt.asUintN(64, value));
      cpu.setU64(S.YMM + 32 * n + 8, BigInt.asUintN(64, value >> 64n));
    },
    fpr: (n) => cpu.u64(S.FPR + 16 * n) | ((cpu.u64(S.FPR + 16 * n + 8) & 0xffffn) << 64n),
    setFpr(n, value) {
      cpu.setU64(S.FPR + 16 * n, BigInt.asUintN(64, value));
      cpu.setU64(S.FPR + 16 * n + 8, BigInt.asUintN(16, value >> 64n));
    },
    poke(at, bytes, value) { for (let i = 0; i < bytes; i++) memory.ram[at + i] = Number((value >> BigInt(8 * i)) & 0xffn); },
  };
}
