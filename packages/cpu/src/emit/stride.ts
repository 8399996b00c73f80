/**
 * Repeated MOVS and STOS in strides: as many iterations as stay within one page on each side and within the budget, done
 * with one bulk operation. Exact: the TLB lookups that are left out are proved to hit, and counts are those of the
 * iterations one by one.
 */

import { DF } from "../core/flags.ts";
import { PAGE } from "../core/physical.ts";
import type { Processor } from "../core/processor.ts";
import { ES, RCX, RDI, RSI, S, SEG, segment } from "../core/state.ts";
import { type Access, ENTRY, READ, SLOW, WRITE } from "../core/tlb.ts";

/** Iterations done; 0 if this one must be done by the definition. The first one is paid for, the others are charged here. */
export function strideOf(cpu: Processor): number {
  const { insn } = cpu.x,
    { memory } = cpu,
    size = insn.operands[0]!.size >> 3,
    moves = insn.def.name === "movs";
  if (memory.u32[S.FLAGS >> 2]! & DF || insn.addressSize === 16) return 0;
  let count = countOf(cpu, insn.addressSize);
  count = Math.min(count, Math.max(1, memory.i32[S.BUDGET >> 2]! + 1));
  const to = place(cpu, WRITE, ES, RDI, size, count);
  if (to === null) return 0;
  count = to.count;
  if (!moves) fill(cpu, to.host, size, count);
  else {
    const from = place(cpu, READ, insn.segment, RSI, size, count);
    if (from === null) return 0;
    count = from.count;
    const gap = to.host - from.host; // a forward copy onto itself repeats what it has just written
    if (gap > 0 && gap < count * size) count = Math.floor(gap / size);
    if (count === 0) return 0;
    memory.u8.copyWithin(to.host, from.host, from.host + count * size);
    advance(cpu, RSI, count * size, insn.addressSize);
  }
  advance(cpu, RDI, count * size, insn.addressSize);
  advance(cpu, RCX, -count, insn.addressSize);
  memory.i32[S.BUDGET >> 2]! -= count - 1;
  return count;
}

function countOf(cpu: Processor, addressSize: number): number {
  const high = addressSize === 64 ? cpu.memory.u32[(S.GPR >> 2) + 2 * RCX + 1]! : 0;
  return high !== 0 ? 0x40000000 : cpu.gpr32(RCX);
}
function advance(cpu: Processor, register: number, by: number, addressSize: number): void {
  if (addressSize === 64) cpu.setGpr(register, BigInt.asUintN(64, cpu.gpr(register) + BigInt(by)));
  else cpu.setGpr32(register, cpu.gpr32(register) + by);
}

/** Host address of [segment:register] and how many elements fit in the page, if the TLB has it for fast access. */
function place(
  cpu: Processor,
  access: Access,
  n: number,
  register: number,
  size: number,
  count: number,
): { host: number; count: number } | null {
  const { memory } = cpu,
    { insn } = cpu.x,
    at = segment(n);
  const offset = insn.addressSize === 64 ? cpu.number(S.GPR + 8 * register) : cpu.gpr32(register);
  if (!insn.long) {
    const first = cpu.number(at + (access === WRITE ? SEG.writeFirst : SEG.readFirst));
    const last = cpu.number(at + (access === WRITE ? SEG.writeLast : SEG.readLast));
    if (offset < first || offset + count * size - 1 > last) return null;
  }
  const base = cpu.number(at + SEG.effectiveBase),
    sum = base + offset,
    linear = insn.long ? sum : sum % 2 ** 32;
  if (insn.long && (linear < -(2 ** 47) || linear >= 2 ** 47 || Math.abs(base) > 2 ** 47 || Math.abs(offset) > 2 ** 47))
    return null;
  const entry = cpu.access.tlb.entry(access, linear),
    context = cpu.access.context(access, "current");
  if (
    !cpu.access.tlb.hit(entry, linear, context) ||
    memory.u32[entry >> 2]! & SLOW ||
    memory.u32[S.TLB_CONTEXT >> 2]! & SLOW
  )
    return null;
  const offsetInPage = linear & (PAGE - 1),
    fit = Math.floor((PAGE - offsetInPage) / size);
  return fit === 0
    ? null
    : { host: memory.u32[(entry + ENTRY.host) >> 2]! + offsetInPage, count: Math.min(count, fit) };
}

function fill(cpu: Processor, host: number, size: number, count: number): void {
  const { u8, u16, u32, u64 } = cpu.memory,
    low = cpu.gpr32(0);
  if (size === 1) u8.fill(low & 0xff, host, host + count);
  else if (host % size === 0 && size === 2) u16.fill(low, host >>> 1, (host >>> 1) + count);
  else if (host % size === 0 && size === 4) u32.fill(low, host >>> 2, (host >>> 2) + count);
  else if (host % size === 0 && size === 8) u64.fill(cpu.gpr(0), host / 8, host / 8 + count);
  else {
    cpu.setU64(S.RESULT, cpu.gpr(0));
    for (let i = 0; i < count; i++) u8.copyWithin(host + i * size, S.RESULT, S.RESULT + size);
  }
}
