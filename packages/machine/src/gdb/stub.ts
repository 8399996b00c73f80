/**
 * A stub for gdb's `target remote`: one connection, as streams of bytes. Whoever owns the socket gives what comes in to
 * `receive`; `serve` runs the machine while gdb wants it to run.
 *
 *     const stub = new GdbStub(machine, { send: (bytes) => socket.write(bytes) });
 *     socket.on("data", (bytes) => stub.receive(bytes));
 *     socket.on("close", () => stub.disconnect());
 *     const end = await stub.serve(runner, host);
 *
 * Debugging changes nothing in what the guest does: all processors go on together in their turns, also while one of them
 * is stepped. The protocol is in [GDB E], the manual's appendix "GDB Remote Serial Protocol".
 */
import { ms } from "@castaway/kit";
import type { Machine, MachineStop } from "../machine.ts";
import type { HostClock, Runner } from "../runner.ts";
import { Commands, type Outcome, type Resume } from "./commands.ts";
import { ACK, bytesOf, type Incoming, NAK, PacketReader, packet, toHex } from "./packets.ts";
import { nextInstruction } from "./registers.ts";

/** How a connection ended. */
export interface GdbEnd {
  /**
   * "detached": the machine is to run on without gdb. "killed": the user wants no more of it. "disconnected": as
   * {@link GdbStub.disconnect} was told. "ended": the machine powered off or a test program ended the run; `stop` says which.
   */
  readonly reason: "detached" | "killed" | "disconnected" | "ended";
  readonly stop: MachineStop | null;
}

/** Virtual time after which a step of a halted processor is interrupted to look for Ctrl-C. */
const STEP_SLICE = ms(1);
/** Host milliseconds between looks at a machine that waits for input. */
const IDLE_SLICE = 10;
/** Steps through a range between two looks for Ctrl-C. */
const STEPS_AT_ONCE = 1000;
/** Characters of text in one packet of output. */
const OUTPUT = 4096;
const PAUSED: MachineStop = { reason: "paused", detail: "", instructions: 0 };
const [SIGINT, SIGILL, SIGTRAP] = ["02", "04", "05"];

export class GdbStub {
  readonly #machine: Machine;
  readonly #send: (bytes: Uint8Array) => void;
  readonly #commands: Commands;
  readonly #reader = new PacketReader();
  /** Packets are acknowledged until gdb asks not to. */
  #acknowledges = true;
  #lastSent: Uint8Array | null = null;
  /** How the machine is to go on; null while it stands still. */
  #resume: Resume | null = null;
  #interrupted = false;
  #end: GdbEnd | null = null;
  /** Wakes `serve`: there is something to do. */
  #wake: () => void = () => {};
  #runner: Pick<Runner, "run" | "stop"> | null = null;

  constructor(machine: Machine, { send }: { send: (bytes: Uint8Array) => void }) {
    this.#machine = machine;
    this.#send = send;
    this.#commands = new Commands(machine, (text) => this.#print(text));
  }

  /** Bytes from gdb, cut anywhere; between two slices of a run. Never throws, whatever they are. */
  receive(bytes: Uint8Array): void {
    let repeats = false;
    for (const incoming of this.#reader.read(bytes)) {
      if (this.#end !== null) return;
      if (incoming.kind === "repeat") repeats = true;
      else this.#take(incoming);
    }
    if (repeats && this.#acknowledges && this.#lastSent !== null) this.#send(this.#lastSent);
  }
  /** The connection is gone. */
  disconnect(): void {
    this.#finish({ reason: "disconnected", stop: null });
  }
  /**
   * Serves gdb until the connection ends: runs the machine, in slices, while gdb wants it to run. Nobody else may run it
   * meanwhile. Breakpoints are gone afterwards. A machine that waits for input waits with gdb.
   * @param runner runs the machine beside the event loop
   * @param host the clock of the host, whose `sleep` lets bytes come in
   */
  async serve(runner: Pick<Runner, "run" | "stop">, host: Pick<HostClock, "sleep">): Promise<GdbEnd> {
    this.#runner = runner;
    const unlisten = this.#machine.probes.resets.on(({ by }) => {
      if (by !== "user") this.#print(`the machine was reset by ${by === "guest" ? "the guest" : "a triple fault"}\n`);
    });
    while (this.#end === null) {
      if (this.#resume === null) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      } else {
        const stop = await this.#run(this.#resume, runner, host);
        if (this.#end === null) this.#stopped(stop);
      }
    }
    unlisten();
    return this.#end;
  }

  // ---- what comes in ----

  #take(incoming: Incoming): void {
    if (incoming.kind === "interrupt") this.#interrupt();
    else if (this.#resume !== null)
      return; // while the machine runs gdb says nothing but Ctrl-C
    else if (incoming.kind === "damaged") {
      if (this.#acknowledges) this.#send(NAK);
    } else {
      if (this.#acknowledges) this.#send(ACK);
      this.#answer(incoming.kind === "packet" ? this.#execute(incoming.data) : "E01");
    }
  }
  #execute(data: string): Outcome {
    if (data !== "QStartNoAckMode") return this.#commands.execute(data);
    this.#acknowledges = false;
    return "OK";
  }
  #answer(outcome: Outcome): void {
    if (typeof outcome === "string") return this.#reply(outcome);
    if ("over" in outcome) {
      this.#reply(outcome.reply);
      return this.#finish({ reason: outcome.over, stop: null });
    }
    this.#resume = outcome.resume;
    this.#interrupted = false;
    this.#wake();
  }
  #interrupt(): void {
    if (this.#resume === null) return; // its stop is told already
    this.#interrupted = true;
    this.#runner?.stop();
  }
  #finish(end: GdbEnd): void {
    this.#commands.breakpoints.clear();
    this.#end ??= end;
    this.#runner?.stop();
    this.#wake();
  }

