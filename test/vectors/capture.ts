/**
 * Drives the capture program: cases go in, what this host's CPU made of them comes out.
 *
 * Everything that is the kernel's doing and not the CPU's is removed here, so that an outcome is architecture only.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { release } from "node:os";
import { join, resolve } from "node:path";
import { contents, descriptor, RANGES, type Range, SEGMENTS, type Segment } from "./environment.ts";
import { type Case, FLAG, type Outcome, type Patch, STATE, viewOf } from "./layout.ts";
import { normalize } from "./normalize.ts";

const SOURCE = "test/vectors/capture";
const MAGIC = 0x3156_4343;
const REQUEST_BYTES = STATE.BYTES + 24;
const RESULT_BYTES = STATE.BYTES + 20;
const PROTECTION = { r: 1, rw: 3, rx: 5 };

/** The CPU that cases run on. */
export interface Host {
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  readonly name: string;
  readonly kernel: string;
}

export function host(): Host {
  const text = readFileSync("/proc/cpuinfo", "utf8");
  const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(text)?.[1] ?? "";
  return {
    vendor: field("vendor_id"),
    family: Number(field("cpu family")),
    model: Number(field("model")),
    stepping: Number(field("stepping")),
    name: field("model name"),
    kernel: `Linux ${release()}`,
  };
}

/** Builds the capture program if its source is newer, and returns its path. */
export function buildCapture(root: string): string {
  const folder = join(root, ".cache/vectors");
  const program = join(folder, "capture");
  const sources = ["capture.c", "protocol.h", "Makefile"].map((file) => join(root, SOURCE, file));
  const built = statSync(program, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (sources.every((file) => statSync(file).mtimeMs <= built)) return program;
  mkdirSync(folder, { recursive: true });
  const make = spawnSync("make", ["-B", "-s", "-C", join(root, SOURCE), `OUT=${resolve(folder)}`], {
    encoding: "utf8",
  });
  if (make.status !== 0) throw new Error(`the capture program cannot be built:\n${make.stderr}`);
  return program;
}

/** Runs cases on this host's CPU. */
export function capture(program: string, cases: readonly Case[]): Outcome[] {
  const input = [setup(), ...cases.map(request)];
  const child = spawnSync(program, { input: Buffer.concat(input), maxBuffer: 1 << 30 });
  const results = parse(child.stdout);
  if (child.status !== 0 || results.length !== cases.length) {
    const last = cases[results.length];
    const code = last ? Buffer.from(last.code).toString("hex") : "";
    throw new Error(
      `capture ended at case ${results.length} of ${cases.length} (${code}): ${child.signal ?? child.stderr}`,
    );
  }
  return results.map((result, i) => outcome(cases[i]!, result));
}

// ---- to the program ----

const u32 = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);

function setup(): Buffer {
  const mapping = (range: Range) => [u32(range.address, range.size, PROTECTION[range.access]), contents(range)];
  return Buffer.concat([
    u32(MAGIC, RANGES.length, SEGMENTS.length),
    ...RANGES.flatMap(mapping),
    ...SEGMENTS.map(userDesc),
  ]);
}

/** `struct user_desc` of modify_ldt(2). */
function userDesc(segment: Segment, index: number): Uint8Array {
  const d = descriptor(segment);
  const bit = (n: bigint) => Number((d >> n) & 1n);
  const pages = bit(55n);
  const flags =
    bit(54n) |
    (Number((d >> 42n) & 3n) << 1) |
    (Number(!bit(41n)) << 3) |
    (pages << 4) |
    (Number(!bit(47n)) << 5) |
    (1 << 6);
  return u32(index, segment.base, pages ? segment.limit >>> 12 : segment.limit, flags);
}

