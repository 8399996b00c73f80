/**
 * What every byte of a frame goes through, sixteen at a time in WebAssembly: the CRC and the sums of the Internet checksum.
 *
 * The CRC is the remainder of the frame, taken as a polynomial, by P of degree 32 [802.3 3.2.9]. P divides
 * x^300 + x^155 + x^117 + x^89 + 1, and so the same with x^8 for x, since squaring a polynomial of bits squares each of its
 * terms. A byte can thus be taken away if it is added 145, 183, 211 and 300 bytes later: the remainder stays. That is a
 * division whose quotient costs four XORs for 16 bytes; it leaves the last 300 bytes, and tables take the CRC of these.
 */
import { Code, I32, I64, Module, V128 } from "@castaway/kit/wasm";

const distances = [145, 183, 211, 300] as const;
const farthest = 300;
/** Bytes that are divided at least: a few rounds are not worth the work around them. */
const worthwhile = 512;

/** Bytes that go through at once; of a vector; that tables take in a step. */
const most = 0x4000;
const lane = 16;
const step = 16;

/** Entry 256 n + b: what a byte b makes of the CRC n bytes later. */
const tables = 0;
const message = 0x4000;
/** Each byte of the quotient is this far from the message's. Zeros are before the first. */
const apart = 0x4200;

/** Vector instructions. [WebAssembly 5.4.9] */
const SIMD = { load: 0x00, store: 0x0b, extract32: 0x1b, xor: 0x51, pairs16: 0x7f, add32: 0xae } as const;

type Bulk = {
  readonly memory: Uint8Array;
  /** The CRC after `length` bytes of the message, which are then lost. */
  readonly crc: (length: number, before: number) => number;
  /** The sum of the message's little-endian words of 16 bits. */
  readonly sum: (length: number) => number;
};

/** Made when the first frame needs it. */
let made: Bulk | null = null;

/** The CRC register once `bytes` have gone through it. */
export function passCrc(before: number, bytes: Uint8Array): number {
  made ??= make();
  let crc = before;
  for (let at = 0; at < bytes.length; at += most) {
    crc = made.crc(place(made, bytes, at, Math.min(at + most, bytes.length)), crc);
  }
  return crc;
}

/** The sum of the words of 16 bits from byte `from` to before `to`, the lower byte first, as if a zero followed the last. */
export function sumWords(bytes: Uint8Array, from: number, to: number): number {
  made ??= make();
  let total = 0;
  for (let at = from; at < to; at += most) {
    total += made.sum(place(made, bytes, at, Math.min(at + most, to)));
  }
  return total;
}

/** Copies the bytes from `from` to before `to` to where the message is. @returns how many they are */
function place({ memory }: Bulk, bytes: Uint8Array, from: number, to: number): number {
  memory.set(to - from === bytes.length ? bytes : bytes.subarray(from, to), message);
  return to - from;
}

function make(): Bulk {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  fillTables(new Int32Array(memory.buffer, tables, 256 * step));
  const module = new Module({ table: false });
  module.function(crcCode(), [I32, I32], [I32], "crc");
  module.function(sumCode(), [I32], [I32], "sum");
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { env: { memory } });
  return { ...(exports as Pick<Bulk, "crc" | "sum">), memory: new Uint8Array(memory.buffer) };
}

function fillTables(entries: Int32Array): void {
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
    entries[byte] = crc;
  }
  for (let at = 256; at < entries.length; at++) {
    const before = entries[at - 256];
    entries[at] = (before >>> 8) ^ entries[before & 0xff];
  }
}

function crcCode(): Code {
  const code = new Code(2);
  const [length, crc] = [0, 1];
  const [at, end] = [code.local(I32), code.local(I32)];
  code.i32(message).tee(at).get(length).op("i32.add").set(end);
  code.get(length).i32(worthwhile).op("i32.ge_u").open("if");
  divide(code, at, end, crc);
  code.end();
  lookUp(code, at, end, crc);
  return code.get(crc);
}

