/** The I/O port space: which chip answers which port. */
import type { RegisterSpace } from "@castaway/devices";
import { Probe } from "@castaway/kit";
import { insertByRank } from "./memory-map.ts";

/** Ports that a chip answers. */
export interface PortRange {
  readonly space: RegisterSpace;
  readonly base: number;
  readonly size: number;
  readonly rank: number;
}

/** One access to a device: by port, or by physical address. */
export interface Access {
  readonly write: boolean;
  readonly address: number;
  /** 1, 2 or 4. */
  readonly bytes: number;
  /** What was written, or what was answered. */
  readonly value: number;
}

/** An access that no single chip covers is cut into bytes; where nobody answers, bits read as ones and writes are lost. */
export class PortSpace {
  readonly #places: (PortRange | undefined)[] = new Array(0x10000);
  readonly #stacks = new Map<number, PortRange[]>();
  readonly #ranges = new Set<PortRange>();

  /** Every access by a processor. */
  readonly accesses = new Probe<Access>("port accesses");

  /** Where ranges overlap that of the highest `rank` answers, whichever was mapped last; of equal ranks the latest. */
  map(base: number, size: number, space: RegisterSpace, { rank = 0 } = {}): void {
    const place = { space, base, size, rank };
    this.#ranges.add(place);
    for (let port = base; port < Math.min(base + size, 0x10000); port++) {
      const stack = this.#stacks.get(port) ?? [];
      insertByRank(stack, place);
      this.#stacks.set(port, stack);
      this.#places[port] = stack.at(-1);
    }
  }
  unmap(base: number, size: number, space: RegisterSpace): void {
    for (const range of this.#ranges) if (range.space === space && range.base === base) this.#ranges.delete(range);
    for (let port = base; port < Math.min(base + size, 0x10000); port++) {
      const stack = (this.#stacks.get(port) ?? []).filter((p) => !(p.space === space && p.base === base));
      this.#stacks.set(port, stack);
      this.#places[port] = stack.at(-1);
    }
  }
  /** What is mapped now, by its first port; of ranges that begin at the same port the one that answers comes last. */
  ranges(): PortRange[] {
    return [...this.#ranges].sort((a, b) => a.base - b.base || a.rank - b.rank);
  }

  /** An access by a processor: 1, 2 or 4 bytes. */
  read(port: number, bytes: number): number {
    const value = this.#read(port, bytes);
    if (this.accesses.active) this.accesses.emit({ write: false, address: port, bytes, value });
    return value;
  }
  write(port: number, bytes: number, value: number): void {
    if (this.accesses.active) this.accesses.emit({ write: true, address: port, bytes, value });
    this.#write(port, bytes, value);
  }

  #read(port: number, bytes: number): number {
    const place = this.#places[port];
    if (place !== undefined && port - place.base + bytes <= place.size)
      return place.space.read(port - place.base, bytes);
    if (bytes === 1) return 0xff;
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + this.#read((port + i) & 0xffff, 1);
    return value;
  }
  #write(port: number, bytes: number, value: number): void {
    const place = this.#places[port];
    if (place !== undefined && port - place.base + bytes <= place.size)
      place.space.write(port - place.base, bytes, value);
    else if (bytes > 1) for (let i = 0; i < bytes; i++) this.#write((port + i) & 0xffff, 1, (value >>> (8 * i)) & 0xff);
  }
}
