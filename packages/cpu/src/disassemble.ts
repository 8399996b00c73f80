/**
 * Instructions as text, in objdump's Intel syntax (`objdump -d -M intel`): for traces, debuggers and error messages.
 *
 *     disassemble(decoder.decode(bytes, 0, bytes.length, { bits: 64, real: false })!, 0x1000n) // "add rax,QWORD PTR [rbx+0x8]"
 *
 * The text follows from the definition: its name, its operands' notation, what they were bound to. Where a name depends
 * on sizes, NAMES below says how. Prefixes without effect are not printed. docs/decoder.md says how it is verified.
 */
import { type BoundOperand, type Decoded, NO_REGISTER, RIP_BASE } from "./core/decode.ts";
import type { OperandSpec } from "./core/forms.ts";

const LOW_NAMES = "ax cx dx bx sp bp si di".split(" ");
const HIGH_BYTES = ["ah", "ch", "dh", "bh"];
const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs", "?", "?"];
const [SS, DS, FS] = [2, 3, 4];

/** Name of general register `n` with `size` bits; for 8 bits as with a REX prefix (SPL, not AH). */
function registerName(n: number, size: number): string {
  if (n >= 8) return `r${n}${{ 8: "b", 16: "w", 32: "d" }[size] ?? ""}`;
  const word = LOW_NAMES[n]!;
  if (size === 8) return n < 4 ? `${word[0]}l` : `${word}l`;
  return size === 16 ? word : (size === 32 ? "e" : "r") + word;
}

const hex = (value: bigint | number) => `0x${value.toString(16)}`;
const wide = (high: number, low: number) => (BigInt(high) << 32n) | BigInt(low >>> 0);

// ---- names ----

/** The operand size that the form has in this mode without a prefix. */
function usualSize({ mode, form }: Decoded): number {
  return mode.bits === 64 && !form.d64 && !form.f64 ? 32 : mode.bits;
}
/** "w", "d" or "q" where the operand size is not the usual one. */
const suffix = (insn: Decoded) =>
  insn.operandSize === usualSize(insn) ? "" : { 16: "w", 32: "d", 64: "q" }[insn.operandSize];

type Naming = (name: string, insn: Decoded) => string;
const sized: Naming = (name, insn) => name + suffix(insn);
/** As `sized`, where no operand shows the size: immediates, segment registers, displacements. */
const sizedIfHidden: Naming = (name, insn) =>
  ["imm", "seg"].includes(insn.operands[0]!.kind) || insn.form.operandText === "Jz" ? sized(name, insn) : name;
/** As `sized`, but REX.W goes without saying. */
const sizedUpTo32: Naming = (name, insn) => (insn.operandSize === 64 ? name : sized(name, insn));
/** Always with a size in 64-bit mode, never elsewhere. */
const sizedIn64: Naming = (name, insn) => (insn.long ? name + (insn.operandSize === 64 ? "q" : "d") : name);
/** Always with a size, but not in 64-bit mode. */
const sizedBelow64: Naming = (name, insn) => (insn.long ? name : name + (insn.operandSize === 16 ? "w" : "d"));
const with64: Naming = (name, insn) => (insn.rex & 8 ? `${name}64` : name);
const quad: Naming = (name, insn) => (insn.rex & 8 ? "movq" : name);

const PREDICATES = "eq lt le unord neq nlt nle ord".split(" ");
const predicate: Naming = (name, insn) => (insn.immLow < 8 ? `cmp${PREDICATES[insn.immLow]}${name.slice(3)}` : name);

/** Definitions whose name depends on sizes or an immediate, beyond what `names` of the definition says. */
// biome-ignore format: a table
const NAMES: Record<string, Naming> = {
  pushf: sized, popf: sized, pusha: sized, popa: sized, enter: sized, leave: sized,
  ret: sized, retf: sized, iret: sized,
  push: sizedIfHidden, pop: sizedIfHidden, call: sizedIfHidden, jmp: sizedIfHidden,
  fldenv: sizedUpTo32, fnstenv: sizedUpTo32, fnsave: sizedUpTo32, frstor: sizedUpTo32,
  sysret: sizedIn64, sysexit: sizedIn64,
  sgdt: sizedBelow64, sidt: sizedBelow64, lgdt: sizedBelow64, lidt: sizedBelow64,
  fxsave: with64, fxrstor: with64,
  movd: quad,
  cmpps: predicate, cmppd: predicate, cmpss: predicate, cmpsd: predicate,
};

/** The mnemonic, without prefixes. */
export function mnemonic(insn: Decoded): string {
  const { def } = insn;
  const name = def.names
    ? def.names.of[def.names.by === "operandSize" ? insn.operandSize : insn.addressSize]
    : def.name;
  return NAMES[name]?.(name, insn) ?? name;
}

// ---- operands ----

// biome-ignore format: a table
const WIDTHS: Record<number, string> = {
  8: "BYTE", 16: "WORD", 32: "DWORD", 48: "FWORD", 64: "QWORD", 80: "TBYTE", 128: "XMMWORD",
};

/** Definitions whose memory operand is more than the bits of one value, and is printed without a size. */
const SHAPELESS = new Set("lea fldenv fnstenv fnsave frstor fxsave fxrstor sgdt sidt lgdt lidt invpcid".split(" "));
/** 128 bits in memory that are no vector. */
const OCTETS = new Set(["cmpxchg16b", "invept", "invvpid"]);

