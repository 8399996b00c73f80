/**
 * Frames of several stack slots, as far transfers, events and their returns push and pop them: every slot is checked
 * before the first is written, and the common frame, which lies within one page, costs one look into the TLB.
 *
 * The slots are in S.FRAME, 8 bytes each; slot 0 has the lowest address.
 */

import { DB_BIT } from "./modes.ts";
import { PAGE } from "./physical.ts";
import type { Processor } from "./processor.ts";
import { type Descriptor, isCanonicalNumber } from "./segments.ts";
import { RSP, S, SEG, SS, segment } from "./state.ts";
import { type Access, ENTRY, READ, SLOW, WRITE } from "./tlb.ts";

/** A stack, in use or about to be. Offsets and addresses are numbers: unsigned, or canonical and signed in 64-bit mode. */
export interface Stack {
  readonly long: boolean;
  readonly base: number;
  /** Offsets that may be accessed, and mask of the stack pointer; not in 64-bit mode. */
  readonly first: number;
  readonly last: number;
  readonly mask: number;
  /** The stack pointer before anything is pushed. */
  readonly top: number;
  /** With which privilege it is accessed. */
  readonly cpl: number;
  /** Error code of the #SS of an access outside of it. */
  readonly code: number;
}

/** The stack in use, for a push or, if `read`, for a pop. */
export function currentStack(cpu: Processor, read = false, code = 0): Stack {
  const { u32 } = cpu.memory,
    at = segment(SS),
    window = at + (read ? SEG.readFirst : SEG.writeFirst);
  if (cpu.long) return longStack(cpu.number(S.GPR + 8 * RSP), cpu.cpl, code);
  const mask = u32[S.STACK_MASK >> 2]!;
  return {
    long: false,
    base: u32[(at + SEG.effectiveBase) >> 2]!,
    first: cpu.number(window),
    last: cpu.number(window + 8),
    mask,
    top: (cpu.gpr32(RSP) & mask) >>> 0,
    cpl: cpu.cpl,
    code,
  };
}
export const longStack = (top: number, cpl: number, code: number): Stack => ({
  long: true,
  base: 0,
  first: 0,
  last: 0,
  mask: 0,
  top,
  cpl,
  code,
});

/** The stack that a checked descriptor of a writable data segment makes. */
export function stackOf(d: Descriptor, pointer: number, cpl: number, code: number): Stack {
  const down = (d.access & 4) !== 0,
    big = (d.access & DB_BIT) !== 0,
    mask = big ? 0xffffffff : 0xffff;
  return {
    long: false,
    base: d.base,
    first: down ? d.limit + 1 : 0,
    last: down ? mask : d.limit,
    mask,
    top: (pointer & mask) >>> 0,
    cpl,
    code,
  };
}

/** Sets slot `i` of the frame to a number. */
export const setSlot = (cpu: Processor, i: number, value: number) => cpu.setNumber(S.FRAME + 8 * i, value);
/** Slot `i` as an unsigned 32-bit number, and as a 64-bit one, exact if it is canonical. */
export const slot = (cpu: Processor, i: number) => cpu.u32(S.FRAME + 8 * i);
export const longSlot = (cpu: Processor, i: number) => cpu.number(S.FRAME + 8 * i);

/** Writes slots 0..count-1 of `width` bytes each below the top; the new top. Writes nothing if it faults. */
export function pushFrame(cpu: Processor, stack: Stack, count: number, width: 2 | 4 | 8): number {
  const {
      access,
      memory: { u32 },
    } = cpu,
    cpl = u32[S.CPL >> 2]!,
    { checkAlignment } = access;
  u32[S.CPL >> 2] = stack.cpl; // whose rights the accesses have
  if (stack.cpl !== 3) access.checkAlignment = false;
  const host = hostOf(cpu, stack, -count * width, count * width, width, WRITE);
  const done = host > 0 ? copyOut(cpu, host, count, width) : host === SLOWLY && pushSlowly(cpu, stack, count, width);
  u32[S.CPL >> 2] = cpl;
  access.checkAlignment = checkAlignment;
  if (!done) throw cpu.pendingFault;
  return moved(stack, -count * width);
}
function copyOut(cpu: Processor, host: number, count: number, width: number): boolean {
  const { u32 } = cpu.memory,
    step = width >> 2;
  for (let i = 0, from = S.FRAME >> 2, to = host >> 2; i < count; i++, from += 2, to += step) {
    u32[to] = u32[from]!;
    if (width === 8) u32[to + 1] = u32[from + 1]!;
  }
  return true;
}
/** Probes the slots in the order in which they are pushed, from the top down, then writes them. */
function pushSlowly(cpu: Processor, stack: Stack, count: number, width: 2 | 4 | 8): boolean {
  for (let i = count - 1; i >= 0; i--) {
    const at = placeOf(cpu, stack, (i - count) * width, width);
    if (at === null || !cpu.access.probeWrite(at, width)) return false;
  }
  for (let i = count - 1; i >= 0; i--) {
    if (!cpu.access.store(addressOf(stack, (i - count) * width), width, S.FRAME + 8 * i)) return false;
  }
  return true;
}

