/** Compares what castaway did with what the hardware did, leaving out what the definition says is undefined. */
import type { Decoded } from "../../packages/cpu/src/core/decode.ts";
import type { VectorRule } from "../../packages/cpu/src/core/forms.ts";
import { factsOf } from "./facts.ts";
import { type Case, FLAG, type Outcome, type Patch, REGISTERS, type Register, STATE, viewOf } from "./layout.ts";

/** One thing that is not as it should be. */
export interface Difference {
  readonly name: string;
  readonly expected: string;
  readonly got: string;
}

/** What no vector of this case compares. */
interface Mask {
  readonly flags: number;
  /** Bits of FSW. */
  readonly condition: number;
  /** Names of registers. */
  readonly registers: ReadonlySet<string>;
  readonly memory: boolean;
}
const NOTHING: Mask = { flags: 0, condition: 0, registers: new Set(), memory: false };
/** What may be written in part before a fault: all general registers but RSP. */
const PARTIAL: Mask = { ...NOTHING, registers: new Set("RAX RCX RDX RBX RBP RSI RDI".split(" ")), memory: true };

/** Nothing, if the two outcomes are alike in all that counts. `decode` tells what the instruction is. */
export function differences(c: Case, decode: () => Decoded | null, expected: Outcome, got: Outcome): Difference[] {
  const sameEnd = expected.vector === got.vector && expected.error === got.error && expected.cr2 === got.cr2;
  if (sameEnd && equal(expected.state, got.state) && samePatches(expected.patches, got.patches)) return [];

  const found: Difference[] = [];
  const check = (name: string, a: string, b: string) => {
    if (a !== b) found.push({ name, expected: a, got: b });
  };
  const insn = decode();
  const image = insn?.form.operands.some(({ method, type }) => method === "M" && type === "") ?? false;
  const rule: VectorRule = insn?.def.vectors ?? {};
  const anyFault = rule.anyFault === true && expected.vector >= 0 && got.vector >= 0;
  if (!anyFault) check("exception", exceptionText(expected, image), exceptionText(got, image));
  const mask = !insn ? NOTHING : expected.vector < 0 ? maskOf(c, insn) : maskAfterFault(rule);
  for (const register of REGISTERS) {
    if (mask.registers.has(register.name) || same(register, expected.state, got.state)) continue;
    if (withinUlps(register, expected.state, got.state, insn?.def.vectors?.ulps ?? 0)) continue;
    const cover = register.name === "RFLAGS" ? mask.flags : register.name === "FSW" ? mask.condition : 0;
    check(register.name, text(register, expected.state, cover), text(register, got.state, cover));
  }
  if (!mask.memory) check("memory", patchText(expected.patches), patchText(got.patches));
  return found;
}

/** Are two x87 registers neighbours, or alike? Signs and exponents go on with the significand, so this holds across binades. */
function withinUlps({ offset, bytes }: Register, a: Uint8Array, b: Uint8Array, ulps: number): boolean {
  if (ulps === 0 || bytes !== 10) return false;
  const value = (state: Uint8Array) => {
    const view = viewOf(state);
    const exponent = BigInt(view.getUint16(offset + 8, true));
    return (exponent << 63n) | BigInt.asUintN(63, view.getBigUint64(offset, true));
  };
  const difference = value(a) - value(b);
  return difference <= BigInt(ulps) && -difference <= BigInt(ulps);
}

/** C0 to C3 in FSW. */
const CONDITION: Record<string, number> = { C0: 1 << 8, C1: 1 << 9, C2: 1 << 10, C3: 1 << 14 };

function maskAfterFault({ partial, vendorFault }: VectorRule): Mask {
  const mask = partial ? PARTIAL : NOTHING;
  return vendorFault ? { ...mask, registers: new Set([...mask.registers, ...vendorFault.split(" ")]) } : mask;
}

function maskOf(c: Case, insn: Decoded): Mask {
  const rule = insn.def.vectors;
  if (!rule) return NOTHING;
  const facts = factsOf(c, insn);
  const names = typeof rule.undefinedFlags === "function" ? rule.undefinedFlags(facts) : (rule.undefinedFlags ?? "");
  let flags = 0;
  let condition = 0;
  for (const name of names.split(" ").filter(Boolean)) {
    flags |= FLAG[name as keyof typeof FLAG] ?? 0;
    condition |= CONDITION[name] ?? 0;
  }
  if (!rule.undefinedResult?.(facts)) return { ...NOTHING, flags, condition };
  const target = insn.operands[0];
  const registers = new Set(target?.kind === "gpr" ? [REGISTERS[target.reg >> 3]!.name, "RFLAGS"] : ["RFLAGS"]);
  return { flags, condition, registers, memory: target?.kind === "mem" };
}

// ---- text ----

const hex = (value: number | bigint, digits: number): string => value.toString(16).padStart(digits, "0");
const EXCEPTIONS = "DE DB NMI BP OF BR UD NM DF - TS NP SS GP PF - MF AC MC XM VE CP".split(" ");

/** Of an image (FNSAVE and the like) the part that is accessed first is up to the processor: only the page counts. */
export function exceptionText({ vector, error, cr2 }: Outcome, image = false): string {
  if (vector < 0) return "none";
  const address = vector === 14 ? ` at ${hex(image ? cr2 & ~0xfffn : cr2, 1)}` : "";
  return `#${EXCEPTIONS[vector] ?? vector}(${hex(error, 1)})${address}`;
}

export function text(register: Register, state: Uint8Array, cover = 0): string {
  if (register.offset === STATE.RFLAGS) return flagsText(viewOf(state).getUint32(STATE.RFLAGS, true) & ~cover);
  if (register.offset === STATE.FSW) return hex(viewOf(state).getUint16(STATE.FSW, true) & ~cover, 4);
  let digits = "";
  for (let i = register.bytes - 1; i >= 0; i--) digits += hex(state[register.offset + i]!, 2);
  return digits;
}

function flagsText(flags: number): string {
  const names = Object.entries(FLAG).filter(([, bit]) => flags & bit);
  return `${hex(flags >>> 0, 6)} ${names.map(([name]) => name).join(" ")}`.trimEnd();
}

const patchText = (patches: readonly Patch[]): string =>
  patches.map(({ address, bytes }) => `${hex(address, 6)}: ${Buffer.from(bytes).toString("hex")}`).join("; ");

function same({ offset, bytes }: Register, a: Uint8Array, b: Uint8Array): boolean {
  for (let i = offset; i < offset + bytes; i++) if (a[i] !== b[i]) return false;
  return true;
}
const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const samePatches = (a: readonly Patch[], b: readonly Patch[]): boolean =>
  a.length === b.length && a.every((patch, i) => patch.address === b[i]!.address && equal(patch.bytes, b[i]!.bytes));
