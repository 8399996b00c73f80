/**
 * An ATA disk, without its plug: a controller (AHCI, IDE) issues task files to it, moves its data, and is told how each
 * command ended. Commands take their time from a timing model; queued ones may overtake each other.
 *
 *     const disk = new AtaDrive({ clock, medium: blankDisk("8GiB"), timing: ssdTiming() });
 *     disk.connect(host);                         // the controller does this
 *     disk.commands.on(({ name, lba }) => ..);    // for people and tools
 */
import {
  type BlockDevice,
  type Clock,
  ConfigError,
  mib,
  Probe,
  type Random,
  record,
  type StateOf,
} from "@castaway/kit";
import type { Device } from "../../device.ts";
import { type DiskTiming, noTiming } from "../timing.ts";
import { CachedMedium, cachedMediumState } from "./cached-medium.ts";
import type { Command, CommandEvent, Kind, Parts } from "./command.ts";
import { kindOf, unreadable, unwritable } from "./commands.ts";
import { ProtectedArea, protectedAreaState } from "./protected-area.ts";
import { QueueError, queueErrorLog, queueErrorState } from "./queue-error.ts";
import { Schedule, scheduleState } from "./schedule.ts";
import { defaultSettings, type IdentityOptions, identity, settings } from "./settings.ts";
import { ERROR, failure, type Outcome, STATUS, signature, success, type TaskFile } from "./taskfile.ts";

/** What a controller does for the drive on its cable. Called at the drive's own times, never from within `issue`. */
export interface AtaHost {
  /**
   * The next data of a command for the host: of PIO one DRQ block, else as much as is convenient; `last`: no more come.
   * @returns false if the host cannot take them now: it then calls {@link AtaDrive.proceed}, and is given them again
   */
  toHost(command: Command, from: Uint8Array, last: boolean): boolean;
  /** The same in the other direction: fills all of `into`. */
  fromHost(command: Command, into: Uint8Array, last: boolean): boolean;
  /** The command is over. A queued one that failed has taken all others in the queue with it. */
  end(command: Command, outcome: Outcome): void;
}

export type AtaDriveEnv = { readonly clock: Clock; readonly medium: BlockDevice; readonly timing?: DiskTiming };

export type AtaDriveOptions = IdentityOptions & {
  /** Size in bytes of the volatile write cache; 0: all writes are durable at once. 8 MiB by default. */
  readonly cache?: number;
  /** Sectors shown after power-on, if a host-protected area was set up before: {@link AtaDrive.persistentSectors}. */
  readonly visible?: number;
};

export const driveState = record({
  settings,
  area: protectedAreaState,
  cache: cachedMediumState,
  queueError: queueErrorState,
  schedule: scheduleState,
});
export type DriveState = StateOf<typeof driveState>;

/** Bytes that DMA commands move at once. */
const dmaPiece = 0x1_0000;

export class AtaDrive implements Device<DriveState> {
  /** Commands that ended, with their outcome. */
  readonly commands = new Probe<CommandEvent>("disk commands");
  /** The medium behind the cable, for people and tools: what is stored, whoever may see it. */
  readonly medium: BlockDevice;
  readonly #clock: Clock;
  readonly #parts: Parts;
  readonly #schedule: Schedule;
  readonly #buffer = new Uint8Array(dmaPiece);
  #host: AtaHost | null = null;

