/**
 * After a queued command failed, a drive answers nothing but READ LOG EXT of page 10h, which says which one it was.
 * [ATA8-ACS A "NCQ Command Error log"; SATA 3.x 13.6]
 */
import { bytes, flag, record, type StateOf } from "@castaway/kit";
import type { Outcome } from "./taskfile.ts";

/** The log's address for READ LOG EXT. */
export const queueErrorLog = 0x10;

export const queueErrorState = record({ pending: flag, page: bytes(512) });
export type QueueErrorState = StateOf<typeof queueErrorState>;

export class QueueError {
  /** Whether a queued command failed and nobody has read why. */
  pending = false;
  #page = new Uint8Array(512);

  /** @param tag of the failed command; null if it was not a queued one that ended the queue */
  record(tag: number | null, { status, error, count, lba, device }: Outcome): void {
    this.pending = true;
    const page = this.#page.fill(0);
    page[0] = tag ?? 0x80;
    page[2] = status;
    page[3] = error;
    const low = lba % 0x100_0000;
    const high = (lba - low) / 0x100_0000;
    for (let i = 0; i < 3; i++) {
      page[4 + i] = low >>> (8 * i);
      page[8 + i] = high >>> (8 * i);
    }
    page[7] = device;
    page[12] = count;
    page[13] = count >>> 8;
    page[511] = -page.subarray(0, 511).reduce((sum, byte) => sum + byte, 0);
  }

  /** The 512 bytes of the log's only page. */
  get page(): Uint8Array {
    return this.#page;
  }

  clear(): void {
    this.pending = false;
    this.#page.fill(0);
  }

  save(): QueueErrorState {
    return { pending: this.pending, page: this.#page.slice() };
  }

  restore(state: QueueErrorState): void {
    this.pending = state.pending;
    this.#page = state.page.slice();
  }
}
