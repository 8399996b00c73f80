/**
 * Copy-on-write: what is written stays in memory, what is not comes from the disk below, which never changes. Over a
 * disk of zeros it is a sparse disk in memory: {@link blankDisk}.
 *
 *     const disk = new OverlayDisk(new ImageDisk(bytes));
 *     for (const { lba, bytes } of disk.changes()) ..        // what the guest wrote
 */
import {
  type BlockDevice,
  bytes,
  list,
  natural,
  nullable,
  parseSize,
  record,
  StateError,
  type StateOf,
} from "@castaway/kit";
import type { Discardable } from "../ata/cached-medium.ts";
import { ZeroDisk } from "./image.ts";
import { nextData, type Sparse } from "./sparse.ts";

/** Bytes in the pieces that memory is taken in. */
const pieceSize = 0x1_0000;

/** A run of sectors that were written. */
export type Change = { lba: number; bytes: Uint8Array };

const pieceState = record({
  /** Its number: pieces are counted from the start of the disk. */
  at: natural,
  /** For each of its sectors whether it was written, one byte each. */
  written: bytes(),
  /** Null if all that was written are zeros. */
  data: nullable(bytes(pieceSize)),
});
export const overlayState = record({ sectors: natural, pieces: list(pieceState) });
export type OverlayState = StateOf<typeof overlayState>;

/** `count`: how many sectors were written; null: to be counted. */
type Piece = { written: Uint8Array; data: Uint8Array | null; count: number | null };

export class OverlayDisk implements BlockDevice, Discardable, Sparse {
  readonly sectorSize: number;
  readonly sectors: number;
  readonly readOnly = false;
  /** What is read where nothing was written. */
  readonly base: BlockDevice;
  readonly #perPiece: number;
  #pieces = new Map<number, Piece>();

  constructor(base: BlockDevice) {
    this.base = base;
    this.sectorSize = base.sectorSize;
    this.sectors = base.sectors;
    this.#perPiece = pieceSize / base.sectorSize;
  }

  read(lba: number, into: Uint8Array): boolean {
    const size = this.sectorSize;
    const end = lba + into.length / size;
    for (let at = lba; at < end; ) {
      const piece = this.#pieces.get(Math.floor(at / this.#perPiece));
      const stop = this.#runEnd(piece, at, end);
      const part = into.subarray((at - lba) * size, (stop - lba) * size);
      const within = at % this.#perPiece;
      if (piece === undefined || piece.written[within] === 0) {
        if (!this.base.read(at, part)) return false;
      } else if (piece.data === null) part.fill(0);
      else part.set(piece.data.subarray(within * size, within * size + part.length));
      at = stop;
    }
    return true;
  }

