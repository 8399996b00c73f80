/**
 * What an instruction definition is made of: a name, the forms in which it is encoded, and its meaning.
 *
 * A form reads as in the manual: `form("0F AF /r", "Gv,Ev")`. Opcode text: an optional mandatory prefix (`NP` = none of
 * 66, F2, F3; `NFx` = neither F2 nor F3; `66`, `F2`, `F3`), escape bytes, the opcode; then one of `/r` (a ModRM byte), `/0`..`/7` (opcode
 * extension), `+r` (register in the opcode's low bits), `+i` (x87 stack register in the ModRM byte's low bits), or a
 * whole ModRM byte (`0F 01 F8`). Operand letters are those of [SDM 2D A.2]: E, G, I, J, M, R, S, ... and a size letter.
 */

import type { Decoded } from "./decode.ts";
import type { Exec, Operand, Semantics, Unit } from "./exec.ts";
import type { Processor } from "./processor.ts";

/** CPUID bits that gate forms; cpuid.ts says where each bit is. Absent means every x86-64 processor has it. */
export type Feature =
  | "cmov"
  | "cx8"
  | "cx16"
  | "popcnt"
  | "movbe"
  | "tsc"
  | "rdtscp"
  | "rdpid"
  | "clflush"
  | "clflushopt"
  | "clwb"
  | "rdrand"
  | "rdseed"
  | "syscall"
  | "sysenter"
  | "fsgsbase"
  | "monitor"
  | "fpu"
  | "mmx"
  | "sse"
  | "sse2"
  | "sse3"
  | "fxsr"
  | "lahf64"
  | "invpcid"
  | "smap"
  | "vmx"
  | "ept"
  | "vpid"
  | "prefetchw"
  | "xsave"
  | "mtrr"
  | "msr"
  | "pge"
  // What gates no form, but control register bits, MSRs and answers of CPUID:
  | "vme"
  | "de"
  | "pse"
  | "pae"
  | "pse36"
  | "mce"
  | "mca"
  | "pat"
  | "apic"
  | "x2apic"
  | "tscDeadline"
  | "tscAdjust"
  | "invariantTsc"
  | "arat"
  | "nx"
  | "page1g"
  | "lm"
  | "pcid"
  | "smep"
  | "umip"
  | "unrestrictedGuest"
  | "erms"
  | "archCapabilities"
  | "ept"
  | "vpid"
  | "unrestrictedGuest";

export interface FormOptions {
  /** #UD in 64-bit mode; #UD outside of it. */
  readonly not64?: boolean;
  readonly only64?: boolean;
  /** 64-bit mode: operand size is 64 unless prefix 66 makes it 16 (PUSH, POP); or 64 whatever prefixes say (branches). */
  readonly d64?: boolean;
  readonly f64?: boolean;
  readonly feature?: Feature;
  /** The form exists only with (or only without) that bit in its REX prefix. */
  readonly rexB?: boolean;
  readonly rexW?: boolean;
  /** #UD in real mode. */
  readonly protectedOnly?: boolean;
}

export interface Form extends FormOptions {
  readonly opcode: string;
  readonly operands: readonly OperandSpec[];
  readonly operandText: string;
  readonly prefix: "NP" | "NFx" | "66" | "F2" | "F3" | null;
  /** 0 one-byte, 1 0F, 2 0F 38, 3 0F 3A. */
  readonly map: 0 | 1 | 2 | 3;
  readonly byte: number;
  readonly plusR: boolean;
  readonly plusI: boolean;
  /** True if a ModRM byte follows; `digit` and `exact` restrict it. */
  readonly modrm: boolean;
  readonly digit: number | null;
  readonly exact: number | null;
  /** Which values of mod in the ModRM byte it accepts: bit 0 memory, bit 1 register. */
  readonly mods: number;
}

/** Addressing letter and size letters of one operand. */
export interface OperandSpec {
  readonly text: string;
  /** A letter of [SDM 2D A.2.1], `Z` for a register in the opcode, or "fixed". */
  readonly method: string;
  /** b w d q dq v z y p a s ss sd ps pd t x, or "" */
  readonly type: string;
  /** For "fixed": register number and size in bits (0: as `type` says), or the constant. */
  readonly fixed?: { readonly kind: "gpr" | "imm" | "seg" | "st"; readonly value: number; readonly size: number };
}

