/** Which of a drive's commands runs when: the timing model's answers, kept as the commands' phases and one timer. */
import { type Clock, list, record, type StateOf, type Timer, timerState } from "@castaway/kit";
import { type Access, type DiskTiming, freshTiming, type TimingState, timingState } from "../timing.ts";
import { type Command, commandState, type Parts } from "./command.ts";
import { kindOf } from "./commands.ts";

export const scheduleState = record({ active: list(commandState), timing: timingState, done: timerState });
export type ScheduleState = StateOf<typeof scheduleState>;

export class Schedule {
  /** The commands under way, in the order of their arrival. */
  active: Command[] = [];
  readonly #clock: Clock;
  readonly #timing: DiskTiming;
  readonly #parts: Parts;
  readonly #run: (command: Command) => void;
  readonly #done: Timer;
  #timingState: TimingState = freshTiming();

  /** @param run told of each command when its time has come; it may take commands off `active`, or stall them */
  constructor(clock: Clock, timing: DiskTiming, parts: Parts, run: (command: Command) => void) {
    this.#clock = clock;
    this.#timing = timing;
    this.#parts = parts;
    this.#run = run;
    this.#done = clock.timer("disk.done", () => this.#advance());
  }

  /** To be called after every change of `active`: begins what can begin, and waits for what ends first. */
  begin(): void {
    const { now } = this.#clock;
    let free = this.#timing.depth;
    for (const command of this.active) {
      if (accessKind(command) !== "control") free -= command.phase === "working" ? 1 : 0;
      else if (command.phase === "waiting") this.#start(command, now);
    }
    let waiting = this.active.filter(({ phase }) => phase === "waiting");
    while (free-- > 0 && waiting.length > 0) {
      const accesses = waiting.map((command) => this.#access(command));
      const next = waiting[this.#timing.pick(this.#timingState, accesses, now)];
      this.#start(next, now);
      waiting = waiting.filter((command) => command !== next);
    }
    const due = this.#first()?.due ?? null;
    if (due === null) this.#done.disarm();
    else if (!this.#done.armed || this.#done.due !== due) this.#done.armAt(due);
  }

  /** No time to make up for: as after power-on. */
  powerOn(): void {
    this.#timingState = freshTiming();
  }

  save(): ScheduleState {
    const active = this.active.map(({ kind: _, task, ...rest }) => ({ ...rest, task: { ...task } }));
    return { active, timing: { ...this.#timingState }, done: this.#done.save() };
  }

  restore({ active, timing, done }: ScheduleState): void {
    this.#timingState = { ...timing };
    this.active = active.map((command) => {
      const task = { ...command.task };
      return { ...command, task, kind: kindOf(this.#parts, task) };
    });
    this.#done.restore(done);
  }

  #start(command: Command, now: number): void {
    const { settings } = this.#parts;
    const access = this.#access(command);
    let begins = now;
    if (access.kind === "read" || access.kind === "write") {
      if (settings.power === "standby") begins += this.#timing.spinUp;
      settings.power = "active";
    }
    command.phase = "working";
    command.due = Math.max(now, this.#timing.start(this.#timingState, access, begins));
  }

  #access(command: Command): Access {
    const { lba, since, sectors, task, kind } = command;
    const { settings, medium } = this.#parts;
    const what = accessKind(command);
    const bytes = what === "read" || what === "write" ? sectors * medium.sectorSize : 0;
    return { kind: what, lba, bytes, cached: settings.writeCache && !kind.durable?.(task), since };
  }

  /** The command that ends first; of several the one that came first. */
  #first(): (Command & { due: number }) | undefined {
    let first: (Command & { due: number }) | undefined;
    for (const command of this.active) {
      if (command.phase === "working" && isDue(command) && (first === undefined || command.due < first.due)) {
        first = command;
      }
    }
    return first;
  }

  /** The time of at least one command has come. */
  #advance(): void {
    for (;;) {
      const next = this.#first();
      if (next === undefined || next.due > this.#clock.now) break;
      (next as Command).due = null;
      this.#run(next);
    }
    this.begin();
  }
}

const isDue = (command: Command): command is Command & { due: number } => command.due !== null;

/** Commands that have failed already do not touch the medium any more. */
function accessKind({ kind, error }: Command): Access["kind"] {
  if (error !== 0) return "control";
  if (kind.access) return kind.access;
  if (!kind.medium) return "control";
  return kind.direction === "out" ? "write" : "read";
}
