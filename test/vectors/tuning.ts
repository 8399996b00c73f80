/**
 * Inputs that the form's notation cannot tell: which instructions read the stack, selectors, or small divisors.
 *
 * A tuning only makes inputs more telling. No result depends on this list being complete.
 */
import type { Builder } from "./builder.ts";
import { DATA, extent, INTERESTING_SELECTORS } from "./environment.ts";
import type { VectorForm } from "./forms.ts";
import { RAX, RBX, RCX, RDX, RSP, SS } from "./layout.ts";

type Tuning = (b: Builder, form: VectorForm) => void;

/** Low words of registers become selectors. */
const selectors: Tuning = (b) => {
  for (let n = 0; n < 8; n++) if (n !== RSP) b.setPointer(n, BigInt(b.random.pick(INTERESTING_SELECTORS)), 16);
};

/** Most quotients fit: the dividend's upper half is small, or the sign of the lower half. */
const division: Tuning = (b, { operandSize }) => {
  const dice = b.random.below(4);
  if (dice === 0) return;
  const half = BigInt(operandSize);
  const negative = (b.gpr(RAX) >> (half - 1n)) & 1n;
  b.setPointer(RDX, dice === 1 && negative ? -1n : BigInt(dice === 2 ? b.random.below(4) : 0), operandSize);
  if (b.random.below(2) === 0) b.setPointer(RAX, BigInt(b.random.below(300)), 16);
};

/** Few repetitions, so that they end within the data. */
const repetition: Tuning = (b, { repeat, addressSize }) => {
  if (repeat === "" && b.random.below(4) > 0) return;
  const count = b.random.pick([0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 64, 100, 300]);
  b.setPointer(RCX, BigInt(count), addressSize);
};

/** LOOP and JCXZ decide on small counts. */
const counter: Tuning = (b, { addressSize }) => {
  if (b.random.below(4) > 0) b.setPointer(RCX, BigInt(b.random.below(3)), addressSize);
};

/** The table of XLAT is in the data. */
const table: Tuning = (b, { addressSize }) => {
  b.setPointer(RBX, b.offset(3, DATA.address + 0x400 + b.random.below(0x1a00)), addressSize);
};

/** Puts words on top of the stack. */
export function onStack(b: Builder, size: number, words: readonly bigint[]): void {
  const mask = (1n << BigInt(b.stackSize())) - 1n;
  const linear = (Number(b.gpr(RSP) & mask & 0xffff_ffffn) + extent(b.selectorOf(SS)).base) >>> 0;
  const bytes = new Uint8Array((size / 8) * words.length);
  for (const [i, word] of words.entries()) {
    for (let j = 0; j < size / 8; j++) bytes[(i * size) / 8 + j] = Number((word >> BigInt(8 * j)) & 0xffn);
  }
  b.patch(linear, bytes);
}

const TUNINGS: readonly [names: RegExp, tuning: Tuning][] = [
  [/^(lar|lsl|verr|verw|arpl)$/, selectors],
  [/^i?div$/, division],
  [/^(movs|stos|lods|cmps|scas)/, repetition],
  [/^(loop|jr?e?cxz)/, counter],
  [/^xlat/, table],
];

export function tune(b: Builder, form: VectorForm): void {
  if (form.form.operands.some(({ method }) => method === "S")) selectors(b, form);
  for (const [names, tuning] of TUNINGS) if (names.test(form.def.name)) tuning(b, form);
}
