/**
 * String instructions and port I/O [SDM 2A, 2B; SDM 1 7.3.9, 19]. A semantics is one iteration; the executors repeat it.
 * The source is DS:rSI (the segment may be overridden), the destination ES:rDI, each of the address size's width.
 */
import { watchPort } from "../core/debug.ts";
import type { Exec, Operand, Semantics, Size } from "../core/exec.ts";
import { DF, IOPL, VM } from "../core/flags.ts";
import { form, type Instruction, instruction } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import type { Processor } from "../core/processor.ts";
import { isTss32 } from "../core/segments.ts";
import { ES, RAX, RDI, RDX, RSI, S, SEG, segment, TR } from "../core/state.ts";
import { exitByPort, PORT_IMMEDIATE, PORT_IN, PORT_REPEATED, PORT_STRING, wantsPort } from "../vmx/intercepts.ts";
import { stringInfo } from "../vmx/operand-info.ts";
import { subFlags } from "./arith.ts";

const pointer = <V>(x: Exec<V>, register: number): V => x.reg(register, x.shape.addressSize);
const source = <V>(x: Exec<V>, size: Size): V => x.load("operand", pointer(x, RSI), size);
/** Moves the pointers by one element, up or, with DF, down. */
function advance<V>(x: Exec<V>, size: number, ...registers: number[]): void {
  const bytes = size >> 3, down = x.isNonZero(x.and(x.state(S.FLAGS, 4), x.const(DF)));
  const step = x.select(down, x.const(-bytes), x.const(bytes));
  for (const r of registers) x.setReg(r, x.add(pointer(x, r), step), x.shape.addressSize);
}

const movs: Semantics = (x, dst) => {
  const size = dst.size as Size;
  x.store(ES, pointer(x, RDI), size, source(x, size));
  advance(x, size, RSI, RDI);
};
const cmps: Semantics = (x, first) => {
  const size = first.size as Size, a = source(x, size), b = x.load(ES, pointer(x, RDI), size);
  subFlags(x, size, a, b, x.sub(a, b));
  advance(x, size, RSI, RDI);
};
const scas: Semantics = (x, accumulator, element) => {
  const size = element.size as Size, a = x.read(accumulator), b = x.load(ES, pointer(x, RDI), size);
  subFlags(x, size, a, b, x.sub(a, b));
  advance(x, size, RDI);
};
const lods: Semantics = (x, accumulator) => {
  const size = accumulator.size as Size;
  x.setReg(RAX, source(x, size), size);
  advance(x, size, RSI);
};
const stos: Semantics = (x, dst, accumulator) => {
  const size = dst.size as Size;
  x.store(ES, pointer(x, RDI), size, x.read(accumulator));
  advance(x, size, RDI);
};

// ---- port I/O ----

/** The permission comes first; INS then makes sure that it can store what it is going to read. */
const ins: Semantics = (x, dst) => {
  const size = dst.size as Size, port = x.reg(RDX, 16), bytes = x.const(size >> 3);
  checkPorts(x, port, bytes);
  x.probeWrite(ES, pointer(x, RDI), size >> 3);
  x.store(ES, pointer(x, RDI), size, x.call("port.read", port, bytes));
  advance(x, size, RDI);
};
const outs: Semantics = (x, _dx, element) => {
  const size = element.size as Size, port = x.reg(RDX, 16), bytes = x.const(size >> 3);
  checkPorts(x, port, bytes);
  x.call("port.write", port, bytes, source(x, size));
  advance(x, size, RSI);
};
const input: Semantics = (x, dst, from) => {
  const size = dst.size as Size, port = portNumber(x, from), bytes = x.const(size >> 3);
  checkPorts(x, port, bytes);
  x.setReg(RAX, x.call("port.read", port, bytes), size);
};
const output: Semantics = (x, to, src) => {
  const port = portNumber(x, to), bytes = x.const(src.size >> 3);
  checkPorts(x, port, bytes);
  x.call("port.write", port, bytes, x.read(src));
};
const portNumber = <V>(x: Exec<V>, operand: Operand): V => x.zext(x.read(operand), 16);

