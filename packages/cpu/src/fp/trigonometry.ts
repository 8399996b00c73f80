/** FSIN, FCOS, FSINCOS, FPTAN and FPATAN, correctly rounded in every rounding mode. [SDM 1 8.3.7, 8.3.8] */
import { DE, type FpEnv } from "./env.ts";
import { arctangent, atanSeries, cosineSeries, PI, scaled, sineSeries, W } from "./fixed.ts";
import { bitLength, F80, INFINITY, type Operand, shift, unpack, ZERO, zero } from "./formats.ts";
import { invalid, propagate, propagateOne } from "./nan.ts";
import { roundIrrational } from "./transcendental.ts";

/** The pi that arguments are reduced by has 66 bits: 0.C90FDAA2 2168C234 C * 2^2. [SDM 1 8.3.8] */
const PI_66 = 0xc_90fd_aa22_168c_234cn;
/** pi/2 = PI_66 * 2^HALF_PI_LOW. */
const HALF_PI_LOW = -67;

/** Arguments from 2^63 on are out of range: C2 is set and nothing else happens. [SDM 1 8.3.7] */
const RANGE = 63;

/**
 * The argument within pi/4 of zero: (-1)^sign * magnitude * 2^low, plus `quadrant` times pi/2; and sine and cosine of
 * it.
 */
interface Angle {
  readonly quadrant: number;
  readonly sign: number;
  /** sin = sine * 2^sineLow. */
  readonly sine: bigint;
  readonly sineLow: number;
  /** A fixed-point number. */
  readonly cosine: bigint;
}

function measure(x: Operand): Angle {
  let low = x.exponent - 63;
  let magnitude = x.significand;
  let quadrant = 0;
  let { sign } = x;
  if (x.exponent >= -1) {
    const unit = Math.min(low, HALF_PI_LOW);
    const halfPi = PI_66 << shift(HALF_PI_LOW - unit);
    magnitude <<= shift(low - unit);
    const turns = (2n * magnitude + halfPi) / (2n * halfPi);
    magnitude -= turns * halfPi;
    quadrant = Number(BigInt.asUintN(2, turns));
    if (sign) quadrant = -quadrant & 3;
    if (magnitude < 0n) sign ^= 1;
    if (magnitude < 0n) magnitude = -magnitude;
    low = unit;
  }
  const square = scaled(magnitude * magnitude, 2 * low + W);
  const sine = magnitude * sineSeries(square);
  return { quadrant, sign, sine, sineLow: low - W, cosine: cosineSeries(square) };
}

/** sin of the angle plus `turns` quarter turns. */
function roundSine(env: FpEnv, angle: Angle, turns: number): bigint {
  const quadrant = (angle.quadrant + turns) & 3;
  const flip = quadrant >> 1;
  if (quadrant & 1) return roundIrrational(env, flip, angle.cosine, -W);
  return roundIrrational(env, angle.sign ^ flip, angle.sine, angle.sineLow);
}

/** The part that all four have in common: NaNs, infinities, range, denormals. Undefined: go on. */
function special(env: FpEnv, a: bigint, x: Operand): bigint | undefined {
  if (x.kind > INFINITY) return propagateOne(env, F80, x);
  if (x.kind === INFINITY) return invalid(env, F80);
  if (x.kind === ZERO) return undefined;
  if (x.exponent >= RANGE) {
    env.incomplete = true;
    return a;
  }
  return x.denormal && env.stops(DE) ? 0n : undefined;
}

/** FSIN. When `env.incomplete` is set the operand comes back unchanged. [SDM 2A FSIN] */
export function fsin(env: FpEnv, a: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  return special(env, a, x) ?? (x.kind === ZERO ? a : roundSine(env, measure(x), 0));
}

/** FCOS. [SDM 2A FCOS] */
export function fcos(env: FpEnv, a: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  return special(env, a, x) ?? (x.kind === ZERO ? F80.one : roundSine(env, measure(x), 1));
}

/** FSINCOS: returns the sine (it replaces ST(0)); `env.second` is the cosine, pushed on top. [SDM 2A FSINCOS] */
export function fsincos(env: FpEnv, a: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  const answer = special(env, a, x);
  env.second = answer ?? F80.one;
  if (answer !== undefined || x.kind === ZERO) return answer ?? a;
  const angle = measure(x);
  env.second = roundSine(env, angle, 1);
  return roundSine(env, angle, 0); // last, because C1 tells of the sine
}

/** FPTAN: returns the tangent; `env.second` is 1.0 (or the NaN again), pushed on top. [SDM 2A FPTAN] */
export function fptan(env: FpEnv, a: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  const answer = special(env, a, x);
  env.second = answer ?? F80.one;
  if (answer !== undefined || x.kind === ZERO) return answer ?? a;
  const { quadrant, sign, sine, sineLow, cosine } = measure(x);
  // both as integers with W bits or more of quotient; tan(r + pi/2) = -1 / tan(r)
  if (quadrant & 1) {
    const up = bitLength(sine);
    return roundIrrational(env, sign ^ 1, (cosine << shift(up)) / sine, -W - up - sineLow);
  }
  return roundIrrational(env, sign, (sine << shift(W)) / cosine, sineLow);
}

/** FPATAN: the angle of the point (a, b), that is arctan(b / a); a = ST(0), b = ST(1). [SDM 2A FPATAN] */
export function fpatan(env: FpEnv, a: bigint, b: bigint): bigint {
  const x = unpack(env.a, F80, a, false);
  const y = unpack(env.b, F80, b, false);
  if (x.kind > INFINITY || y.kind > INFINITY) return propagate(env, F80, x, y);
  if ((x.denormal || y.denormal) && env.stops(DE)) return 0n;
  if (y.kind === ZERO || (x.kind === INFINITY && y.kind !== INFINITY)) {
    return x.sign ? eighths(env, y.sign, 8n) : zero(F80, y.sign);
  }
  if (y.kind === INFINITY && x.kind === INFINITY) return eighths(env, y.sign, x.sign ? 6n : 2n);
  if (y.kind === INFINITY || x.kind === ZERO) return eighths(env, y.sign, 4n);
  return angleOf(env, x, y);
}

/** n/8 of pi. */
const eighths = (env: FpEnv, sign: number, n: bigint): bigint => roundIrrational(env, sign, (PI * n) >> 3n, -W);

function angleOf(env: FpEnv, x: Operand, y: Operand): bigint {
  const isSteep = y.exponent === x.exponent ? y.significand > x.significand : y.exponent > x.exponent;
  const short = isSteep ? x : y;
  const long = isSteep ? y : x;
  const distance = short.exponent - long.exponent;
  const ratio = (short.significand << shift(W)) / long.significand;
  // a flat angle is a relative quantity, the others are added to a multiple of pi/2
  const isFlat = distance < -5;
  const angle = isFlat
    ? (ratio * atanSeries(scaled(ratio * ratio, 2 * distance - W))) >> shift(W)
    : arctangent(scaled(ratio, distance));
  const low = isFlat ? distance - W : -W;
  if (!isSteep && !x.sign) return roundIrrational(env, y.sign, angle, low);
  const fixed = scaled(angle, low + W);
  if (!isSteep) return roundIrrational(env, y.sign, PI - fixed, -W);
  const halfPi = PI >> 1n;
  return roundIrrational(env, y.sign, x.sign ? halfPi + fixed : halfPi - fixed, -W);
}
