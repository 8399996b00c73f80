/** One run of a machine for a user: the script, the limits, what is asked for meanwhile, and how it ends. */
import type { Nanoseconds } from "@castaway/kit";
import type { HostClock, Machine, MachineStop, Runner, Watch } from "castaway";
import { EXIT } from "./exit.ts";
import type { Script } from "./expect.ts";
import type { Front, Wishes } from "./front.ts";
import type { GdbPort } from "./gdb.ts";

export interface SessionOptions {
  readonly script: Script;
  readonly atMost?: Nanoseconds;
  /** Ends the run when it is seen and the script is over; `name` is for people. Undefined: a script that waited last does. */
  readonly until?: { readonly name: string; readonly watch: Watch };
  /** Undefined: in a terminal, once the script is over. */
  readonly pace?: boolean | (() => boolean);
  /** Somebody may type: a machine that waits for input goes on waiting. */
  readonly interactive: boolean;
  /** The script looks at the screen and types on the keyboard, not on the serial port. */
  readonly screen: boolean;
  /** A debugger may connect here; the machine waits for the first one. Null: none. */
  readonly gdb: GdbPort | null;
  readonly host: HostClock;
  /** Writes a snapshot. @returns what to tell */
  readonly save: () => Promise<string>;
  /** Looked at between slices: what makes it senseless to go on, and the exit's code. */
  readonly check?: () => { readonly problem: string; readonly code: number } | null;
}

export interface Ending {
  readonly stop: MachineStop;
  readonly code: number;
  /** What the user should know; null if all went as wanted. */
  readonly problem: string | null;
}

const PAUSED: MachineStop = { reason: "paused", detail: "quit", instructions: 0 };
const shown = (text: string) => JSON.stringify(Buffer.from(text, "latin1").toString("utf8"));
const inSeconds = (time: Nanoseconds) => `${Number((time / 1e9).toPrecision(4))} s`;

export class Session implements Wishes {
  readonly #machine: Machine;
  readonly #runner: Runner;
  readonly #front: Front;
  readonly #options: SessionOptions;
  #quit: { readonly code: number; readonly problem?: string } | null = null;
  #saving: Promise<void> = Promise.resolve();

  constructor(machine: Machine, runner: Runner, front: Front, options: SessionOptions) {
    this.#machine = machine;
    this.#runner = runner;
    this.#front = front;
    this.#options = options;
    const { script, screen } = options;
    // Bytes count in the order in which they come; typing has to wait until the processors stand still.
    if (!screen) machine.com1.onByte((byte) => script.feed(byte, machine.now) && machine.pause());
    runner.onSlice = () => {
      front.show();
      const found = options.check?.() ?? null;
      if (found === null) return;
      this.#quit ??= found;
      runner.stop();
    };
    if (options.gdb !== null) options.gdb.onConnect = () => runner.stop();
  }

