/**
 * Exact multiply-divide, for the ratios between clocks. A double loses whole ticks of a 3.579545 MHz counter after
 * 2.5 s of nanoseconds; here the product has 128 bits.
 */
import Long from "long";
import { high32, low32 } from "./bits.ts";
import { assert } from "./errors.ts";

/**
 * floor(value * multiply / divide), exactly.
 * @param value a safe integer, 0 or more
 * @param multiply a safe integer, 0 or more
 * @param divide a safe integer, 1 or more
 * @returns a safe integer; a quotient that is none is an {@link InternalError}
 */
export function mulDiv(value: number, multiply: number, divide: number): number {
  return scale(value, multiply, divide, false);
}

/** As {@link mulDiv}, but ceil: the smallest integer that is not below the exact quotient. */
export function mulDivUp(value: number, multiply: number, divide: number): number {
  return scale(value, multiply, divide, true);
}

/**
 * floor(value * multiply / divide), exactly, on unsigned 64-bit values.
 * @param value any 64 bits, taken as unsigned
 * @param multiply any 64 bits, taken as unsigned
 * @param divide any 64 bits but 0, taken as unsigned
 * @returns an unsigned Long; a quotient of more than 64 bits is an {@link InternalError}
 */
export function mulDivLong(value: Long, multiply: Long, divide: Long): Long {
  const divisor = limbsOf(divide.high, divide.low);
  const product = times(limbsOf(value.high, value.low), limbsOf(multiply.high, multiply.low));
  const { quotient: q } = divideLimbs(product, divisor);
  assert((q[4] | q[5] | q[6] | q[7]) === 0, "a multiply-divide fits 64 bits", { value, multiply, divide });
  return Long.fromBits(q[0] | (q[1] << 16), q[2] | (q[3] << 16), true);
}

/** Converts between nanoseconds and the ticks of a counter that counts `hz` times a second, from time 0 on. */
export class TickRate {
  /** Ticks a second. */
  readonly hz: number;

  /** @param hz a safe integer, 1 or more */
  constructor(hz: number) {
    assert(Number.isSafeInteger(hz) && hz > 0, "a tick rate is a positive integer", { hz });
    this.hz = hz;
  }

  /** How many ticks are complete at `time` (nanoseconds, 0 or more). */
  ticksAt(time: number): number {
    return mulDiv(time, this.hz, 1_000_000_000);
  }

  /** The first nanosecond at which `tick` ticks are complete: `ticksAt` is `tick` there and less one earlier. */
  timeOf(tick: number): number {
    return mulDivUp(tick, 1_000_000_000, this.hz);
  }
}

const isNatural = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

/** value * multiply / divide, rounded down or up. */
function scale(value: number, multiply: number, divide: number, up: boolean): number {
  if (!isNatural(value) || !isNatural(multiply) || !isNatural(divide) || divide === 0) {
    assert(false, "multiply-divide takes integers of 0 or more, and divides by 1 or more", { value, multiply, divide });
  }
  // value = whole * divide + rest. With clocks, rest * multiply nearly always fits a double.
  const rest = value % divide;
  const whole = ((value - rest) / divide) * multiply;
  const part = rest * multiply;
  let result: number;
  if (Number.isSafeInteger(part)) {
    const over = part % divide;
    result = whole + (part - over) / divide + (up && over !== 0 ? 1 : 0);
  } else {
    result = whole + scaleLimbs(rest, multiply, divide, up);
  }
  if (!Number.isSafeInteger(whole) || !Number.isSafeInteger(result)) {
    assert(false, "a multiply-divide on numbers gives a safe integer", { value, multiply, divide });
  }
  return result;
}

/** As {@link scale}, for a product beyond 2^53 whose quotient is below `multiply`. */
function scaleLimbs(value: number, multiply: number, divide: number, up: boolean): number {
  const product = times(limbsOf(high32(value), low32(value)), limbsOf(high32(multiply), low32(multiply)));
  const { quotient: q, remainder } = divideLimbs(product, limbsOf(high32(divide), low32(divide)));
  const number = q[0] + 0x1_0000 * (q[1] + 0x1_0000 * (q[2] + 0x1_0000 * q[3]));
  return number + (up && remainder.some((limb) => limb !== 0) ? 1 : 0);
}

// Numbers as 16-bit limbs, lowest first: products and two-limb numbers are then exact in doubles.

function limbsOf(high: number, low: number): number[] {
  return [low & 0xffff, low >>> 16, high & 0xffff, high >>> 16];
}

/** The eight limbs of the product of two four-limb numbers. */
function times(a: number[], b: number[]): number[] {
  const product = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 4; i++) {
    let carry = 0;
    for (let j = 0; j < 4; j++) {
      const sum = product[i + j] + a[i] * b[j] + carry; // at most 2^32 - 1
      product[i + j] = sum & 0xffff;
      carry = (sum - (sum & 0xffff)) / 0x1_0000;
    }
    product[i + 4] = carry;
  }
  return product;
}

/** Eight limbs by four, bit by limb as on paper (Knuth, TAOCP volume 2, algorithm 4.3.1 D). */
function divideLimbs(dividend: number[], divisor: number[]): { quotient: number[]; remainder: number[] } {
  let length = 4;
  while (length > 0 && divisor[length - 1] === 0) length--;
  assert(length > 0, "a multiply-divide divides by 1 or more");
  const quotient = [0, 0, 0, 0, 0, 0, 0, 0];
  if (length === 1) {
    let rest = 0;
    for (let i = 7; i >= 0; i--) {
      const part = rest * 0x1_0000 + dividend[i];
      rest = part % divisor[0];
      quotient[i] = (part - rest) / divisor[0];
    }
    return { quotient, remainder: [rest] };
  }
  // Shift both so that the divisor's top bit is set: the estimate of a digit is then at most 2 too large.
  const shift = Math.clz32(divisor[length - 1]) - 16;
  const v = shifted(divisor, length, shift);
  const u = shifted(dividend, 9, shift);
  for (let j = 8 - length; j >= 0; j--) {
    const top = u[j + length] * 0x1_0000 + u[j + length - 1];
    let rest = top % v[length - 1];
    let digit = (top - rest) / v[length - 1];
    while (digit >= 0x1_0000 || digit * v[length - 2] > rest * 0x1_0000 + u[j + length - 2]) {
      digit--;
      rest += v[length - 1];
      if (rest >= 0x1_0000) break;
    }
    let borrow = 0;
    for (let i = 0; i < length; i++) {
      const difference = u[i + j] - digit * v[i] - borrow;
      u[i + j] = difference & 0xffff;
      borrow = (u[i + j] - difference) / 0x1_0000;
    }
    u[j + length] -= borrow;
    if (u[j + length] < 0) {
      digit--; // the rare case: one too large after all, so add the divisor back
      let carry = 0;
      for (let i = 0; i < length; i++) {
        const sum = u[i + j] + v[i] + carry;
        u[i + j] = sum & 0xffff;
        carry = sum >>> 16;
      }
      u[j + length] += carry;
    }
    quotient[j] = digit;
  }
  return { quotient, remainder: u.slice(0, length) }; // the remainder is shifted too, which keeps it zero or not
}

/** The first `length` limbs of `limbs` (missing ones are 0), shifted left by 0 to 15 bits. */
function shifted(limbs: number[], length: number, shift: number): number[] {
  const result: number[] = [];
  let carry = 0;
  for (let i = 0; i < length; i++) {
    const wide = ((limbs[i] ?? 0) << shift) | carry;
    result.push(wide & 0xffff);
    carry = wide >>> 16;
  }
  return result;
}
