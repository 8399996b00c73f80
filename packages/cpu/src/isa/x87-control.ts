/** x87 control: control and status words, the stack's pointer and tags, environment and whole state in memory [SDM 1 8.1]. */
import type { Semantics, Size } from "../core/exec.ts";
import { form, type HelperBody, type Instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import { MODE_REAL } from "../core/modes.ts";
import type { Processor } from "../core/processor.ts";
import { S } from "../core/state.ts";
import * as fp from "../fp/index.ts";
import { begin, EXCEPTIONS, initialize, loadFcw, SUMMARY, type Unit, x87, x87Control, x87Rare } from "./x87-state.ts";

// ---- environment: FNSTENV, FLDENV, and the head of FNSAVE and FRSTOR [SDM 1 figures 8-9 to 8-12] ----

/** Tags as memory has them: valid, zero, special, empty [SDM 1 8.1.7]. */
const EMPTY = 3;
const TAGS: Record<fp.Class, number> = { normal: 0, zero: 1, infinity: 2, qnan: 2, snan: 2, denormal: 2, unsupported: 2 };

const physicalRegister = (cpu: Processor, n: number): bigint =>
  BigInt(cpu.memory.u16[(S.FPR + 16 * n + 8) >> 1]!) << 64n | cpu.u64(S.FPR + 16 * n);

/** The tag word from the tags and what the registers hold. */
function fullTags(cpu: Processor): number {
  let tags = 0;
  for (let n = 0; n < 8; n++) {
    const tag = cpu.memory.u16[S.FTW >> 1]! >> n & 1 ? TAGS[fp.classify(fp.F80, physicalRegister(cpu, n))] : EMPTY;
    tags |= tag << (2 * n);
  }
  return tags;
}

interface Layout { readonly real: boolean; readonly bytes: 2 | 4 }
/** Operand size and mode decide; in 64-bit mode REX.W changes nothing. */
const layoutOf = (cpu: Processor): Layout =>
  ({ real: (cpu.u32(S.MODE) & MODE_REAL) !== 0, bytes: cpu.x.shape.operandSize === 16 ? 2 : 4 });
const ENVIRONMENT_WORDS = 7;

/** The seven words of the environment. What is reserved in 32 bits reads as ones, except beside FCS and FOP. */
function environment(cpu: Processor, { real, bytes }: Layout): number[] {
  const { u16, u32 } = cpu.memory, field = (at: number) => u16[at >> 1]!;
  const fip = u32[S.FIP >> 2]!, fdp = u32[S.FDP >> 2]!, fop = field(S.FOP), fcs = field(S.FCS), fds = field(S.FDS);
  const head = [field(S.FCW), field(S.FSW), fullTags(cpu)], ones = 0xffff0000;
  if (real) {
    const ip = fip + 16 * fcs, dp = fdp + 16 * fds;
    const words = [...head, ip & 0xffff, (ip >>> 16) << 12 | fop, dp & 0xffff, (dp >>> 16) << 12];
    return bytes === 2 ? words : words.map((word, n) => (n === 4 || n === 6 ? word : word | ones) >>> 0);
  }
  if (bytes === 2) return [...head, fip, fcs, fdp, fds];
  return [...head.map((word) => (word | ones) >>> 0), fip, (fop << 16 | fcs) >>> 0, fdp, (fds | ones) >>> 0];
}
/** Puts pieces of `bytes` bytes one after the other, once all could be written. */
function put(cpu: Processor, pieces: readonly (readonly [offset: number, bytes: number, value: bigint])[]): void {
  const { x } = cpu, at = x.address(x.insn.operands[0]!), to = (offset: number) => x.add(at, BigInt(offset));
  for (const [offset, bytes] of pieces) x.probeWrite("operand", to(offset), bytes);
  for (const [offset, bytes, value] of pieces) x.store("operand", to(offset), (8 * bytes) as Size, value);
}
const environmentPieces = (cpu: Processor, layout: Layout) =>
  environment(cpu, layout).map((word, n) => [n * layout.bytes, layout.bytes, BigInt(word)] as const);
/** The registers in stack order, in words of 16 bits: only the start of the image has an alignment. */
const registerPieces = (cpu: Processor, layout: Layout) => {
  const top = cpu.memory.u16[S.FSW >> 1]! >> 11, start = ENVIRONMENT_WORDS * layout.bytes;
  return Array.from({ length: 40 }, (_, n) => {
    const value = physicalRegister(cpu, (top + Math.floor(n / 5)) & 7);
    return [start + 2 * n, 2, BigInt.asUintN(16, value >> BigInt(16 * (n % 5)))] as const;
  });
};

const fnstenv: HelperBody = (cpu) => {
  put(cpu, environmentPieces(cpu, layoutOf(cpu)));
  const { u16 } = cpu.memory;
  loadFcw(cpu.x, BigInt(u16[S.FCW >> 1]! | EXCEPTIONS)); // all exceptions become masked [SDM 2A "FSTENV"]
};
const fnsave: HelperBody = (cpu) => {
  const layout = layoutOf(cpu);
  put(cpu, [...environmentPieces(cpu, layout), ...registerPieces(cpu, layout)]);
  initialize(cpu.x);
};

function readEnvironment(cpu: Processor, { bytes }: Layout): number[] {
  const { x } = cpu, at = x.address(x.insn.operands[0]!);
  return Array.from({ length: ENVIRONMENT_WORDS }, (_, n) => Number(x.load("operand", x.add(at, BigInt(n * bytes)), (8 * bytes) as Size)));
}
/** Of tags only "empty" counts: the others follow from what the registers hold. */
function loadEnvironment(cpu: Processor, { real, bytes }: Layout, words: readonly number[]): void {
  const { u16 } = cpu.memory, [fcw, fsw, tags, ip, selectorOrIp, dp, selectorOrDp] = words as [number, number, number, number, number, number, number];
  let valid = 0;
  for (let n = 0; n < 8; n++) if ((tags >> (2 * n) & 3) !== EMPTY) valid |= 1 << n;
  u16[S.FTW >> 1] = valid;
  u16[S.FSW >> 1] = fsw;
  loadFcw(cpu.x, BigInt(fcw & 0xffff));
  if (real) {
    const high = (word: number) => (bytes === 2 ? word >> 12 & 15 : word >>> 12 & 0xffff) * 0x10000;
    u16[S.FCS >> 1] = 0;
    u16[S.FDS >> 1] = 0;
    u16[S.FOP >> 1] = selectorOrIp & 0x7ff;
    cpu.setNumber(S.FIP, (ip & 0xffff) + high(selectorOrIp));
    cpu.setNumber(S.FDP, (dp & 0xffff) + high(selectorOrDp));
    return;
  }
  u16[S.FCS >> 1] = selectorOrIp;
  u16[S.FDS >> 1] = selectorOrDp;
  u16[S.FOP >> 1] = bytes === 4 ? selectorOrIp >>> 16 & 0x7ff : 0; // 16 bits have no place for it
  cpu.setNumber(S.FIP, ip);
  cpu.setNumber(S.FDP, dp);
}
const fldenv: HelperBody = (cpu) => {
  const layout = layoutOf(cpu);
  loadEnvironment(cpu, layout, readEnvironment(cpu, layout));
};
const frstor: HelperBody = (cpu) => {
  const { x } = cpu, layout = layoutOf(cpu), at = x.address(x.insn.operands[0]!), words = readEnvironment(cpu, layout);
  const start = ENVIRONMENT_WORDS * layout.bytes;
  const registers = Array.from({ length: 40 }, (_, n) => Number(x.load("operand", x.add(at, BigInt(start + 2 * n)), 16)));
  loadEnvironment(cpu, layout, words);
  const { u16 } = cpu.memory, top = words[1]! >> 11;
  registers.forEach((word, n) => { u16[(S.FPR + 16 * ((top + Math.floor(n / 5)) & 7) + 2 * (n % 5)) >> 1] = word; });
};

// ---- the stack ----

const onUnit = (f: (u: Unit) => void): Helper => (cpu) => {
  f(begin(cpu));
  return 0n;
};
export const x87ControlHelpers: Record<string, Helper> = {
  "x87.fnop": (cpu) => { begin(cpu, 0); return 0n; },
  "x87.fdecstp": onUnit((u) => u.turn(-1)),
  "x87.fincstp": onUnit((u) => u.turn(1)),
  "x87.ffree": onUnit((u) => u.free(u.i)),
  "x87.ffreep": onUnit((u) => { u.free(u.i); u.pop(); }),
};
const called = (name: string): Semantics => (x) => { x.call(`x87.${name}`); };
const nothing: Semantics = () => {};
const storeStatus: Semantics = (x, dst) => x.write(dst, x.state(S.FSW, 2));

export const x87Environment: Instruction[] = [
  x87("fwait", [form("9B")], nothing, { unit: "wait" }),
  x87("fnop", [form("D9 D0")], called("fnop")),
  x87("fdecstp", [form("D9 F6")], called("fdecstp")),
  x87("fincstp", [form("D9 F7")], called("fincstp")),
  x87("ffree", [form("DD C0+i", "STi")], called("ffree")),
  x87("ffreep", [form("DF C0+i", "STi")], called("ffreep")),

  x87("fldcw", [form("D9 /5", "Mw")], (x, src) => loadFcw(x, x.read(src!))),
  x87Control("fnstcw", [form("D9 /7", "Mw")], (x, dst) => x.write(dst!, x.state(S.FCW, 2))),
  x87Control("fnstsw", [form("DD /7", "Mw"), form("DF E0", "AX")], storeStatus),
  x87Control("fnclex", [form("DB E2")], (x) => x.setState(S.FSW, x.and(x.state(S.FSW, 2), x.const(~(SUMMARY | EXCEPTIONS | 1 << 6))), 2)),
  x87Control("fninit", [form("DB E3")], (x) => initialize(x)),
  /** What the 8087 and the 80287 needed [SDM 3B 22.18.9]. */
  x87Control("fneni", [form("DB E0")], nothing),
  x87Control("fndisi", [form("DB E1")], nothing),
  x87Control("fnsetpm", [form("DB E4")], nothing),

  x87Rare("fnstenv", "D9 /6", fnstenv, "x87control"),
  x87Rare("fnsave", "DD /6", fnsave, "x87control"),
  x87Rare("fldenv", "D9 /4", fldenv, "x87"),
  x87Rare("frstor", "DD /4", frstor, "x87"),
];
