/** A ring of descriptors of 16 bytes in guest memory [8254x 3.2.6, 3.4]. */
import type { Dma } from "@castaway/kit";
import { address64, fetch, store } from "../storage/ahci/slot.ts";
import { descriptorBytes } from "./descriptor.ts";
import type { MacRegisters } from "./registers.ts";

/** The registers of one ring. By their names, not by a table of names: rings are looked at several times a frame. */
interface RingRegisters {
  readonly base: number;
  readonly bytes: number;
  head: number;
  readonly tail: number;
}

class ReceiveRegisters implements RingRegisters {
  readonly #regs: MacRegisters;
  constructor(regs: MacRegisters) {
    this.#regs = regs;
  }
  get base(): number {
    return address64(this.#regs.RDBAL, this.#regs.RDBAH);
  }
  get bytes(): number {
    return this.#regs.RDLEN;
  }
  get head(): number {
    return this.#regs.RDH;
  }
  set head(index: number) {
    this.#regs.RDH = index;
  }
  get tail(): number {
    return this.#regs.RDT;
  }
}

class TransmitRegisters implements RingRegisters {
  readonly #regs: MacRegisters;
  constructor(regs: MacRegisters) {
    this.#regs = regs;
  }
  get base(): number {
    return address64(this.#regs.TDBAL, this.#regs.TDBAH);
  }
  get bytes(): number {
    return this.#regs.TDLEN;
  }
  get head(): number {
    return this.#regs.TDH;
  }
  set head(index: number) {
    this.#regs.TDH = index;
  }
  get tail(): number {
    return this.#regs.TDT;
  }
}

export class Ring {
  readonly #regs: RingRegisters;
  readonly #dma: Dma;
  readonly #descriptor = new Uint8Array(descriptorBytes);

  constructor(direction: "receive" | "transmit", regs: MacRegisters, dma: Dma) {
    this.#regs = direction === "receive" ? new ReceiveRegisters(regs) : new TransmitRegisters(regs);
    this.#dma = dma;
  }

  /** How many descriptors it has. */
  get count(): number {
    return this.#regs.bytes / descriptorBytes;
  }

  /** How many are the card's: from head to before tail. None if head or tail lie outside, where the chip would go astray. */
  get pending(): number {
    const { count } = this;
    const { head, tail } = this.#regs;
    if (head >= count || tail >= count) return 0;
    return tail >= head ? tail - head : tail - head + count;
  }

  /** Where the descriptor at head is. */
  get head(): number {
    return this.#regs.base + this.#regs.head * descriptorBytes;
  }

  /** The descriptor at head, until the next one is fetched. */
  fetch(): Uint8Array {
    return fetch(this.#dma, this.head, this.#descriptor);
  }

  /** Writes the end of the descriptor at head, from byte `at` on, and goes on to the next. */
  finish(at?: number, bytes?: Uint8Array): void {
    if (at !== undefined && bytes !== undefined) store(this.#dma, this.head + at, bytes);
    const next = this.#regs.head + 1;
    this.#regs.head = next >= this.count ? 0 : next;
  }
}
