/**
 * Blocks: runs of decoded instructions, keyed by physical address and mode, shared by all processors of a machine.
 *
 * Where blocks end decides where events are taken, so it is a function of the guest's bytes alone: at every control
 * transfer and every instruction that ends its block for what it changes, at a repeated string instruction, after the
 * instruction that follows an interrupt shadow's start, at the page's end, and after MAX_INSTRUCTIONS.
 */
import { type CodeMode, type Decoded, type Decoder, MAX_LENGTH } from "./decode.ts";
import { MODE_REAL } from "./modes.ts";
import { PAGE, type PhysicalMemory } from "./physical.ts";

export const MAX_INSTRUCTIONS = 64;

export interface Block {
  /** Physical address of the first byte; with the mode, the key. */
  readonly physical: number;
  readonly mode: number;
  /** Length in bytes; instruction i starts `offsets[i]` bytes from the start. */
  readonly bytes: number;
  readonly insns: readonly Decoded[];
  readonly offsets: readonly number[];
  /** For a single instruction that crosses its page: the physical page of its end; else -1. */
  readonly secondPage: number;
  /** False once the guest has overwritten it: it must not go on. */
  valid: boolean;
  /** Address of its first record for the emitted interpreter; 0 until translated. */
  record: number;
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

export class BlockCache {
  readonly memory: PhysicalMemory;
  readonly #decoder: Decoder;
  readonly #blocks = new Map<number, Block>();
  readonly #crossing = new Map<number, Block[]>();
  readonly #byPage = new Map<number, Set<Block>>();
  readonly #scratch = new Uint8Array(2 * MAX_LENGTH);
  /** Called when code was decoded from a page for the first time: TLBs must mark it slow for writes. */
  onCodePage: (page: number) => void = () => {};
  /** Called for a block that is dropped: its records must not be entered, or gone on with. */
  onDrop: (block: Block) => void = () => {};

  constructor(memory: PhysicalMemory, decoder: Decoder) {
    this.memory = memory;
    this.#decoder = decoder;
    memory.onCodeWrite = (address, bytes) => this.invalidate(address, bytes);
  }

  /** The block at a physical address whose page has this host address, or null if its first instruction crosses the page. */
  find(physical: number, host: number, mode: number): Block | null {
    const key = physical * 8 + mode,
      known = this.#blocks.get(key);
    if (known) return known;
    const block = this.#build(physical, host, mode);
    if (block !== null) {
      this.#blocks.set(key, block);
      this.#register(block, Math.floor(physical / PAGE));
    }
    return block;
  }
  #build(physical: number, host: number, mode: number): Block | null {
    const start = host + (physical % PAGE),
      end = host + PAGE,
      codeMode = MODES[mode]!;
    const insns: Decoded[] = [],
      offsets: number[] = [];
    let at = start,
      last = MAX_INSTRUCTIONS;
    while (at < end && insns.length < last) {
      const insn = this.#decoder.decode(this.memory.u8, at, end, codeMode);
      if (insn === null) break;
      insns.push(insn);
      offsets.push(at - start);
      at += insn.length;
      if (insn.def.endsBlock || (insn.def.repeat !== undefined && insn.repeat !== "none")) break;
      if (insn.def.shadow && last === MAX_INSTRUCTIONS) last = insns.length + 1;
    }
    if (insns.length === 0) return null;
    return { physical, mode, bytes: at - start, insns, offsets, secondPage: -1, valid: true, record: 0 };
  }

  /** The one-instruction block of an instruction that crosses from one physical page to another. */
  findCrossing(physical: number, host: number, secondPage: number, secondHost: number, mode: number): Block {
    const key = physical * 8 + mode,
      list = this.#crossing.get(key) ?? [];
    const known = list.find((b) => b.secondPage === secondPage);
    if (known) return known;
    const { u8 } = this.memory,
      offset = physical % PAGE,
      first = PAGE - offset;
    this.#scratch.set(u8.subarray(host + offset, host + PAGE), 0);
    this.#scratch.set(u8.subarray(secondHost, secondHost + MAX_LENGTH), first);
    const block = this.single(this.#scratch, physical, mode, secondPage);
    list.push(block);
    this.#crossing.set(key, list);
    this.#register(block, Math.floor(physical / PAGE));
    this.#register(block, secondPage);
    return block;
  }
  /** A block of one instruction from bytes at hand, at least 15 of them; not remembered. */
  single(bytes: Uint8Array, physical: number, mode: number, secondPage = -1): Block {
    const insn = this.#decoder.decode(bytes, 0, bytes.length, MODES[mode]!)!;
    return { physical, mode, bytes: insn.length, insns: [insn], offsets: [0], secondPage, valid: true, record: 0 };
  }

  /** True if `find` would give this very block. */
  holds(block: Block): boolean {
    return this.#blocks.get(block.physical * 8 + block.mode) === block;
  }
  /** The records are gone; blocks stay. */
  forgetTranslations(): void {
    for (const block of this.#blocks.values()) block.record = 0;
  }

  #register(block: Block, page: number): void {
    let blocks = this.#byPage.get(page);
    if (blocks === undefined) this.#byPage.set(page, (blocks = new Set()));
    blocks.add(block);
    if (!this.memory.codePages[page]) {
      this.memory.codePages[page] = 1;
      this.onCodePage(page);
    }
  }

  /** The guest (or a device) wrote these bytes: every block that holds one of them is dropped. */
  invalidate(address: number, bytes: number): void {
    const page = Math.floor(address / PAGE),
      blocks = this.#byPage.get(page);
    if (blocks === undefined) return;
    for (const block of blocks) {
      const inFirst = address < block.physical + block.bytes && address + bytes > block.physical;
      if (block.secondPage === page || inFirst) this.#drop(block);
    }
    if (blocks.size === 0) this.#release(page);
  }
  #drop(block: Block): void {
    block.valid = false;
    const key = block.physical * 8 + block.mode;
    if (this.#blocks.get(key) === block) this.#blocks.delete(key);
    const crossing = this.#crossing.get(key)?.filter((b) => b !== block);
    if (crossing !== undefined) crossing.length > 0 ? this.#crossing.set(key, crossing) : this.#crossing.delete(key);
    for (const page of [Math.floor(block.physical / PAGE), block.secondPage]) this.#byPage.get(page)?.delete(block);
    this.onDrop(block);
  }
  /** The page holds no code any more: writes may be fast again. */
  #release(page: number): void {
    this.#byPage.delete(page);
    this.memory.codePages[page] = 0;
    this.onCodePage(page);
  }
  /** Forgets everything (the physical map changed, or the record arena is full). Nothing of it is architectural. */
  clear(): void {
    const pages = [...this.#byPage.keys()];
    for (const blocks of [...this.#byPage.values()]) for (const block of [...blocks]) this.#drop(block);
    for (const page of pages) this.#release(page);
  }
}
