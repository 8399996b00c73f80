/** Runs cases on castaway's own CPU, in the world of guest.ts, and reports their outcomes as the capture program does. */
import { S, SEG, segment, WINDOW, WINDOW_BYTES } from "../../packages/cpu/src/core/state.ts";
import { Cpu } from "../../packages/cpu/src/cpu.ts";
import { CODE, contents, DATA, descriptor, HOST_SEGMENTS, SEGMENTS } from "./environment.ts";
import { MODEL } from "./forms.ts";
import { FRAME, memoryImage, RAM_BYTES, REGISTERS, vectorAt } from "./guest.ts";
import { type Case, CS, FLAG, FS, GS, type Outcome, type Patch, RSP, SS, STATE, viewOf } from "./layout.ts";
import { normalize } from "./normalize.ts";

export type ExecutorName = "evaluator" | "interpreter";

/** More blocks than any case's repetitions take. */
const PATIENCE = 10_000;
const UNUSABLE = 0x1_0000;
const BREAKPOINT = 3;
const PAGE_FAULT = 14;
const ERROR_CODES = [8, 10, 11, 12, 13, 14, 17];
const INT3 = 0xcc;
const INT3S = new Uint8Array(16).fill(INT3);

/** Registers that are the same bytes here and in the CPU's window: offset in the image, address there, length. */
const SAME: readonly (readonly [offset: number, address: number, bytes: number])[] = [
  [STATE.GPR, S.GPR, 128],
  [STATE.RIP, S.RIP, 8],
  [STATE.FCW, S.FCW, 2],
  [STATE.FSW, S.FSW, 2],
  [STATE.FTW, S.FTW, 2],
  [STATE.MXCSR, S.MXCSR, 4],
  ...Array.from({ length: 8 }, (_, i) => [STATE.R + 16 * i, S.FPR + 16 * i, 10] as const),
  ...Array.from({ length: 16 }, (_, i) => [STATE.XMM + 16 * i, S.YMM + 32 * i, 16] as const),
  ...Array.from({ length: 16 }, (_, i) => [STATE.YMM_HIGH + 16 * i, S.YMM + 32 * i + 16, 16] as const),
];
/** The same as pairs of 16-bit places, which is the fastest way to copy them. */
const PLACES = Uint16Array.from(
  SAME.flatMap(([offset, at, bytes]) =>
    Array.from({ length: bytes / 2 }, (_, i) => [offset / 2 + i, at / 2 + i]).flat(),
  ),
);

/** Segments whose base 64-bit mode has in the image. */
const BASES = [
  [FS, STATE.FS_BASE],
  [GS, STATE.GS_BASE],
] as const;

export class Emulated {
  readonly #cpu: Cpu;
  /** The memory that holds state and RAM; RAM starts at `#ram`. */
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #ram: Uint8Array;
  /** The window of a CPU that is ready for a case, but for what the case says. */
  readonly #ready: Uint8Array;
  readonly #base = contents(DATA);
  /** DATA as the case at hand finds it. */
  readonly #before = contents(DATA);
  #code = { address: CODE.address, length: 0 };

  constructor(executor: ExecutorName) {
    this.#cpu = new Cpu({ memory: RAM_BYTES, executor, model: MODEL });
    const { physical } = this.#cpu;
    this.#bytes = physical.u8;
    this.#view = viewOf(this.#bytes);
    this.#ram = physical.ram;
    this.#cpu.write(0, memoryImage());
    this.#prepare();
    this.#ready = this.#bytes.slice(WINDOW, WINDOW + WINDOW_BYTES);
  }

