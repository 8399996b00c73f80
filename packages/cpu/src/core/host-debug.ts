/**
 * Debugging from outside the guest: breakpoints, watchpoints and single-stepping that never change what the guest does.
 *
 * Events are taken between blocks only, and where blocks end follows from the guest's bytes. So when execution stops
 * within a block, the processor keeps what is left of it (`cpu.begun`) and runs that first when it goes on: it comes to
 * every block boundary at the count at which it would have come without a debugger. Nothing here is architectural.
 *
 * Emitted code knows nothing of all this. TLB entries of pages that hold a breakpoint or watched bytes are marked slow:
 * their accesses come to TypeScript, all others stay fast.
 */
import { ConfigError } from "@castaway/kit";
import { type Block, offsetOf } from "./blocks.ts";
import { resumeFlag } from "./debug.ts";
import { linearToPhysical } from "./peek.ts";
import { PAGE } from "./physical.ts";
import type { Processor } from "./processor.ts";
import { CS, S, SEG, segment } from "./state.ts";
import { EXECUTE, READ, WRITE } from "./tlb.ts";

/** Which accesses a watchpoint stops: reads, writes, or both. */
export type WatchKind = "read" | "write" | "access";

/** Why debugging stopped a run. */
export interface DebugStop {
  readonly reason: "breakpoint" | "watchpoint" | "step";
  /** The processor that stopped. */
  readonly cpu: number;
  /**
   * Linear: of the instruction that comes next (breakpoint, step), or of the first watched byte that was touched.
   * Addresses of the upper half are negative.
   */
  readonly address: number;
  /** Of a watchpoint: what the instruction did. */
  readonly access?: "read" | "write";
  readonly detail: string;
}

interface Watchpoint {
  readonly linear: number;
  readonly bytes: number;
  readonly kind: WatchKind;
}
const MOST_WATCHED = 2 ** 20,
  /** Stands for every processor. */
  ALL = -1;

export class HostDebug {
  /**
   * Called before every instruction (each iteration of a repeated one) of every processor, which costs the speed of
   * emitted code. It may read the machine's state, and must not change it; true stops the run with reason "step".
   * The instruction at which it stopped is not asked about again. It takes effect with the next `run`.
   */
  onInstruction: ((cpu: number) => boolean) | null = null;
  /** For the processor's loops: why they must stop; null: they go on. */
  stop: DebugStop | null = null;
  /** For the processor's loops: there are breakpoints, a hook or a step, so that `stopsBefore` must be asked. */
  active = false;

  #processors: readonly Processor[] = [];
  #activate: (cpu: number) => void = () => {};
  /** Which processors stop at a linear address. */
  readonly #breakpoints = new Map<number, Set<number>>();
  readonly #watchpoints: Watchpoint[] = [];
  /** Linear page numbers whose TLB entries are slow, by access. */
  readonly #slowPages: Record<number, Set<number>> = { [READ]: new Set(), [WRITE]: new Set(), [EXECUTE]: new Set() };
  /** The processor that is stepped, and where it was. */
  #stepping = { cpu: -1, retired: 0, deliveries: 0 };
  /** The instruction at which the hook stopped. */
  #asked = { cpu: -1, retired: 0, linear: 0 };

  /** For `Cpu`: whom this is about; `activate` brings a processor's registers into the window. */
  attach(processors: readonly Processor[], activate: (cpu: number) => void): void {
    this.#processors = processors;
    this.#activate = activate;
  }

  // ---- what a debugger asks for ----

