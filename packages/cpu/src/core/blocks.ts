/**
 * Blocks: runs of decoded instructions, keyed by physical address and mode, shared by all processors of a machine.
 *
 * Where blocks end decides where events are taken, so it is a function of the guest's bytes alone: at every control
 * transfer and every instruction that ends its block for what it changes, at a repeated string instruction, after the
 * instruction that follows an interrupt shadow's start, at the page's end, and after MAX_INSTRUCTIONS.
 */
import { type CodeMode, type Decoded, type Decoder, MAX_LENGTH } from "./decode.ts";
import { DecodedCache } from "./decoded-cache.ts";
import { MODE_REAL } from "./modes.ts";
import { CODE_GRANULE, CODE_MAP_BYTES, CODE_MAPS, LAYOUT, PAGE, type PhysicalMemory } from "./physical.ts";
import { S } from "./state.ts";

export const MAX_INSTRUCTIONS = 64;

export interface Block {
  /** Physical address of the first byte; with the mode, the key. */
  readonly physical: number;
  readonly mode: number;
  /** Length in bytes. */
  readonly bytes: number;
  readonly insns: readonly Decoded[];
  /** For a single instruction that crosses its page: the physical page of its end; else -1. */
  readonly secondPage: number;
  /** False once the guest has overwritten it: it must not go on. */
  valid: boolean;
  /** Address of its first record for the emitted interpreter; 0 until translated. */
  record: number;
}

/** How many bytes from its block's start an instruction begins. */
export function offsetOf({ insns }: Block, index: number): number {
  let offset = 0;
  for (let i = 0; i < index; i++) offset += insns[i]!.length;
  return offset;
}

/**
 * A block that was left between two instructions, for a debugger: what is left of it is run before anything else, and
 * before events are looked for. Kept and saved with its processor.
 */
export interface BegunBlock {
  readonly physical: number;
  readonly mode: number;
  /** Offset in CS of its first instruction; number of the next one. */
  readonly start: number;
  readonly index: number;
  /** Null after a restore: then it is built again from the bytes. */
  readonly block: Block | null;
}

/** The modes of code by the low bits of S.MODE. */
const MODES: readonly CodeMode[] = [0, 1, 2, 3, 4, 5, 6].map((m) => ({
  bits: ([16, 32, 64, 64] as const)[m & 3]!,
  real: (m & MODE_REAL) !== 0,
}));

const pageOf = (address: number) => Math.floor(address / PAGE);
const granuleOf = (offset: number) => offset >> (31 - Math.clz32(CODE_GRANULE));
const keyOf = (physical: number, mode: number) => (physical % PAGE) * 8 + mode;

/** The code of one physical page. */
class CodePage {
  readonly #page: number;
  /** The host memory that it was decoded from. */
  readonly host: number;
  /** By offset in the page times 8 plus mode. */
  readonly blocks = new Map<number, Block>();
  /** Instructions that begin or end here, and cross to or from another page. */
  readonly crossing = new Set<Block>();
  /** A bit for each granule that blocks have bytes of: most writes to a page with code meet none. Empty: not known. */
  readonly #map: Uint8Array;

