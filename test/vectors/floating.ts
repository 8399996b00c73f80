/** Floating-point state: x87, MMX and SSE registers with their control and status words. */
import type { Builder, Kind } from "./builder.ts";
import { STATE } from "./layout.ts";
import * as values from "./values.ts";

const ALL_MASKED = 0x3f;
const FSW_ES = 0x8080; // ES and B
/** 24, 53 and 64 bits. 1 is reserved. */
const PRECISIONS = [0, 2, 3, 3, 3];

/** MXCSR: mostly all exceptions masked; some flags may be set already. */
export function mxcsr(b: Builder, rounding: number): void {
  const { random } = b;
  const masks = random.below(4) > 0 ? ALL_MASKED : random.u32() & ALL_MASKED;
  const sticky = random.below(2) === 0 ? 0 : random.u32() & 0x3f;
  const daz = random.below(6) === 0 ? 0x40 : 0;
  const ftz = random.below(6) === 0 ? 0x8000 : 0;
  const rc = rounding >= 0 ? rounding : random.below(4);
  b.view.setUint32(STATE.MXCSR, sticky | daz | (masks << 7) | (rc << 13) | ftz, true);
}

/** The x87 registers as floating-point numbers, some of them empty, under a control word with that rounding. */
export function x87(b: Builder, rounding: number): void {
  const { random, view, state } = b;
  const masks = random.below(5) > 0 ? ALL_MASKED : random.u32() & ALL_MASKED;
  const rc = rounding >= 0 ? rounding : random.below(4);
  view.setUint16(
    STATE.FCW,
    0x40 | masks | (random.pick(PRECISIONS) << 8) | (rc << 10) | (random.below(8) === 0 ? 0x1000 : 0),
    true,
  );

  let flags = random.below(2) === 0 ? 0 : random.u32() & 0x7f;
  if (random.below(24) > 0) flags &= masks | 0x40; // else an exception may be pending
  const pending = (flags & ~masks & 0x3f) !== 0 ? FSW_ES : 0;
  view.setUint16(STATE.FSW, flags | pending | (random.u32() & 0x7f00 & ~0x80), true);

  const dice = random.below(10);
  view.setUint16(
    STATE.FTW,
    dice < 6 ? 0xff : dice < 8 ? random.u32() & 0xff : dice < 9 ? 0 : 0xff ^ (1 << random.below(8)),
    true,
  );
  const exact = random.below(4) === 0;
  for (let i = 0; i < 8; i++) {
    const value = exact || random.below(4) === 0 ? values.plain80(random) : values.float80(random);
    state.set(value, STATE.R + 16 * i);
  }
  if (random.below(6) === 0) neighbours(b);
}

/** Makes every odd register a neighbour of the one before. */
function neighbours({ random, state, view }: Builder): void {
  for (let at = STATE.R + 16; at < STATE.XMM; at += 32) {
    state.copyWithin(at, at - 16, at - 6);
    view.setBigUint64(at, view.getBigUint64(at, true) ^ BigInt(random.below(4)), true);
    const exponent = view.getUint16(at + 8, true);
    if ((exponent & 0x7fff) > 1 && (exponent & 0x7fff) < 0x7ffe)
      view.setUint16(at + 8, exponent + random.below(3) - 1, true);
    if (random.below(2) === 0) state[at + 9]! ^= 0x80;
  }
}

/** The x87 registers as MMX registers, under any tags and any top of stack. */
export function mmx(b: Builder): void {
  x87(b, -1);
  for (let i = 0; i < 8; i++) {
    b.view.setBigUint64(STATE.R + 16 * i, values.integer(b.random), true);
    b.view.setUint16(STATE.R + 16 * i + 8, b.random.below(2) === 0 ? 0xffff : b.random.u32() & 0xffff, true);
  }
}

/** The XMM registers, and MXCSR. */
export function sse(b: Builder, kinds: readonly Kind[], rounding: number): void {
  mxcsr(b, rounding);
  b.vectors(kinds);
}
