/**
 * Inputs that the form's notation cannot tell: which instructions read the stack, selectors, or small divisors.
 *
 * A tuning only makes inputs more telling. No result depends on this list being complete.
 */
import type { Form } from "../../packages/cpu/src/core/forms.ts";
import type { Builder } from "./builder.ts";
import type { Content } from "./encode.ts";
import {
  CODE,
  CODE_SELECTORS,
  DATA,
  extent,
  INTERESTING_SELECTORS,
  STACK_SELECTORS,
  USER_CODE32,
  USER_CODE64,
} from "./environment.ts";
import type { VectorForm } from "./forms.ts";
import { DS, RAX, RBX, RCX, RDI, RDX, RSP, SS, STATE } from "./layout.ts";
import { integer } from "./values.ts";

type Tuning = (b: Builder, form: VectorForm) => void;

/** Low words of registers become selectors. */
const selectors: Tuning = (b) => {
  for (let n = 0; n < (b.mode === 64 ? 16 : 8); n++) if (n !== RSP) b.setPointer(n, pickSelector(b), 16);
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

/** Somewhere to go: in the code, as an offset of the segment that is CS now. */
const destination = (b: Builder): bigint => {
  const far = b.random.below(16) === 0;
  return BigInt(b.random.below(0x10000) + ((b.mode === 16) === far ? CODE.address : 0));
};
/** Half of the registers are destinations. */
const indirect: Tuning = (b) => {
  for (let n = 0; n < (b.mode === 64 ? 16 : 8); n += 2) if (n !== RSP) b.setGpr(n, destination(b));
};
const pickSelector = (b: Builder): bigint => BigInt(b.random.pick(INTERESTING_SELECTORS));
/** Mostly something that CS can hold, and an offset that may lie in it. */
export function farTarget(
  b: Builder,
  selectors: readonly number[] = CODE_SELECTORS,
): { offset: bigint; selector: bigint } {
  const offset = BigInt(b.random.below(0x10000) + (b.random.below(2) === 0 ? CODE.address : 0));
  return { offset, selector: b.random.below(3) === 0 ? pickSelector(b) : BigInt(b.random.pick(selectors)) };
}
/**
 * A far CALL into 64-bit code from elsewhere uses all of RSP, whose upper half is not the program's; and the kernel waits
 * for ever for a fault there to go away.
 */
export function farCallee(b: Builder): { offset: bigint; selector: bigint } {
  const { offset, selector } = farTarget(b);
  return { offset, selector: selector === BigInt(USER_CODE64) && b.mode !== 64 ? BigInt(USER_CODE32) : selector };
}

/** The stack holds a way back: near, far, or an interrupt frame. RPL 3 mostly fits. */
const nearReturn: Tuning = (b, { operandSize }) => onStack(b, operandSize, [destination(b)]);
const farReturn: Tuning = (b, { operandSize }) => {
  const { offset, selector } = farTarget(b);
  onStack(b, operandSize, [offset, selector]);
};
const interruptReturn: Tuning = (b, { operandSize }) => {
  const { offset, selector } = farTarget(b);
  const stack = farTarget(b, STACK_SELECTORS).selector;
  onStack(b, operandSize, [offset, selector, integer(b.random), b.gpr(RSP) + BigInt(b.random.below(64)), stack]);
};
const selectorOnStack: Tuning = (b, { operandSize }) => onStack(b, operandSize, [pickSelector(b)]);
const flagsOnStack: Tuning = (b, { operandSize }) => onStack(b, operandSize, [integer(b.random)]);
/** What LEAVE makes the stack pointer. */
const frame: Tuning = (b) => void b.point(5, SS, 8, b.stackSize(), "int");
/** MASKMOV writes at [DI]. Whether it may fault if the mask is zero is up to the processor, so no mask is. */
const maskedStore: Tuning = (b, { addressSize }) => {
  b.point(RDI, DS, 16, addressSize, "int");
  for (let at: number = STATE.R; at < STATE.YMM_HIGH; at += 16) b.state[at]! |= 0x80;
};
/** Every other register equals the accumulator. */
const equalAccumulator: Tuning = (b) => {
  if (b.random.below(2) === 0) for (let n = 1; n < 8; n += 2) b.setGpr(n, b.gpr(RAX));
};

const TUNINGS: readonly [names: RegExp, tuning: Tuning][] = [
  [/^(lar|lsl|verr|verw|arpl)$/, selectors],
  [/^i?div$/, division],
  [/^(movs|stos|lods|cmps|scas)/, repetition],
  [/^(loop|jr?e?cxz)/, counter],
  [/^xlat/, table],
  [/^(jmp|call)$/, indirect],
  [/^ret$/, nearReturn],
  [/^(retf|lret)$/, farReturn],
  [/^iret/, interruptReturn],
  [/^popf/, flagsOnStack],
  [/^leave/, frame],
  [/^maskmov/, maskedStore],
  [/^cmpxchg$/, equalAccumulator],
];

export function tune(b: Builder, form: VectorForm): void {
  const { operands } = form.form;
  if (operands.some(({ method }) => method === "S")) selectors(b, form);
  if (form.def.name === "pop" && operands[0]?.fixed?.kind === "seg") selectorOnStack(b, form);
  for (const [names, tuning] of TUNINGS) if (names.test(form.def.name)) tuning(b, form);
}

// ---- memory operands ----

const little = (value: bigint, bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));

/** What the comparison compares with: half of all comparisons succeed. */
const accumulator: Content = (b, linear, bytes) => {
  if (b.random.below(2) === 0) return;
  const half = Math.min(bytes, 8);
  b.patch(linear, little(b.gpr(RAX), half));
};
const wideAccumulator: Content = (b, linear, bytes) => {
  if (b.random.below(2) === 0) return;
  b.patch(linear, little(b.gpr(RAX), bytes / 2));
  b.patch(linear + bytes / 2, little(b.gpr(RDX), bytes / 2));
};
const selectorInMemory: Content = (b, linear) => b.patch(linear, little(pickSelector(b), 2));
const far =
  (target: (b: Builder) => { offset: bigint; selector: bigint }): Content =>
  (b, linear, bytes) => {
    const { offset, selector } = target(b);
    b.patch(linear, little(offset, bytes - 2));
    b.patch(linear + bytes - 2, little(selector, 2));
  };
const farPointer = far((b) => farTarget(b));
const farProcedure = far(farCallee);
const dataPointer = far((b) => ({ offset: integer(b.random), selector: pickSelector(b) }));
/** Mostly a valid MXCSR. Bit 17 exists on AMD only. */
const mxcsr: Content = (b, linear) => {
  const value = b.random.below(8) === 0 ? b.random.u32() & ~(1 << 17) : b.random.u32() & 0xffff;
  b.patch(linear, little(BigInt(value >>> 0), 4));
};
const nearPointer: Content = (b, linear, bytes) => b.patch(linear, little(destination(b), bytes));

/** What a memory operand holds, where noise of its kind would not do. */
export function contentOf(name: string, form: Form): Content | null {
  if (name === "cmpxchg") return accumulator;
  if (name === "ldmxcsr") return mxcsr;
  if (/^cmpxchg/.test(name)) return wideAccumulator;
  if (form.operands.some(({ type }) => type === "p")) {
    return name === "call" ? farProcedure : name === "jmp" ? farPointer : dataPointer;
  }
  if (/^(lar|lsl|verr|verw)$/.test(name) || form.operands.some(({ method }) => method === "S")) return selectorInMemory;
  return /^(jmp|call)$/.test(name) ? nearPointer : null;
}
