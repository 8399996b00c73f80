/**
 * The guest's reads: when it has been told that one is over, its memory must hold what the disk must hold. Sectors that it was
 * writing meanwhile are left out: they may be old or new.
 */
import type { OverlayDisk } from "@castaway/devices";
import { list, type Nanoseconds, natural, record, type StateOf, text } from "@castaway/kit";
import { sameBytes } from "./bytes.ts";
import { type Extent, extent, type Memory, overlaps, readData, region, type Transfer } from "./commands.ts";
import { atTime, brief, type Finding } from "./findings.ts";

export const openRead = record({
  slot: natural,
  name: text,
  issued: natural,
  extent,
  regions: list(region),
  /** What the guest was writing while it read. */
  unsure: list(extent),
});
export type OpenRead = StateOf<typeof openRead>;
export const openReads = list(openRead);

export interface ReadsEnv {
  readonly memory: Memory;
  readonly expected: OverlayDisk;
  readonly now: () => Nanoseconds;
  readonly report: (finding: Finding) => void;
}

/** Sectors that are compared at once. */
const PIECE = 128;

export class GuestReads {
  /** Sectors of reads that were found right. */
  checked = 0;
  readonly #env: ReadsEnv;
  #open: OpenRead[] = [];

  constructor(env: ReadsEnv) {
    this.#env = env;
  }

  /** @param writing what the guest is writing, or may have written, at this moment */
  issue(slot: number, { name, extents, regions }: Transfer, writing: readonly Extent[]): void {
    const [whole] = extents;
    if (whole === undefined || whole.lba + whole.sectors > this.#env.expected.sectors) return; // refused
    const unsure = writing.filter((one) => overlaps(one, whole)).map((one) => ({ ...one }));
    this.#open.push({ slot, name, issued: this.#env.now(), extent: { ...whole }, regions: [...regions], unsure });
  }
  /** The guest began to write or trim. */
  writing(extents: readonly Extent[]): void {
    for (const read of this.#open)
      for (const one of extents) if (overlaps(one, read.extent)) read.unsure.push({ ...one });
  }
  /** The guest was told that the command in a slot is over: if it is a read, it is looked at. */
  complete(slot: number): void {
    const read = this.#open.find((one) => one.slot === slot);
    this.forget(slot);
    if (read !== undefined) this.#compare(read);
  }
  /** The slot is used again, and the guest was not seen to look for its end. */
  forget(slot: number): void {
    this.#open = this.#open.filter((one) => one.slot !== slot);
  }
  /** The guest stopped the port. */
  stop(): void {
    this.#open = [];
  }

  save(): OpenRead[] {
    return structuredCopy(this.#open);
  }
  restore(open: readonly OpenRead[]): void {
    this.#open = structuredCopy(open);
  }

  #compare(read: OpenRead): void {
    const { memory, expected } = this.#env;
    const size = expected.sectorSize;
    const given = read.regions.reduce((sum, { bytes }) => sum + bytes, 0);
    const there = Math.min(read.extent.sectors, Math.floor(given / size));
    for (let at = 0; at < there; at += PIECE) {
      const n = Math.min(PIECE, there - at);
      const [got, right] = [new Uint8Array(n * size), new Uint8Array(n * size)];
      readData(memory, read.regions, at * size, got);
      expected.read(read.extent.lba + at, right);
      if (!sameBytes(got, right)) this.#report(read, read.extent.lba + at, got, right);
      else this.checked += n;
    }
  }
  /** One finding for the first sector that is wrong; how many there are is in it. */
  #report(read: OpenRead, lba: number, got: Uint8Array, right: Uint8Array): void {
    const { expected, now, report } = this.#env;
    const size = expected.sectorSize;
    const wrong: number[] = [];
    for (let i = 0; i * size < got.length; i++) {
      const sure = !read.unsure.some((one) => overlaps(one, { lba: lba + i, sectors: 1 }));
      const same = sameBytes(got.subarray(i * size, (i + 1) * size), right.subarray(i * size, (i + 1) * size));
      if (sure && !same) wrong.push(i);
    }
    const [first] = wrong;
    if (first === undefined) return;
    const [is, should] = [got, right].map((data) => brief(data.subarray(first * size, (first + 1) * size)));
    const which = `${read.name} of LBA ${read.extent.lba}, ${read.extent.sectors} sectors (slot ${read.slot}, issued at ${atTime(read.issued)})`;
    const message = `the guest's ${which} gave it ${is}, right is ${should}; ${wrong.length} sectors there are wrong`;
    report({ kind: "read", time: now(), lba: lba + first, sectors: 1, message });
  }
}

const structuredCopy = (reads: readonly OpenRead[]): OpenRead[] =>
  reads.map(({ extent, regions, unsure, ...rest }) => ({
    ...rest,
    extent: { ...extent },
    regions: regions.map((one) => ({ ...one })),
    unsure: unsure.map((one) => ({ ...one })),
  }));