/** Ports are free within IOPL, except in virtual-8086 mode; else the TSS decides. In a guest its VMCS does, after that. */
function checkPorts<V>(x: Exec<V>, port: V, bytes: V): void {
  const flags = x.state(S.FLAGS, 4), iopl = x.and(x.shr(flags, x.const(12)), x.const(3));
  const restricted = x.or(x.ltU(iopl, x.state(S.CPL, 4)), x.bit(flags, 17));
  x.when(x.or(restricted, x.state(S.NON_ROOT, 4)), () => { x.call("io.check", port, bytes); });
}
/** Tells the hypervisor all about the access at hand, if it wants to know. */
function exitIfWanted(cpu: Processor, port: number, bytes: number): void {
  if (!wantsPort(cpu, port, bytes)) return;
  const { insn } = cpu.x, { name } = insn.def, string = name === "ins" || name === "outs", input = name.startsWith("in");
  const immediate = insn.operands[0]!.kind === "imm" || insn.operands[1]!.kind === "imm";
  const how = (input ? PORT_IN : 0) | (string ? PORT_STRING : 0) | (insn.repeat === "none" ? 0 : PORT_REPEATED) | (immediate ? PORT_IMMEDIATE : 0);
  exitByPort(cpu, how, port, bytes, string ? stringAddress(cpu, input) : null, string ? stringInfo(insn) : 0);
}
/** The linear address of the string element, unchecked. */
function stringAddress(cpu: Processor, input: boolean): number {
  const { insn } = cpu.x, n = input ? ES : insn.segment, offset = BigInt.asUintN(insn.addressSize, cpu.gpr(input ? RDI : RSI));
  const linear = (cpu.u64(segment(n) + SEG.effectiveBase) + offset) & cpu.u64(S.LINEAR_MASK);
  return Number(insn.long ? BigInt.asIntN(64, linear) : linear);
}
/** #GP(0) unless CPL is within IOPL or the TSS's bitmap has a 0 for every port of the access [SDM 1 19.5.2]. */
function checkPort(cpu: Processor, port: number, bytes: number): void {
  const flags = cpu.u32(S.FLAGS);
  if (!cpu.protectedMode || (cpu.cpl <= (flags & IOPL) >> 12 && !(flags & VM))) return;
  const tr = segment(TR), base = cpu.number(tr + SEG.base), limit = cpu.number(tr + SEG.limit);
  if (!isTss32(cpu.segmentAccess(TR)) || limit < 103) // a 16-bit TSS has no bitmap
    cpu.fault("GP", 0);
  const wrap = (address: number) => (cpu.ia32e ? address : address % 2 ** 32);
  const at = cpu.readLinear(wrap(base + 102), 2, "supervisor") + (port >> 3);
  if (at + 1 > limit) cpu.fault("GP", 0); // two bytes are read: an access may span them
  const map = cpu.readLinear(wrap(base + at), 2, "supervisor") >> (port & 7);
  if (map & ((1 << bytes) - 1)) cpu.fault("GP", 0);
}

export const portHelpers: Record<string, Helper> = {
  "io.check": (cpu, [port, bytes]) => {
    checkPort(cpu, Number(port), Number(bytes));
    exitIfWanted(cpu, Number(port), Number(bytes));
    return 0n;
  },
  "port.read": (cpu, [port, bytes]) => {
    watchPort(cpu, Number(port), Number(bytes));
    return BigInt(cpu.board.portRead(Number(port), Number(bytes)) >>> 0);
  },
  "port.write": (cpu, [port, bytes, value]) => {
    const n = Number(bytes);
    watchPort(cpu, Number(port), n);
    cpu.board.portWrite(Number(port), n, Number(BigInt.asUintN(8 * n, value!)));
    return 0n;
  },
};

const REP = { repeat: "rep" as const }, REPZ = { repeat: "repz" as const };
const PRIVILEGE = { skip: "ports need I/O privilege" };

export const strings: Instruction[] = [
  instruction("movs", [form("A4", "Yb,Xb"), form("A5", "Yv,Xv")], movs, REP),
  instruction("cmps", [form("A6", "Xb,Yb"), form("A7", "Xv,Yv")], cmps, REPZ),
  instruction("stos", [form("AA", "Yb,AL"), form("AB", "Yv,rAX")], stos, REP),
  instruction("lods", [form("AC", "AL,Xb"), form("AD", "rAX,Xv")], lods, REP),
  instruction("scas", [form("AE", "AL,Yb"), form("AF", "rAX,Yv")], scas, REPZ),
  instruction("ins", [form("6C", "Yb,DX"), form("6D", "Yz,DX")], ins, { ...REP, vectors: PRIVILEGE }),
  instruction("outs", [form("6E", "DX,Xb"), form("6F", "DX,Xz")], outs, { ...REP, vectors: PRIVILEGE }),
  instruction("in", [form("E4", "AL,Ib"), form("E5", "eAX,Ib"), form("EC", "AL,DX"), form("ED", "eAX,DX")], input, { vectors: PRIVILEGE }),
  instruction("out", [form("E6", "Ib,AL"), form("E7", "Ib,eAX"), form("EE", "DX,AL"), form("EF", "DX,eAX")], output, { vectors: PRIVILEGE }),
];
