/**
 * The stack: PUSH and POP of general registers, memory and immediates, PUSHA and POPA, flags, ENTER and LEAVE
 * [SDM 2A, 2B]. Segment registers are pushed and popped in the system families.
 */
import { followFlags } from "../core/events.ts";
import type { Exec, Semantics, Size } from "../core/exec.ts";
import { AC, AF, CF, DF, ID, IF, IOPL, NT, OF, PF, RF, SF, TF, VIF, VM, ZF } from "../core/flags.ts";
import { form, type HelperBody, type Instruction, instruction, rare } from "../core/forms.ts";
import type { Helper } from "../core/helpers.ts";
import { RBP, RSP, S, SS } from "../core/state.ts";
import { checkVirtualFlags, usesVirtualFlag } from "../core/virtual8086.ts";

/** The value is read before RSP moves: PUSH RSP pushes its old value. */
const push: Semantics = (x, src) => x.push(x.read(src), x.shape.operandSize);

/** RSP moves before the register is written: POP RSP gives the value that was on the stack. */
const pop: Semantics = (x, dst) => {
  const value = x.top(x.shape.operandSize);
  x.popped(x.shape.operandSize >> 3);
  x.write(dst, value);
};
/** The destination's address is computed with the new RSP [SDM 2B "POP"], which stays as it was if the write faults. */
const popToMemory: Semantics = (x, dst) => {
  const size = x.shape.operandSize, value = x.top(size), before = x.reg(RSP);
  x.popped(size >> 3);
  const offset = x.address(dst);
  x.setReg(RSP, before);
  x.store("operand", offset, size, value);
  x.popped(size >> 3);
};

/** All eight are checked before the first is written; RSP is pushed as it was before. */
const pusha: Semantics = (x) => {
  const size = x.shape.operandSize, bytes = size >> 3;
  const slot = (n: number) => x.stackOffset(x.stackPointer(-bytes * (n + 1)));
  for (let n = 0; n < 8; n++) x.probeWrite(SS, slot(n), bytes);
  for (let n = 0; n < 8; n++) x.store(SS, slot(n), size, x.reg(n, size));
  x.popped(-8 * bytes);
};
/** The slot of RSP is read, too, and ignored: so do processors. */
const popa: Semantics = (x) => {
  const size = x.shape.operandSize, bytes = size >> 3;
  const values = [7, 6, 5, 4, 3, 2, 1, 0].map((n) => ({ n, value: x.top(size, bytes * (7 - n)) }));
  x.popped(8 * bytes);
  for (const { n, value } of values) if (n !== RSP) x.setReg(n, value, size);
};

const ARITHMETIC = [["CF", CF], ["PF", PF], ["AF", AF], ["ZF", ZF], ["SF", SF], ["OF", OF]] as const;
const position = (mask: number) => 31 - Math.clz32(mask);

/**
 * In virtual-8086 mode flags are the monitor's business unless IOPL is 3 [SDM 3A 20.2.7]: #GP(0), or with CR4.VME the
 * program sees VIF as its IF. True if it does; null if it cannot.
 */
function meansVirtual<V>(x: Exec<V>): V | null {
  if (x.shape.long) return null;
  const flags = x.state(S.FLAGS, 4), trusted = x.eq(x.and(flags, x.const(IOPL)), x.const(IOPL));
  const sensitive = x.and(x.bit(flags, position(VM)), x.xor(trusted, x.const(1)));
  x.when(sensitive, () => { x.call("flags.sensitive", x.const(x.shape.operandSize)); });
  return x.shape.operandSize === 16 ? sensitive : null;
}
/** VM and RF are pushed as zero. */
const pushf: Semantics = (x) => {
  const virtual = meansVirtual(x), now = x.state(S.FLAGS, 4);
  let flags = x.and(now, x.const(~(RF | VM)));
  if (virtual !== null) {
    const seen = x.or(x.and(flags, x.const(~IF)), x.or(x.const(IOPL), x.shl(x.bit(now, position(VIF)), x.const(position(IF)))));
    flags = x.select(virtual, seen, flags);
  }
  for (const [name, mask] of ARITHMETIC) flags = x.or(flags, x.shl(x.flag(name), x.const(position(mask))));
  x.push(flags, x.shape.operandSize);
};
/** IOPL changes only at CPL 0, IF only if CPL is not above IOPL (and then silently); VM, VIF and VIP never; RF becomes zero. */
const popf: Semantics = (x) => {
  const virtual = meansVirtual(x), size = x.shape.operandSize, popped = x.top(size), before = x.state(S.FLAGS, 4), cpl = x.state(S.CPL, 4);
  let always = x.const(TF | DF | NT | (size === 16 ? 0 : AC | ID)), value = popped;
  if (virtual !== null) {
    x.when(virtual, () => { x.call("flags.virtual", popped); });
    always = x.or(always, x.select(virtual, x.const(VIF), x.const(0)));
    value = x.or(popped, x.shl(x.bit(popped, position(IF)), x.const(position(VIF))));
  }
  const iopl = x.and(x.shr(before, x.const(position(IOPL) - 1)), x.const(3));
  const writable = x.or(always, x.or(
    x.select(x.isZero(cpl), x.const(IOPL), x.const(0)), x.select(x.ltU(iopl, cpl), x.const(0), x.const(IF))));
  const after = x.or(x.and(x.and(before, x.const(~RF)), x.not(writable)), x.and(value, writable));
  x.popped(size >> 3);
  x.setFlags(Object.fromEntries(ARITHMETIC.map(([name, mask]) => [name, x.bit(value, position(mask))])));
  x.setState(S.FLAGS, after, 4);
  const changed = x.xor(before, after), matters = x.or(x.const(AC), x.and(after, x.const(IF)));
  x.when(x.isNonZero(x.or(x.and(changed, matters), x.and(after, x.const(TF)))), () => { x.call("flags.follow", before); });
};

