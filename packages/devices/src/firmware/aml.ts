/**
 * A small encoder of ACPI machine language: what a table of plain data needs, with no methods [ACPI 20.2]. Each function
 * gives the bytes of one term.
 */
import { assert, swap32 } from "@castaway/kit";
import { ascii, concat, little } from "./fw-cfg.ts";

/** Name (path, value) */
export const name = (path: string, value: Uint8Array): Uint8Array =>
  concat(Uint8Array.of(0x08), nameString(path), value);

/** Scope (path) { .. } */
export const scope = (path: string, ...terms: Uint8Array[]): Uint8Array =>
  concat(Uint8Array.of(0x10), measured(nameString(path), ...terms));

/** Device (path) { .. } */
export const device = (path: string, ...terms: Uint8Array[]): Uint8Array =>
  concat(Uint8Array.of(0x5b, 0x82), measured(nameString(path), ...terms));

/** Package () { .. } */
export const packageOf = (...elements: Uint8Array[]): Uint8Array =>
  concat(Uint8Array.of(0x12), measured(Uint8Array.of(elements.length), ...elements));

/** An integer of at most 32 bits, in the shortest form. */
export function integer(value: number): Uint8Array {
  if (value < 2) return Uint8Array.of(value);
  if (value <= 0xff) return concat(Uint8Array.of(0x0a), little(value, 1));
  if (value <= 0xffff) return concat(Uint8Array.of(0x0b), little(value, 2));
  return concat(Uint8Array.of(0x0c), little(value, 4));
}

/** EisaId ("PNP0A03"): three letters of five bits and four hexadecimal digits, big-endian [ACPI 19.6.36]. */
export function eisaId(id: string): Uint8Array {
  const letters = [...ascii(id.slice(0, 3))].map((letter) => letter - 0x40);
  const bits = (letters[0] << 26) | (letters[1] << 21) | (letters[2] << 16) | Number.parseInt(id.slice(3), 16);
  return integer(swap32(bits));
}

/** ResourceTemplate () { .. } */
export function resources(...descriptors: Uint8Array[]): Uint8Array {
  const bytes = concat(...descriptors, Uint8Array.of(0x79, 0)); // the end tag; a checksum of 0 is none
  return concat(Uint8Array.of(0x11), measured(integer(bytes.length), bytes));
}

/** IO (Decode16, base, base, align, length) [ACPI 6.4.2.5] */
export const io = (base: number, align: number, length: number): Uint8Array =>
  concat(Uint8Array.of(0x47, 1), little(base, 2), little(base, 2), Uint8Array.of(align, length));

/** IRQNoFlags () { n } [ACPI 6.4.2.1] */
export const irqNoFlags = (n: number): Uint8Array => concat(Uint8Array.of(0x22), little(1 << n, 2));

/** What an address space descriptor describes, with its flags of that type [ACPI 6.4.3.5.5]. */
export const SPACE = {
  MEMORY: { type: 0, flags: 0x01 },
  CACHEABLE_MEMORY: { type: 0, flags: 0x03 },
  IO: { type: 1, flags: 0x03 },
  BUS: { type: 2, flags: 0x00 },
};
/** Produced for what is behind the bridge, decoded positively, and fixed at both ends. */
const FIXED = 0x0c;

/** WordIO, WordBusNumber: from `first` to `last` [ACPI 6.4.3.5.3]. */
export const words = (space: { type: number; flags: number }, first: number, last: number): Uint8Array =>
  addressSpace(0x88, space, 2, first, last);

/** DWordMemory: from `first` to `last` [ACPI 6.4.3.5.2]. */
export const doubleWords = (space: { type: number; flags: number }, first: number, last: number): Uint8Array =>
  addressSpace(0x87, space, 4, first, last);

function addressSpace(
  tag: number,
  space: { type: number; flags: number },
  size: 2 | 4,
  first: number,
  last: number,
): Uint8Array {
  const fields = [0, first, last, 0, last - first + 1].map((value) => little(value, size)); // granularity, .. translation
  const body = concat(Uint8Array.of(space.type, FIXED, space.flags), ...fields);
  return concat(Uint8Array.of(tag), little(body.length, 2), body);
}

/** A name of one segment, up to four characters, in the scope that it stands in [ACPI 20.2.2]. */
function nameString(path: string): Uint8Array {
  assert(/^[A-Z_][A-Z0-9_]{0,3}$/.test(path), "a name has one segment of four characters", { path });
  return ascii(path.padEnd(4, "_"));
}

/** The terms after their length, which counts itself [ACPI 20.2.4]. */
function measured(...terms: Uint8Array[]): Uint8Array {
  const body = concat(...terms);
  if (body.length + 1 < 0x40) return concat(Uint8Array.of(body.length + 1), body);
  const length = body.length + 2;
  assert(length < 0x1000, "a package of our tables is below 4 KiB", { length });
  return concat(Uint8Array.of(0x40 | (length & 15), length >> 4), body);
}