  constructor(page: number, host: number, map: Uint8Array) {
    this.#page = page;
    this.host = host;
    this.#map = map;
  }
  /** First and last offset of a block in this page. */
  #span(block: Block): readonly [first: number, last: number] {
    const offset = block.physical % PAGE,
      begins = pageOf(block.physical) === this.#page,
      ends = block.secondPage < 0 || block.secondPage === this.#page;
    if (begins && block.secondPage < 0) return [offset, offset + block.bytes - 1];
    return [begins && !ends ? offset : 0, ends && !begins ? offset + block.bytes - PAGE - 1 : PAGE - 1];
  }
  /** Is the instruction there known to cross to another page? */
  crosses(physical: number, mode: number): boolean {
    for (const block of this.crossing) if (block.physical === physical && block.mode === mode) return true;
    return false;
  }
  mark(block: Block): void {
    const [first, last] = this.#span(block);
    for (let n = granuleOf(first); n <= granuleOf(last); n++) this.#map[n >> 3]! |= 1 << (n & 7);
  }
  /** Gives every block that has one of these bytes to `drop`, which takes it out. */
  sweep(first: number, last: number, drop: (block: Block) => void): void {
    let hit = this.#map.length === 0;
    for (let n = granuleOf(first); n <= granuleOf(last); n++) if (this.#map[n >> 3]! & (1 << (n & 7))) hit = true;
    if (!hit) return;
    this.#map.fill(0);
    for (const blocks of [this.blocks.values(), this.crossing]) {
      for (const block of blocks) {
        const [from, to] = this.#span(block);
        if (from <= last && to >= first) drop(block);
        else this.mark(block);
      }
    }
  }
  get empty(): boolean {
    return this.blocks.size === 0 && this.crossing.size === 0;
  }
}

export class BlockCache {
  readonly memory: PhysicalMemory;
  readonly #decoder: DecodedCache;
  readonly #pages = new Map<number, CodePage>();
  readonly #freeMaps = Array.from({ length: CODE_MAPS }, (_, i) => LAYOUT.codeMaps + i * CODE_MAP_BYTES);
  /** The instructions of the block that is being built. */
  readonly #insns: Decoded[] = [];
  readonly #scratch = new Uint8Array(2 * MAX_LENGTH);
  /** Called when code was decoded from a page for the first time: TLBs must mark it slow for writes. */
  onCodePage: (page: number) => void = () => {};
  /** Called for a block that is dropped: its records must not be entered, or gone on with. */
  onDrop: (block: Block) => void = () => {};

  constructor(memory: PhysicalMemory, decoder: Decoder) {
    this.memory = memory;
    this.#decoder = new DecodedCache(decoder);
    memory.onCodeWrite = (address, bytes) => this.invalidate(address, bytes);
  }

