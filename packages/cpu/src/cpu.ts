/**
 * The processors of one machine, as a library user sees them: a memory, up to 16 logical processors that share it, port
 * and device handlers, and virtual time. No device is needed to run a program in bytes.
 */
import { Clock, ConfigError, Digest, decodeState, encodeState, parseSize, StateError } from "@castaway/kit";
import Long from "long";
import { attachApic } from "./apic/attach.ts";
import { ApicBus } from "./apic/bus.ts";
import { MemoryAccess } from "./core/access.ts";
import { followApicBase } from "./core/apic-base.ts";
import { BlockCache } from "./core/blocks.ts";
import { Decoder } from "./core/decode.ts";
import { Evaluator } from "./core/evaluator.ts";
import { RUNNING, SHUTDOWN } from "./core/events.ts";
import { Fault } from "./core/exceptions.ts";
import { readFlags, writeFlags } from "./core/flags.ts";
import { type DebugStop, HostDebug } from "./core/host-debug.ts";
import { type Model, modelNamed } from "./core/model.ts";
import { OpcodeMap } from "./core/opcodes.ts";
import { linearToPhysical, peek, poke } from "./core/peek.ts";
import { LAYOUT, MAX_CPUS, type MmioHandler, PAGE, PhysicalMemory } from "./core/physical.ts";
import { CpuProbes } from "./core/probes.ts";
import { Processor } from "./core/processor.ts";
import { resetProcessor } from "./core/reset.ts";
import { type Executor, evaluatorExecutor, run } from "./core/run.ts";
import { type CpuState, cpuState, restoreProcessor, saveProcessor } from "./core/saved.ts";
import { fieldNamed, GPR_NAMES, S, STATE_TABLE, WINDOW, WINDOW_BYTES } from "./core/state.ts";
import { type Costs, DEFAULT_COSTS } from "./costs.ts";
import { Interpreter } from "./emit/interpreter.ts";
import { enterFlatMode, type FlatMode } from "./flat.ts";
import { definitions } from "./isa/index.ts";
import { saveVmx } from "./vmx/saved.ts";

/** Port I/O of the machine. `bytes` is 1, 2 or 4; values are unsigned. */
export interface Ports {
  read(port: number, bytes: number): number;
  write(port: number, bytes: number, value: number): void;
}

export interface CpuOptions {
  /** RAM from physical address 0: bytes, or text like "512MiB"; a multiple of 4 KiB, at most 3.5 GiB. Default "16MiB". */
  readonly memory?: number | string;
  /** Room for ROM images and frame buffers besides RAM, in bytes; see `physical.allocate`. Default 0. */
  readonly extraBytes?: number;
  /** Logical processors, 1 to 16. Default 1. The others wait for INIT and SIPI, as at power-on. */
  readonly cpus?: number;
  /** The processor model: a name (see `modelNames`), or one made with `withFeatures`. Default "westmere". */
  readonly model?: string | Model;
  /** What runs the instructions. The evaluator is the oracle: a hundred times slower, same results to the bit. */
  readonly executor?: "interpreter" | "evaluator";
  /**
   * How many instructions the interpreter may leave to the evaluator before it makes code for them: less code is made,
   * so machines start faster. Default 0: none, so that all that is run is emitted. No result depends on it.
   */
  readonly patience?: number;
  /** Port I/O. Default: reads give all ones, writes are ignored. */
  readonly ports?: Ports;
  /** The INTA cycle of an external interrupt controller, whose line is `lint0`: the vector. Default: vector 0. */
  readonly acknowledge?: () => number;
  /** Virtual time of the machine; devices share it. Default: a clock of its own. */
  readonly clock?: Clock;
  /** Virtual nanoseconds that each processor runs before the next one, 1,000 to 1,000,000. Default 20,000. */
  readonly quantum?: number;
  /** What virtual time is charged beyond instructions. */
  readonly costs?: Partial<Costs>;
  /** Seeds RDRAND and RDSEED. Default 1. */
  readonly seed?: number;
}

