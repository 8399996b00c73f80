import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SEG, segment, TR } from "../core/state.ts";
import { decoded, expect, ports } from "./rig.test-support.ts";

const HIGH = 1n << 63n;
const test = suite("strings and ports");

test("MOVS, STOS, LODS move their pointers by DF and the address size", () => {
  expect("A4", { RSI: 0x2000, RDI: 0x3000, memory: { 8192: "5A" } }, { RSI: 0x2001, RDI: 0x3001, memory: { 12288: "5A" } });
  expect("48 A5", { RSI: 0x2000, RDI: 0x3000, flags: "DF", memory: { 8192: "01 02 03 04 05 06 07 08" } }, {
    RSI: 0x1ff8, RDI: 0x2ff8, memory: { 12288: "01 02 03 04 05 06 07 08" },
  });
  expect("67 A5", { RSI: 0x100002000n, RDI: 0xf00003000n, memory: { 8192: "01" } }, { RSI: 0x2004, RDI: 0x3004, memory: { 12288: "01" } });
  expect("A5", { bits: 16, RSI: 0x12340000, RDI: 0x5678fffe, memory: { 0: "AA BB" } }, { RSI: 0x12340002, RDI: 0x56780000, memory: { 65534: "AA BB" } });
  expect("66 AB", { RDI: 0x3000, RAX: 0x1234 }, { RDI: 0x3002, memory: { 12288: "34 12" } });
  expect("AD", { RSI: 0x2000, RAX: HIGH, memory: { 8192: "01 02 03 84" } }, { RAX: 0x84030201, RSI: 0x2004 });
  expect("AC", { RSI: 0x2000, RAX: 0x1100, flags: "DF", memory: { 8192: "7F" } }, { RAX: 0x117f, RSI: 0x1fff });
});

test("the source's segment may be overridden, the destination's not", () => {
  const prepare: NonNullable<Parameters<typeof expect>[1]["prepare"]> = (cpu) => cpu.setU64(segment(4) + SEG.base, 0x1000n);
  expect("64 A4", { RSI: 0x1000, RDI: 0x3000, prepare, memory: { 8192: "5A" } }, { RSI: 0x1001, RDI: 0x3001, memory: { 12288: "5A" } });
  expect("64 AA", { RDI: 0x3000, RAX: 7, prepare }, { RDI: 0x3001, memory: { 12288: "07" } });
});

test("CMPS and SCAS compare the source with the destination", () => {
  expect("A6", { RSI: 0x2000, RDI: 0x3000, memory: { 8192: "01", 12288: "02" } }, { RSI: 0x2001, RDI: 0x3001, flags: "CF PF AF SF" });
  expect("66 AF", { RDI: 0x3000, RAX: 0x8000, memory: { 12288: "01 00" } }, { RDI: 0x3002, flags: "PF AF OF" });
  expect("AE", { RDI: 0x3000, RAX: 0x11, memory: { 12288: "11" } }, { RDI: 0x3001, flags: "PF ZF" });
  assert.is(decoded("F2 AE"), "scas AL,Yb");
});

test("a fault leaves the pointers", () => {
  expect("A4", { RSI: 0x2000, RDI: HIGH }, { fault: "GP(0)" });
  expect("A4", { RSI: HIGH, RDI: 0x2000 }, { fault: "GP(0)" });
  expect("A7", { bits: 16, RSI: 0x2000, RDI: 0xffff }, { fault: "GP(0)" });
});

/** Runs and tells what the ports saw. */
function seen(...args: Parameters<typeof expect>): string {
  ports.length = 0;
  expect(...args);
  return ports.join("; ");
}

test("IN and OUT", () => {
  assert.is(seen("E4 60", { RAX: 0x1100 }, { RAX: 0x1178 }), "read 60 1");
  assert.is(seen("E5 F0", { RAX: HIGH }, { RAX: 0x12345678 }), "read f0 4");
  assert.is(seen("66 ED", { RDX: 0x103f8, RAX: HIGH }, { RAX: HIGH | 0x5678n }), "read 3f8 2");
  assert.is(seen("48 ED", { RDX: 0xcfc }, { RAX: 0x12345678 }), "read cfc 4"); // REX.W does not count
  assert.is(seen("E6 80", { RAX: 0x1234 }, {}), "write 80 1 34");
  assert.is(seen("EF", { RDX: 0xcf8, RAX: 0xff_80001234n }, {}), "write cf8 4 80001234");
  assert.is(decoded("66 E5 10"), "in eAX,Ib");
});

test("INS and OUTS", () => {
  assert.is(seen("6C", { RDX: 0x1f0, RDI: 0x3000 }, { RDI: 0x3001, memory: { 12288: "78" } }), "read 1f0 1");
  assert.is(seen("66 6D", { RDX: 0x1f0, RDI: 0x3000, flags: "DF" }, { RDI: 0x2ffe, memory: { 12288: "78 56" } }), "read 1f0 2");
  assert.is(seen("6F", { RDX: 0x1f0, RSI: 0x2000, memory: { 8192: "01 02 03 04" } }, { RSI: 0x2004 }), "write 1f0 4 4030201");
  assert.is(seen("6C", { RDX: 0x1f0, RDI: HIGH }, { fault: "GP(0)" }), ""); // nothing was read
  assert.is(seen("6F", { RDX: 0x1f0, RSI: HIGH }, { fault: "GP(0)" }), "");
});

test("beyond IOPL, the bitmap in the TSS decides, a bit for each port [SDM 1 19.5.2]", () => {
  const tss = (access: number, limit: number): NonNullable<Parameters<typeof expect>[1]["prepare"]> => (cpu) => {
    cpu.setU64(segment(TR) + SEG.base, 0x4000n);
    cpu.setU64(segment(TR) + SEG.limit, BigInt(limit));
    cpu.setU32(segment(TR) + SEG.access, access);
  };
  // The bitmap starts at offset 68; ports 60 and 67 are denied.
  const memory = { 16486: "68 00", 16488: "00 00 00 00 00 00 00 00 00 00 00 00 81 00 FF" }, prepare = tss(0x8b, 0x76);
  assert.is(seen("E4 61", { cpl: 3, memory, prepare }, { RAX: 0x78 }), "read 61 1");
  assert.is(seen("E4 60", { cpl: 3, memory, prepare }, { fault: "GP(0)" }), "");
  assert.is(seen("E4 60", { cpl: 3, memory, prepare, flags: "IOPL3" }, { RAX: 0x78, flags: "IOPL3" }), "read 60 1");
  assert.is(seen("66 E5 66", { cpl: 3, memory, prepare }, { fault: "GP(0)" }), "");
  assert.is(seen("66 E5 65", { cpl: 3, memory, prepare }, { RAX: 0x5678 }), "read 65 2");
  assert.is(seen("E5 68", { cpl: 3, memory, prepare }, { RAX: 0x12345678 }), "read 68 4");
  assert.is(seen("E5 6D", { cpl: 3, memory, prepare }, { fault: "GP(0)" }), ""); // reaches into the denied byte
  // Two bytes are read, so the byte after the port's must be within the limit: 68 + 0D is the byte, 76 the one after.
  assert.is(seen("E4 68", { cpl: 3, memory, prepare: tss(0x8b, 0x75) }, { fault: "GP(0)" }), "");
  assert.is(seen("E4 61", { cpl: 3, memory, prepare: tss(0x83, 0x76) }, { fault: "GP(0)" }), ""); // a 16-bit TSS has none
});

test.run();
