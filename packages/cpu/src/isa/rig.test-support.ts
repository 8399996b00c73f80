/**
 * Runs one instruction of the integer families in the evaluator, on flat memory without paging, and tells all that it
 * changed: what a test does not name must stay as it was.
 */
import { MemoryAccess } from "../core/access.ts";
import { Decoder } from "../core/decode.ts";
import { Evaluator } from "../core/evaluator.ts";
import { Fault, HAS_ERROR_CODE, VECTORS } from "../core/exceptions.ts";
import type { Feature } from "../core/forms.ts";
import { OpcodeMap } from "../core/opcodes.ts";
import { PhysicalMemory } from "../core/physical.ts";
import { Processor } from "../core/processor.ts";
import { CS, GPR_NAMES, S, SEG, SS, segment } from "../core/state.ts";
import { definitions } from "./index.ts";

type Registers = Partial<Record<"RAX" | "RCX" | "RDX" | "RBX" | "RSP" | "RBP" | "RSI" | "RDI" | "R8" | "R9" | "R10" | "R11" | "R12" | "R13" | "R14" | "R15", number | bigint>>;
/** Bytes in hexadecimal, in the order of their addresses. */
type Memory = Readonly<Record<number, string>>;
/** Names of the flags that are set, like "CF ZF"; "IOPL3". */
type Flags = string;

/** What is so before the instruction. RSP is 0x8000 and the code is at 0x1000 unless said otherwise. */
export interface Before extends Registers {
  readonly flags?: Flags;
  readonly memory?: Memory;
  /** Size of code, and of the stack where it differs. Default 64. */
  readonly bits?: 16 | 32 | 64;
  readonly stack?: 16 | 32;
  readonly real?: boolean;
  readonly cpl?: 0 | 3;
  readonly ip?: number;
  /** Features that the processor lacks. */
  readonly without?: Feature;
  /** Called before the instruction, for whatever has no name here. */
  readonly prepare?: (cpu: Processor) => void;
}
/** What is so after it. What is absent stays as it was. */
export interface After extends Registers {
  readonly flags?: Flags;
  readonly memory?: Memory;
  /** Where it jumped to; absent: it did not jump. */
  readonly jump?: number;
  /** As "DE", or "GP(0)" with an error code. */
  readonly fault?: string;
}

const RAM = 1 << 16, FLAGS: Record<string, number> = {
  CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, TF: 0x100, IF: 0x200, DF: 0x400, OF: 0x800, IOPL1: 0x1000, IOPL2: 0x2000, IOPL3: 0x3000,
  NT: 0x4000, RF: 0x10000, VM: 0x20000, AC: 0x40000, VIF: 0x80000, VIP: 0x100000, ID: 0x200000,
};
const flagBits = (names: Flags) => names.split(" ").filter(Boolean).reduce((bits, name) => bits | FLAGS[name]!, 2);
const flagNames = (bits: number): Flags =>
  Object.entries(FLAGS).filter(([name, bit]) => name.startsWith("IOPL") ? (bits & 0x3000) === bit : bits & bit).map(([name]) => name).join(" ");

const memory = new PhysicalMemory(RAM), map = new OpcodeMap(definitions);
const model = { name: "test", vendor: "GenuineIntel", brand: "", family: 6, modelNumber: 1, stepping: 1, microcode: 0, maxLeaf: 0, features: new Set<never>() };
/** Port accesses as "read 60 1" or "write 60 1 ff", in hexadecimal; reads answer 0x12345678 cut to size. */
export const ports: string[] = [];

function machine(): Processor {
  const fault = new Fault(), cpu = new Processor(0, memory, new MemoryAccess(memory, 0, fault), model, {
    portRead: (port, bytes) => {
      ports.push(`read ${port.toString(16)} ${bytes}`);
      return 0x12345678 & (bytes === 4 ? -1 : (1 << (8 * bytes)) - 1);
    },
    portWrite: (port, bytes, value) => { ports.push(`write ${port.toString(16)} ${bytes} ${value.toString(16)}`); },
    now: () => 5000,
  });
  cpu.x = new Evaluator(cpu);
  return cpu;
}
const cpu = machine();