  /** Paging, descriptor tables, task: all that user mode cannot change. */
  #prepare(): void {
    const put = (at: number, value: bigint) => this.#view.setBigUint64(at, value, true);
    put(S.CR0, REGISTERS.CR0);
    put(S.CR3, REGISTERS.CR3);
    put(S.CR4, REGISTERS.CR4);
    put(S.EFER, REGISTERS.EFER);
    put(S.GDTR_BASE, REGISTERS.GDTR.base);
    put(S.GDTR_LIMIT, BigInt(REGISTERS.GDTR.limit));
    put(S.IDTR_BASE, REGISTERS.IDTR.base);
    put(S.IDTR_LIMIT, BigInt(REGISTERS.IDTR.limit));
    for (const [n, { selector, access, base, limit }] of [
      [6, REGISTERS.LDTR],
      [7, REGISTERS.TR],
    ] as const) {
      this.#setSegment(n, selector, access, base, limit);
    }
    this.#processor.access.tlb.flushAll();
  }
  get #processor() {
    return this.#cpu.processors[0]!;
  }

  run(c: Case): Outcome {
    this.#load(c);
    const { physical } = this.#cpu;
    for (let i = 0; i < PATIENCE; i++) {
      const { reason } = this.#cpu.run({ instructions: 1 }); // that is, to the end of the block
      if (c.step || reason !== "limit" || vectorAt(physical.u64[S.RIP >> 3]!) >= 0) break;
    }
    return this.#outcome(c);
  }

  // ---- before ----

  #load(c: Case): void {
    this.#bytes.set(this.#ready, WINDOW);
    const words = new Uint16Array(c.state.buffer);
    const window = this.#cpu.physical.u16;
    for (let i = 0; i < PLACES.length; i += 2) window[PLACES[i + 1]!] = words[PLACES[i]!]!;
    const state = viewOf(c.state);
    for (let n = 0; n < 6; n++) this.#loadSegment(n, state.getUint16(STATE.SEGMENT + 2 * n, true));
    if (c.mode === 64) {
      for (const [n, at] of BASES) this.#view.setBigUint64(segment(n) + SEG.base, state.getBigUint64(at, true), true);
    }
    this.#processor.flags = state.getUint32(STATE.RFLAGS, true);
    this.#processor.refresh();
    this.#processor.attend();

    for (const { address, bytes } of c.patches) {
      this.#ram.set(bytes, address);
      this.#before.set(bytes, address - DATA.address);
    }
    const { physical } = this.#cpu;
    physical.dmaWrite(this.#code.address, INT3S.subarray(0, this.#code.length));
    physical.dmaWrite(c.address, c.code);
    this.#code = { address: c.address, length: c.code.length };
  }
  #loadSegment(n: number, selector: number): void {
    const known = DESCRIPTORS.get(selector | 3);
    if (known) this.#setSegment(n, selector, known.access, known.base, known.limit);
    else this.#setSegment(n, selector, UNUSABLE, 0n, 0);
  }
  #setSegment(n: number, selector: number, access: number, base: bigint, limit: number): void {
    const at = segment(n);
    this.#view.setUint32(at + SEG.selector, selector, true);
    this.#view.setUint32(at + SEG.access, access, true);
    this.#view.setBigUint64(at + SEG.base, base, true);
    this.#view.setBigUint64(at + SEG.limit, BigInt(limit), true);
  }

  // ---- after ----

  #outcome(c: Case): Outcome {
    const state = c.state.slice();
    const view = viewOf(state);
    const words = new Uint16Array(state.buffer);
    const window = this.#cpu.physical.u16;
    for (let i = 0; i < PLACES.length; i += 2) words[PLACES[i]!] = window[PLACES[i + 1]!]!;
    for (let n = 0; n < 6; n++) view.setUint16(STATE.SEGMENT + 2 * n, this.#view.getUint16(segment(n), true), true);
    let flags = this.#processor.flags;
    const raised = vectorAt(view.getBigUint64(STATE.RIP, true));
    const frame = viewOf(this.#ram.subarray(FRAME - 8, FRAME + 40)); // error code, then RIP, CS, RFLAGS, RSP, SS
    if (raised >= 0) {
      flags = frame.getUint32(24, true);
      view.setBigUint64(STATE.RIP, frame.getBigUint64(8, true), true);
      view.setBigUint64(STATE.GPR + 8 * RSP, frame.getBigUint64(32, true), true);
      view.setUint16(STATE.SEGMENT + 2 * CS, frame.getUint16(16, true), true);
      view.setUint16(STATE.SEGMENT + 2 * SS, frame.getUint16(40, true), true);
    }
    const ownTrap = c.code.at(-1) === INT3 && view.getBigUint64(STATE.RIP, true) === endOf(c);
    const completed = c.step ? raised < 0 : raised === BREAKPOINT && !ownTrap;
    if (completed && !c.step) view.setBigUint64(STATE.RIP, view.getBigUint64(STATE.RIP, true) - 1n, true);
    view.setUint32(STATE.RFLAGS, flags & ~(FLAG.RF | (c.step ? FLAG.TF : 0)), true);
    for (const [n, at] of BASES) view.setBigUint64(at, this.#view.getBigUint64(segment(n) + SEG.base, true), true);
    normalize(c, state);
    const patches = this.#changes(c.patches.length > 0);
    if (completed) return { state, vector: -1, error: 0, cr2: 0n, patches };
    const error = ERROR_CODES.includes(raised) ? frame.getUint32(0, true) : 0;
    const cr2 = raised === PAGE_FAULT ? this.#view.getBigUint64(S.CR2, true) : 0n;
    return { state, vector: raised < 0 ? NEVER_ENDED : raised, error, cr2, patches };
  }

  /** What the case changed in DATA, which is then as before all cases. */
  #changes(patched: boolean): Patch[] {
    const now = this.#ram.subarray(DATA.address, DATA.address + DATA.size);
    const patches: Patch[] = [];
    const changed = Buffer.compare(now, this.#before) !== 0;
    if (changed) {
      const words = wordsOf(now);
      const wordsBefore = wordsOf(this.#before);
      for (let at = 0; at < DATA.size; at++) {
        if ((at & 3) === 0 && words[at >> 2] === wordsBefore[at >> 2]) at += 3; // most of them
        if (now[at] === this.#before[at]) continue;
        let end = at + 1;
        while (end < DATA.size && now[end] !== this.#before[end]) end++;
        patches.push({ address: DATA.address + at, bytes: now.slice(at, end) });
        at = end;
      }
    }
    if (changed || patched) {
      now.set(this.#base);
      this.#before.set(this.#base);
    }
    return patches;
  }
}

/** Stands for a vector where no exception came and no end. */
export const NEVER_ENDED = 255;

const wordsOf = (bytes: Uint8Array): Int32Array => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const endOf = (c: Case): bigint => viewOf(c.state).getBigUint64(STATE.RIP, true) + BigInt(c.code.length);

/** What loading a selector (with RPL 3) puts into the hidden part of a segment register. */
const DESCRIPTORS = new Map(
  [
    ...HOST_SEGMENTS.map(({ selector, descriptor: d }) => [selector, d] as const),
    ...SEGMENTS.map((s, i) => [(i << 3) | 7, descriptor(s)] as const),
  ].map(([selector, d]) => {
    const access = Number((d >> 40n) & 0xf0ffn);
    const limit = Number((d & 0xffffn) | ((d >> 32n) & 0xf_0000n));
    const base = ((d >> 16n) & 0xff_ffffn) | ((d >> 32n) & 0xff00_0000n);
    return [selector, { access, base, limit: access & 0x8000 ? limit * 0x1000 + 0xfff : limit }] as const;
  }),
);