  /** Ends the run soon. @param code of the exit; by default it depends on the script */
  quit(code: number = this.#missing === null ? EXIT.done : EXIT.missed): void {
    this.#quit ??= { code };
    this.#runner.stop();
    this.#options.gdb?.close();
  }
  save(): void {
    const saved = this.#options.save(); // the state is taken at once, compressing it takes its time
    const told = saved.catch((error: Error) => error.message).then((text) => this.#front.note(text));
    this.#saving = Promise.all([this.#saving, told]).then(() => undefined);
  }

  async run(): Promise<Ending> {
    const end = this.#machine.now + (this.#options.atMost ?? Number.POSITIVE_INFINITY);
    const first = this.#machine.instructions;
    await this.#options.gdb?.connection();
    for (;;) {
      const stop = this.#quit === null ? ((await this.#debug()) ?? (await this.#stretch(end))) : null;
      const ending = this.#ending(stop);
      if (ending === null) continue;
      await this.#saving;
      return { ...ending, stop: { ...ending.stop, instructions: this.#machine.instructions - first } };
    }
  }

  /** Leaves the machine to a debugger that has connected. @returns what ended the machine's run, if anything did */
  async #debug(): Promise<MachineStop | null> {
    const { gdb, host, interactive, pace } = this.#options;
    if (gdb === null || !gdb.connected) return null;
    this.#runner.pace = valueOf(pace) ?? interactive;
    const end = await gdb.serve(this.#machine, this.#runner, host);
    if (end?.reason === "killed") this.quit();
    else if (end?.stop == null && this.#quit === null) this.#front.note("the debugger has left; the machine runs on");
    return end?.stop ?? (this.#quit === null ? null : PAUSED);
  }

  /** Runs to the next thing that the script does, or to the end. */
  async #stretch(end: Nanoseconds): Promise<MachineStop> {
    const { script, interactive, pace, screen, until } = this.#options;
    const text = script.take();
    if (text !== null) this.#type(text);
    if (this.#reached) return { reason: "watch", detail: until?.watch.name ?? script.last, instructions: 0 };
    this.#runner.pace = valueOf(pace) ?? (interactive && script.over);
    const watches = until === undefined || until.watch.seen ? [] : [until.watch];
    const awaited = screen && script.awaited !== null ? this.#machine.screen.shows(utf8(script.awaited)) : null;
    if (awaited !== null) watches.push(awaited);
    const stop = await this.#runner.run({ until: watches, atMost: end - this.#machine.now });
    if (awaited?.seen) script.meet(this.#machine.now);
    if (stop.reason === "idle" && interactive) await new Promise((resolve) => setTimeout(resolve, 10));
    return stop;
  }
  #type(text: string): void {
    if (this.#options.screen) this.#machine.keyboard.type(utf8(text));
    else this.#machine.com1.type(text);
  }

  /** Whether all has come that the run was for. */
  get #reached(): boolean {
    const { script, until } = this.#options;
    return script.over && (until === undefined ? script.endsRun : until.watch.seen);
  }
  /** What has not come yet, for people; null: nothing is missing. */
  get #missing(): string | null {
    const { script, until } = this.#options;
    if (script.missing !== null) return shown(script.missing);
    return until === undefined || until.watch.seen ? null : until.name;
  }

  /** What a stop means; null: go on. */
  #ending(stop: MachineStop | null): Ending | null {
    const { interactive, atMost } = this.#options;
    const missing = this.#missing;
    if (this.#quit !== null || stop === null) {
      const code = this.#quit?.code ?? EXIT.done;
      const problem = missing === null ? null : `the run was ended before ${missing} was seen`;
      return { stop: PAUSED, code, problem: this.#quit?.problem ?? problem };
    }
    switch (stop.reason) {
      case "powered off": {
        const problem = missing === null ? null : `the machine powered off before ${missing} was seen`;
        return { stop, code: missing === null ? EXIT.done : EXIT.missed, problem };
      }
      case "watch":
        return this.#reached ? { stop, code: EXIT.done, problem: null } : null;
      case "limit": {
        const time = `${inSeconds(atMost ?? 0)} of virtual time (--at-most)`;
        const problem = missing === null ? `${time} are over` : `${missing} was not seen within ${time}`;
        return { stop, code: EXIT.missed, problem };
      }
      case "idle": {
        const waits = "the guest waits for input, and nothing else will wake it";
        const problem = missing === null ? waits : `${waits}; ${missing} was not seen`;
        return interactive ? null : { stop, code: EXIT.stuck, problem };
      }
      case "unimplemented":
        return { stop, code: EXIT.stuck, problem: `the guest did what castaway does not do yet: ${stop.detail}` };
      default:
        return null; // paused for the script
    }
  }
}

const valueOf = (pace: SessionOptions["pace"]) => (typeof pace === "function" ? pace() : pace);
const utf8 = (text: string) => Buffer.from(text, "latin1").toString("utf8");
