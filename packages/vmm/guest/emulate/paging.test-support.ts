/** Paging structures for random instructions: pages in another order than their frames, some of them missing or restricted. */
import type { Random } from "@castaway/kit";
import { type Paging, RAM, REGISTERS } from "./pair.test-support.ts";

/** Where they are: beyond what the instructions use. */
const DIRECTORY = 0x10000,
  LOW = 0x11000,
  DEVICE = 0x12000,
  POINTERS = 0x13000,
  ROOT = 0x14000;
const P = 1,
  RW = 2,
  US = 4,
  ALL = P | RW | US;
const PG = 0x80000000,
  AM = 0x40000,
  WP = 0x10000,
  PAE = 0x20,
  SMAP = 0x200000,
  SMEP = 0x100000;
/** The first page of code, and the page after the last of the data. */
const CODE = [1, 2],
  DATA_END = 16;

export type PagingMode = "32-bit" | "PAE" | "4-level";

/** The first `RAM` bytes and two pages of the device; the rest is missing. `user`: the code is to run at CPL 3. */
export function randomPaging(random: Random, mode: PagingMode, user: boolean): Paging {
  const entries = new Map<number, bigint>(),
    bytes = mode === "32-bit" ? 4 : 8,
    perTable = 4096 / bytes;
  const chance = (oneIn: number) => random.below(oneIn) === 0;
  const set = (table: number, n: number, value: number) => entries.set(table + (n % perTable) * bytes, BigInt(value));
  for (const table of [DIRECTORY, LOW, DEVICE, POINTERS, ROOT])
    for (let at = table; at < table + 4096; at += bytes) entries.set(at, 0n);
  const rights = () =>
    (chance(12) ? 0 : P) | (chance(8) ? 0 : RW) | (user ? (chance(10) ? 0 : US) : chance(5) ? US : 0);
  for (let page = 0; page < RAM / 4096; page++) {
    const isData = page > CODE[1]! && page < DATA_END,
      frame = isData ? page ^ 1 : page;
    set(LOW, page, frame * 4096 + (isData ? rights() : user ? ALL : P | RW));
  }
  for (const page of [0, 1]) {
    const usable = user ? ALL : P | RW;
    set(DEVICE, REGISTERS / 4096 + page, REGISTERS + (page ^ 1) * 4096 + (chance(10) ? rights() : usable));
  }
  const perDirectory = 4096 * perTable;
  set(DIRECTORY, 0, LOW + ALL);
  if (mode === "32-bit") set(DIRECTORY, Math.floor(REGISTERS / perDirectory), DEVICE + ALL);
  else {
    // The device is in the third GiB: one directory serves for the first and the third.
    set(DIRECTORY, Math.floor(REGISTERS / perDirectory), DEVICE + ALL);
    for (const n of [0, 2]) set(POINTERS, n, DIRECTORY + ALL);
    set(ROOT, 0, POINTERS + ALL);
  }
  const some = (bit: number) => (chance(2) ? bit : 0);
  const control: Record<string, number> = {
    CR4: (mode === "32-bit" ? 0 : PAE) | (user ? 0 : some(SMEP)) | some(SMAP),
    CR3: mode === "4-level" ? ROOT : DIRECTORY,
    CR0: (0x31 | PG | some(WP) | some(AM)) >>> 0,
  };
  if (mode === "PAE") Object.assign(control, { PDPTE0: DIRECTORY + P, PDPTE2: DIRECTORY + P });
  return { entries, bytes, control };
}