  write(lba: number, from: Uint8Array): boolean {
    const size = this.sectorSize;
    const end = lba + from.length / size;
    for (let at = lba; at < end; ) {
      const number = Math.floor(at / this.#perPiece);
      const stop = Math.min(end, (number + 1) * this.#perPiece);
      const within = at % this.#perPiece;
      const piece = this.#piece(number);
      const part = from.subarray((at - lba) * size, (stop - lba) * size);
      if (piece.data === null && !isZero(part)) piece.data = new Uint8Array(pieceSize);
      piece.data?.set(part, within * size);
      piece.written.fill(1, within, within + stop - at);
      piece.count = null;
      at = stop;
    }
    return true;
  }

  flush(): boolean {
    return true;
  }

  /** The sectors read as zeros from now on; whole pieces of them need hardly any memory. */
  discard(lba: number, sectors: number): boolean {
    const end = lba + sectors;
    for (let at = lba; at < end; ) {
      const number = Math.floor(at / this.#perPiece);
      const stop = Math.min(end, (number + 1) * this.#perPiece);
      const within = at % this.#perPiece;
      if (this.base instanceof ZeroDisk && stop - at === this.#perPiece) this.#pieces.delete(number);
      else {
        const piece = this.#piece(number);
        piece.written.fill(1, within, within + stop - at);
        piece.count = null;
        if (piece.written.every((written) => written === 1) && stop - at === this.#perPiece) piece.data = null;
        piece.data?.fill(0, within * this.sectorSize, (within + stop - at) * this.sectorSize);
      }
      at = stop;
    }
    return true;
  }

  /** Whether a sector was written, or discarded over a disk that is not blank. */
  isWritten(lba: number): boolean {
    return this.#pieces.get(Math.floor(lba / this.#perPiece))?.written[lba % this.#perPiece] === 1;
  }

  /** The first sector from `lba` on that may be other than zeros: written ones, and those of the disk below. */
  nextData(lba: number): number {
    const below = Math.min(nextData(this.base, lba), this.sectors);
    for (let at = lba; at < below; at = (Math.floor(at / this.#perPiece) + 1) * this.#perPiece) {
      const written = this.#pieces.get(Math.floor(at / this.#perPiece))?.written.indexOf(1, at % this.#perPiece) ?? -1;
      if (written >= 0) return Math.min(Math.floor(at / this.#perPiece) * this.#perPiece + written, below);
    }
    return below;
  }

  /** All sectors from `first` on that were written, in order, as runs within pieces of 64 KiB; `bytes` are copies. */
  *changes(first = 0): Generator<Change> {
    const size = this.sectorSize;
    for (const number of this.#numbers()) {
      const { written, data } = this.#piece(number);
      for (let from = written.indexOf(1, Math.max(0, first - number * this.#perPiece)); from >= 0; ) {
        const gap = written.indexOf(0, from);
        const to = gap < 0 ? written.length : gap;
        const bytes = data?.slice(from * size, to * size) ?? new Uint8Array((to - from) * size);
        yield { lba: number * this.#perPiece + from, bytes };
        from = gap < 0 ? -1 : written.indexOf(1, to);
      }
    }
  }

  /** How many of `sectors` sectors from `lba` on were written. */
  writtenIn(lba: number, sectors: number): number {
    const end = lba + sectors;
    let count = 0;
    for (let at = lba; at < end; ) {
      const number = Math.floor(at / this.#perPiece);
      const stop = Math.min(end, (number + 1) * this.#perPiece);
      const piece = this.#pieces.get(number);
      const within = at % this.#perPiece;
      if (piece !== undefined && stop - at === this.#perPiece) count += piece.count ??= sum(piece.written);
      else if (piece !== undefined) count += sum(piece.written.subarray(within, within + stop - at));
      at = stop;
    }
    return count;
  }

  /** Forgets all that was written. */
  clear(): void {
    this.#pieces.clear();
  }

  save(): OverlayState {
    const pieces = this.#numbers().map((at) => {
      const { written, data } = this.#piece(at);
      return { at, written: written.slice(), data: data?.slice() ?? null };
    });
    return { sectors: this.sectors, pieces };
  }

  restore({ sectors, pieces }: OverlayState): void {
    if (sectors !== this.sectors) throw new StateError("sectors", `${sectors}, but the disk has ${this.sectors}`);
    this.#pieces = new Map(
      pieces.map(({ at, written, data }) => [
        at,
        { written: written.slice(), data: data?.slice() ?? null, count: null },
      ]),
    );
  }

  /** Numbers of the pieces that exist, ascending. */
  #numbers(): number[] {
    return [...this.#pieces.keys()].sort((a, b) => a - b);
  }

  #piece(number: number): Piece {
    let piece = this.#pieces.get(number);
    if (piece === undefined) {
      piece = { written: new Uint8Array(this.#perPiece), data: null, count: 0 };
      this.#pieces.set(number, piece);
    }
    return piece;
  }

  /** Where, from sector `at` on, the sectors stop being all in the overlay or all below; at most `end`. */
  #runEnd(piece: Piece | undefined, at: number, end: number): number {
    let stop = at + 1;
    if (piece === undefined) {
      while (stop < end && (stop % this.#perPiece !== 0 || !this.#pieces.has(stop / this.#perPiece))) {
        stop = Math.min(end, (Math.floor(stop / this.#perPiece) + 1) * this.#perPiece);
      }
      return stop;
    }
    const kind = piece.written[at % this.#perPiece];
    while (stop < end && stop % this.#perPiece !== 0 && piece.written[stop % this.#perPiece] === kind) stop++;
    return stop;
  }
}

/**
 * A sparse disk in memory, all zeros.
 * @param size as users write sizes, `"8GiB"`; a whole number of sectors
 * @throws ConfigError if it is no size, or no whole number of sectors
 */
export function blankDisk(size: number | string, options: { sectorSize?: number } = {}): OverlayDisk {
  return new OverlayDisk(new ZeroDisk(parseSize(size, "disk size"), options));
}

function sum(written: Uint8Array): number {
  let count = 0;
  for (const one of written) count += one;
  return count;
}

/** Whether all bytes are 0. */
function isZero(bytes: Uint8Array): boolean {
  for (let n = 0; n < bytes.length; n++) if (bytes[n] !== 0) return false;
  return true;
}