/** Rare and large operations in plain TypeScript, called by every executor. */
export type HelperBody = (cpu: Processor, insn: Decoded) => void;

/** What decides how one vector is compared: facts of the instruction and of its input. */
export interface VectorFacts {
  /** First operand's size in bits. */
  readonly size: number;
  /** Value of the last operand, zero-extended from its size: a count, a divisor, a bit's number. */
  readonly last: bigint;
}
/** How hardware vectors are compared, see docs/vectors.md. */
export interface VectorRule {
  /** Names of the flags ("AF OF") and of the condition codes in FSW ("C1") that the manual leaves undefined, perhaps by facts; compared by no vector. */
  readonly undefinedFlags?: string | ((facts: VectorFacts) => string);
  /** True where the manual leaves the destination itself undefined: then neither it nor flags are compared. */
  readonly undefinedResult?: (facts: VectorFacts) => boolean;
  /** The manual bounds the error of the result: x87 registers are compared to within so many units in the last place [SDM 1 8.3.10]. */
  readonly ulps?: number;
  /** Why captured vectors of this definition are not compared, or not captured at all. */
  readonly skip?: string;
  /** After a fault a part of the writes may be done; a restart does them again. Processors do more of them before than we do. */
  readonly partial?: boolean;
  /** Several checks can fail at once, and processors make them in different orders: a fault is a fault, whichever it is. */
  readonly anyFault?: boolean;
  /** Registers ("FSW FTW") that some vendor has changed when the instruction faults; we change none. Not compared then. */
  readonly vendorFault?: string;
  /** Vendors differ here: forms or modes in words; the manual and a directed test decide. */
  readonly vendor?: string;
  /** In which forms they differ; without it, in all. `rm` is "reg", "mem" or "none". */
  readonly vendorWhen?: (form: {
    readonly mode: 16 | 32 | 64;
    readonly operandSize: 16 | 32 | 64;
    readonly rm: string;
  }) => boolean;
}

export interface Instruction {
  /** Lower-case mnemonic as objdump prints it in Intel syntax, without size suffixes. */
  readonly name: string;
  /** Names by operand or address size (16, 32, 64), where they differ: CBW, CWDE, CDQE. */
  readonly names?: { readonly by: "operandSize" | "addressSize"; readonly of: Readonly<Record<16 | 32 | 64, string>> };
  readonly forms: readonly Form[];
  readonly run?: Semantics;
  readonly helper?: HelperBody;
  /** LOCK is legal where the destination (first operand) is memory. */
  readonly lockable?: boolean;
  /** REP prefixes repeat this string instruction: F3 and F2 alike (`rep`), or with a test of ZF (`repz`). */
  readonly repeat?: "rep" | "repz";
  /** Ends its block: control transfers end theirs by jumping; these end it for what they change [docs/engine.md]. */
  readonly endsBlock?: boolean;
  /** The instruction after this one ends the block too (STI, MOV SS, POP SS). */
  readonly shadow?: boolean;
  /** #GP(0) unless CPL is 0. */
  readonly privileged?: boolean;
  readonly unit?: Unit;
  readonly vectors?: VectorRule;
}

const FIXED: Record<string, OperandSpec["fixed"]> = {
  AL: { kind: "gpr", value: 0, size: 8 },
  CL: { kind: "gpr", value: 1, size: 8 },
  AH: { kind: "gpr", value: 4, size: 8 },
  AX: { kind: "gpr", value: 0, size: 16 },
  DX: { kind: "gpr", value: 2, size: 16 },
  EAX: { kind: "gpr", value: 0, size: 32 },
  ECX: { kind: "gpr", value: 1, size: 32 },
  EDX: { kind: "gpr", value: 2, size: 32 },
  rAX: { kind: "gpr", value: 0, size: 0 },
  eAX: { kind: "gpr", value: 0, size: 0 },
  ES: { kind: "seg", value: 0, size: 16 },
  CS: { kind: "seg", value: 1, size: 16 },
  SS: { kind: "seg", value: 2, size: 16 },
  DS: { kind: "seg", value: 3, size: 16 },
  FS: { kind: "seg", value: 4, size: 16 },
  GS: { kind: "seg", value: 5, size: 16 },
  "1": { kind: "imm", value: 1, size: 8 },
  "3": { kind: "imm", value: 3, size: 8 },
  ST: { kind: "st", value: 0, size: 80 },
  ST1: { kind: "st", value: 1, size: 80 },
};

