/** x87 comparisons and classification [SDM 1 8.1.4, 8.3.6]. */
import type { Operand, Semantics } from "../core/exec.ts";
import { form, type Instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import * as fp from "../fp/index.ts";
import { relationFlags } from "./sse-float.ts";
import { integerSource, lacks, operand, realSource, SOURCE } from "./x87-arithmetic.ts";
import { begin, C0, C1, C2, C3, type Unit, x87 } from "./x87-state.ts";

/** Condition codes of a relation: less, equal, greater, unordered [SDM 1 table 8-6]. */
const CODES = [C0, C3, 0, C0 | C2 | C3] as const;
/** Bits of a helper's first argument besides the source: the quiet comparisons, how many pops. */
const QUIET = 8, POPS = 16;
/** The relation of ST(0) to the source; it counts even if an exception is not masked, which only keeps the stack from popping. */
function relate(u: Unit, how: number, source: number, bits: bigint): number {
  const quiet = (how & QUIET) !== 0;
  if (lacks(u, source)) {
    if (u.underflow()) u.pop(how >> 4);
    return fp.UNORDERED;
  }
  const { value, format } = operand(u, source, bits);
  const relation = fp.compare(u.env, fp.F80, u.st(0), value, !quiet, fp.F80, format);
  if (u.finish()) u.pop(how >> 4);
  return relation;
}

export const x87CompareHelpers: Record<string, Helper> = {
  /** Compares and sets condition codes. */
  "x87.compare": (cpu, [how, bits]) => {
    const u = begin(cpu), relation = relate(u, Number(how), Number(how) & 7, bits!);
    u.setCodes(C0 | C2 | C3, CODES[relation]!);
    return 0n;
  },
  /** Compares; the answer is the relation. */
  "x87.relation": (cpu, [how]) => BigInt(relate(begin(cpu), Number(how), SOURCE.register, 0n)),
  "x87.ftst": (cpu) => {
    const u = begin(cpu);
    let relation: number = fp.UNORDERED;
    if (u.isEmpty(0)) u.underflow();
    else {
      relation = fp.compare(u.env, fp.F80, u.st(0), 0n, true);
      u.finish();
    }
    u.setCodes(C0 | C2 | C3, CODES[relation]!);
    return 0n;
  },
  /** C1 is the sign, even of an empty register [SDM 2A "FXAM"]. */
  "x87.fxam": (cpu) => {
    const u = begin(cpu), value = u.st(0), sign = value & fp.F80.signBit ? C1 : 0;
    u.setCodes(C0 | C1 | C2 | C3, sign | (u.isEmpty(0) ? C0 | C3 : CLASSES[fp.classify(fp.F80, value)]));
    return 0n;
  },
};
const CLASSES: Record<fp.Class, number> = {
  unsupported: 0, qnan: C0, snan: C0, normal: C2, infinity: C0 | C2, zero: C3, denormal: C2 | C3,
};

const memory = (pops: number, source: (operand: Operand) => number): Semantics => (x, src) => {
  x.call("x87.compare", x.const(source(src!) | pops * POPS), x.read(src!));
};
const register = (pops: number, quiet = 0): Semantics => (x) => {
  x.call("x87.compare", x.const(SOURCE.register | quiet | pops * POPS));
};
/** Into ZF, PF and CF. */
const flags = (pops: number, quiet = 0): Semantics => (x) => {
  relationFlags(x, x.call("x87.relation", x.const(quiet | pops * POPS)));
};
const CMOV = { feature: "cmov" } as const;
/** Intel's processors clear C1 [SDM 2A "FCOMI"], AMD's leave it. */
const VENDOR = { vectors: { undefinedFlags: "C1" } };

export const x87Compare: Instruction[] = [
  x87("fcom", [form("D8 /2", "Md"), form("DC /2", "Mq")], memory(0, realSource)),
  x87("fcomp", [form("D8 /3", "Md"), form("DC /3", "Mq")], memory(1, realSource)),
  x87("fcom", [form("D8 D0+i", "STi"), form("DC D0+i", "STi")], register(0)), // DC: an alias
  x87("fcomp", [form("D8 D8+i", "STi"), form("DC D8+i", "STi"), form("DE D0+i", "STi")], register(1)), // DC and DE: aliases
  x87("fcompp", [form("DE D9")], register(2)),
  x87("ficom", [form("DA /2", "Md"), form("DE /2", "Mw")], memory(0, integerSource)),
  x87("ficomp", [form("DA /3", "Md"), form("DE /3", "Mw")], memory(1, integerSource)),
  x87("fucom", [form("DD E0+i", "STi")], register(0, QUIET)),
  x87("fucomp", [form("DD E8+i", "STi")], register(1, QUIET)),
  x87("fucompp", [form("DA E9")], register(2, QUIET)),
  x87("fcomi", [form("DB F0+i", "ST,STi", CMOV)], flags(0), VENDOR),
  x87("fcomip", [form("DF F0+i", "ST,STi", CMOV)], flags(1), VENDOR),
  x87("fucomi", [form("DB E8+i", "ST,STi", CMOV)], flags(0, QUIET), VENDOR),
  x87("fucomip", [form("DF E8+i", "ST,STi", CMOV)], flags(1, QUIET), VENDOR),
  x87("ftst", [form("D9 E4")], (x) => { x.call("x87.ftst"); }),
  x87("fxam", [form("D9 E5")], (x) => { x.call("x87.fxam"); }),
];