/** Why `run` came back. */
export type StopReason =
  /** The instructions, or the virtual time, that were asked for are done. */
  | "limit"
  /**
   * Every processor is halted (HLT, shutdown, waiting for SIPI) and no timer is armed; or, if no `nanoseconds` bound the
   * run, timers keep firing and wake none: a hundred thousand rounds went by without an instruction.
   */
  | "idle"
  /** A processor is in shutdown after a triple fault. */
  | "shutdown"
  /** Something the processor does not do yet; `detail` names it. */
  | "unimplemented"
  /** `stop()` was called. */
  | "stopped"
  /** See `Cpu.debug`, and `stepping` of `Cpu.run`. */
  | DebugStop["reason"];
export interface Stop extends Partial<Pick<DebugStop, "cpu" | "address" | "access">> {
  readonly reason: StopReason;
  /** In words, for people. */
  readonly detail: string;
  /** Retired by this call, all processors together. */
  readonly instructions: number;
}
export interface RunLimits {
  readonly instructions?: number;
  readonly nanoseconds?: number;
  /**
   * A processor that is to run one instruction (one iteration, if it repeats), or to take one event or deliver one
   * fault: then the run ends with reason "step". The machine runs in its usual order, so others may run before; and
   * time passes until this one wakes, if it is halted.
   */
  readonly stepping?: number;
}

/** Raised whenever the shape of the saved state changes. */
const STATE_VERSION = 3;

/** Rounds without an instruction after which a run that no time bounds is over. */
const IDLE_ROUNDS = 100_000;

const opcodeMap = new OpcodeMap(definitions);

export class Cpu {
  readonly physical: PhysicalMemory;
  readonly clock: Clock;
  readonly model: Model;
  readonly blocks: BlockCache;
  readonly processors: readonly Processor[];
  /** What local APICs, I/O APICs and message-signalled interrupts say to each other. */
  readonly apicBus = new ApicBus();
  /** Typed events: `cpu.probes.deliveries.on(({ vector, ip }) => ...)`. */
  readonly probes = new CpuProbes();
  /**
   * Breakpoints, watchpoints and the hook before every instruction. None of them changes what the guest does: a run that
   * was stopped anywhere and went on takes every event at the instruction where it would have taken it, and ends in the
   * same state.
   */
  readonly debug = new HostDebug();
  readonly #executor: Executor;
  readonly #quantum: number;
  readonly #seed: number;
  /** The processor whose registers are in the window. */
  #active = 0;
  /** Where the round ends in virtual time, while it is under way. */
  #sliceEnd = 0;
  #inRound = false;
  #stop = false;
  /** Whose turn it is in the round. */
  #turn = 0;
  /** Every processor had its turn and none runs, and no timer will wake one. */
  #asleep = false;