/** Moves `at` on to the bytes that remain of the division, which stand for the whole message and the CRC before it. */
function divide(code: Code, at: number, end: number, crc: number): void {
  const [rest, place, nothing] = [code.local(I32), code.local(I32), code.local(V128)];
  code.get(at).get(at).memory("i32.load").get(crc).op("i32.xor").memory("i32.store").i32(0).set(crc);
  code.get(end).i32(farthest).op("i32.sub").i32(-lane).op("i32.and").set(rest); // the message is at a multiple of 16
  whileBelow(code, at, rest, lane, () => {
    code.get(at);
    received(code, at);
    code.simdMemory(SIMD.store, apart);
  });
  // The quotient ends here: the rest only receives what was taken away before.
  code.get(rest).set(place);
  whileBelow(code, place, end, lane, () => code.get(place).get(nothing).simdMemory(SIMD.store, apart));
  code.get(rest).set(place);
  whileBelow(code, place, end, lane, () => {
    code.get(place);
    received(code, place);
    code.simdMemory(SIMD.store);
  });
}

/** 16 bytes of the message, with all that is added to them. */
function received(code: Code, at: number): void {
  code.get(at).simdMemory(SIMD.load);
  for (const distance of distances)
    code
      .get(at)
      .simdMemory(SIMD.load, apart - distance)
      .simd(SIMD.xor);
}

/** Takes the bytes from `at` to before `end` into the CRC by tables. */
function lookUp(code: Code, at: number, end: number, crc: number): void {
  const [whole, low, high] = [code.local(I32), code.local(I64), code.local(I64)];
  code.get(at).get(end).get(at).op("i32.sub").i32(-step).op("i32.and").op("i32.add").set(whole);
  whileBelow(code, at, whole, step, () => {
    code.get(at).memory("i64.load").get(crc).op("i64.extend_i32_u").op("i64.xor").set(low);
    code.get(at).memory("i64.load", 8).set(high);
    for (let n = 0; n < step; n++) {
      code.get(n < 8 ? low : high);
      if (n % 8 > 0) code.i64(BigInt(8 * (n % 8))).op("i64.shr_u");
      entry(code.op("i32.wrap_i64"), step - 1 - n);
      if (n > 0) code.op("i32.xor");
    }
    code.set(crc);
  });
  whileBelow(code, at, end, 1, () => {
    entry(code.get(crc).get(at).memory("i32.load8_u").op("i32.xor"), 0);
    code.get(crc).i32(8).op("i32.shr_u").op("i32.xor").set(crc);
  });
}

/** The lowest byte on the stack becomes its entry, for so many bytes after it. */
function entry(code: Code, later: number): void {
  code
    .i32(0xff)
    .op("i32.and")
    .i32(2)
    .op("i32.shl")
    .memory("i32.load", tables + 1024 * later);
}

function sumCode(): Code {
  const code = new Code(1);
  const length = 0;
  const [at, end, nothing] = [code.local(I32), code.local(I32), code.local(V128)];
  const sums = [code.local(V128), code.local(V128)]; // two, so that additions overlap
  code.i32(message).tee(at).get(length).op("i32.add").tee(end);
  code.get(nothing).simdMemory(SIMD.store);
  code.get(end).get(nothing).simdMemory(SIMD.store, lane);
  whileBelow(code, at, end, 2 * lane, () => {
    for (const [n, sum] of sums.entries())
      code
        .get(sum)
        .get(at)
        .simdMemory(SIMD.load, lane * n)
        .simd(SIMD.pairs16)
        .simd(SIMD.add32)
        .set(sum);
  });
  code.get(sums[0]).get(sums[1]).simd(SIMD.add32).set(sums[0]);
  for (let n = 0; n < 4; n++) {
    code.get(sums[0]).simd(SIMD.extract32).u8(n);
    if (n > 0) code.op("i32.add");
  }
  return code;
}

/** Does `body` while `at` lies below `end`, with steps of so many bytes. */
function whileBelow(code: Code, at: number, end: number, bytes: number, body: () => void): void {
  code.open("block");
  const done = code.depth;
  code.open("loop");
  const again = code.depth;
  code.get(at).get(end).op("i32.ge_u").branchIf(done);
  body();
  code.get(at).i32(bytes).op("i32.add").set(at).branch(again);
  code.end().end();
}