/** The frame pointer's register at the stack's width; LEAVE frees the frame before it pops [SDM 2A "LEAVE"]. */
const leave: Semantics = (x) => {
  const size = x.shape.operandSize, frame = x.reg(RBP), value = x.load(SS, x.stackOffset(frame), size);
  x.setReg(RSP, x.atStackWidth(x.add(frame, x.const(size >> 3))));
  x.setReg(RBP, value, size);
};

/**
 * ENTER [SDM 2A]: pushes rBP, copies the `level` - 1 frame pointers of the enclosing procedures and pushes the new one, then
 * allocates. Where RSP points in the end must be writable. Everything is checked, in this order, before the first write.
 */
const enter: HelperBody = (cpu, insn) => {
  const { x } = cpu, size: Size = insn.operandSize, bytes = BigInt(size >> 3), level = BigInt(insn.imm2 & 31);
  const width = insn.long ? ~0n : cpu.u64(S.STACK_MASK), at = (n: bigint) => BigInt.asUintN(64, n) & width;
  const frame = cpu.gpr(RSP) - bytes, end = frame - bytes * level, final = end - BigInt(insn.immLow & 0xffff);
  const enclosing = (n: bigint) => x.load(SS, at(cpu.gpr(RBP) - n * bytes), size);
  x.probeWrite(SS, at(frame), size >> 3);
  for (let n = 1n; n <= level; n++) {
    if (n < level) enclosing(n);
    x.probeWrite(SS, at(frame - n * bytes), size >> 3);
  }
  x.probeWrite(SS, at(final), size >> 3);

  const pointer = x.atStackWidth(BigInt.asUintN(64, frame));
  x.store(SS, at(frame), size, x.reg(RBP, size));
  for (let n = 1n; n < level; n++) x.store(SS, at(frame - n * bytes), size, enclosing(n));
  if (level > 0n) x.store(SS, at(end), size, pointer);
  x.setReg(RBP, pointer, size);
  x.setReg(RSP, x.atStackWidth(BigInt.asUintN(64, final)));
};

export const stackHelpers: Record<string, Helper> = {
  /** System flags changed from what they were before. */
  "flags.follow": (cpu, [before]) => {
    followFlags(cpu, Number(before));
    return 0n;
  },
  "flags.sensitive": (cpu, [operandSize]) => {
    usesVirtualFlag(cpu, Number(operandSize));
    return 0n;
  },
  "flags.virtual": (cpu, [flags]) => {
    checkVirtualFlags(cpu, Number(flags));
    return 0n;
  },
};

const d64 = { d64: true }, not64 = { not64: true }, PARTIAL = { vectors: { partial: true } };

export const stack: Instruction[] = [
  instruction("push", [form("50+r", "Zv", d64), form("68", "Iz", d64), form("6A", "Ibs", d64), form("FF /6", "Ev", d64)], push),
  instruction("pop", [form("58+r", "Zv", d64), form("8F /0", "Rv", d64)], pop),
  instruction("pop", [form("8F /0", "Mv", d64)], popToMemory),
  instruction("pusha", [form("60", "", not64)], pusha, PARTIAL),
  instruction("popa", [form("61", "", not64)], popa, PARTIAL),
  instruction("pushf", [form("9C", "", d64)], pushf),
  instruction("popf", [form("9D", "", d64)], popf, { endsBlock: true }),
  rare("enter", [form("C8", "Iw,Ib2", d64)], enter, PARTIAL),
  instruction("leave", [form("C9", "", d64)], leave),
];
