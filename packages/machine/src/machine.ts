/**
 * The machine as a library user holds it: build it, run it until something happens, type to it, read what it prints.
 *
 *     const pc = await Machine.create({ firmware, disks: [image], memory: "512MiB" });
 *     const stop = pc.run({ until: pc.com1.shows("login:"), atMost: seconds(60) });
 *     if (stop.reason === "watch") pc.com1.type("root\n");
 */
import { cpuState, type HostDebug, type Stop } from "@castaway/cpu";
import { ConfigError, Digest, decodeState, encodeState, flag, ms, type Nanoseconds, record } from "@castaway/kit";
import { addBeside } from "./beside.ts";
import { Board } from "./board.ts";
import { SerialPort, Transcript, type Watch } from "./console.ts";
import { Display } from "./display.ts";
import { inspect } from "./inspect.ts";
import { Keys } from "./keys.ts";
import { boardOptions, configurationOf, type MachineOptions, unpacked } from "./options.ts";
import { countVmExits, type MachineProbes, machineProbes, type VmExits } from "./probes.ts";
import { type Configuration, checkConfiguration, readSnapshot, SNAPSHOT_VERSION, writeSnapshot } from "./snapshot.ts";
import { programOf, symbolOf, type VmmProgram, withVmm } from "./vmm.ts";

/** Why `run` came back. */
export type MachineStopReason =
  /** What was waited for has happened; `detail` names it. */
  | "watch"
  /** The time or the instructions that were asked for are over. */
  | "limit"
  | "powered off"
  /** `pause()` was called. */
  | "paused"
  /** A test program wrote to the exit port; `detail` is what it wrote. */
  | "exit"
  /** Every processor waits, and no timer will wake one: input may. */
  | "idle"
  /** A breakpoint or watchpoint was met, or the step is done: `cpu` and `address` say where. */
  | "breakpoint"
  | "watchpoint"
  | "step"
  /** The guest did what this processor does not do yet; `detail` names it. It cannot go on. */
  | "unimplemented";

export interface MachineStop extends Omit<Stop, "reason"> {
  readonly reason: MachineStopReason;
}

export interface RunLimits {
  /** Ends the run when one of them is seen. */
  readonly until?: Watch | readonly Watch[];
  /** Virtual time. Default: no limit. */
  readonly atMost?: Nanoseconds;
  /** Instructions of all processors together, to the next block boundary. Default: no limit. */
  readonly instructions?: number;
}

const machineState = record({ poweredOff: flag });

/** How often conditions that nobody tells of are looked at. */
const POLL: Nanoseconds = ms(10);

export class Machine {
  /** The parts, with their probes, for who wants to look or reach deeper. */
  readonly board: Board;
  /** The first serial port. */
  readonly com1: SerialPort;
  /** What firmware printed on port 402, and what programs printed on port E9. */
  readonly firmwareLog = new Transcript();
  readonly debugLog = new Transcript();
  readonly screen: Display;
  /** Types text and presses keys: `keyboard.type("ls\n")`, `keyboard.press("ControlLeft", "KeyC")`. */
  readonly keyboard: Keys;
  /** Typed events of all parts. */
  readonly probes: MachineProbes;
  /** The hypervisor that it was given. */
  readonly vmm: VmmProgram | null;
  /** What must be equal in a machine that restores this one's snapshots. */
  readonly configuration: Configuration;
  /** What made the processors stop, if something but themselves did. */
  #stop: { reason: MachineStopReason; detail: string } | null = null;
  #resetWanted: "guest" | "triple fault" | null = null;
  #poweredOff = false;

  /** Builds a machine and switches it on. @throws ConfigError that says which option is wrong and what is allowed */
  static async create(options: MachineOptions): Promise<Machine> {
    return new Machine(await unpacked(options));
  }

