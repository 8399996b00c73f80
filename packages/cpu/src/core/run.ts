/** The loop of one processor: events at block boundaries, the block at RIP, and the evaluator as executor. */
import type { Block, BlockCache } from "./blocks.ts";
import { debugTrapsArmed, stepWithDebug } from "./debug.ts";
import type { Decoded } from "./decode.ts";
import { MAX_LENGTH } from "./decode.ts";
import { deliverFault, takeEvent } from "./events.ts";
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
  const { i32 } = cpu.memory;
  cpu.retiredEnd += instructions - i32[S.BUDGET >> 2]!;
  i32[S.BUDGET >> 2] = instructions;
  i32[S.ATTENTION >> 2] = 1;
  while (!cpu.stopped) {
    if (i32[S.ATTENTION >> 2] !== 0) {
      i32[S.ATTENTION >> 2] = 0;
      cpu.attended = false;
      takeEvent(cpu);
      if (cpu.inShadow()) i32[S.ATTENTION >> 2] = 1; // look again after the shadow's one instruction
    }
    if (i32[S.ACTIVITY >> 2] !== 0 || i32[S.BUDGET >> 2]! <= 0) return;
    if (debugTrapsArmed(cpu)) stepWithDebug(cpu, () => step(cpu));
    else if (i32[S.ATTENTION >> 2] !== 0) step(cpu);
    else executor.run(cpu);
  }
}

/** Runs exactly one instruction (one iteration, if repeated) with the evaluator. */
export function step(cpu: Processor): void {
  const block = blockAt(cpu);
  if (block === null) return;
  const { i32 } = cpu.memory,
    spare = i32[S.BUDGET >> 2]! - 1;
  i32[S.BUDGET >> 2] = 1; // ends a repeated string instruction after one iteration
  cpu.retiredEnd -= spare;
  runInstructions(cpu, block, 1);
  i32[S.BUDGET >> 2] += spare;
  cpu.retiredEnd += spare;
}

/** The evaluator as an executor of whole blocks. */
export const evaluatorExecutor: Executor = {
  name: "evaluator",
  run(cpu) {
    const { i32 } = cpu.memory;
    while (i32[S.BUDGET >> 2]! > 0 && i32[S.ATTENTION >> 2] === 0) {
      const block = blockAt(cpu);
      if (block === null) return;
      if (beyondLimit(cpu, block)) step(cpu);
      else runBlock(cpu, block);
    }
  },
};

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
  const linear = codeLinear(cpu, ip);
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

/** Linear address of an offset in CS, as a number. */
function codeLinear(cpu: Processor, ip: number): number {
  return cpu.long ? ip : (cpu.number(segment(CS) + SEG.effectiveBase) + ip) % 2 ** 32;
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
  runInstructions(cpu, block, block.insns.length);
}

/** Runs the first `count` instructions of a block with the evaluator. */
function runInstructions(cpu: Processor, block: Block, count: number): void {
  const { i32 } = cpu.memory,
    start = cpu.number(S.RIP);
  i32[S.BUDGET >> 2] -= count;
  for (let i = 0; i < count; i++) {
    const insn = block.insns[i]!,
      ip = wrap(cpu, start + block.offsets[i]!),
      next = wrap(cpu, ip + insn.length);
    cpu.remaining = count - i;
    if (!runOne(cpu, insn, ip, next)) return;
    if (cpu.jumped) return;
    if (!block.valid && i + 1 < count) {
      i32[S.BUDGET >> 2] += count - i - 1;
      cpu.remaining = 0;
      cpu.setNumber(S.RIP, next);
      return;
    }
  }
  const last = block.insns[count - 1]!;
  cpu.remaining = 0;
  cpu.setNumber(S.RIP, wrap(cpu, start + block.offsets[count - 1]! + last.length));
}
const wrap = (cpu: Processor, ip: number) => (cpu.long ? ip : ip >>> 0);

/** One instruction; false if it faulted (the fault was delivered). RIP is left to the caller unless `cpu.jumped`. */
function runOne(cpu: Processor, insn: Decoded, ip: number, next: number): boolean {
  try {
    if (!cpu.long && next - 1 > cpu.number(segment(CS) + SEG.limit) && next !== 0) {
      cpu.ip = ip;
      cpu.fault("GP", 0);
    }
    if (insn.repeat === "none") cpu.x.run(insn, ip, next);
    else repeat(cpu, insn, ip, next);
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
    if (i32[S.BUDGET >> 2]! <= 0 || i32[S.ATTENTION >> 2] !== 0) {
      cpu.jumpTo(ip);
      cpu.setU32(S.MID_REPEAT, 1);
      return;
    }
    i32[S.BUDGET >> 2]! -= 1;
  }
}
