/**
 * How far a deployment is, seen from outside: by frames, VMXON, VM entries, VMXOFF and disk commands. Nothing that the
 * hypervisor says counts. It is a part of the machine's snapshots, so a restored deployment has its whole history.
 */
import { list, type Nanoseconds, natural, nullable, oneOf, record, type StateOf, text } from "@castaway/kit";
import type { MachinePart } from "../beside.ts";
import type { Watch } from "../console.ts";
import type { Machine } from "../machine.ts";

/**
 * - firmware: from power-on or reset
 * - network: from the first frame on the deployment cable: iPXE asks, loads and starts the hypervisor
 * - hypervisor: from the first VMXON
 * - streaming: from the first VM entry; the guest runs, its disk comes
 * - bare: from the last processor's VMXOFF; the guest runs on the bare machine
 */
export const phases = ["firmware", "network", "hypervisor", "streaming", "bare"] as const;
export type Phase = (typeof phases)[number];

/** A phase that began. */
export interface PhaseStart {
  readonly phase: Phase;
  /** Virtual time. */
  readonly at: Nanoseconds;
}

const observerState = record({
  starts: list(record({ phase: oneOf(...phases), at: natural })),
  read: natural,
  written: natural,
  /** VM exits by reason: a machine counts its own only. */
  exits: list(record({ reason: text, count: natural })),
  exitsWhenBare: nullable(natural),
});

/** Bytes a sector of the disks of a laboratory. */
const SECTOR = 512;

export class Observer implements MachinePart {
  readonly state = observerState;
  #machine: Machine | null = null;
  #starts: PhaseStart[] = [{ phase: "firmware", at: 0 }];
  #read = 0;
  #written = 0;
  /** VM exits of a machine that this one continues, less its own when it was restored. */
  #exitsBefore: Record<string, number> = {};
  #exitsWhenBare: number | null = null;
  readonly #listeners = new Set<(start: PhaseStart) => void>();
  #unlisten = () => {};

  /** Watches from now on. */
  watch(machine: Machine): void {
    this.#machine = machine;
    const { vmxOperation, resets, disks } = machine.probes;
    vmxOperation.on(({ processor, on, time }) => (on ? this.#reach("hypervisor", time) : this.#left(processor, time)));
    resets.on(({ now }) => this.#exitsWhenBare === null && this.#begin("firmware", now));
    disks[0]!.commands.on(({ name, moved }) => {
      if (/^READ (SECTORS|DMA|MULTIPLE|FPDMA)/.test(name)) this.#read += moved * SECTOR;
      if (/^WRITE (SECTORS|DMA|MULTIPLE|FPDMA)/.test(name)) this.#written += moved * SECTOR;
    });
    this.#listen();
  }

  /** All that began, in order; a machine that is reset before its deployment is complete begins again. */
  get starts(): readonly PhaseStart[] {
    return this.#starts;
  }
  get phase(): Phase {
    return this.#starts.at(-1)!.phase;
  }
  /** What the drive moved for whoever asked, in bytes. */
  get disk(): { readonly read: number; readonly written: number } {
    return { read: this.#read, written: this.#written };
  }
  /** VM exits by reason since power-on, the most frequent first. */
  get exits(): Readonly<Record<string, number>> {
    const sums = { ...this.#exitsBefore };
    for (const [reason, count] of Object.entries(this.#machine?.vmExits.byReason ?? {}))
      sums[reason] = (sums[reason] ?? 0) + count;
    const found = Object.entries(sums).filter(([, count]) => count > 0);
    return Object.fromEntries(found.sort(([r1, n1], [r2, n2]) => n2 - n1 || (r1 < r2 ? -1 : 1)));
  }
  /** VM exits since the last VMXOFF; null: it has not come. */
  get exitsAfter(): number | null {
    return this.#exitsWhenBare === null ? null : total(this.exits) - this.#exitsWhenBare;
  }

  /** For `run`: sees the phase's beginning, or that it has begun already. @param name under which `run` tells of it */
  reaches(phase: Phase, name: string = phase): Watch {
    const begun = () => !this.#precedes(phase);
    const listeners = this.#listeners;
    const watch = {
      name,
      seen: begun(),
      look: () => {
        watch.seen ||= begun();
      },
      listen: (heard: () => void) => {
        const told = () => {
          watch.look();
          if (watch.seen) heard();
        };
        listeners.add(told);
        return () => listeners.delete(told);
      },
    };
    return watch;
  }
  /** Calls `listener` when a phase begins. @returns a function that ends it */
  onPhase(listener: (start: PhaseStart) => void): () => void {
    const own = (start: PhaseStart) => listener(start);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  // ---- what happens ----

  #begin(phase: Phase, at: Nanoseconds): void {
    const start = { phase, at };
    this.#starts.push(start);
    this.#listen();
    for (const listener of this.#listeners) listener(start);
  }
  /** Phases follow each other: what belongs to an earlier one changes nothing. */
  #reach(phase: Phase, at: Nanoseconds): void {
    if (this.#precedes(phase)) this.#begin(phase, at);
  }
  #left(processor: number, time: Nanoseconds): void {
    const { processors } = this.#machine!.board.cpu;
    const others = processors.some(({ id, vmx }) => id !== processor && vmx.vmxonPointer >= 0);
    if (others || this.phase !== "streaming") return;
    this.#exitsWhenBare = total(this.exits);
    this.#begin("bare", time);
  }
  /** Frames and VM entries are frequent: somebody listens until the first one only. */
  #listen(): void {
    this.#unlisten();
    const machine = this.#machine!;
    const { networkCards, vmEntry } = machine.probes;
    const ends: (() => void)[] = [];
    if (this.#precedes("network")) ends.push(networkCards[0]!.sent.on(() => this.#reach("network", machine.now)));
    if (this.#precedes("streaming")) ends.push(vmEntry.on(({ time }) => this.#reach("streaming", time)));
    this.#unlisten = () => {
      for (const end of ends) end();
    };
  }
  #precedes(phase: Phase): boolean {
    return phases.indexOf(this.phase) < phases.indexOf(phase);
  }

  // ---- state ----

  save(): StateOf<typeof observerState> {
    return {
      starts: this.#starts.map((start) => ({ ...start })),
      read: this.#read,
      written: this.#written,
      exits: Object.entries(this.exits).map(([reason, count]) => ({ reason, count })),
      exitsWhenBare: this.#exitsWhenBare,
    };
  }
  restore({ starts, read, written, exits, exitsWhenBare }: StateOf<typeof observerState>): void {
    this.#starts = starts.map((start) => ({ ...start }));
    this.#read = read;
    this.#written = written;
    const own = this.#machine?.vmExits.byReason ?? {};
    const before = Object.fromEntries(exits.map(({ reason, count }) => [reason, count]));
    for (const [reason, count] of Object.entries(own)) before[reason] = (before[reason] ?? 0) - count;
    this.#exitsBefore = before;
    this.#exitsWhenBare = exitsWhenBare;
    this.#listen();
  }
}

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, n) => sum + n, 0);