  constructor({ clock, medium, timing = noTiming }: AtaDriveEnv, options: AtaDriveOptions = {}) {
    const { cache = mib(8), visible = medium.sectors } = options;
    const size = medium.sectorSize;
    if (size !== 512 && size !== 4096) throw new ConfigError("disk.sectorSize", size, "512 or 4096");
    if (!(medium.sectors >= 1 && medium.sectors <= 2 ** 48)) {
      throw new ConfigError("disk size in sectors", medium.sectors, "1 to 2^48");
    }
    if (!(Number.isInteger(visible) && visible >= 1 && visible <= medium.sectors)) {
      throw new ConfigError("disk.visible", visible, `1 to ${medium.sectors} sectors`);
    }
    this.#clock = clock;
    this.medium = medium;
    this.#parts = {
      identity: identity(options, timing.rotationRate),
      settings: defaultSettings(),
      area: new ProtectedArea(medium.sectors, visible),
      medium: new CachedMedium(medium, cache),
      queueError: new QueueError(),
    };
    this.#schedule = new Schedule(clock, timing, this.#parts, (command) => this.#run(command));
  }

  /** The medium failed, for the user: the guest sees an error of the drive. */
  get failures() {
    return this.#parts.medium.failures;
  }

  /** What commands have stored on the medium. */
  get writes() {
    return this.#parts.medium.writes;
  }

  /** How many sectors the drive shows after power-on: whoever keeps the medium keeps this too. */
  get persistentSectors(): number {
    return this.#parts.area.persistent;
  }

  /** Sectors that a power cut could lose now. */
  get unflushed(): number {
    return this.#parts.medium.unflushed;
  }

  /** The commands under way, for people to read. */
  get active(): readonly Command[] {
    return this.#schedule.active;
  }

  /** Puts the drive on a controller's cable; null takes it off. */
  connect(host: AtaHost | null): void {
    this.#host = host;
  }

  /**
   * The host has sent a command.
   * @param slot by which the host knows it, up to 255; queued commands bring their own tag instead
   * @returns "queued" if the drive can take another queued command at once, "busy" if it is busy until this one ended
   */
  issue(slot: number, task: TaskFile): "queued" | "busy" {
    const { settings, queueError, area } = this.#parts;
    if (settings.power === "sleep") return "busy"; // only a reset wakes it
    const kind = kindOf(this.#parts, task);
    const isQueued = kind.protocol === "ncq";
    const tag = isQueued ? (task.count >>> 3) & 0x1f : slot; // [SATA 3.x 13.6]
    const command: Command = {
      tag,
      task,
      kind,
      lba: 0,
      sectors: kind.direction === "none" ? 0 : 1,
      moved: 0,
      error: 0,
      since: this.#clock.now,
      phase: "waiting",
      due: null,
    };
    if (kind.check) command.error = kind.check(this.#parts, command);
    if (queueError.pending && !readsQueueError(task)) command.error = ERROR.ABRT;
    if (!kind.ofNativeMax) area.forget();

    const others = this.#schedule.active;
    const clash = others.some((other) => isQueuedCommand(other) !== isQueued || other.tag === tag);
    if (clash || !isQueued) {
      // A command among queued ones, or twice the same tag, ends the queue [SATA 3.x 13.6]; a busy drive starts anew.
      this.#schedule.active = [];
      if (others.some(isQueuedCommand)) {
        command.error = ERROR.ABRT;
        if (!isQueued) queueError.record(null, failure(task, ERROR.ABRT));
      }
    }
    this.#schedule.active.push(command);
    this.#schedule.begin();
    return isQueued ? "queued" : "busy";
  }

  /** The host can go on with a command for which it had answered "not now". */
  proceed(tag: number): void {
    const command = this.#schedule.active.find((one) => one.tag === tag && one.phase === "stalled");
    if (command === undefined) return;
    command.phase = "working";
    this.#run(command);
    this.#schedule.begin();
  }

  /** Software reset: commands under way are forgotten. @returns what the registers then hold */
  softReset(): Outcome {
    const { queueError, settings, area } = this.#parts;
    this.#schedule.active = [];
    queueError.clear();
    area.forget();
    if (settings.power === "sleep") settings.power = "standby";
    this.#schedule.begin();
    return signature;
  }

  /** Hardware reset: COMRESET on a SATA cable, RESET- on a parallel one. @returns what the registers then hold */
  hardReset(): Outcome {
    const { settings, area } = this.#parts;
    const { preserve } = settings;
    area.hardwareReset(preserve);
    if (!preserve) Object.assign(settings, defaultSettings());
    settings.power = "active";
    return this.softReset();
  }

  /** As RESET# of the board, which reaches disks as a hardware reset. */
  reset(): void {
    this.hardReset();
  }

  /** Power comes on, after an orderly end: nothing is lost but volatile settings. */
  powerOn(): void {
    const { settings, area, medium } = this.#parts;
    medium.flush();
    Object.assign(settings, defaultSettings());
    this.hardReset();
    area.powerOn();
    this.#schedule.powerOn();
  }

  /**
   * Power fails and comes back: `random` chooses which unflushed sectors keep what was written, and how much of the
   * writes that are under way still reaches the medium.
   * @returns the sectors that fell back to older contents
   */
  powerCut(random: Random): number[] {
    const { medium } = this.#parts;
    for (const command of this.#schedule.active) if (command.phase === "working") this.#tear(command, random);
    const lost = medium.powerCut(random);
    this.powerOn();
    return lost;
  }

  save(): DriveState {
    const { settings, area, medium, queueError } = this.#parts;
    return {
      settings: { ...settings },
      area: area.save(),
      cache: medium.save(),
      queueError: queueError.save(),
      schedule: this.#schedule.save(),
    };
  }

  restore(state: DriveState): void {
    const { settings, area, medium, queueError } = this.#parts;
    Object.assign(settings, state.settings);
    area.restore(state.area);
    medium.restore(state.cache);
    queueError.restore(state.queueError);
    this.#schedule.restore(state.schedule); // last: what the commands are depends on the rest
  }

  #run(command: Command): void {
    const { kind, task, error } = command;
    if (error !== 0) this.#end(command, failure(task, error));
    else if (kind.direction === "in") this.#sendAll(command);
    else if (kind.direction === "out") this.#takeAll(command);
    else this.#end(command, kind.finish?.(this.#parts, command) ?? success(task));
  }

  /** Data in: until all are sent, one cannot be read, or the host has no room. */
  #sendAll(command: Command): void {
    const { kind, task, sectors } = command;
    while (command.moved < sectors) {
      const piece = this.#piece(command);
      const count = piece.length / this.#unit(kind);
      let good = count;
      if (kind.medium) good = this.#parts.medium.read(command.lba + command.moved, piece);
      else kind.produce?.(this.#parts, task, command.moved, piece);
      if (good > 0) {
        const data = piece.subarray(0, good * this.#unit(kind));
        if (!this.#host?.toHost(command, data, command.moved + good === sectors)) return this.#stall(command);
        command.moved += good;
      }
      if (good < count) return this.#end(command, unreadable(command));
    }
    this.#end(command, kind.finish?.(this.#parts, command) ?? success(task));
  }

  /** Data out: until all are written, one cannot be, or the host has none. */
  #takeAll(command: Command): void {
    const { kind, task, sectors } = command;
    while (command.moved < sectors) {
      const piece = this.#piece(command);
      const count = piece.length / this.#unit(kind);
      if (!this.#host?.fromHost(command, piece, command.moved + count === sectors)) return this.#stall(command);
      if (kind.accept) {
        command.moved += count;
        return this.#end(command, kind.accept(this.#parts, command, piece));
      }
      const durable = !this.#parts.settings.writeCache || kind.durable?.(task) === true;
      const good = this.#parts.medium.write(command.lba + command.moved, piece, durable);
      command.moved += good;
      if (good < count) return this.#end(command, unwritable(command));
    }
    this.#end(command, success(task));
  }

  /** Room for what is moved next: one DRQ block, or a good deal of DMA. */
  #piece({ kind, sectors, moved }: Command): Uint8Array {
    const unit = this.#unit(kind);
    const block = kind.protocol === "pio" ? (kind.block?.(this.#parts) ?? 1) : dmaPiece / unit;
    return this.#buffer.subarray(0, Math.min(block, sectors - moved) * unit);
  }

  #unit(kind: Kind): number {
    return kind.medium ? this.#parts.medium.sectorSize : 512;
  }

  #stall(command: Command): void {
    command.phase = "stalled";
    command.due = null;
  }

  #end(command: Command, outcome: Outcome): void {
    const failed = (outcome.status & STATUS.ERR) !== 0;
    if (failed && isQueuedCommand(command)) {
      this.#parts.queueError.record(command.tag, outcome);
      this.#schedule.active = [];
    } else this.#schedule.active = this.#schedule.active.filter((other) => other !== command);
    if (this.commands.active) {
      const { kind, task, tag, lba, sectors, moved, since: issued } = command;
      const { status, error } = outcome;
      const ended = this.#clock.now;
      this.commands.emit({ name: kind.name, task, tag, lba, sectors, moved, issued, ended, status, error });
    }
    this.#host?.end(command, outcome);
  }

  /** A write is under way while power fails: any of its sectors may be on the medium already. */
  #tear(command: Command, random: Random): void {
    const { kind, lba, moved, sectors, error } = command;
    if (kind.direction !== "out" || !kind.medium || error !== 0 || random.chance(0.5)) return;
    const piece = this.#piece(command);
    if (!this.#host?.fromHost(command, piece, moved + piece.length / this.#unit(kind) === sectors)) return;
    const size = this.#parts.medium.sectorSize;
    for (let i = 0; i * size < piece.length; i++) {
      if (random.chance(0.5)) this.#parts.medium.write(lba + moved + i, piece.subarray(i * size, (i + 1) * size), true);
    }
  }
}

const isQueuedCommand = ({ kind }: Command): boolean => kind.protocol === "ncq";

/** READ LOG EXT of page 10h. */
const readsQueueError = ({ command, lba }: TaskFile): boolean => command === 0x2f && (lba & 0xff) === queueErrorLog;
