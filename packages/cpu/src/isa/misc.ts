/** BOUND, the time-stamp counter and the processor's number, and random numbers [SDM 2A, 2B]. */
import type { Exec, Semantics } from "../core/exec.ts";
import { form, type Instruction, instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import { CR4_TSD } from "../core/paging.ts";
import { RAX, RCX, RDX, S } from "../core/state.ts";
import { shownTsc } from "../core/tsc.ts";
import { exitIf, requireEnabled } from "../vmx/intercepts.ts";
import { EXIT } from "../vmx/reasons.ts";

/** #BR unless the signed index lies between the two bounds in memory, both included. */
const bound: Semantics = (x, index, bounds) => {
  const size = x.shape.operandSize, at = x.address(bounds), n = x.sext(x.read(index), size);
  const lower = x.sext(x.load("operand", at, size), size);
  const upper = x.sext(x.load("operand", x.zext(x.add(at, x.const(size >> 3)), x.shape.addressSize), size), size);
  x.raiseIf(x.or(x.ltS(n, lower), x.ltS(upper, n)), "BR");
};

/** CR4.TSD keeps the counter for the supervisor. */
function timeStamp<V>(x: Exec<V>): void {
  const restricted = x.isNonZero(x.and(x.state(S.CR4), x.const(CR4_TSD)));
  x.raiseIf(x.and(restricted, x.isNonZero(x.state(S.CPL, 4))), "GP", x.const(0));
  const tsc = x.call("tsc.read");
  x.setReg(RAX, tsc, 32);
  x.setReg(RDX, x.shr(tsc, x.const(32)), 32);
}
/** In a guest undefined unless its VMCS says otherwise. */
const checkRdtscp = <V>(x: Exec<V>) => x.when(x.state(S.NON_ROOT, 4), () => { x.call("rdtscp.check"); });
const rdtscp: Semantics = (x) => {
  checkRdtscp(x);
  timeStamp(x);
  x.setReg(RCX, x.state(S.TSC_AUX, 4), 32);
};

const readProcessorId: Semantics = (x, dst) => {
  checkRdtscp(x);
  x.write(dst, x.state(S.TSC_AUX, 4));
};

/** There is always a number: CF is set, the other flags are cleared. */
const random: Semantics = (x, dst) => {
  x.write(dst, x.call("random"));
  const zero = x.const(0);
  x.setFlags({ CF: x.const(1), OF: zero, SF: zero, ZF: zero, AF: zero, PF: zero });
};

const word = (value: bigint) => BigInt.asUintN(64, value);
export const miscHelpers: Record<string, Helper> = {
  "tsc.read": (cpu) => {
    exitIf(cpu, "RDTSC exiting", cpu.x.insn.def.name === "rdtscp" ? EXIT.rdtscp : EXIT.rdtsc);
    return shownTsc(cpu);
  },
  "rdtscp.check": (cpu) => {
    requireEnabled(cpu, "enable RDTSCP");
    return 0n;
  },
  /** SplitMix64 (Steele, Lea and Flood) over S.RANDOM, which the machine's configuration seeds: runs repeat. */
  random: (cpu) => {
    const state = word(cpu.u64(S.RANDOM) + 0x9e3779b97f4a7c15n);
    cpu.setU64(S.RANDOM, state);
    let z = word((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = word((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  },
};

const CHANGES = { vectors: { skip: "the result differs each time" } };
const AUX = { vectors: { skip: "the processor's number depends on where the program runs" } };

export const misc: Instruction[] = [
  instruction("bound", [form("62 /r", "Gv,Ma", { not64: true })], bound),
  instruction("rdtsc", [form("0F 31", "", { feature: "tsc" })], timeStamp, CHANGES),
  instruction("rdtscp", [form("0F 01 F9", "", { feature: "rdtscp" })], rdtscp, CHANGES),
  instruction("rdpid", [form("F3 0F C7 /7", "Rq", { only64: true, feature: "rdpid" }), form("F3 0F C7 /7", "Rd", { not64: true, feature: "rdpid" })],
    readProcessorId, AUX),
  instruction("rdrand", [form("NFx 0F C7 /6", "Rv", { feature: "rdrand" })], random, CHANGES),
  instruction("rdseed", [form("NFx 0F C7 /7", "Rv", { feature: "rdseed" })], random, CHANGES),
];