function operandSpec(text: string): OperandSpec {
  const fixed = FIXED[text];
  if (fixed) return { text, method: "fixed", type: text === "eAX" ? "z" : "v", fixed };
  if (text === "STi") return { text, method: "ST", type: "t" };
  if (!/^[A-Z]/.test(text)) throw new Error(`operand "${text}": no such notation`);
  return { text, method: text[0]!, type: text.slice(1) };
}

// All forms, and all definitions, have the same fields in the same order: engines then read them fast.
const NO_OPTIONS = {
  not64: false,
  only64: false,
  d64: false,
  f64: false,
  feature: undefined,
  rexB: undefined,
  rexW: undefined,
  protectedOnly: false,
} as unknown as FormOptions;
const NOTHING_MORE = {
  run: undefined,
  helper: undefined,
  names: undefined,
  lockable: false,
  repeat: undefined,
  endsBlock: false,
  shadow: false,
  privileged: false,
  unit: undefined,
  vectors: undefined,
} as unknown as Partial<Instruction>;

function modsOf(operands: readonly OperandSpec[], plusI: boolean): number {
  for (const { method } of operands) {
    if (method === "M") return 1;
    if (method === "U" || method === "N") return 2;
    if (method === "R" && !operands.some((o) => o.method === "C" || o.method === "D")) return 2;
  }
  return plusI ? 2 : 3;
}

/** Parses one encoding; errors are ours, so they throw at start-up with the text. */
export function form(opcode: string, operands = "", options: FormOptions = {}): Form {
  const words: string[] = opcode.split(" ");
  let prefix: Form["prefix"] = null;
  const first = words[0]!;
  if (
    first === "NP" ||
    first === "NFx" ||
    (words.length > 1 && /^(66|F2|F3)$/.test(first) && words[1] === "0F") ||
    (first === "F3" && words[1] === "90")
  )
    prefix = words.shift() as Form["prefix"];
  let map: Form["map"] = 0;
  const escape = /^0F( 38| 3A)?(?= )/.exec(words.join(" "));
  if (escape) {
    map = escape[1] === " 38" ? 2 : escape[1] === " 3A" ? 3 : 1;
    words.splice(0, map === 1 ? 1 : 2);
  }
  let text = words.shift() ?? "";
  const plusR = text.endsWith("+r");
  if (plusR) text = text.slice(0, -2);
  const byte = Number.parseInt(text, 16);
  if (!/^[0-9A-F]{2}$/.test(text)) throw new Error(`opcode "${opcode}": "${text}" is not a byte`);
  let rest = words.shift() ?? "",
    digit: number | null = null,
    exact: number | null = null,
    plusI = false;
  if (rest.endsWith("+i")) {
    plusI = true;
    rest = rest.slice(0, -2);
  }
  if (/^\/[0-7]$/.test(rest)) digit = Number(rest[1]);
  else if (/^[0-9A-F]{2}$/.test(rest)) exact = Number.parseInt(rest, 16);
  else if (rest !== "" && rest !== "/r") throw new Error(`opcode "${opcode}": "${rest}" is not understood`);
  const specs = operands === "" ? [] : operands.split(",").map(operandSpec);
  return {
    ...NO_OPTIONS,
    ...options,
    opcode,
    operands: specs,
    operandText: operands,
    prefix,
    map,
    byte,
    plusR,
    plusI,
    modrm: rest !== "",
    digit,
    exact,
    mods: modsOf(specs, plusI),
  };
}

/** A definition with one or more forms. */
export const instruction = (
  name: string,
  forms: Form[],
  run: Semantics,
  rest: Partial<Instruction> = {},
): Instruction => ({ ...NOTHING_MORE, name, forms, run, ...rest });
/** A definition whose meaning is a helper in TypeScript. */
export const rare = (
  name: string,
  forms: Form[],
  helper: HelperBody,
  rest: Partial<Instruction> = {},
): Instruction => ({ ...NOTHING_MORE, name, forms, helper, ...rest });

export type { Exec, Operand, Semantics };
