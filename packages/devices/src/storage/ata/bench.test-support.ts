/** A drive with a host that takes and gives everything at once, or block by block. */
import { Clock, clockState, decodeState, encodeState, type Plain, record } from "@castaway/kit";
import { FaultyDisk } from "../media/faulty.ts";
import { blankDisk, overlayState } from "../media/overlay.ts";
import type { DiskTiming } from "../timing.ts";
import type { Command } from "./command.ts";
import { AtaDrive, type AtaDriveOptions, type AtaHost, driveState } from "./drive.ts";
import type { Outcome, TaskFile } from "./taskfile.ts";

const shape = record({ clock: clockState, drive: driveState, medium: overlayState });

export type BenchOptions = AtaDriveOptions & {
  sectors?: number;
  sectorSize?: number;
  timing?: DiskTiming;
  hops?: boolean;
};

export class Bench implements AtaHost {
  clock = new Clock();
  medium: ReturnType<typeof blankDisk>;
  faulty: FaultyDisk;
  drive: AtaDrive;
  /** What the host gives, and what it got. */
  out = new Uint8Array(0);
  got: number[] = [];
  /** Lengths of the pieces that data came or went in. */
  pieces: number[] = [];
  /** How many pieces the host takes before it says "not now". */
  patience = Number.POSITIVE_INFINITY;
  ended: { tag: number; outcome: Outcome }[] = [];
  readonly #options: BenchOptions;

  constructor(options: BenchOptions = {}) {
    this.#options = options;
    const { sectors = 0x1_0000, sectorSize = 512 } = options;
    this.medium = blankDisk(sectors * sectorSize, { sectorSize });
    this.faulty = new FaultyDisk(this.medium);
    this.drive = this.#make();
  }

  #make(): AtaDrive {
    const drive = new AtaDrive({ clock: this.clock, medium: this.faulty, timing: this.#options.timing }, this.#options);
    drive.connect(this);
    return drive;
  }

  /** Saves all, and restores it into parts made anew, if this run is the one with hops. */
  step(): void {
    if (!this.#options.hops) return;
    const state = { clock: this.clock.save(), drive: this.drive.save(), medium: this.medium.save() };
    const again = decodeState("bench", 1, shape, encodeState("bench", 1, state as unknown as Plain));
    this.clock = new Clock();
    this.clock.restore(again.clock);
    this.drive = this.#make();
    this.drive.restore(again.drive);
    this.medium.restore(again.medium);
  }

  toHost(_command: Command, from: Uint8Array): boolean {
    if (this.patience-- <= 0) return false;
    this.pieces.push(from.length);
    this.got.push(...from);
    return true;
  }

  fromHost(_command: Command, into: Uint8Array): boolean {
    if (this.patience-- <= 0) return false;
    this.pieces.push(into.length);
    into.set(this.out.subarray(0, into.length));
    this.out = this.out.slice(into.length);
    return true;
  }

  end({ tag }: Command, outcome: Outcome): void {
    this.ended.push({ tag, outcome });
  }

  issue(command: number, rest: Partial<TaskFile> = {}, slot = 0): void {
    this.drive.issue(slot, { command, features: 0, count: 0, lba: 0, device: 0x40, ...rest });
    this.step();
  }

  settle(): void {
    while (Number.isFinite(this.clock.nextDue)) this.clock.advanceTo(Math.max(this.clock.now, this.clock.nextDue));
    this.step();
  }

  /** Issues a command and waits for its end. */
  run(command: number, rest: Partial<TaskFile> = {}, out?: Uint8Array): Outcome {
    this.ended = [];
    this.got = [];
    this.pieces = [];
    if (out) this.out = out.slice();
    this.issue(command, rest);
    this.settle();
    return this.ended[0]?.outcome ?? { status: 0x80, error: 0, count: 0, lba: 0, device: 0 };
  }

  /** Status and error as one number: 0x0451 is ABRT. */
  status(command: number, rest: Partial<TaskFile> = {}, out?: Uint8Array): number {
    const { status, error } = this.run(command, rest, out);
    return (error << 8) | status;
  }

  sector(lba: number): Uint8Array {
    const into = new Uint8Array(this.medium.sectorSize);
    this.medium.read(lba, into);
    return into;
  }
}
