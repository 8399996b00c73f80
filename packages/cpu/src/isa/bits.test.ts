import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decoded, expect, undefinedNow } from "./rig.test-support.ts";

const ONES = 0xffffffffffffffffn;
const test = suite("bits");

test("BT, BTS, BTR, BTC in registers: the number modulo the size", () => {
  expect("0F A3 C8", { RAX: 0x10, RCX: 36, flags: "ZF OF" }, { flags: "CF ZF OF" });
  expect("0F AB C8", { RAX: 0x10, RCX: 5, flags: "CF ZF" }, { RAX: 0x30, flags: "ZF" });
  expect("48 0F B3 C8", { RAX: ONES, RCX: 63 }, { RAX: ONES >> 1n, flags: "CF" });
  expect("66 0F BB C8", { RAX: 0x10000, RCX: 16 }, { RAX: 0x10001 });
  expect("0F BA E0 24", { RAX: 0x10 }, { flags: "CF" });
  expect("0F BA F8 1F", { RAX: ONES }, { RAX: 0x7fffffff, flags: "CF" });
});

test("a register numbers bits of a string in memory, before and beyond the operand", () => {
  expect("0F AB 08", { RAX: 0x2000, RCX: 37 }, { memory: { 8196: "20" } });
  expect("0F AB 08", { RAX: 0x2000, RCX: 0xffffffffn }, { memory: { 8191: "80" } });
  expect("66 0F AB 08", { RAX: 0x2000, RCX: 0xffff }, { memory: { 8191: "80" } });
  expect("66 0F AB 08", { RAX: 0x2000, RCX: 0x7fff }, { memory: { 12287: "80" } });
  expect("48 0F B3 08", { RAX: 0x2000, RCX: 0xffffffffffffffc1n, memory: { 8184: "02" } }, { memory: { 8184: "00" }, flags: "CF" });
  expect("0F BA 28 25", { RAX: 0x2000 }, { memory: { 8192: "20" } }); // an immediate stays in the operand
  expect("0F A3 08", { RAX: 0x10, RCX: 0xff800000n, bits: 16 }, {}); // address size 16: [BX+SI], CX a word
  expect("0F AB 0F", { RBX: 0xfffe, RCX: 16, bits: 16 }, { memory: { 0: "01" } }); // the offset wraps
});

test("LOCK is for those that write", () => {
  expect("F0 0F AB 08", { RAX: 0x2000 }, { memory: { 8192: "01" } });
  assert.ok(undefinedNow("F0 0F A3 08"));
  assert.ok(undefinedNow("F0 0F AB C8"));
  assert.ok(undefinedNow("F0 0F BA 20 01"));
  assert.ok(undefinedNow("0F BA 00 01"));
});

test("BSF and BSR leave the destination when there is no bit", () => {
  expect("0F BC C1", { RAX: ONES, RCX: 0x100 }, { RAX: 8, flags: "PF" });
  expect("0F BD C1", { RAX: ONES, RCX: 0x101 }, { RAX: 8, flags: "" });
  expect("48 0F BD C1", { RCX: ONES }, { RAX: 63, flags: "SF PF" });
  expect("0F BC C1", { RAX: ONES, RCX: 1n << 32n }, { flags: "ZF PF" });
  expect("66 0F BD C1", { RAX: ONES, RCX: 0x18000 }, { RAX: 0xffffffffffff000fn, flags: "SF PF" });
  assert.is(decoded("F3 0F BC C1"), "bsf Gv,Ev");
});

test("POPCNT", () => {
  expect("F3 0F B8 C1", { RCX: 0xff, flags: "CF PF AF ZF SF OF" }, { RAX: 8, flags: "" });
  expect("66 F3 0F B8 C1", { RAX: ONES, RCX: 0xffffff }, { RAX: 0xffffffffffff0010n });
  expect("F3 48 0F B8 C1", { RCX: ONES }, { RAX: 64 });
  expect("F3 0F B8 C1", { RAX: 5 }, { RAX: 0, flags: "ZF" });
  assert.ok(undefinedNow("0F B8 C1"));
  expect("F3 0F B8 C1", { without: "popcnt" }, { fault: "UD" });
});

test("CMPXCHG8B", () => {
  const memory = { 8192: "11 22 33 44 55 66 77 88" };
  expect("0F C7 0F", { RDI: 0x2000, RAX: ONES, RDX: ONES, memory, flags: "ZF CF" }, { RAX: 0x44332211, RDX: 0x88776655n, flags: "CF" });
  expect("F0 0F C7 0F", { RDI: 0x2000, RAX: 0xff_44332211n, RDX: 0x1_88776655n, RBX: 0x04030201, RCX: 0x08070605, memory }, {
    memory: { 8192: "01 02 03 04 05 06 07 08" }, flags: "ZF",
  });
  expect("66 0F C7 0F", { RDI: 0x2000, memory: { 8192: "01" } }, { RAX: 1, RDX: 0 });
  assert.ok(undefinedNow("0F C7 C8"));
});

test("CMPXCHG16B wants 16-byte alignment", () => {
  const memory = { 8192: "11 00 00 00 00 00 00 00 22" };
  expect("48 0F C7 0F", { RDI: 0x2000, memory }, { RAX: 0x11, RDX: 0x22 });
  expect("48 0F C7 0F", { RDI: 0x2000, RAX: 0x11, RDX: 0x22, RBX: 0x33, RCX: 0x44, memory }, { memory: { 8192: "33", 8200: "44" }, flags: "ZF" });
  expect("48 0F C7 0F", { RDI: 0x2008 }, { fault: "GP(0)" });
  expect("48 0F C7 0F", { RDI: 0x2000, without: "cx16" }, { fault: "UD" });
  expect("0F C7 0F", { RDI: 0x2004, without: "cx16" }, { flags: "ZF" });
});

test.run();