/** Selectors in registers that are shown with the operand size, though only 16 bits are read. */
const isWideSelector = ({ def, form }: Decoded, spec: OperandSpec) =>
  spec.text === "Ew" && (def.name === "lar" || def.name === "lsl" || form.operandText === "Sw,Ew");

/** Names of the segment, if it is not the one that goes without saying; in 64-bit mode only FS and GS count. */
function segmentOf(insn: Decoded, usual: number): string {
  const visible = insn.long ? insn.segment >= FS : insn.segment !== usual;
  return visible ? `${SEGMENTS[insn.segment]}:` : "";
}

/** The operand in memory that the ModRM byte, or an offset in the instruction, describes. */
function memory(insn: Decoded): string {
  const { base, index, addressSize } = insn;
  const disp = BigInt.asIntN(addressSize, wide(insn.dispHigh, insn.dispLow));
  if (base === NO_REGISTER && index === NO_REGISTER) {
    return `${SEGMENTS[insn.long && insn.segment < FS ? DS : insn.segment]}:${hex(BigInt.asUintN(addressSize, disp))}`;
  }
  const segment = segmentOf(insn, base === 4 || base === 5 ? SS : DS);
  if (base === RIP_BASE) return `${segment}[${addressSize === 32 ? "e" : "r"}ip+${hex(BigInt.asUintN(64, disp))}]`;
  const terms = base === NO_REGISTER ? [] : [registerName(base, addressSize)];
  if (index !== NO_REGISTER)
    terms.push(registerName(index, addressSize) + (addressSize === 16 ? "" : `*${1 << insn.scale}`));
  const shown = base === NO_REGISTER || (insn.modrm & 0xc0) !== 0;
  return `${segment}[${terms.join("+")}${shown ? (disp < 0n ? "-" : "+") + hex(disp < 0n ? -disp : disp) : ""}]`;
}

function width(insn: Decoded, bits: number): string {
  if (insn.def.name === "invlpg") return "BYTE PTR ";
  if (bits === 0 || SHAPELESS.has(insn.def.name)) return "";
  if (OCTETS.has(insn.def.name)) return "OWORD PTR ";
  return `${WIDTHS[bits] ?? `${bits} BITS`} PTR `;
}

function memoryOperand(insn: Decoded, spec: OperandSpec, bits: number): string {
  const pointer = (n: number) => `[${registerName(n, insn.addressSize)}]`;
  const source = SEGMENTS[insn.long && insn.segment < FS ? DS : insn.segment];
  if (spec.method === "Y") return `${width(insn, bits)}es:${pointer(7)}`;
  if (spec.method === "X") return `${width(insn, bits)}${source}:${pointer(6)}`;
  return (spec.method === "O" ? "" : width(insn, bits)) + memory(insn);
}

function immediate(insn: Decoded, spec: OperandSpec, bits: number): string {
  if (spec.type === "b2") return hex(insn.imm2);
  return hex(BigInt.asUintN(bits, wide(insn.immHigh, insn.immLow)));
}

function operandText(insn: Decoded, operand: BoundOperand, spec: OperandSpec, address: bigint): string {
  const { kind, size, reg } = operand;
  switch (kind) {
    case "gpr":
      if (size === 8 && reg & 1) return HIGH_BYTES[reg >> 3]!;
      return registerName(reg >> 3, isWideSelector(insn, spec) ? insn.operandSize : size);
    case "imm":
      return spec.fixed ? String(spec.fixed.value) : immediate(insn, spec, size);
    case "mem":
      return memoryOperand(insn, spec, size);
    case "xmm":
    case "mm":
    case "cr":
    case "dr":
      return kind + reg;
    case "st":
      return spec.text === "ST" ? "st" : `st(${reg})`;
    case "seg":
      return SEGMENTS[reg]!;
    case "rel":
      return hex(BigInt.asUintN(size, address + BigInt(insn.length) + wide(insn.immHigh, insn.immLow)));
    case "far":
      return `${hex(insn.imm2)}:${hex(BigInt.asUintN(insn.operandSize, wide(0, insn.immLow)))}`;
  }
}

const REPEATS = {
  rep: { none: "", rep: "rep ", repne: "repnz " },
  repz: { none: "", rep: "repz ", repne: "repnz " },
};

/** The instruction as text; `address` is its offset in CS, from which branch targets follow. */
export function disassemble(insn: Decoded, address = 0n): string {
  const { def, form } = insn;
  const name = mnemonic(insn);
  let operands = insn.operands.map((operand, i) => operandText(insn, operand, form.operands[i]!, address));
  if (NAMES[def.name] === predicate && name !== def.name) operands = operands.slice(0, -1); // the name says it
  if (def.name === "xlat")
    operands = [
      `BYTE PTR ${SEGMENTS[insn.long && insn.segment < FS ? DS : insn.segment]}:[${registerName(3, insn.addressSize)}]`,
    ];
  const prefix = (insn.lock ? "lock " : "") + (def.repeat ? REPEATS[def.repeat][insn.repeat] : "");
  return prefix + name + (operands.length > 0 ? ` ${operands.join(",")}` : "");
}
