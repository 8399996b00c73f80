/** Compares both sides after an instruction, leaving out what its definition says is undefined. */
import type { Decoded, VectorRule } from "@castaway/cpu";
import { NEVER_COMPARED } from "./deviations.ts";
import type { Layout, Place } from "./layout.ts";
import type { Access } from "./ours.ts";
import { FLAG } from "./state.ts";

/** One thing that differs, as text. */
export interface Difference {
  readonly name: string;
  readonly ours: string;
  readonly theirs: string;
}

/** C0 to C3 of FSW. */
const CONDITION: Readonly<Record<string, number>> = { C0: 1 << 8, C1: 1 << 9, C2: 1 << 10, C3: 1 << 14 };

/** What the manual leaves undefined after one instruction. */
export interface Mask {
  readonly flags: number;
  readonly condition: number;
  /** The stub's name of a register whose value is undefined, or "". */
  readonly register: string;
}
export const NO_MASK: Mask = { flags: 0, condition: 0, register: "" };
const GENERAL = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");

/** `last` gives the last operand's value as it was before. */
export function maskOf(insn: Decoded | null, last: () => bigint): Mask {
  const rule: VectorRule | undefined = insn?.def.vectors;
  if (insn === null || rule === undefined) return NO_MASK;
  const facts = { size: insn.operands[0]?.size ?? 0, last: last() };
  const names = typeof rule.undefinedFlags === "function" ? rule.undefinedFlags(facts) : (rule.undefinedFlags ?? "");
  let flags = 0,
    condition = 0;
  for (const name of names.split(" ").filter(Boolean)) {
    flags |= FLAG[name] ?? 0;
    condition |= CONDITION[name] ?? 0;
  }
  const target = insn.operands[0];
  const undefinedResult = rule.undefinedResult?.(facts) === true && target?.kind === "gpr";
  return {
    flags: undefinedResult ? 0x8d5 : flags,
    condition,
    register: undefinedResult ? GENERAL[target.reg >> 3]! : "",
  };
}

/** The value of the last operand before the instruction ran, for `maskOf`. */
export function lastOperand(insn: Decoded, gpr: (n: number) => bigint, accesses: readonly Access[]): bigint {
  const operand = insn.operands.at(-1);
  if (operand === undefined) return 0n;
  const cut = (value: bigint) => BigInt.asUintN(operand.size, value);
  if (operand.kind === "gpr") return cut(gpr(operand.reg >> 3) >> BigInt(8 * (operand.reg & 7)));
  if (operand.kind === "imm") {
    if (insn.form.operands.at(-1)?.fixed) return BigInt(operand.reg);
    return cut((BigInt(insn.immHigh) << 32n) | BigInt(insn.immLow >>> 0));
  }
  const read = accesses.find(({ write }) => !write);
  if (operand.kind !== "mem" || read === undefined) return 0n;
  return cut(BigInt(`0x${Buffer.from(read.bytes).reverse().toString("hex") || "0"}`));
}

/** Bits of a register that count. */
function covered({ name }: Place, { flags, condition, register }: Mask): bigint {
  if (name === register) return 0n;
  if (name === "eflags") return ~BigInt(flags | NEVER_COMPARED);
  if (name === "fstat") return ~BigInt(condition);
  return -1n;
}
const number = (bytes: Buffer, { offset, bytes: n }: Place) =>
  BigInt(
    `0x${Buffer.from(bytes.subarray(offset, offset + n))
      .reverse()
      .toString("hex")}`,
  );

/** Registers that differ; `wanted` is ours in QEMU's layout. */
export function differentRegisters(layout: Layout, wanted: Buffer, theirs: Buffer, mask: Mask): Difference[] {
  if (wanted.equals(theirs)) return [];
  const found: Difference[] = [];
  for (const place of layout.places) {
    const ours = number(wanted, place),
      other = number(theirs, place),
      cover = covered(place, mask);
    if ((ours & cover) === (other & cover)) continue;
    found.push({ name: place.name, ours: show(place, ours), theirs: show(place, other) });
  }
  return found;
}
/** All registers side by side. */
export const allRegisters = (layout: Layout, wanted: Buffer, theirs: Buffer): Difference[] =>
  layout.places.map((place) => ({
    name: place.name,
    ours: show(place, number(wanted, place)),
    theirs: show(place, number(theirs, place)),
  }));

function show({ name, bytes }: Place, value: bigint): string {
  const digits = value.toString(16).padStart(2 * bytes, "0");
  if (name !== "eflags") return digits;
  return `${digits} ${Object.entries(FLAG)
    .filter(([, bit]) => Number(value) & bit)
    .map(([flag]) => flag)
    .join(" ")}`.trimEnd();
}
