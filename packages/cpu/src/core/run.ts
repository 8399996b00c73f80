/**
 * The loop of one processor: events at block boundaries, the block at RIP, and the evaluator as executor. A debugger may
 * stop it between any two instructions (host-debug.ts): what is left of the block then comes first when it goes on.
 */
import { type BegunBlock, type Block, type BlockCache, offsetOf } from "./blocks.ts";
import { debugTrapsArmed, stepWithDebug } from "./debug.ts";
import type { Decoded } from "./decode.ts";
import { MAX_LENGTH } from "./decode.ts";
import { deliverFault, heldByShadow, takeEvent } from "./events.ts";
import { linearOf, wrapIP } from "./host-debug.ts";
import { PAGE } from "./physical.ts";
import type { Processor } from "./processor.ts";
import { CS, S, SEG, segment } from "./state.ts";
import { ENTRY, EXECUTE } from "./tlb.ts";

/** Runs instructions of a processor until its budget is used up, it must attend to events, or it stops. */
export interface Executor {
  readonly name: "evaluator" | "interpreter";
  run(cpu: Processor): void;
}

/** Runs `instructions` at most (to the first block boundary at or after them), or until the processor is not running. */
export function run(cpu: Processor, executor: Executor, instructions: number): void {
  const { i32 } = cpu.memory,
    { debug } = cpu;
  cpu.retiredEnd += instructions - i32[S.BUDGET >> 2]!;
  i32[S.BUDGET >> 2] = instructions;
  i32[S.ATTENTION >> 2] = 1;
  loop(cpu, debug.careful(cpu) ? evaluatorExecutor : executor);
  cpu.interrupted = debug.stop !== null;
}
function loop(cpu: Processor, executor: Executor): void {
  const { i32 } = cpu.memory,
    { debug } = cpu;
  while (!cpu.stopped && debug.goesOn(cpu)) {
    if (cpu.begun !== null) {
      goOn(cpu);
      continue;
    }
    if (i32[S.ATTENTION >> 2] !== 0) {
      i32[S.ATTENTION >> 2] = 0;
      cpu.attended = false;
      takeEvent(cpu);
      i32[S.ATTENTION >> 2] = heldByShadow(cpu) ? 1 : 0; // look again after the shadow's one instruction
      if (!debug.goesOn(cpu)) return;
    }
    if (i32[S.ACTIVITY >> 2] !== 0 || i32[S.BUDGET >> 2]! <= 0) return;
    const traps = debugTrapsArmed(cpu);
    if (!traps && i32[S.ATTENTION >> 2] === 0) executor.run(cpu);
    else if (debug.active && debug.stopsBefore(cpu)) return;
    else if (traps) stepWithDebug(cpu, () => step(cpu));
    else step(cpu);
  }
}

/** Runs exactly one instruction (one iteration, if repeated) with the evaluator; false if it could not be fetched. */
export function step(cpu: Processor): boolean {
  const block = blockAt(cpu);
  if (block === null) return false;
  cpu.oneIteration = true;
  runInstructions(cpu, block, { start: cpu.number(S.RIP), from: 0, to: 1, of: 1 });
  cpu.oneIteration = false;
  return true;
}

/** The evaluator as an executor of whole blocks. */
export const evaluatorExecutor: Executor = {
  name: "evaluator",
  run(cpu) {
    const { i32 } = cpu.memory;
    while (i32[S.BUDGET >> 2]! > 0 && i32[S.ATTENTION >> 2] === 0) {
      const block = wholeBlockAt(cpu);
      if (block !== null) runBlock(cpu, block);
    }
  },
};

/**
 * The block at CS:RIP, if it is to be run as a whole. Null if a fault was delivered instead, or the budget was used up;
 * or if it was run here, instruction by instruction, since it is not wholly within CS or since a debugger wants to look.
 */
export function wholeBlockAt(cpu: Processor): Block | null {
  const { debug } = cpu;
  if (debug.active && debug.stopsBefore(cpu)) return null;
  const block = blockAt(cpu);
  if (block === null) return null;
  if (beyondLimit(cpu, block)) {
    step(cpu);
    return null;
  }
  if (!debug.active || !debug.within(cpu, block)) return block;
  leaveWithin(cpu, block, cpu.number(S.RIP), 0);
  goOn(cpu);
  return null;
}