  /** @throws {ConfigError} if an option is out of its range; the message says what is allowed. */
  constructor(options: CpuOptions = {}) {
    const { cpus = 1, quantum = 20_000 } = options;
    if (!Number.isInteger(cpus) || cpus < 1 || cpus > MAX_CPUS) throw new ConfigError("cpus", cpus, `1 to ${MAX_CPUS}`);
    if (!Number.isInteger(quantum) || quantum < 1000 || quantum > 1_000_000)
      throw new ConfigError("quantum", quantum, "1000 to 1000000 nanoseconds");
    const { model = "westmere" } = options;
    this.model = typeof model === "string" ? modelNamed(model) : model;
    this.physical = new PhysicalMemory(parseSize(options.memory ?? "16MiB", "memory"), options.extraBytes ?? 0);
    this.clock = options.clock ?? new Clock();
    this.#quantum = quantum;
    this.#seed = options.seed ?? 1;
    if (!Number.isInteger(this.#seed) || this.#seed < 0 || this.#seed > 2 ** 32)
      throw new ConfigError("seed", options.seed, "0 to 4294967296");
    const { features } = this.model;
    this.blocks = new BlockCache(
      this.physical,
      new Decoder(opcodeMap, (form) => form.feature === undefined || features.has(form.feature)),
    );
    this.processors = Array.from({ length: cpus }, (_, id) => this.#processor(id, options));
    this.blocks.onCodePage = (page) => {
      for (const p of this.processors) p.access.tlb.markCode(page);
    };
    this.debug.attach(this.processors, (id) => this.#activate(id));
    this.#executor = executorNamed(options, this.physical, this.blocks);
    this.reset();
  }

  #processor(id: number, options: CpuOptions): Processor {
    const costs = { ...DEFAULT_COSTS, ...options.costs },
      ports = options.ports;
    const access = new MemoryAccess(this.physical, id, new Fault());
    const cpu: Processor = new Processor(id, this.physical, access, this.model, {
      portRead: (port, bytes) => {
        cpu.charge(costs.port);
        this.#synchronize(cpu);
        const value = ports === undefined ? 0xffffffff >>> (32 - 8 * bytes) : ports.read(port, bytes);
        this.#timersMayHaveChanged(cpu);
        return value;
      },
      portWrite: (port, bytes, value) => {
        cpu.charge(costs.port);
        this.#synchronize(cpu);
        ports?.write(port, bytes, value);
        this.#timersMayHaveChanged(cpu);
      },
      now: () => this.#synchronize(cpu),
    });
    cpu.x = new Evaluator(cpu);
    cpu.blocks = this.blocks;
    cpu.probes = this.probes;
    cpu.debug = this.debug;
    cpu.processors = options.cpus ?? 1;
    cpu.vmx.costs = costs;
    cpu.vmx.timer = this.clock.timer(`cpu${id}.preemption`, () => cpu.attend());
    attachApic(cpu, this.clock, this.apicBus, options.acknowledge);
    access.onWalk = (steps) => cpu.charge(steps * costs.walkStep);
    access.onDevice = () => {
      cpu.charge(costs.device);
      this.#synchronize(cpu);
    };
    access.afterDevice = () => this.#timersMayHaveChanged(cpu);
    return cpu;
  }
  /** The processor whose turn it is: it causes what devices are asked. */
  get running(): Processor {
    return this.processors[this.#active]!;
  }
  /** Moves the clock to the instruction at hand. */
  #synchronize(cpu: Processor): number {
    const now = cpu.time();
    if (now > this.clock.now) this.clock.moveTo(now);
    return now;
  }
  #timersMayHaveChanged(cpu: Processor): void {
    if (this.clock.nextDue < this.#sliceEnd) {
      this.#sliceEnd = Math.max(this.clock.nextDue, this.clock.now);
      cpu.limitTo(this.#sliceEnd);
    }
  }

  /** Puts every processor into its state after power-on or RESET#; memory stays. */
  reset(): void {
    for (const cpu of this.processors) {
      const retired = this.#retiredBy(this.#activate(cpu.id));
      resetProcessor(cpu);
      followApicBase(cpu);
      this.#seedRandom(cpu);
      cpu.setU32(S.BUDGET, 0);
      cpu.remaining = 0;
      cpu.retiredEnd = retired; // time and counts go on
      cpu.stopped = null;
      cpu.begun = null;
      cpu.interrupted = false;
    }
    this.blocks.clear();
    this.#activate(0);
  }

  /** Each processor draws from a sequence of its own. */
  #seedRandom(cpu: Processor): void {
    cpu.setNumber(S.RANDOM, this.#seed * 64 + cpu.id + 1);
  }

  // ---- running ----

  /**
   * Runs until `instructions` are retired (all processors together; to the next block boundary), or for
   * `nanoseconds` of virtual time, whichever is first; or until there is nothing to run. Several processors finish the
   * round they are in, which takes up to a quantum more: in between, some of them have reached the time and others not. How
   * a run is cut into calls changes nothing in what the guest does. Debugging may stop it anywhere (`debug`, `stepping`);
   * a block that it stopped in is finished first when the machine runs on, and an event that waits at its end is taken,
   * whatever the limits.
   * @throws {ConfigError} if there is no processor `stepping`
   */
  run(limits: RunLimits = {}): Stop {
    this.#beginDebugging(limits.stepping);
    const stop = this.#runWithin(limits),
      debugged = this.debug.end();
    return debugged === null || stop.reason === "unimplemented" ? stop : { ...stop, ...debugged };
  }
  #beginDebugging(stepping: number | undefined): void {
    if (stepping !== undefined && this.processors[stepping] === undefined)
      throw new ConfigError("stepping", stepping, `0 to ${this.processors.length - 1}`);
    this.debug.begin(stepping === undefined ? undefined : this.#activate(stepping));
  }
  #runWithin(limits: RunLimits): Stop {
    const start = this.retired,
      end = this.now + (limits.nanoseconds ?? Number.POSITIVE_INFINITY),
      wanted = limits.instructions ?? Number.POSITIVE_INFINITY;
    const stop = (reason: StopReason, detail = ""): Stop => ({ reason, detail, instructions: this.retired - start });
    this.#stop = this.#asleep = false;
    let done = 0;
    for (let rounds = 0; rounds < IDLE_ROUNDS || end < Number.POSITIVE_INFINITY; rounds++) {
      if (this.#stop) return stop("stopped");
      const retired = this.retired - start;
      if (retired !== done) rounds = 0;
      done = retired;
      if (
        !this.processors[this.#turn]?.interrupted &&
        (done >= wanted || (end < Number.POSITIVE_INFINITY && this.now >= end))
      )
        return stop("limit");
      this.#round(wanted - done, end);
      if (this.debug.stop !== null) return stop(this.debug.stop.reason);
      const problem = this.processors.find((cpu) => cpu.stopped !== null);
      if (problem) return stop("unimplemented", problem.stopped!);
      if (this.#shutDown()) return stop("shutdown");
      if (this.#asleep) return stop("idle");
    }
    return stop("idle", "timers fire, but wake no processor");
  }
  /** Ends `run` at the next block boundary; for device callbacks. */
  stop(): void {
    this.#stop = true;
    this.processors[this.#active]!.limitTo(this.clock.now);
  }
  /** Virtual time that every processor has reached, in nanoseconds. */
  get now(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const cpu of this.processors) if (!this.#halted(cpu)) least = Math.min(least, this.#timeOf(cpu));
    return least === Number.POSITIVE_INFINITY ? this.clock.now : Math.max(this.clock.now, least);
  }

  /** When the next timer is due if every processor is halted, Infinity if there is none; null if one runs. */
  get haltedUntil(): number | null {
    return this.#idle() ? this.clock.nextDue : null;
  }

  /**
   * Goes on with a round: the processors run up to the same virtual time, a multiple of the quantum or the next timer, in
   * turns; a turn ends there, or at a PAUSE: who spins lets the others go on. Then the timers that are due fire. Rounds
   * and turns lie where they lie whatever limits cut them.
   */
  #round(instructions: number, end: number): void {
    const { processors } = this;
    const first = this.retired;
    if (!this.#inRound) this.#beginRound();
    const begin = this.clock.now;
    for (; this.#turn < processors.length; this.#turn++) {
      if (this.debug.stop !== null) return;
      const cpu = processors[this.#turn]!;
      if (!cpu.interrupted) cpu.yielded = false;
      if (this.#waits(cpu) && !cpu.interrupted) continue;
      this.#activate(cpu.id);
      if (cpu.time() < begin) cpu.charge(begin - cpu.time()); // it was halted
      const last = processors.length === 1 ? Math.min(end, this.#sliceEnd) : this.#sliceEnd;
      const budget = cpu.yielded ? 0 : Math.min(last - cpu.time(), instructions - (this.retired - first));
      if (budget > 0 || cpu.interrupted) run(cpu, this.#executor, budget);
      if (this.clock.now !== begin) this.clock.restore({ ...this.clock.save(), now: begin });
      if (!this.#turnIsOver(cpu)) return;
    }
    if (this.debug.stop !== null) return;
    this.#turn = 0;
    this.#inRound = false;
    if (this.#shutDown()) return; // what the board does about it, it does now
    this.#asleep = this.#idle() && this.clock.nextDue === Number.POSITIVE_INFINITY;
    if (this.#idle()) {
      const next = Math.min(end, this.clock.nextDue); // time jumps to the next timer
      if (next !== Number.POSITIVE_INFINITY) this.clock.advanceTo(Math.max(begin, next));
    } else if (processors.every((cpu) => this.#roundIsOver(cpu))) this.clock.advanceTo(this.#sliceEnd);
  }
  /** Timers that are due fire, and the round's end is known, unless a device arms a timer before it. */
  #beginRound(): void {
    this.clock.fire();
    const begin = this.clock.now,
      boundary = (Math.floor(begin / this.#quantum) + 1) * this.#quantum;
    this.#sliceEnd = Math.min(boundary, Math.max(begin, this.clock.nextDue));
    this.#inRound = true;
  }
  /** Processors that are halted have waited until now: it is charged when they are looked at, or go on. */
  #settleHalted(): void {
    for (const cpu of this.processors) {
      const waited = this.clock.now - this.#timeOf(cpu);
      if (this.#halted(cpu) && waited > 0) this.#activate(cpu.id).charge(waited);
    }
  }
  /** False if a limit or a debugger cut the turn: it goes on in the next call. */
  #turnIsOver(cpu: Processor): boolean {
    return !cpu.interrupted && (cpu.yielded || this.#roundIsOver(cpu));
  }
  #roundIsOver(cpu: Processor): boolean {
    return this.#waits(cpu) || this.#timeOf(cpu) >= this.#sliceEnd || cpu.stopped !== null;
  }
  #timeOf(cpu: Processor): number {
    return this.#retiredBy(cpu) + cpu.charged;
  }
  #idle(): boolean {
    return this.processors.every((cpu) => this.#waits(cpu));
  }
  #shutDown(): boolean {
    return this.processors.some((cpu) => this.#activityOf(cpu) === SHUTDOWN && !cpu.vmx.nonRoot); // a guest's is its own
  }
  #halted(cpu: Processor): boolean {
    return this.#activityOf(cpu) !== RUNNING;
  }
  /** Halted, and nothing has happened since that it must look at. */
  #waits(cpu: Processor): boolean {
    return !cpu.attended && this.#halted(cpu);
  }
  #activityOf(cpu: Processor): number {
    return this.physical.u32[this.#address(S.ACTIVITY, cpu.id) >> 2]!;
  }

  /** `run({ stepping: cpu })`: one instruction, or one event, of one processor. */
  step(cpu = 0): Stop {
    return this.run({ stepping: cpu });
  }

  /** Instructions retired since the machine was built, all processors together. */
  get retired(): number {
    let sum = 0;
    for (const cpu of this.processors) sum += this.#retiredBy(cpu);
    return sum;
  }
  #retiredBy(cpu: Processor): number {
    if (cpu.id === this.#active) return cpu.retired();
    return cpu.retiredEnd - this.physical.i32[(this.#saveArea(cpu.id) + S.BUDGET - WINDOW) >> 2]!;
  }

  // ---- registers ----

  #saveArea(id: number): number {
    return LAYOUT.saveAreas + id * WINDOW_BYTES;
  }
  /** Brings a processor's registers into the window. */
  #activate(id: number): Processor {
    if (id !== this.#active) {
      const { u8 } = this.physical;
      u8.copyWithin(this.#saveArea(this.#active), WINDOW, WINDOW + WINDOW_BYTES);
      u8.copyWithin(WINDOW, this.#saveArea(id), this.#saveArea(id) + WINDOW_BYTES);
      this.#active = id;
    }
    return this.processors[id]!;
  }
  #address(at: number, id: number): number {
    return id === this.#active ? at : at - WINDOW + this.#saveArea(id);
  }
  /** A state field of at most 4 bytes as a number; see STATE_TABLE for the names. */
  state(name: string, cpu = 0): number {
    const field = this.#field(name),
      at = this.#address(WINDOW + field.offset, cpu);
    return field.bytes === 2 ? this.physical.u16[at >> 1]! : this.physical.u32[at >> 2]!;
  }
  #field(name: string) {
    const field = fieldNamed(name);
    if (field === undefined)
      throw new ConfigError("register", name, "a name of the state table, like RAX, RIP, RFLAGS, CR0, CS.base, XCR0");
    return field;
  }
  /** A register by its name in the state table (`RAX`, `RIP`, `RFLAGS`, `CS.base`, ..), as an unsigned 64-bit value. */
  get(name: string, cpu = 0): Long {
    const p = this.#activate(cpu);
    if (name === "RFLAGS") return Long.fromNumber(readFlags(this.physical), true);
    const field = this.#field(name),
      at = WINDOW + field.offset;
    if (field.bytes < 8) return Long.fromNumber(this.state(name, cpu), true);
    return Long.fromBits(p.u32(at), p.u32(at + 4), true);
  }
  /** Sets a register; what follows from it (modes, windows, TLB contexts) is recomputed. */
  set(name: string, value: Long | number, cpu = 0): void {
    const p = this.#activate(cpu),
      v = Long.isLong(value) ? value : Long.fromNumber(value);
    if (name === "RFLAGS") writeFlags(this.physical, v.low);
    else {
      const field = this.#field(name),
        at = WINDOW + field.offset;
      if (field.bytes === 2) this.physical.u16[at >> 1] = v.low;
      else p.setU32(at, v.low);
      if (field.bytes >= 8) p.setU32(at + 4, v.high);
    }
    if (!GPR_NAMES.includes(name) && name !== "RIP") {
      if (/^(CR|EFER)/.test(name)) p.access.tlb.flushAll();
      if (/^(CR|EFER|CS)/.test(name)) p.begun = null;
      p.refresh();
    }
  }
  /** The bytes of a register wider than 8 bytes (`R0`..`R7`, `YMM0`..`YMM15`), a copy. */
  bytes(name: string, cpu = 0): Uint8Array {
    const field = this.#field(name),
      at = this.#address(WINDOW + field.offset, cpu);
    return this.physical.u8.slice(at, at + field.bytes);
  }
  setBytes(name: string, value: Uint8Array, cpu = 0): void {
    const field = this.#field(name);
    this.physical.u8.set(value.subarray(0, field.bytes), this.#address(WINDOW + field.offset, cpu));
  }
  /**
   * Puts a processor into a flat mode at `ip`, as a boot loader would leave it: all segments flat and writable; for
   * "long" with paging that maps the first 4 GiB to themselves, in two pages at the end of RAM.
   */
  enter(mode: FlatMode, ip: number, cpu = 0): void {
    const p = this.#activate(cpu);
    enterFlatMode(p, mode);
    p.begun = null;
    p.setNumber(S.RIP, ip);
  }

  // ---- memory ----

  /** Writes guest RAM by physical address, as a bus master would. */
  write(address: number, bytes: Uint8Array | readonly number[]): void {
    this.physical.dmaWrite(address, Uint8Array.from(bytes));
  }
  read(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.physical.dmaRead(address, bytes);
    return bytes;
  }
  /**
   * The physical address of a linear one by a processor's page tables as they are, whatever the rights; null if it is not
   * mapped. Like the next two it leaves no trace: no accessed bits, no TLB entries, no time.
   * @param linear below 2^32, or canonical: addresses of the upper half are negative
   */
  linearToPhysical(linear: number, cpu = 0): number | null {
    return linearToPhysical(this.#activate(cpu), linear);
  }
  /** Reads RAM and ROM by linear address; null if a byte is not mapped or is a device's. */
  readLinear(linear: number, length: number, cpu = 0): Uint8Array | null {
    return peek(this.#activate(cpu), linear, length);
  }
  /** Writes RAM by linear address; false, and nothing is written, if a byte is not mapped or is not RAM. */
  writeLinear(linear: number, bytes: Uint8Array | readonly number[], cpu = 0): boolean {
    return poke(this.#activate(cpu), linear, Uint8Array.from(bytes));
  }
  /** Maps a device at whole pages of physical addresses. */
  mapDevice(address: number, length: number, handler: MmioHandler): void {
    for (let page = address / PAGE; page < (address + length) / PAGE; page++) this.physical.mapMmio(page, handler);
    this.physicalMapChanged();
  }
  /** To be called after `physical` was mapped anew: translations of addresses to host memory are refreshed. */
  physicalMapChanged(): void {
    this.blocks.remapped();
    for (const cpu of this.processors) cpu.access.tlb.refreshHosts();
  }

  /** The whole state as bytes, between two runs: restore it into a machine of the same options, whatever its executor. */
  save(): Uint8Array {
    return encodeState("castaway processors", STATE_VERSION, this.saveState());
  }
  /** @throws {StateError} if the bytes are damaged, or are of another version, model, memory size or number of processors. */
  restore(bytes: Uint8Array): void {
    this.restoreState(decodeState("castaway processors", STATE_VERSION, cpuState, bytes));
  }
  /** The same as plain data, of the shape `cpuState`. `ram` is the memory itself: encode it before the machine runs on. */
  saveState(): CpuState {
    this.#settleHalted();
    const processors = this.processors.map((cpu) => saveProcessor(this.#activate(cpu.id)));
    return {
      model: this.model.name,
      clock: this.clock.save(),
      turn: this.#turn,
      roundEnd: this.#inRound ? this.#sliceEnd : null,
      processors,
      ram: this.physical.ram,
    };
  }
  /** @throws {StateError} if it is of another model, memory size or number of processors; nothing is restored then. */
  restoreState(saved: CpuState): void {
    if (saved.model !== this.model.name)
      throw new StateError("model", `it is of a ${saved.model}, this is a ${this.model.name}`);
    if (saved.ram.length !== this.physical.ramBytes)
      throw new StateError("ram", `it holds ${saved.ram.length} bytes, this machine has ${this.physical.ramBytes}`);
    if (saved.processors.length !== this.processors.length)
      throw new StateError(
        "processors",
        `it is of ${saved.processors.length}, this machine has ${this.processors.length}`,
      );
    this.blocks.clear();
    this.physical.ram.set(saved.ram);
    saved.processors.forEach((state, id) => {
      restoreProcessor(this.#activate(id), state);
    });
    this.clock.restore(saved.clock);
    this.#turn = saved.turn;
    this.#inRound = saved.roundEnd !== null;
    this.#sliceEnd = saved.roundEnd ?? 0;
    this.debug.forget();
  }

  /**
   * A digest of everything a guest can observe: registers of every processor, TLBs, RAM, time. Equal states have equal
   * digests whatever executed them. `ram: false` leaves RAM out.
   */
  digest(options: { ram?: boolean } = {}): string {
    const digest = new Digest();
    this.#settleHalted();
    for (const cpu of this.processors) {
      this.#activate(cpu.id);
      const flags = readFlags(this.physical);
      for (const field of STATE_TABLE) {
        if (!field.architectural) continue;
        if (field.name === "RFLAGS") digest.word(flags);
        else digest.update(this.physical.u8.subarray(WINDOW + field.offset, WINDOW + field.offset + field.bytes));
      }
      digest
        .text(JSON.stringify([cpu.access.tlb.save(), cpu.apic?.save()]))
        .update(encodeState("vmx", 0, saveVmx(cpu)))
        .text(`${cpu.retired()} ${cpu.charged} ${cpu.inShadow()}`);
    }
    digest.text(String(this.clock.now));
    if (options.ram !== false) digest.update(this.physical.ram);
    return digest.hex();
  }
}

function executorNamed(options: CpuOptions, memory: PhysicalMemory, blocks: BlockCache): Executor {
  const { executor = "interpreter", patience = 0 } = options;
  if (executor === "interpreter") return new Interpreter(memory, blocks, patience);
  if (executor === "evaluator") return evaluatorExecutor;
  throw new ConfigError("executor", executor, '"interpreter" or "evaluator"');
}
