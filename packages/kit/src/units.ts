/**
 * Time is in nanoseconds, sizes are in bytes, everywhere. These functions let a number be written in the unit of the
 * manual that states it: `us(80)`, `mib(512)`.
 */
import { ConfigError } from "./errors.ts";

/** A time or duration in whole nanoseconds of virtual time: a safe integer, so at most 104 days. */
export type Nanoseconds = number;
/** A size in bytes. */
export type Bytes = number;

/** Nanoseconds, as they are; rounds to whole ones. */
export const ns = (count: number): Nanoseconds => duration(count, 1, "ns");
/** Microseconds. Rounds to whole nanoseconds, as all of these do. */
export const us = (count: number): Nanoseconds => duration(count, 1_000, "us");
/** Milliseconds. */
export const ms = (count: number): Nanoseconds => duration(count, 1_000_000, "ms");
/** Seconds. */
export const seconds = (count: number): Nanoseconds => duration(count, 1_000_000_000, "s");

/** Units of 1,024 bytes. A fraction must come out as whole bytes, as with all of these. */
export const kib = (count: number): Bytes => size(count, 1024, "KiB");
/** Units of 1,024 KiB. */
export const mib = (count: number): Bytes => size(count, 1024 * 1024, "MiB");
/** Units of 1,024 MiB. */
export const gib = (count: number): Bytes => size(count, 1024 * 1024 * 1024, "GiB");

const sizeUnits: Record<string, number> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 * 1024,
  GiB: 1024 * 1024 * 1024,
  TiB: 1024 * 1024 * 1024 * 1024,
};
const sizesAllowed = 'a number of bytes, or a text such as "512MiB", "1.5GiB", "64 KiB" (units: B, KiB, MiB, GiB, TiB)';

/**
 * The bytes that a user's size means.
 * @param text a whole number of bytes, or a text: a decimal number and a unit, `"512MiB"`
 * @param setting the setting that it was given for, for the error message
 * @throws ConfigError if it is no size, is negative, or is no whole number of bytes
 */
export function parseSize(text: string | number, setting = "size"): Bytes {
  const match = typeof text === "number" ? null : /^(\d+(?:\.\d+)?) ?([KMGT]iB|B)$/.exec(text);
  if (typeof text === "string" && match === null) throw new ConfigError(setting, text, sizesAllowed);
  const bytes = match ? Number(match[1]) * sizeUnits[match[2]] : Number(text);
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new ConfigError(setting, text, sizesAllowed);
  return bytes;
}

/** `bytes` in the largest unit that gives a whole number: `"512MiB"`, `"1537KiB"`, `"10B"`. */
export function formatSize(bytes: Bytes): string {
  const units = Object.entries(sizeUnits).reverse();
  const [unit, factor] = units.find(([, factor]) => bytes >= factor && bytes % factor === 0) ?? ["B", 1];
  return `${bytes / factor}${unit}`;
}

function duration(count: number, factor: number, unit: string): Nanoseconds {
  const result = Math.round(count * factor);
  if (Number.isSafeInteger(result) && result >= 0) return result;
  throw new ConfigError("duration", `${count} ${unit}`, "0 to 104 days");
}

function size(count: number, factor: number, unit: string): Bytes {
  const result = count * factor;
  if (Number.isSafeInteger(result) && result >= 0) return result;
  throw new ConfigError("size", `${count} ${unit}`, "whole bytes, 0 to 2^53 - 1");
}