/** Remembers a block that is not at its end; RIP is that of its next instruction. */
export function leaveWithin(cpu: Processor, block: Block, start: number, index: number): void {
  const { physical, mode } = block;
  cpu.begun = { physical, mode, start, index, block };
}
/** Goes on with the block that was begun, to its end or until a debugger stops it. */
function goOn(cpu: Processor): void {
  const { debug } = cpu;
  let begun = cpu.begun;
  for (let checked = begun?.index === 0; begun !== null; checked = false) {
    const block = begunBlock(cpu, begun);
    if (block !== null && !checked && debug.active && debug.stopsBefore(cpu)) return;
    cpu.begun = null;
    if (block === null) return;
    const { start, index } = begun;
    runInstructions(cpu, block, { start, from: index, to: index + 1, of: block.insns.length });
    if (!debug.goesOn(cpu)) return;
    begun = cpu.begun;
  }
}
/** Null if it does not go on there any more: its bytes, RIP or the mode were changed from outside. */
function begunBlock(cpu: Processor, { physical, mode, start, index, block }: BegunBlock): Block | null {
  if (mode !== cpu.u32(S.MODE)) return null;
  const host = cpu.memory.readHost[Math.floor(physical / PAGE)];
  const found = block ?? (host ? cpu.blocks.find(physical, host, mode) : null);
  if (found === null || !found.valid || index >= found.insns.length) return null;
  return wrapIP(cpu, start + offsetOf(found, index)) === cpu.number(S.RIP) ? found : null;
}

/**
 * The block at CS:RIP, through the TLB; null after a fault, which is then delivered. What the walk was charged may have
 * used up the budget: then nothing may run any more, and the answer is null too.
 */
export function blockAt(cpu: Processor): Block | null {
  const block = fetch(cpu);
  return block !== null && cpu.memory.i32[S.BUDGET >> 2]! > 0 ? block : null;
}
function fetch(cpu: Processor): Block | null {
  const ip = cpu.number(S.RIP),
    { access, memory, blocks } = cpu;
  cpu.ip = ip;
  cpu.remaining = 0;
  if (!cpu.long && ip > cpu.number(segment(CS) + SEG.limit)) return refuse(cpu, "GP");
  const linear = linearOf(cpu, ip);
  if (linear >= 2 ** 47 && cpu.long) return refuse(cpu, "GP");
  const entry = access.look(EXECUTE, linear, "current");
  if (entry === 0) return fetchFault(cpu);
  const { u32 } = memory,
    host = u32[(entry + ENTRY.host) >> 2]!,
    page = u32[(entry + ENTRY.page) >> 2]!;
  const physical = page * PAGE + (linear & (PAGE - 1)),
    mode = u32[S.MODE >> 2]!;
  if (host === 0) return uncached(cpu, blocks, physical, mode);
  const block = blocks.find(physical, host, mode);
  if (block !== null) return block;
  const nextLinear = cpu.long
    ? linear - (linear & (PAGE - 1)) + PAGE
    : (linear - (linear & (PAGE - 1)) + PAGE) % 2 ** 32;
  if (nextLinear >= 2 ** 47 && cpu.long) return refuse(cpu, "GP");
  const second = access.look(EXECUTE, nextLinear, "current");
  if (second === 0) return fetchFault(cpu);
  const secondHost = u32[(second + ENTRY.host) >> 2]!;
  if (secondHost === 0) return uncached(cpu, blocks, physical, mode);
  return blocks.findCrossing(physical, host, u32[(second + ENTRY.page) >> 2]!, secondHost, mode);
}

/** Code in device memory: read byte by byte, run once, never remembered. */
function uncached(cpu: Processor, blocks: BlockCache, physical: number, mode: number): Block {
  const bytes = new Uint8Array(MAX_LENGTH);
  for (let i = 0; i < MAX_LENGTH; i++) {
    const at = physical + i,
      page = Math.floor(at / PAGE),
      host = page < 1 << 20 ? cpu.memory.readHost[page]! : 0;
    bytes[i] = host !== 0 ? cpu.memory.u8[host + (at % PAGE)]! : cpu.memory.handler(page).read(at, 1);
  }
  return blocks.single(bytes, physical, mode);
}

function refuse(cpu: Processor, exception: "GP"): null {
  cpu.setFault(exception, 0);
  return fetchFault(cpu);
}
function fetchFault(cpu: Processor): null {
  deliverFault(cpu);
  return null;
}

