/**
 * Shapes of saved state. A part declares what its `save()` gives as one shape; its TypeScript type follows from it,
 * so a field cannot be forgotten in either, and a state from outside is checked before anything is restored:
 *
 *     export const portState = record({ regs: PORT.state, done: timerState });
 *     export type PortState = StateOf<typeof portState>;
 *
 * State is plain data: numbers, texts, booleans, null, Uint8Arrays, arrays, and records of them.
 */
import { StateError } from "./errors.ts";

/** Plain data, as {@link encodeState} takes it. */
export type Plain =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly Plain[]
  | { readonly [name: string]: Plain };

/** What a value must look like. `T` is its type in TypeScript. */
export interface Shape<T> {
  /**
   * Throws a {@link StateError} that names the place if `value` is anything else.
   * @param path where `value` stands, for the message
   */
  check(value: unknown, path: string): asserts value is T;
}

/** The TypeScript type of the states that a shape describes. */
export type StateOf<S> = S extends Shape<infer T> ? T : never;

/** A shape for one kind of value. */
function shape<T>(allowed: string, fits: (value: unknown) => boolean): Shape<T> {
  return {
    check(value, path) {
      if (!fits(value)) throw new StateError(path, `${describe(value)} is not ${allowed}`);
    },
  };
}

const integer = (lowest: number, highest: number): Shape<number> =>
  shape(
    `an integer from ${lowest} to ${highest}`,
    (n) => typeof n === "number" && Number.isInteger(n) && n >= lowest && n <= highest,
  );

/** An integer of 8 bits, unsigned. */
export const u8 = integer(0, 0xff);
/** An integer of 16 bits, unsigned. */
export const u16 = integer(0, 0xffff);
/** An integer of 32 bits, unsigned. */
export const u32 = integer(0, 0xffffffff);
/** An integer of 32 bits, signed. */
export const i32 = integer(-0x80000000, 0x7fffffff);
/** A safe integer of 0 or more: a time, a count, a position. */
export const natural = integer(0, Number.MAX_SAFE_INTEGER);
/** Any number, infinities and NaN included. */
export const real: Shape<number> = shape("a number", (n) => typeof n === "number");
/** true or false. */
export const flag: Shape<boolean> = shape("true or false", (value) => typeof value === "boolean");
/** Any text. */
export const text: Shape<string> = shape("a text", (value) => typeof value === "string");

/** One of the given texts: `oneOf("idle", "busy")`. */
export function oneOf<const T extends string>(...choices: readonly T[]): Shape<T> {
  return shape(`one of ${choices.map((choice) => `"${choice}"`).join(", ")}`, (value) => choices.includes(value as T));
}

/** Bytes; with `length`, exactly so many. */
export function bytes(length?: number): Shape<Uint8Array> {
  return shape(
    length === undefined ? "bytes" : `${length} bytes`,
    (value) => value instanceof Uint8Array && (length === undefined || value.length === length),
  );
}

/** What `of` describes, or null. */
export function nullable<T>(of: Shape<T>): Shape<T | null> {
  return {
    check(value, path) {
      if (value !== null) of.check(value, path);
    },
  };
}

/** An array whose every element is an `of`; with `length`, of exactly so many. */
export function list<T>(of: Shape<T>, length?: number): Shape<T[]> {
  return {
    check(value, path) {
      if (!Array.isArray(value)) throw new StateError(path, `${describe(value)} is not a list`);
      if (length !== undefined && value.length !== length) {
        throw new StateError(path, `a list of ${value.length} is not a list of ${length}`);
      }
      for (let i = 0; i < value.length; i++) of.check(value[i], `${path}[${i}]`);
    },
  };
}

/** A record of exactly the named fields. */
export function record<F extends Record<string, Shape<any>>>(fields: F): Shape<{ [N in keyof F]: StateOf<F[N]> }> {
  return {
    check(value, path) {
      if (!isRecord(value)) throw new StateError(path, `${describe(value)} is not a record`);
      for (const name of Object.keys(value)) {
        if (!Object.hasOwn(fields, name)) throw new StateError(join(path, name), "this machine has no such field");
      }
      for (const name of Object.keys(fields)) {
        if (!Object.hasOwn(value, name)) throw new StateError(join(path, name), "the field is missing");
        const of: Shape<unknown> = fields[name];
        of.check(value[name], join(path, name));
      }
    },
  };
}

/** Whether `value` is a record: an object made of named fields, no array, no bytes. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

function describe(value: unknown): string {
  if (typeof value === "string") return `the text "${value.length > 40 ? `${value.slice(0, 37)}...` : value}"`;
  if (value instanceof Uint8Array) return `a Uint8Array of ${value.length} bytes`;
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "a record" : String(value);
}