  /** The same without waiting, for images that are not compressed. @throws ConfigError */
  constructor(given: MachineOptions) {
    const options = withVmm(given);
    const { memory, ...settled } = boardOptions(options);
    const { beside, vmm } = options;
    this.vmm = vmm === undefined ? null : programOf(vmm);
    if (beside !== undefined && beside.clock.now > 0)
      throw new ConfigError("beside.clock", beside.clock.now, "a clock on which no time has passed");
    this.board = new Board(
      { ...settled, memory, clock: beside?.clock },
      {
        reset: () => this.#interrupt(() => (this.#resetWanted = "guest")),
        powerOff: () => this.#interrupt(() => (this.#poweredOff = true)),
        exit: (code) => this.#interrupt(() => (this.#stop = { reason: "exit", detail: String(code) })),
      },
    );
    const { board } = this;
    this.configuration = configurationOf(settled, board.cpu, beside);
    if (beside !== undefined) addBeside(board.parts, beside);
    this.com1 = new SerialPort((bytes) => {
      board.com1.receive(bytes);
      this.#told();
    });
    this.keyboard = new Keys(board.keyboard, () => this.#told());
    this.screen = new Display(board.vga);
    this.probes = machineProbes(board);
    for (const [probe, transcript] of [
      [board.serialOutput, this.com1],
      [board.firmwareLog, this.firmwareLog],
      [board.debugLog, this.debugLog],
    ] as const) {
      probe.on((byte) => transcript.append(byte));
    }
    board.reset();
  }
  #told(): void {
    if (this.probes.input.active) this.probes.input.emit();
  }
  #interrupt(note: () => void): void {
    note();
    this.board.cpu.stop();
  }

  /** Virtual time in nanoseconds since power-on. */
  get now(): Nanoseconds {
    return this.board.cpu.now;
  }
  /** Instructions retired since power-on, all processors together. */
  get instructions(): number {
    return this.board.cpu.retired;
  }
  /** When the next timer is due if every processor waits, Infinity if none is armed; null while one runs. */
  get waitsUntil(): Nanoseconds | null {
    return this.board.cpu.haltedUntil;
  }
  /** VM exits since the machine was built, resets and restored states or not. */
  get vmExits(): VmExits {
    return countVmExits(this.board);
  }
  get poweredOff(): boolean {
    return this.#poweredOff;
  }
  /** Breakpoints, watchpoints, a hook for every instruction; none of them changes what the guest does. */
  get debug(): HostDebug {
    return this.board.cpu.debug;
  }

  /** What of the hypervisor lies at a linear address, if that is given with symbols: `deploy/copier/Copier#poll+1c`; or null. */
  symbolAt(address: number): string | null {
    return symbolOf(this.vmm, address);
  }

  // ---- running ----

  /**
   * Runs until something that was asked for happens, the limits are reached, or the machine is off or stuck. How a run is
   * cut into calls changes nothing in what the guest does.
   */
  run({ until = [], atMost = Number.POSITIVE_INFINITY, instructions }: RunLimits = {}): MachineStop {
    const watches: readonly Watch[] = "seen" in until ? [until] : until;
    const most = checkedLimit("instructions", instructions ?? Number.POSITIVE_INFINITY);
    const ends = watches.map((watch) => watch.listen?.(() => this.board.cpu.stop()));
    try {
      return this.#run(watches, this.now + checkedLimit("atMost", atMost), most, {});
    } finally {
      for (const end of ends) end?.();
    }
  }
  /**
   * Runs until processor `cpu` has retired one instruction (one iteration if it repeats) or taken an event; other
   * processors run in their turns as ever.
   */
  step(cpu = 0, { atMost = Number.POSITIVE_INFINITY }: { atMost?: Nanoseconds } = {}): MachineStop {
    return this.#run([], this.now + checkedLimit("atMost", atMost), Number.POSITIVE_INFINITY, { stepping: cpu });
  }
  /** Ends `run` at the next block boundary; for listeners of probes, and for input that arrives meanwhile. */
  pause(): void {
    this.#interrupt(() => (this.#stop ??= { reason: "paused", detail: "" }));
  }

  #run(watches: readonly Watch[], end: Nanoseconds, instructions: number, how: { stepping?: number }): MachineStop {
    const { cpu } = this.board;
    const first = cpu.retired;
    const polled = watches.some((watch) => watch.listen === undefined);
    for (;;) {
      const retired = cpu.retired - first;
      const why = this.#whyStop(watches, end, retired >= instructions);
      if (why !== null) return { ...why, instructions: retired };
      const pollAt = polled ? (Math.floor(this.now / POLL) + 1) * POLL : end;
      const limits = { instructions: instructions - retired, nanoseconds: Math.min(end, pollAt) - this.now };
      const { reason, ...rest } = cpu.run({ ...limits, ...how });
      if (reason === "shutdown")
        this.#resetWanted = "triple fault"; // the chipset answers with RESET#
      else if (reason !== "limit" && reason !== "stopped")
        return { ...rest, reason, instructions: cpu.retired - first };
    }
  }
  /** What ends the run here, if anything does; a reset that was asked for is done first. */
  #whyStop(watches: readonly Watch[], end: Nanoseconds, enough: boolean): Omit<MachineStop, "instructions"> | null {
    if (this.#resetWanted !== null) this.#reset(this.#resetWanted);
    for (const watch of watches) if (!watch.seen) watch.look();
    const seen = watches.find((watch) => watch.seen);
    if (seen) return { reason: "watch", detail: seen.name };
    if (this.#poweredOff) return { reason: "powered off", detail: "" };
    const stop = this.#stop;
    this.#stop = null;
    if (stop !== null) return stop;
    return this.now >= end || enough ? { reason: "limit", detail: "" } : null;
  }

  /** Presses the power button: the guest is told by ACPI, and may take its time. */
  powerButton(): void {
    this.board.acpi.pressPowerButton();
    this.#told();
  }
  /** Presses the reset button. */
  reset(): void {
    this.#reset("user");
  }
  #reset(by: "guest" | "triple fault" | "user"): void {
    this.#resetWanted = null;
    this.board.reset();
    const { resets } = this.probes;
    if (resets.active) resets.emit({ by, now: this.now });
  }

  // ---- the whole state ----

  /**
   * The machine as bytes, to be restored into one of the same options and images, between two runs. Overlays over images are in it;
   * images and other media are not, they are only recognised again.
   * @param compress default true; takes about a second for 100 MiB of used memory
   */
  async save({ compress = true }: { compress?: boolean } = {}): Promise<Uint8Array> {
    return writeSnapshot(this.configuration, this.saveState(), compress);
  }
  /** @throws StateError if the bytes are damaged, or are of another version or another machine; nothing is restored then. */
  async restore(snapshot: Uint8Array): Promise<void> {
    const { header, state } = await readSnapshot(snapshot);
    checkConfiguration(header.configuration, this.configuration);
    this.restoreState(state);
  }
  /** What {@link save} writes, uncompressed and without the header: for many saves in one process. */
  saveState(): Uint8Array {
    const { cpu, parts } = this.board;
    const machine = { poweredOff: this.#poweredOff };
    return encodeState("castaway machine", SNAPSHOT_VERSION, { machine, parts: parts.save(), cpu: cpu.saveState() });
  }
  /** @throws StateError as {@link restore} does */
  restoreState(state: Uint8Array): void {
    const { cpu, parts, clock } = this.board;
    const shape = record({ machine: machineState, parts: parts.shape, cpu: cpuState });
    const saved = decodeState("castaway machine", SNAPSHOT_VERSION, shape, state);
    clock.restore(saved.cpu.clock);
    parts.restore(saved.parts);
    cpu.restoreState(saved.cpu);
    this.#poweredOff = saved.machine.poweredOff;
    this.#resetWanted = this.#stop = null;
  }
  /**
   * A digest of everything that a guest can observe: processors, memory, devices, overlays, time. Equal runs have equal
   * digests at equal times, whatever executed them and however they were cut.
   */
  digest(): string {
    const { cpu, parts } = this.board;
    return new Digest().text(cpu.digest()).update(parts.bytes()).hex();
  }
  /**
   * Looks at a part by its path: `cpu0.RIP`, `ahci.hba.ports[0]`, `clock.pending`; the empty path lists what there is.
   * @throws ConfigError that lists what there is where the path goes wrong
   */
  inspect(path = ""): unknown {
    return inspect(this.board, path);
  }
}

/** Whole nanoseconds or instructions, or no limit. @throws ConfigError */
function checkedLimit(name: string, limit: number): number {
  const possible = limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0);
  if (!possible) throw new ConfigError(name, limit, "a whole number, 0 or more, or Infinity");
  return limit;
}