  /**
   * Stops before the instruction at a linear address is executed, in whatever mode and address space, by all processors
   * or the one named. A repeated instruction is stopped at once, before its first iteration. Running on passes it.
   * @param linear below 2^32, or canonical: addresses of the upper half are negative
   * @throws {ConfigError} if it is neither
   */
  addBreakpoint(linear: number, { cpu = ALL }: { cpu?: number } = {}): void {
    checkLinear(linear);
    const whom = this.#breakpoints.get(linear) ?? new Set();
    this.#breakpoints.set(linear, whom.add(cpu));
    this.#changed();
  }
  /** Takes back what `addBreakpoint` did with the same arguments; nothing happens if there is none. */
  removeBreakpoint(linear: number, { cpu = ALL }: { cpu?: number } = {}): void {
    const whom = this.#breakpoints.get(linear);
    whom?.delete(cpu);
    if (whom?.size === 0) this.#breakpoints.delete(linear);
    this.#changed();
  }
  /**
   * Stops after an instruction (an iteration of a repeated one, the delivery of an event) that touched one of `bytes`
   * bytes (1 to 1 MiB) from a linear address on, whichever processor it is. Page walks and fetches do not count.
   * @throws {ConfigError} if the range is impossible
   */
  addWatchpoint(linear: number, bytes: number, kind: WatchKind): void {
    checkLinear(linear);
    if (!Number.isInteger(bytes) || bytes < 1 || bytes > MOST_WATCHED)
      throw new ConfigError("bytes", bytes, `1 to ${MOST_WATCHED}`);
    this.#watchpoints.push({ linear, bytes, kind });
    this.#changed();
  }
  /** Takes back what `addWatchpoint` did with the same arguments; nothing happens if there is none. */
  removeWatchpoint(linear: number, bytes: number, kind: WatchKind): void {
    const at = this.#watchpoints.findIndex((w) => w.linear === linear && w.bytes === bytes && w.kind === kind);
    if (at >= 0) this.#watchpoints.splice(at, 1);
    this.#changed();
  }

  /** Pages are marked anew, in every TLB. */
  #changed(): void {
    for (const pages of Object.values(this.#slowPages)) pages.clear();
    for (const linear of this.#breakpoints.keys()) this.#slowPages[EXECUTE]!.add(pageOf(linear));
    for (const { linear, bytes, kind } of this.#watchpoints) {
      for (let page = pageOf(linear); page <= pageOf(linear + bytes - 1); page++) {
        if (kind !== "write") this.#slowPages[READ]!.add(page);
        this.#slowPages[WRITE]!.add(page); // a read-modify-write reads through its write entry
      }
    }
    const none = this.#breakpoints.size === 0 && this.#watchpoints.length === 0;
    for (const cpu of this.#processors) {
      cpu.access.tlb.marked = none ? null : (access, linear) => this.#slowPages[access]!.has(pageOf(linear));
      cpu.access.tlb.refreshHosts();
      cpu.access.touched = this.#watchpoints.length === 0 ? null : (...access) => this.#touched(cpu, ...access);
    }
    this.#refresh();
  }
  #refresh(): void {
    this.active = this.#breakpoints.size > 0 || this.onInstruction !== null || this.#stepping.cpu >= 0;
  }

  // ---- what `Cpu` asks for ----

  /** Another state was restored: the hook has not seen its instructions. */
  forget(): void {
    this.#asked.cpu = -1;
  }

  /** Begins a run; `stepping` is the processor that is to run one instruction, or undefined. */
  begin(stepping: Processor | undefined): void {
    this.stop = null;
    this.#stepping.cpu = -1;
    if (stepping !== undefined) {
      this.#stepping = { cpu: stepping.id, retired: stepping.retired(), deliveries: stepping.deliveries };
      this.#pass(stepping);
    }
    this.#refresh();
  }
  /** Ends it: why debugging stopped it, if it did. The processor that stopped goes on from where it is. */
  end(): DebugStop | null {
    this.#stepping.cpu = -1;
    const { stop } = this;
    this.stop = null;
    if (stop === null) return null;
    const cpu = this.#processors[stop.cpu]!;
    this.#activate(cpu.id);
    this.#pass(cpu);
    return stop.reason === "step" ? { ...stop, address: linearIP(cpu) } : stop;
  }
  #pass(cpu: Processor): void {
    cpu.passed = { linear: linearIP(cpu), retired: cpu.retired() };
  }

  // ---- what the processor's loops ask ----