/** Reads `count` slots of `width` bytes each, zero-extended, from `skip` bytes above the top on, into slots from `into` on. */
export function readFrame(cpu: Processor, stack: Stack, count: number, width: 2 | 4 | 8, skip = 0, into = 0): void {
  const { u32 } = cpu.memory,
    host = hostOf(cpu, stack, skip, count * width, width, READ),
    step = width >> 2;
  if (host === FAULT) throw cpu.pendingFault;
  for (let i = 0; i < count; i++) {
    const slotAt = S.FRAME + 8 * (into + i);
    if (host === SLOWLY) {
      const at = placeOf(cpu, stack, skip + i * width, width);
      if (at === null || !cpu.access.load(at, width, slotAt)) throw cpu.pendingFault;
    } else {
      u32[slotAt >> 2] = u32[(host >> 2) + i * step]!;
      u32[(slotAt >> 2) + 1] = width === 8 ? u32[(host >> 2) + i * step + 1]! : 0;
    }
  }
}

const FAULT = 0,
  SLOWLY = -1;
/**
 * Host address of `bytes` bytes from `from` above the top on, if they are whole words in one page of memory and nobody
 * watches; FAULT after a fault; SLOWLY in every other case, in which nothing was looked up.
 */
function hostOf(cpu: Processor, stack: Stack, from: number, bytes: number, width: number, access: Access): number {
  const first = addressOf(stack, from),
    offset = first & (PAGE - 1),
    { u32, codePages } = cpu.memory;
  if (width < 4 || offset & 3 || offset + bytes > PAGE || cpu.access.watch !== null || cpu.access.checkAlignment)
    return SLOWLY;
  const firstOffset = moved(stack, from),
    lastOffset = firstOffset + bytes - 1;
  if (
    stack.long
      ? !isCanonicalNumber(first)
      : firstOffset < stack.first || lastOffset > stack.last || lastOffset > stack.mask
  )
    return SLOWLY;
  // The slot that is accessed first is the one that a page fault names: the highest in a push, the lowest in a pop.
  const entry = cpu.access.look(access, access === WRITE ? first + bytes - width : first, "current");
  if (entry === 0) return FAULT;
  const host = u32[(entry + ENTRY.host) >> 2]!;
  if (u32[entry >> 2]! & SLOW) return SLOWLY;
  return host === 0 || (access === WRITE && codePages[u32[(entry + ENTRY.page) >> 2]!]) ? SLOWLY : host + offset;
}

/** The top after moving by `bytes`. */
export const moved = (stack: Stack, bytes: number) =>
  stack.long ? stack.top + bytes : ((stack.top + bytes) & stack.mask) >>> 0;

/** Sets RSP after a transfer that stays on a stack: as many bits as the stack's width has. */
export function setStackPointer(cpu: Processor, stack: Stack, top: number): void {
  if (stack.long) cpu.setNumber(S.GPR + 8 * RSP, top);
  else if (stack.mask === 0xffff) cpu.setU32(S.GPR + 8 * RSP, (cpu.gpr32(RSP) & 0xffff0000) | top);
  else cpu.setGpr32(RSP, top);
}

/** Linear address at `bytes` from the top. */
const addressOf = (stack: Stack, bytes: number) =>
  stack.long ? stack.top + bytes : (stack.base + moved(stack, bytes)) >>> 0;

/** As addressOf, checked against the segment, or for being canonical; null after #SS. */
function placeOf(cpu: Processor, stack: Stack, bytes: number, width: number): number | null {
  const at = addressOf(stack, bytes),
    offset = moved(stack, bytes);
  const inside = stack.long
    ? isCanonicalNumber(at) && isCanonicalNumber(at + width - 1)
    : offset >= stack.first && offset + width - 1 <= stack.last;
  if (inside) return at;
  cpu.setFault("SS", stack.code);
  return null;
}
