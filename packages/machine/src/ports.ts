/** The I/O port space: which chip answers which port. */
import type { RegisterSpace } from "@castaway/devices";
import { insertByRank } from "./memory-map.ts";

/** Ports that a chip answers. */
export interface PortRange {
  readonly space: RegisterSpace;
  readonly base: number;
  readonly size: number;
  readonly rank: number;
}

/** An access that no single chip covers is cut into bytes; where nobody answers, bits read as ones and writes are lost. */
export class PortSpace {
  readonly #places: (PortRange | undefined)[] = new Array(0x10000);
  readonly #stacks = new Map<number, PortRange[]>();
  readonly #ranges = new Set<PortRange>();

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

  read(port: number, bytes: number): number {
    const place = this.#places[port];
    if (place !== undefined && port - place.base + bytes <= place.size)
      return place.space.read(port - place.base, bytes);
    if (bytes === 1) return 0xff;
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + this.read((port + i) & 0xffff, 1);
    return value;
  }
  write(port: number, bytes: number, value: number): void {
    const place = this.#places[port];
    if (place !== undefined && port - place.base + bytes <= place.size)
      place.space.write(port - place.base, bytes, value);
    else if (bytes > 1) for (let i = 0; i < bytes; i++) this.write((port + i) & 0xffff, 1, (value >>> (8 * i)) & 0xff);
  }
}