function prepare(before: Before): void {
  const { bits = 64, real = false, cpl = 0 } = before, big = (size: number) => (size === 32 ? 0x4000 : size === 64 ? 0x2000 : 0);
  cpu.setU64(S.CR0, real ? 0x20n : 0x21n);
  cpu.setU64(S.CR4, 0n);
  cpu.setU64(S.EFER, bits === 64 ? 0x500n : 0n);
  for (let n = 0; n < 6; n++) {
    cpu.setU32(segment(n) + SEG.selector, n === CS ? 8 | cpl : 16 | cpl);
    const size = n === CS ? bits : (before.stack ?? (bits === 16 ? 16 : 32));
    cpu.setU32(segment(n) + SEG.access, (n === CS ? 0x9b : 0x93) | (cpl << 5) | big(n === SS || n === CS ? size : 32));
    cpu.setU64(segment(n) + SEG.base, 0n);
    cpu.setU64(segment(n) + SEG.limit, bits === 16 ? 0xffffn : 0xffffffffn);
  }
  cpu.flags = flagBits(before.flags ?? "");
  GPR_NAMES.forEach((name, n) => { cpu.setGpr(n, word(before[name as keyof Registers] ?? (name === "RSP" ? 0x8000 : 0))); });
  memory.ram.fill(0);
  poke(memory.ram, before.memory);
  before.prepare?.(cpu);
  cpu.refresh();
}
const word = (value: number | bigint) => BigInt.asUintN(64, BigInt(value));
const bytesOf = (hex: string) => Uint8Array.from(hex.split(" ").filter(Boolean), (byte) => Number.parseInt(byte, 16));
function poke(ram: Uint8Array, contents: Memory = {}): void {
  for (const [at, hex] of Object.entries(contents)) ram.set(bytesOf(hex), Number(at));
}

/** Decodes and runs the instruction; the exception that it raised, or "". */
function runOne(code: string, before: Before): string {
  const bytes = bytesOf(code), { bits = 64, real = false, ip = 0x1000, without } = before;
  const insn = new Decoder(map, (form) => form.feature === undefined || form.feature !== without).decode(bytes, 0, bytes.length, { bits, real });
  if (insn === null) throw new Error(`${code}: not a whole instruction`);
  if (insn.def.name !== "(bad)" && insn.length !== bytes.length) throw new Error(`${code}: its length is ${insn.length}`);
  try {
    cpu.x.run(insn, ip, ip + insn.length);
    return "";
  } catch (e) {
    if (e !== cpu.pendingFault) throw e;
    const { vector, code: errorCode } = cpu.pendingFault, name = Object.entries(VECTORS).find(([, v]) => v === vector)![0];
    return (HAS_ERROR_CODE >> vector) & 1 ? `${name}(${errorCode})` : name;
  }
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return at;
  return -1;
}

/** Runs the instruction and compares everything with what is expected. */
export function expect(code: string, before: Before, after: After): void {
  prepare(before);
  const ram = memory.ram.slice();
  cpu.jumped = false;
  const fault = runOne(code, before), jumped = cpu.jumped && fault === "";
  const registers = (of: (name: keyof Registers, n: number) => bigint): Record<string, string> =>
    Object.fromEntries(GPR_NAMES.map((name, n) => [name, of(name as keyof Registers, n).toString(16)]));
  const got = { ...registers((_name, n) => cpu.gpr(n)), flags: flagNames(cpu.flags), fault, jump: jumped ? cpu.u64(S.RIP).toString(16) : "" };
  const initial = (name: keyof Registers) => before[name] ?? (name === "RSP" ? 0x8000 : 0);
  const wanted: Record<string, string> = {
    ...registers((name) => word(after[name] ?? initial(name))), flags: flagNames(flagBits(after.flags ?? before.flags ?? "")),
    fault: after.fault ?? "", jump: after.jump?.toString(16) ?? "",
  };
  const wrong = Object.entries(got).filter(([name, value]) => value !== wanted[name])
    .map(([name, value]) => `${name} is "${value}", not "${wanted[name]}"`);
  poke(ram, after.memory);
  const at = firstDifference(ram, memory.ram);
  if (at >= 0) wrong.push(`the byte at ${at.toString(16)} is ${memory.ram[at]!.toString(16)}, not ${ram[at]!.toString(16)}`);
  if (wrong.length > 0) throw new Error(`${code}: ${wrong.join("; ")}`);
}

/** Name, length and operand text of what the bytes decode to; "(bad)" if nothing does. */
export function decoded(code: string, bits: 16 | 32 | 64 = 64): string {
  const bytes = bytesOf(code), insn = new Decoder(map).decode(bytes, 0, bytes.length, { bits, real: false })!;
  const { def } = insn, size = def.names ? insn[def.names.by] : 64;
  return `${def.names ? def.names.of[size] : def.name} ${insn.form.operandText}`.trim();
}
export const undefinedNow = (code: string, bits: 16 | 32 | 64 = 64): boolean => decoded(code, bits) === "(bad)";