  /** The block at a physical address whose page has this host address, or null if its first instruction crosses the page. */
  find(physical: number, host: number, mode: number): Block | null {
    const page = this.#pages.get(pageOf(physical)),
      known = page?.blocks.get(keyOf(physical, mode));
    if (known !== undefined) return known;
    if (page?.crosses(physical, mode)) return null;
    const block = this.#build(physical, host, mode);
    if (block === null) return null;
    const code = this.#codePage(pageOf(physical));
    code.blocks.set(keyOf(physical, mode), block);
    code.mark(block);
    return block;
  }
  #build(physical: number, host: number, mode: number): Block | null {
    const start = host + (physical % PAGE),
      end = host + PAGE,
      codeMode = MODES[mode]!;
    const insns = this.#insns;
    let count = 0,
      at = start,
      last = MAX_INSTRUCTIONS;
    while (at < end && count < last) {
      const insn = this.#decoder.decode(this.memory.u8, at, end, codeMode);
      if (insn === null) break;
      insns[count++] = insn;
      at += insn.length;
      if (insn.def.endsBlock || (insn.def.repeat !== undefined && insn.repeat !== "none")) break;
      if (insn.def.shadow && last === MAX_INSTRUCTIONS) last = count + 1;
    }
    if (count === 0) return null;
    return { physical, mode, bytes: at - start, insns: insns.slice(0, count), secondPage: -1, valid: true, record: 0 };
  }

  /** The one-instruction block of an instruction that crosses from one physical page to another. */
  findCrossing(physical: number, host: number, secondPage: number, secondHost: number, mode: number): Block {
    const code = this.#codePage(pageOf(physical));
    for (const known of code.crossing) {
      if (known.physical === physical && known.mode === mode && known.secondPage === secondPage) return known;
    }
    const { u8 } = this.memory,
      offset = physical % PAGE,
      first = PAGE - offset;
    this.#scratch.set(u8.subarray(host + offset, host + PAGE), 0);
    this.#scratch.set(u8.subarray(secondHost, secondHost + MAX_LENGTH), first);
    const block = this.single(this.#scratch, physical, mode, secondPage);
    for (const page of [code, this.#codePage(secondPage)]) {
      page.crossing.add(block);
      page.mark(block);
    }
    return block;
  }
  /** A block of one instruction from bytes at hand, at least 15 of them; not remembered. */
  single(bytes: Uint8Array, physical: number, mode: number, secondPage = -1): Block {
    const insn = this.#decoder.decode(bytes, 0, bytes.length, MODES[mode]!)!;
    return { physical, mode, bytes: insn.length, insns: [insn], secondPage, valid: true, record: 0 };
  }

  /** True if `find` or `findCrossing` would give this very block. */
  holds(block: Block): boolean {
    const page = this.#pages.get(pageOf(block.physical));
    if (page === undefined) return false;
    return page.blocks.get(keyOf(block.physical, block.mode)) === block || page.crossing.has(block);
  }
  /** The records are gone; blocks stay. */
  forgetTranslations(): void {
    for (const { blocks, crossing } of this.#pages.values()) {
      for (const block of blocks.values()) block.record = 0;
      for (const block of crossing) block.record = 0;
    }
  }

  #codePage(page: number): CodePage {
    let code = this.#pages.get(page);
    if (code === undefined) {
      this.#pages.set(page, (code = new CodePage(page, this.memory.readHost[page]!, this.#mapFor(page))));
      this.memory.codePages[page] = 1;
      this.onCodePage(page);
    }
    return code;
  }

  #mapFor(page: number): Uint8Array {
    const at = this.#freeMaps.pop();
    if (at === undefined) return new Uint8Array(0);
    this.memory.codeMaps.set(page, at);
    return this.memory.u8.subarray(at, at + CODE_MAP_BYTES).fill(0);
  }

  /** The guest (or a device) wrote these bytes, all in one page: every block that holds one of them is dropped. */
  invalidate(address: number, bytes: number): void {
    const page = pageOf(address),
      code = this.#pages.get(page),
      first = address % PAGE;
    if (code === undefined) return;
    code.sweep(first, first + bytes - 1, this.#drop);
    if (code.empty) this.#release(page);
  }
  readonly #drop = (block: Block): void => {
    block.valid = false;
    this.memory.i32[S.ATTENTION >> 2] = 1; // a repeated instruction that overwrites itself is fetched again, as after an interrupt
    const page = this.#pages.get(pageOf(block.physical));
    if (block.secondPage >= 0) {
      page?.crossing.delete(block);
      this.#pages.get(block.secondPage)?.crossing.delete(block);
    } else if (this.holds(block)) page!.blocks.delete(keyOf(block.physical, block.mode));
    this.onDrop(block);
  };
  /** The page holds no code any more: writes may be fast again. */
  #release(page: number): void {
    this.#pages.delete(page);
    const map = this.memory.codeMaps.get(page);
    if (map !== undefined) this.#freeMaps.push(map);
    this.memory.codeMaps.delete(page);
    this.memory.codePages[page] = 0;
    this.onCodePage(page);
  }
  /** Forgets everything: RAM was replaced. Nothing of it is architectural. */
  clear(): void {
    for (const page of [...this.#pages.keys()]) this.#forget(page);
  }
  /** After the physical map changed: forgets the code of pages that are elsewhere now, or nowhere. */
  remapped(): void {
    for (const [page, { host }] of [...this.#pages]) if (host !== this.memory.readHost[page]) this.#forget(page);
  }
  #forget(page: number): void {
    const code = this.#pages.get(page)!;
    for (const blocks of [code.blocks.values(), code.crossing]) for (const block of blocks) this.#drop(block);
    this.#release(page);
  }
}