  // ---- what goes out ----

  #reply(data: string): void {
    this.#lastSent = packet(data);
    this.#send(this.#lastSent);
  }
  /** Text for the user: while the machine runs, or a monitor command does [GDB E.3 "O"]. */
  #print(text: string): void {
    for (let at = 0; at < text.length; at += OUTPUT) this.#reply(`O${toHex(bytesOf(text.slice(at, at + OUTPUT)))}`);
  }
  #stopped(stop: MachineStop): void {
    const commands = this.#commands,
      { reason, detail } = stop;
    this.#interrupted = false;
    if (reason === "unimplemented") this.#print(`the guest did what this processor does not do yet: ${detail}\n`);
    const ended = reason === "powered off" || reason === "exit";
    this.#resume = null;
    commands.current = stop.cpu ?? this.#stuck() ?? commands.current;
    commands.lastStop = ended ? `W${exitCode(stop)}` : this.#describe(stop);
    this.#reply(commands.lastStop);
    if (ended) this.#finish({ reason: "ended", stop });
  }
  #describe(stop: MachineStop): string {
    const { breakpoints, current, understood } = this.#commands,
      signal = stop.reason === "paused" ? SIGINT : stop.reason === "unimplemented" ? SIGILL : SIGTRAP;
    return `T${signal}thread:${(current + 1).toString(16)};${breakpoints.describe(stop, understood)}`;
  }
  /** The processor that cannot go on. */
  #stuck(): number | undefined {
    return this.#machine.board.cpu.processors.find(({ stopped }) => stopped !== null)?.id;
  }

  // ---- running the machine ----

  async #run(resume: Resume, runner: Pick<Runner, "run">, host: Pick<HostClock, "sleep">): Promise<MachineStop> {
    const unguard = this.#guard(resume);
    let stop: MachineStop | null = null;
    for (let rounds = 1; stop === null; rounds++) {
      if (this.#interrupted || this.#end !== null) stop = PAUSED;
      else {
        const { reason, ...rest } = resume.step === null ? await runner.run() : this.#step(resume.step);
        if (reason === "idle") await host.sleep(IDLE_SLICE);
        else if (reason === "limit" || rounds % STEPS_AT_ONCE === 0) await host.sleep(0);
        if (reason !== "idle" && reason !== "limit") stop = this.#stopOf(resume, { reason, ...rest });
      }
    }
    unguard();
    return stop;
  }
  #step(cpu: number): MachineStop {
    return this.#machine.step(cpu, { atMost: STEP_SLICE });
  }
  /** Null while a range is being stepped through. A step that ends at a breakpoint within it has come to the breakpoint. */
  #stopOf({ step, range }: Resume, stop: MachineStop): MachineStop | null {
    if (stop.reason !== "step" || step === null || range === null) return stop;
    const address = nextInstruction(this.#machine.board.cpu, step);
    if (this.#commands.breakpoints.has(address)) return { ...stop, reason: "breakpoint", address };
    return address >= range[0] && address < range[1] ? null : stop;
  }
  /** While one processor is stepped over a breakpoint that gdb has taken away, it stays for the others. */
  #guard({ step, alone }: Resume): () => void {
    const { breakpoints } = this.#commands,
      { cpu } = this.#machine.board;
    if (step === null || !alone) {
      breakpoints.resumed();
      return () => {};
    }
    const others = cpu.processors.map(({ id }) => id).filter((id) => id !== step);
    return breakpoints.guard(nextInstruction(cpu, step), others);
  }
}

/** What a test program wrote to the exit port; 0 for a power-off. */
const exitCode = ({ reason, detail }: MachineStop) =>
  (reason === "exit" ? Number(detail) & 0xff : 0).toString(16).padStart(2, "0");
