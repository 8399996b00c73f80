/** A ring of descriptors of 16 bytes in guest memory [8254x 3.2.6, 3.4]. */
import type { Dma } from "@castaway/kit";
import { address64, fetch, store } from "../storage/ahci/slot.ts";
import { descriptorBytes } from "./descriptor.ts";
import type { MacRegisters } from "./registers.ts";

/** The registers of one ring. */
const names = {
  receive: { BAL: "RDBAL", BAH: "RDBAH", LEN: "RDLEN", H: "RDH", T: "RDT" },
  transmit: { BAL: "TDBAL", BAH: "TDBAH", LEN: "TDLEN", H: "TDH", T: "TDT" },
} as const;

export class Ring {
  readonly #regs: MacRegisters;
  readonly #dma: Dma;
  readonly #names: (typeof names)["receive" | "transmit"];

  constructor(direction: "receive" | "transmit", regs: MacRegisters, dma: Dma) {
    this.#regs = regs;
    this.#dma = dma;
    this.#names = names[direction];
  }

  /** How many descriptors it has. */
  get count(): number {
    return this.#regs[this.#names.LEN] / descriptorBytes;
  }

  /** How many are the card's: from head to before tail. None if head or tail lie outside, where the chip would go astray. */
  get pending(): number {
    const { H, T } = this.#names;
    const { count } = this;
    const head = this.#regs[H];
    const tail = this.#regs[T];
    if (head >= count || tail >= count) return 0;
    return tail >= head ? tail - head : tail - head + count;
  }

  /** Where the descriptor at head is. */
  get head(): number {
    const { BAL, BAH, H } = this.#names;
    return address64(this.#regs[BAL], this.#regs[BAH]) + this.#regs[H] * descriptorBytes;
  }

  /** The descriptor at head. */
  fetch(): Uint8Array {
    return fetch(this.#dma, this.head, new Uint8Array(descriptorBytes));
  }

  /** Writes the end of the descriptor at head, from byte `at` on, and goes on to the next. */
  finish(at?: number, bytes?: Uint8Array): void {
    const { H } = this.#names;
    if (at !== undefined && bytes !== undefined) store(this.#dma, this.head + at, bytes);
    const next = this.#regs[H] + 1;
    this.#regs[H] = next >= this.count ? 0 : next;
  }
}
