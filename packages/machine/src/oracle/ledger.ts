/**
 * What the disk must contain: what it held at the start, overlaid by the guest's writes; and the commands that the guest has
 * issued and that may not have been carried out yet. Each write that reaches the medium is held against it.
 *
 * A sector of a command is open until the medium has taken what the guest gave. Until then both its old and its new contents
 * are right. What the guest gave is what its memory holds when it issues the command, or when the medium takes the sector:
 * kernels go on changing pages that are being written.
 */
import { OverlayDisk, overlayState } from "@castaway/devices";
import { bytes, flag, list, type Nanoseconds, natural, nullable, record, type StateOf, text } from "@castaway/kit";
import { sameBytes } from "./bytes.ts";
import { extent, type GuestCommand, type Memory, overlaps, readData, region, type Transfer } from "./commands.ts";
import { atTime, brief, type Finding } from "./findings.ts";

const openCommand = record({
  slot: natural,
  name: text,
  issued: natural,
  extents: list(extent),
  regions: list(region),
  /** The data at issue, as far as there are any; null: zeros. */
  data: nullable(bytes()),
  /** Of each sector, one after the other through the extents, 1 if it is settled. */
  settled: bytes(),
  open: natural,
  /** It was stopped: it may have been carried out, in part or not at all, and will not be any more. */
  stopped: flag,
});
export type OpenCommand = StateOf<typeof openCommand>;

export const ledgerState = record({
  start: overlayState,
  expected: overlayState,
  commands: list(openCommand),
  writes: natural,
  trims: natural,
  sectors: natural,
  taken: natural,
});
export type LedgerState = StateOf<typeof ledgerState>;

export interface LedgerEnv {
  readonly memory: Memory;
  /** What the disk holds at the start. */
  readonly start: OverlayDisk;
  readonly now: () => Nanoseconds;
  /** Sectors from here on are hidden from the guest: whose they are is not the guest's business. */
  readonly hiddenFrom: () => number;
  readonly report: (finding: Finding) => void;
}

export class Ledger {
  /** What the disk must contain, once nothing is open. */
  readonly expected: OverlayDisk;
  /** In the order of their issue. */
  commands: OpenCommand[] = [];
  /** Commands of the guest that write, and that trim. */
  writes = 0;
  trims = 0;
  /** Different sectors that the guest has written or trimmed. */
  sectors = 0;
  /** Sectors that the medium has taken of the guest's writes. */
  taken = 0;
  readonly #env: LedgerEnv;
  readonly #size: number;
  readonly #zeros: Uint8Array;
  readonly #sector: Uint8Array;

  constructor(env: LedgerEnv) {
    this.#env = env;
    this.expected = new OverlayDisk(env.start);
    this.#size = env.start.sectorSize;
    this.#zeros = new Uint8Array(this.#size);
    this.#sector = new Uint8Array(this.#size);
  }

  /** The guest issued a command in a slot: whatever was there before is over. */
  issue(slot: number, command: GuestCommand): void {
    const before = this.commands.find((one) => one.slot === slot && !one.stopped);
    const next = command.does === "write" || command.does === "trim" ? this.#opened(slot, command) : null;
    if (before !== undefined) {
      // An access that first left the guest and was then tried again is the same command once more.
      const again = next !== null && before.open === before.settled.length && isSame(before, next);
      this.commands = this.commands.filter((one) => one !== before);
      if (!again) this.#over(before);
      else if (next !== null) this.#count(next, -1);
    }
    if (next === null) return;
    this.commands.push(next);
    this.#count(next, 1);
  }

  /** The guest was told that the command in a slot is over. */
  complete(slot: number): void {
    const command = this.commands.find((one) => one.slot === slot && !one.stopped);
    if (command === undefined) return;
    this.commands = this.commands.filter((one) => one !== command);
    this.#over(command);
  }

  /** The guest stopped the port. */
  stop(): void {
    this.commands = this.commands.filter((one) => one.open > 0);
    for (const one of this.commands) one.stopped = true;
  }

