/** A ring of descriptors of 16 bytes in guest memory [8254x 3.2.6, 3.4]. */
import type { Dma } from "@castaway/kit";
import { address64, fetch, store } from "../storage/ahci/slot.ts";
import { descriptorBytes } from "./descriptor.ts";
import { MAC, type MacRegisters } from "./registers.ts";

/** The places of each ring's registers among the values of all: rings are looked at several times a frame. */
const AT = MAC.at;
const rings = {
  receive: { low: AT.RDBAL, high: AT.RDBAH, bytes: AT.RDLEN, head: AT.RDH, tail: AT.RDT },
  transmit: { low: AT.TDBAL, high: AT.TDBAH, bytes: AT.TDLEN, head: AT.TDH, tail: AT.TDT },
};

export class Ring {
  readonly #values: Uint32Array;
  readonly #at: (typeof rings)["receive"];
  readonly #dma: Dma;
  readonly #descriptor = new Uint8Array(descriptorBytes);

  constructor(direction: "receive" | "transmit", regs: MacRegisters, dma: Dma) {
    this.#values = regs.values;
    this.#at = rings[direction];
    this.#dma = dma;
  }

  /** How many descriptors it has. */
  get count(): number {
    return this.#values[this.#at.bytes] / descriptorBytes;
  }

  /** How many are the card's: from head to before tail. None if head or tail lie outside, where the chip would go astray. */
  get pending(): number {
    const { count } = this;
    const head = this.#values[this.#at.head];
    const tail = this.#values[this.#at.tail];
    if (head >= count || tail >= count) return 0;
    return tail >= head ? tail - head : tail - head + count;
  }

  /** Where the descriptor at head is. */
  get head(): number {
    const { low, high, head } = this.#at;
    return address64(this.#values[low], this.#values[high]) + this.#values[head] * descriptorBytes;
  }

  /** The descriptor at head, until the next one is fetched. */
  fetch(): Uint8Array {
    return fetch(this.#dma, this.head, this.#descriptor);
  }

  /** Writes the end of the descriptor at head, from byte `at` on, and goes on to the next. */
  finish(at?: number, bytes?: Uint8Array): void {
    if (at !== undefined && bytes !== undefined) store(this.#dma, this.head + at, bytes);
    const { head } = this.#at;
    const next = this.#values[head] + 1;
    this.#values[head] = next >= this.count ? 0 : next;
  }
}
