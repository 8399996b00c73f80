/** What users write on a command line, as values. */
import type { Nanoseconds } from "@castaway/kit";
import { InvalidArgumentError } from "commander";

const timeUnits: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, min: 60e9 };

/** `60s`, `1.5ms`, `2min`. @throws InvalidArgumentError */
export function duration(text: string): Nanoseconds {
  const match = /^(\d+(?:\.\d+)?)(ns|us|ms|s|min)$/.exec(text);
  const time = match === null ? Number.NaN : Math.round(Number(match[1]) * timeUnits[match[2]]);
  if (Number.isSafeInteger(time)) return time;
  throw new InvalidArgumentError('Write a number and a unit, such as "60s" (units: ns, us, ms, s, min).');
}

/** A whole number from `least` to `most`. */
export const integer =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Allowed: ${least} to ${most}.`);
  };

/** `2026-01-31`, `2026-01-31T12:00:00Z`, seconds since 1970, or `now`; as seconds since 1970. */
export function date(text: string): number {
  if (text === "now") return Math.floor(Date.now() / 1000);
  const time = /^\d{5,}$/.test(text) ? Number(text) : Date.parse(/^\d{4}-\d\d-\d\d/.test(text) ? text : "") / 1000;
  if (Number.isFinite(time)) return Math.floor(time);
  const forms = '"2026-01-31", "2026-01-31T12:00:00Z", seconds since 1970, or "now"';
  throw new InvalidArgumentError(`Write ${forms}.`);
}

const simple: Record<string, string> = {
  a: "\x07",
  b: "\b",
  e: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

/** A text with the escapes of C (`\n`, `\x1b`, `\033`), as the bytes of its UTF-8 form, one character each. */
export function unescaped(text: string): string {
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  return bytes.replace(/\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.?))/gs, (all, hex, octal, letter) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    if (Object.hasOwn(simple, letter)) return simple[letter];
    throw new InvalidArgumentError(`"${all}" is no escape; write "\\\\" for a backslash.`);
  });
}