  /** Must every instruction be run by itself? */
  careful(cpu: Processor): boolean {
    return this.onInstruction !== null || this.#stepping.cpu === cpu.id;
  }
  /** False if the loop must stop between two instructions. */
  goesOn(cpu: Processor): boolean {
    if (this.stop !== null) return false;
    const from = this.#stepping;
    if (from.cpu !== cpu.id || (cpu.retired() === from.retired && cpu.deliveries === from.deliveries)) return true;
    this.#halt(cpu, { reason: "step", cpu: cpu.id, address: 0, detail: "stepped" });
    return false;
  }
  /** True if the instruction at RIP must not be run yet. The processor is between two instructions. */
  stopsBefore(cpu: Processor): boolean {
    if (!this.goesOn(cpu)) return true;
    const linear = linearIP(cpu);
    if (this.#breaksAt(cpu, linear) && !this.#hasPassed(cpu, linear) && isMapped(cpu, linear)) {
      this.#halt(cpu, {
        reason: "breakpoint",
        cpu: cpu.id,
        address: linear,
        detail: `breakpoint at ${hexadecimal(linear)}`,
      });
      return true;
    }
    return this.onInstruction !== null && this.#hookStops(cpu, linear);
  }
  #breaksAt(cpu: Processor, linear: number): boolean {
    const whom = this.#breakpoints.get(linear);
    return whom !== undefined && (whom.has(ALL) || whom.has(cpu.id));
  }
  /**
   * The debugger knows that the processor is here: it stopped here and did nothing since, or RF says that it is coming
   * back to the instruction after an event between iterations or a fault.
   */
  #hasPassed(cpu: Processor, linear: number): boolean {
    const { passed } = cpu;
    return passed?.linear === linear && (passed.retired === cpu.retired() || resumeFlag(cpu));
  }
  #hookStops(cpu: Processor, linear: number): boolean {
    const retired = cpu.retired(),
      asked = this.#asked;
    if (asked.cpu === cpu.id && asked.retired === retired && asked.linear === linear) return false;
    const stops = this.onInstruction!(cpu.id);
    this.#activate(cpu.id); // it may have looked at another one
    if (!stops) return false;
    this.#asked = { cpu: cpu.id, retired, linear };
    this.#halt(cpu, { reason: "step", cpu: cpu.id, address: linear, detail: "stopped by onInstruction" });
    return true;
  }
  /** Must this block, which is about to begin, be run one instruction at a time? */
  within(cpu: Processor, block: Block): boolean {
    if (this.careful(cpu)) return true;
    const ip = cpu.number(S.RIP);
    return (
      this.inMarkedPage(cpu) &&
      block.insns.some((_, i) => this.#breaksAt(cpu, linearOf(cpu, wrapIP(cpu, ip + offsetOf(block, i)))))
    );
  }
  /** Does code at RIP never come out of the block table, since its page holds a breakpoint? */
  inMarkedPage(cpu: Processor): boolean {
    return this.#slowPages[EXECUTE]!.has(pageOf(linearIP(cpu)));
  }
  /** A repeated instruction ends between two iterations, the one at hand included: its breakpoint is behind it. */
  passIteration(cpu: Processor): void {
    if (this.active) cpu.passed = { linear: linearOf(cpu, cpu.ip), retired: cpu.retired() + cpu.remaining };
  }

  #touched(cpu: Processor, linear: number, bytes: number, write: boolean): void {
    for (const w of this.#watchpoints) {
      if (w.linear >= linear + bytes || linear >= w.linear + w.bytes) continue;
      if (w.kind === (write ? "read" : "write")) continue;
      const known = this.stop;
      if (known !== null && !(known.access === "read" && write)) return; // the first access counts, but a write more
      const access = write ? "write" : "read",
        address = Math.max(linear, w.linear);
      this.#halt(cpu, {
        reason: "watchpoint",
        cpu: cpu.id,
        address,
        access,
        detail: `${access} of ${hexadecimal(address)}`,
      });
      return;
    }
  }
  #halt(cpu: Processor, stop: DebugStop): void {
    this.stop = stop;
    cpu.attend();
  }
}

const pageOf = (linear: number) => Math.floor(linear / PAGE);
/** An offset in CS, cut to its width. */
export const wrapIP = (cpu: Processor, ip: number) => (cpu.long ? ip : ip >>> 0);
/** Linear address of an offset in CS. */
export function linearOf(cpu: Processor, ip: number): number {
  return cpu.long ? ip : (cpu.number(segment(CS) + SEG.effectiveBase) + ip) % 2 ** 32;
}
const linearIP = (cpu: Processor) => linearOf(cpu, cpu.number(S.RIP));

/** Can code be fetched here at all? If not, a fault comes first. */
function isMapped(cpu: Processor, linear: number): boolean {
  const { access } = cpu;
  return (
    access.tlb.hit(access.tlb.entry(EXECUTE, linear), linear, access.context(EXECUTE, "current")) ||
    linearToPhysical(cpu, linear) !== null
  );
}
function checkLinear(linear: number): void {
  if (!Number.isInteger(linear) || linear < -(2 ** 47) || linear >= 2 ** 47)
    throw new ConfigError("linear", linear, "a canonical address; those of the upper half are negative");
}
const hexadecimal = (linear: number) => BigInt.asUintN(64, BigInt(linear)).toString(16);