  /** The medium has taken sectors; null: zeros. */
  stored(lba: number, sectors: number, data: Uint8Array | null): void {
    const most = 128;
    for (let at = 0; at < sectors; at += most) {
      const n = Math.min(most, sectors - at);
      const piece = data?.subarray(at * this.#size, (at + n) * this.#size) ?? new Uint8Array(n * this.#size);
      this.#piece(lba + at, n, piece);
    }
  }

  /**
   * Whether the disk may hold this in a sector, though it is not what {@link expected} says: a command of the guest's may
   * be under way, or was stopped.
   * @param underWay whether commands that were not stopped may still be carried out or not
   */
  mayHold(lba: number, content: Uint8Array, underWay: boolean): boolean {
    return this.commands.some((one) => (one.stopped || underWay) && this.#gives(one, lba, content));
  }

  /** Bytes that a command wants in a sector; undefined if it does not, or its table was too short. */
  wanted(command: OpenCommand, at: number): Uint8Array | undefined {
    if (command.data === null) return this.#zeros;
    const end = (at + 1) * this.#size;
    return end <= command.data.length ? command.data.subarray(end - this.#size, end) : undefined;
  }

  save(): LedgerState {
    const { writes, trims, sectors, taken } = this;
    const commands = this.commands.map((one) => ({
      ...one,
      extents: one.extents.map((extent) => ({ ...extent })),
      regions: one.regions.map((region) => ({ ...region })),
      data: one.data?.slice() ?? null,
      settled: one.settled.slice(),
    }));
    return { start: this.#env.start.save(), expected: this.expected.save(), commands, writes, trims, sectors, taken };
  }
  restore({ start, expected, commands, ...counts }: LedgerState): void {
    this.#env.start.restore(start);
    this.expected.restore(expected);
    this.commands = commands.map((one) => ({ ...one, data: one.data?.slice() ?? null, settled: one.settled.slice() }));
    Object.assign(this, counts);
  }

  #opened(slot: number, { does, name, extents, regions }: Transfer): OpenCommand | null {
    const { start, now } = this.#env;
    const total = extents.reduce((sum, { sectors }) => sum + sectors, 0);
    if (total === 0 || extents.some(({ lba, sectors }) => lba + sectors > start.sectors)) return null; // refused
    let data: Uint8Array | null = null;
    if (does === "write") {
      const given = regions.reduce((sum, { bytes }) => sum + bytes, 0);
      data = new Uint8Array(given);
      readData(this.#env.memory, regions, 0, data);
    }
    const settled = new Uint8Array(total);
    const places = { extents: [...extents], regions: [...regions] };
    return { slot, name, issued: now(), ...places, data, settled, open: total, stopped: false };
  }
  #count({ data }: OpenCommand, by: number): void {
    if (data === null) this.trims += by;
    else this.writes += by;
  }

  /**
   * For the guest it is done: it was told so, or its slot is used again. A TRIM may have been left undone: the guest gave the
   * contents up.
   */
  #over(command: OpenCommand): void {
    if (command.open === 0) return;
    if (command.data === null) {
      command.stopped = true;
      this.commands.push(command);
      return;
    }
    for (const { lba, sectors, at } of openRuns(command)) {
      for (let i = 0; i < sectors; i++) {
        const content = this.wanted(command, at + i);
        if (content !== undefined) this.#settle(lba + i, content);
      }
      const message = `${describeCommand(command)} is over for the guest, but the disk never took it`;
      this.#env.report({ kind: "lost", time: this.#env.now(), lba, sectors, message });
    }
  }

  #piece(lba: number, sectors: number, data: Uint8Array): void {
    const touching = this.commands.filter((one) => one.extents.some((extent) => overlaps(extent, { lba, sectors })));
    if (touching.length === 0) {
      const expected = new Uint8Array(data.length);
      if (this.expected.read(lba, expected) && sameBytes(expected, data)) return;
    } else if (touching.length === 1 && this.#takeAll(touching[0]!, lba, sectors, data)) return;
    let wrong = 0;
    for (let i = 0; i <= sectors; i++) {
      const content = data.subarray(i * this.#size, (i + 1) * this.#size);
      if (i < sectors && !this.#take(touching, lba + i, content)) wrong++;
      else if (wrong > 0) {
        const first = i - wrong;
        this.#reportStored(lba + first, wrong, data.subarray(first * this.#size, (first + 1) * this.#size), touching);
        wrong = 0;
      }
    }
  }

  /** The usual case: all of it is of one command, as it was at issue. */
  #takeAll(command: OpenCommand, lba: number, sectors: number, data: Uint8Array): boolean {
    const whole = command.extents.some((one) => lba >= one.lba && lba + sectors <= one.lba + one.sectors);
    if (command.stopped || !whole) return false;
    const at = placeOf(command, lba);
    const trim = command.data === null;
    const wanted = command.data?.subarray(at * this.#size, (at + sectors) * this.#size) ?? new Uint8Array(data.length);
    if (!sameBytes(wanted, data)) return false;
    for (let i = 0; i < sectors; i++) {
      this.#mark(command, at + i);
      if (!this.expected.isWritten(lba + i)) this.sectors++;
    }
    if (trim) this.expected.discard(lba, sectors);
    else this.expected.write(lba, data);
    return true;
  }

  /** The medium has taken a sector. @returns whether that is right */
  #take(touching: readonly OpenCommand[], lba: number, content: Uint8Array): boolean {
    let given = false;
    for (const one of touching) {
      if (one.stopped || !this.#gives(one, lba, content)) continue;
      given = true;
      this.#mark(one, placeOf(one, lba));
    }
    if (given) {
      this.#settle(lba, content);
      return true;
    }
    if (this.expected.read(lba, this.#sector) && sameBytes(this.#sector, content)) return true;
    if (touching.some((one) => one.stopped && this.#gives(one, lba, content))) return true;
    // Once more what it has taken before, after the guest changed the page: hypervisors and drives may repeat a command.
    if (touching.some((one) => !one.stopped && this.#holdsNow(one, placeOf(one, lba), content))) {
      this.#settle(lba, content);
      return true;
    }
    return lba >= this.#env.hiddenFrom() && !this.expected.isWritten(lba);
  }

  /** Whether an open sector of a command may become this. */
  #gives(command: OpenCommand, lba: number, content: Uint8Array): boolean {
    const at = placeOf(command, lba);
    if (at < 0 || command.settled[at] === 1) return false;
    const wanted = this.wanted(command, at);
    if (wanted !== undefined && sameBytes(wanted, content)) return true;
    return !command.stopped && this.#holdsNow(command, at, content);
  }
  #holdsNow({ data, regions }: OpenCommand, at: number, content: Uint8Array): boolean {
    if (at < 0 || data === null) return false;
    const now = new Uint8Array(this.#size);
    return readData(this.#env.memory, regions, at * this.#size, now) === this.#size && sameBytes(now, content);
  }

  /** This is what a sector holds from now on: what was stopped before is of no interest there. */
  #settle(lba: number, content: Uint8Array): void {
    if (!this.expected.isWritten(lba)) this.sectors++;
    this.expected.write(lba, content);
    for (const one of this.commands) if (one.stopped) this.#mark(one, placeOf(one, lba));
    if (this.commands.some(({ stopped, open }) => stopped && open === 0))
      this.commands = this.commands.filter(({ stopped, open }) => !stopped || open > 0);
  }
  #mark(command: OpenCommand, at: number): void {
    if (at < 0 || command.settled[at] === 1) return;
    command.settled[at] = 1;
    command.open--;
    if (!command.stopped && command.data !== null) this.taken++;
  }

  #reportStored(lba: number, sectors: number, content: Uint8Array, touching: readonly OpenCommand[]): void {
    const { report, now } = this.#env;
    const command = touching.find((one) => !one.stopped && placeOf(one, lba) >= 0);
    const written = this.expected.isWritten(lba);
    this.expected.read(lba, this.#sector);
    const expected = this.#sector.slice();
    const is = this.describe(lba, content);
    let should = `the image's (${brief(expected)})`;
    if (written) should = `what the guest wrote last (${brief(expected)})`;
    if (command !== undefined) {
      const wanted = this.wanted(command, placeOf(command, lba));
      should = `that of ${describeCommand(command)} (${wanted === undefined ? "no data" : brief(wanted)}), or before it ${should}`;
    }
    const kind = written ? "overwritten" : command === undefined ? "foreign" : "wrong data";
    const message = `the disk took ${is}; right is ${should}`;
    report({ kind, time: now(), lba, sectors, message });
  }

  /** What a content is, for people. */
  describe(lba: number, content: Uint8Array): string {
    const before = new Uint8Array(this.#size);
    if (this.#env.start.read(lba, before) && sameBytes(before, content))
      return `what was there before the guest (${brief(content)})`;
    return sameBytes(content, this.#zeros) ? "zeros" : `contents of nobody's (${brief(content)})`;
  }
}

/** For people: which command, when. */
export const describeCommand = ({ name, extents, issued, slot }: OpenCommand): string =>
  `the guest's ${name} of LBA ${extents[0]!.lba}, ${extents[0]!.sectors} sectors (slot ${slot}, issued at ${atTime(issued)})`;

/** Which sector of a command, counted through its extents, this one is; -1 if none. */
export function placeOf({ extents }: OpenCommand, lba: number): number {
  let before = 0;
  for (const extent of extents) {
    if (lba >= extent.lba && lba < extent.lba + extent.sectors) return before + lba - extent.lba;
    before += extent.sectors;
  }
  return -1;
}

/** The open sectors of a command, as runs; `at` is the place of the first. */
export function* openRuns({ extents, settled }: OpenCommand): Generator<{ lba: number; sectors: number; at: number }> {
  let before = 0;
  for (const { lba, sectors } of extents) {
    for (let from = 0; from < sectors; ) {
      let to = from;
      while (to < sectors && settled[before + to] === settled[before + from]) to++;
      if (settled[before + from] === 0) yield { lba: lba + from, sectors: to - from, at: before + from };
      from = to;
    }
    before += sectors;
  }
}

const isSame = (a: OpenCommand, b: OpenCommand): boolean =>
  a.name === b.name && JSON.stringify([a.extents, a.regions]) === JSON.stringify([b.extents, b.regions]);