/** True if the block runs over the limit of CS: then it is stepped, with a check before each instruction. */
export const beyondLimit = (cpu: Processor, block: Block): boolean =>
  !cpu.long && cpu.number(S.RIP) + block.bytes - 1 > cpu.number(segment(CS) + SEG.limit);

/** Runs a whole block with the evaluator. */
export function runBlock(cpu: Processor, block: Block): void {
  const count = block.insns.length;
  runInstructions(cpu, block, { start: cpu.number(S.RIP), from: 0, to: count, of: count });
}

/** Instructions `from` to `to` - 1 of a block of `of`, which began at `start`. */
interface Range {
  readonly start: number;
  readonly from: number;
  readonly to: number;
  readonly of: number;
}
/** Runs instructions of a block with the evaluator. If they do not end it, it is left within. */
function runInstructions(cpu: Processor, block: Block, { start, from, to, of }: Range): void {
  const { i32 } = cpu.memory;
  i32[S.BUDGET >> 2] -= of - from;
  i32[S.MID_REPEAT >> 2] = 0;
  cpu.setNumber(S.RIP, start);
  let next = wrapIP(cpu, start + offsetOf(block, from));
  for (let i = from; i < to; i++) {
    const insn = block.insns[i]!,
      ip = next,
      left = of - i - 1;
    next = wrapIP(cpu, ip + insn.length);
    cpu.remaining = left + 1;
    if (!runOne(cpu, insn, ip, next)) return;
    if (cpu.jumped) return;
    if (left > 0 && block.valid && i + 1 < to && cpu.debug.stop === null) continue;
    i32[S.BUDGET >> 2] += left;
    cpu.remaining = 0;
    cpu.setNumber(S.RIP, next);
    if (left > 0 && block.valid) leaveWithin(cpu, block, start, i + 1);
    return;
  }
}

/** One instruction; false if it faulted (the fault was delivered). RIP is left to the caller unless `cpu.jumped`. */
function runOne(cpu: Processor, insn: Decoded, ip: number, next: number): boolean {
  try {
    if (!cpu.long && next - 1 > cpu.number(segment(CS) + SEG.limit) && next !== 0) {
      cpu.ip = ip;
      cpu.fault("GP", 0);
    }
    if (insn.repeat === "none") cpu.x.run(insn, ip, next);
    else repeat(cpu, insn, ip, next);
    if (cpu.unwinds) {
      faulted(cpu, ip);
      return false;
    }
    if (cpu.jumped) cpu.remaining = 0;
    return true;
  } catch (e) {
    if (e !== cpu.pendingFault) throw e;
    faulted(cpu, ip);
    return false;
  }
}

/** The instruction at `ip` faulted: it and the rest of its block were not executed. */
export function faulted(cpu: Processor, ip: number): void {
  cpu.memory.i32[S.BUDGET >> 2] += cpu.remaining;
  cpu.remaining = 0;
  cpu.ip = ip;
  cpu.setNumber(S.RIP, ip);
  deliverFault(cpu);
}

/**
 * A repeated string instruction [SDM 2B "REP"]: each iteration counts as one instruction, and events are taken between
 * iterations at the same counts in every executor.
 */
function repeat(cpu: Processor, insn: Decoded, ip: number, next: number): void {
  const { i32 } = cpu.memory,
    mask = insn.addressSize === 64 ? ~0n : insn.addressSize === 32 ? 0xffffffffn : 0xffffn;
  cpu.jumped = false;
  cpu.setBounds(insn, ip, next);
  for (;;) {
    const count = cpu.gpr(1) & mask;
    if (count === 0n) return;
    cpu.x.run(insn, ip, next);
    cpu.x.setReg(1, (count - 1n) & mask, insn.addressSize);
    const left = count - 1n !== 0n;
    const goesOn = insn.def.repeat !== "repz" || (cpu.x.flag("ZF") !== 0n) === (insn.repeat === "rep");
    if (!left || !goesOn) return;
    if (i32[S.BUDGET >> 2]! <= 0 || i32[S.ATTENTION >> 2] !== 0 || cpu.oneIteration || cpu.debug.careful(cpu)) {
      cpu.debug.passIteration(cpu);
      cpu.jumpTo(ip);
      cpu.setU32(S.MID_REPEAT, 1);
      return;
    }
    i32[S.BUDGET >> 2]! -= 1;
  }
}