function request(c: Case): Buffer {
  const bytes = Buffer.alloc(c.patches.reduce((sum, p) => sum + 8 + p.bytes.length, REQUEST_BYTES));
  bytes.set(c.state);
  bytes.set(turned(c.state, 1), STATE.R);
  bytes.writeUInt32LE(c.address, STATE.BYTES);
  bytes.writeUInt8(c.code.length, STATE.BYTES + 4);
  bytes.writeUInt8(Number(c.step), STATE.BYTES + 5);
  bytes.writeUInt16LE(c.patches.length, STATE.BYTES + 6);
  bytes.set(c.code, STATE.BYTES + 8);
  let at = REQUEST_BYTES;
  for (const patch of c.patches) {
    bytes.writeUInt32LE(patch.address, at);
    bytes.writeUInt32LE(patch.bytes.length, at + 4);
    bytes.set(patch.bytes, at + 8);
    at += 8 + patch.bytes.length;
  }
  return bytes;
}

/** The x87 registers from the top of the stack (`direction` 1: out of physical order) or in physical order (-1). */
function turned(state: Uint8Array, direction: 1 | -1): Uint8Array {
  const top = (viewOf(state).getUint16(STATE.FSW, true) >> 11) & 7;
  const registers = new Uint8Array(128);
  for (let i = 0; i < 8; i++) {
    const from = STATE.R + 16 * ((i + direction * top) & 7);
    registers.set(state.subarray(from, from + 10), 16 * i); // the other six bytes are no register's
  }
  return registers;
}

// ---- from the program ----

/** `struct result`: as the signal frame had it. */
interface Result extends Outcome {
  readonly state: Buffer;
}

function parse(bytes: Buffer): Result[] {
  const results: Result[] = [];
  for (let at = 0; at + RESULT_BYTES <= bytes.length; ) {
    const tail = at + STATE.BYTES;
    const patches: Patch[] = [];
    const state = bytes.subarray(at, tail);
    const cr2 = bytes.readBigUInt64LE(tail + 8);
    at += RESULT_BYTES;
    for (let i = bytes.readUInt32LE(tail + 16); i > 0; i--) {
      const length = bytes.readUInt32LE(at + 4);
      patches.push({
        address: bytes.readUInt32LE(at),
        bytes: Uint8Array.from(bytes.subarray(at + 8, at + 8 + length)),
      });
      at += 8 + length;
    }
    results.push({ state, vector: bytes.readUInt32LE(tail), error: bytes.readUInt32LE(tail + 4), cr2, patches });
  }
  return results;
}

const BREAKPOINT = 3;
const DEBUG = 1;
const PAGE_FAULT = 14;

function outcome(before: Case, raw: Result): Outcome {
  const state = Uint8Array.from(raw.state);
  const view = viewOf(state);
  const completed = raw.vector === (before.step ? DEBUG : BREAKPOINT) && !ownTrap(before, view);
  if (completed && !before.step) view.setBigUint64(STATE.RIP, view.getBigUint64(STATE.RIP, true) - 1n, true);

  const flags = view.getUint32(STATE.RFLAGS, true) & ~FLAG.RF; // RF is set in every fault's frame
  view.setUint32(STATE.RFLAGS, before.step ? flags & ~FLAG.TF : flags, true);
  state.set(turned(state, -1), STATE.R);
  const keep = (from: number, to: number) => state.set(before.state.subarray(from, to), from);
  keep(STATE.FOP, STATE.MXCSR); // what the kernel's XSAVE makes of them is up to the vendor
  keep(STATE.MXCSR_MASK, STATE.R);
  normalize(before, state);

  // The kernel reports its half of the address space as present, whatever is there.
  const hidden = raw.vector === PAGE_FAULT && raw.cr2 >> 63n === 1n;
  if (completed) return { state, vector: -1, error: 0, cr2: 0n, patches: raw.patches };
  return { state, vector: raw.vector, error: hidden ? raw.error & ~1 : raw.error, cr2: raw.cr2, patches: raw.patches };
}

/** Did the instruction itself raise the exception by which others report that they are done? */
function ownTrap(before: Case, view: DataView): boolean {
  const end = viewOf(before.state).getBigUint64(STATE.RIP, true) + BigInt(before.code.length);
  return !before.step && before.code.at(-1) === 0xcc && view.getBigUint64(STATE.RIP, true) === end;
}
