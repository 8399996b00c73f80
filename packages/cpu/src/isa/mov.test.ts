import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decoded, expect, undefinedNow } from "./rig.test-support.ts";

const ONES = 0xffffffffffffffffn;
const test = suite("moves");

test("MOV writes 8 and 16 bits into a register, and clears the upper half with 32", () => {
  expect("B0 7F", { RAX: ONES }, { RAX: 0xffffffffffffff7fn });
  expect("B4 7F", { RAX: ONES }, { RAX: 0xffffffffffff7fffn }); // AH
  expect("40 B4 7F", { RSP: ONES }, { RSP: 0xffffffffffffff7fn }); // SPL
  expect("66 B8 34 12", { RAX: ONES }, { RAX: 0xffffffffffff1234n });
  expect("B8 78 56 34 82", { RAX: ONES }, { RAX: 0x82345678 });
  expect("48 B8 88 77 66 55 44 33 22 91", {}, { RAX: 0x9122334455667788n });
  expect("48 C7 C0 78 56 34 82", {}, { RAX: 0xffffffff82345678n });
  expect("89 C8", { RCX: ONES, RAX: 5 }, { RAX: 0xffffffffn });
});

test("MOV through an offset: 16, 32 and 64 bits of address", () => {
  const memory = { 8192: "11 22 33 44 55 66 77 88" };
  expect("A0 00 20 00 00 00 00 00 00", { memory }, { RAX: 0x11 });
  expect("48 A1 00 20 00 00 00 00 00 00", { memory }, { RAX: 0x8877665544332211n });
  expect("67 A1 00 20 00 00", { memory, RAX: ONES }, { RAX: 0x44332211 });
  expect("A1 00 20", { memory, bits: 16 }, { RAX: 0x2211 });
  expect("66 A3 00 20 00 00", { memory, bits: 32, RAX: 0xabcd }, { memory: { 8192: "CD AB" } });
});

test("MOVZX, MOVSX, MOVSXD extend", () => {
  expect("0F B6 C1", { RAX: ONES, RCX: 0x80 }, { RAX: 0x80 });
  expect("66 0F BE C1", { RAX: 0, RCX: 0x80 }, { RAX: 0xff80 });
  expect("0F BE C5", { RCX: 0x8000 }, { RAX: 0xffffff80 }); // CH
  expect("48 0F BF C1", { RCX: 0x8000 }, { RAX: 0xffffffffffff8000n });
  expect("48 63 C1", { RCX: 0x80000000 }, { RAX: 0xffffffff80000000n });
  expect("63 C1", { RCX: 0x180000000n, RAX: ONES }, { RAX: 0x80000000 });
  expect("66 63 C1", { RCX: 0x18000, RAX: ONES }, { RAX: 0xffffffffffff8000n });
  assert.is(decoded("63 C1", 32) === "movsxd Gv,Ez", false);
});

test("LEA computes the offset, cut to the address size, and touches nothing", () => {
  expect("48 8D 44 88 FF", { RAX: 0x10, RCX: 3 }, { RAX: 0x1b });
  expect("67 48 8D 04 08", { RAX: 0xffffffff, RCX: 2 }, { RAX: 1 });
  expect("8D 05 10 00 00 00", { ip: 0x2000 }, { RAX: 0x2016 });
  expect("66 8D 04 08", { RAX: 0x12345, RCX: 1 }, { RAX: 0x12346 });
  assert.ok(undefinedNow("8D C0"));
});

test("XCHG: memory, registers, and 90", () => {
  expect("87 03", { RAX: 0x11223344n, RBX: 0x2000, memory: { 8192: "AA BB CC DD" } }, { RAX: 0xddccbbaan, memory: { 8192: "44 33 22 11" } });
  expect("F0 87 1B", { RBX: 0x2000, memory: { 8192: "01" } }, { RBX: 1, memory: { 8192: "00 20" } });
  expect("86 E0", { RAX: 0x1234 }, { RAX: 0x3412 });
  expect("91", { RAX: ONES, RCX: 1 }, { RAX: 1, RCX: 0xffffffff });
  expect("90", { RAX: ONES }, {}); // not XCHG EAX,EAX: the upper half stays
  expect("48 90", { RAX: ONES }, {});
  expect("41 90", { RAX: 1, R8: 2 }, { RAX: 2, R8: 1 });
  expect("F3 41 90", { RAX: 1, R8: 2 }, { RAX: 2, R8: 1 });
  expect("F3 90", { RAX: ONES }, {});
  assert.is(decoded("F3 90"), "pause");
  assert.ok(undefinedNow("F0 87 C0"));
  assert.ok(undefinedNow("F0 90"));
});

test("BSWAP and MOVBE", () => {
  expect("0F C8", { RAX: 0x1122334455667788n }, { RAX: 0x88776655 });
  expect("48 0F C8", { RAX: 0x1122334455667788n }, { RAX: 0x8877665544332211n });
  expect("66 0F C8", { RAX: 0x1122334455667788n }, { RAX: 0x1122334455660000n });
  const memory = { 8192: "11 22 33 44 55 66 77 88" };
  expect("0F 38 F0 03", { RBX: 0x2000, memory }, { RAX: 0x11223344 });
  expect("66 0F 38 F0 03", { RBX: 0x2000, memory, RAX: ONES }, { RAX: 0xffffffffffff1122n });
  expect("48 0F 38 F1 03", { RBX: 0x2000, memory, RAX: 0x0102030405060708n }, { memory: { 8192: "01 02 03 04 05 06 07 08" } });
  assert.ok(undefinedNow("0F 38 F0 C0"));
  assert.ok(undefinedNow("F3 0F 38 F0 03"));
});

test("CBW and CWD by operand size", () => {
  expect("66 98", { RAX: 0x1280 }, { RAX: 0xff80 });
  expect("98", { RAX: 0xffff0000_00008000n }, { RAX: 0xffff8000 });
  expect("48 98", { RAX: 0x80000000 }, { RAX: 0xffffffff80000000n });
  expect("66 99", { RAX: 0x8000, RDX: ONES }, { RDX: ONES });
  expect("99", { RAX: 0x7fffffff, RDX: ONES }, { RDX: 0 });
  expect("48 99", { RAX: ONES }, { RDX: ONES });
  assert.is(decoded("66 98"), "cbw");
  assert.is(decoded("48 99"), "cqo");
});

test("CMOV clears the upper half whether or not it moves; its source is read always", () => {
  expect("0F 44 C1", { RAX: ONES, RCX: 5 }, { RAX: 0xffffffff });
  expect("0F 44 C1", { RAX: ONES, RCX: 5, flags: "ZF" }, { RAX: 5 });
  expect("66 0F 45 C1", { RAX: ONES, RCX: 5 }, { RAX: 0xffffffffffff0005n });
  expect("0F 44 03", { RBX: 1n << 63n }, { fault: "GP(0)" });
  expect("0F 44 04 24", { RSP: 1n << 63n }, { fault: "SS(0)" });
});

test("every condition", () => {
  "OF CF ZF CF SF PF SF ZF".split(" ").forEach((flags, pair) => {
    for (const negated of [0, 1]) {
      const code = `0F 9${(2 * pair + negated).toString(16)} C0`;
      expect(code, { flags }, { RAX: 1 - negated });
      expect(code, { RAX: 0x55 }, { RAX: negated });
    }
  });
  expect("0F 9C C0", { flags: "SF OF" }, { RAX: 0 }); // less: signs and overflow agree
  expect("0F 9F C0", { flags: "SF OF" }, { RAX: 1 });
});

test("LAHF and SAHF, gated in 64-bit mode", () => {
  expect("9F", { flags: "CF PF AF ZF SF OF" }, { RAX: 0xd700 });
  expect("9F", {}, { RAX: 0x0200 });
  expect("9E", { RAX: 0xff00, flags: "OF" }, { flags: "CF PF AF ZF SF OF" });
  expect("9E", { RAX: 0x0200, flags: "CF ZF OF" }, { flags: "OF" });
  expect("9F", { without: "lahf64" }, { fault: "UD" });
  expect("9F", { without: "lahf64", bits: 32 }, { RAX: 0x0200 });
});

test("single flags", () => {
  expect("F5", { flags: "ZF" }, { flags: "CF ZF" });
  expect("F5", { flags: "CF OF" }, { flags: "OF" });
  expect("F8", { flags: "CF OF SF" }, { flags: "OF SF" });
  expect("F9", { flags: "OF" }, { flags: "CF OF" });
  expect("FD", { flags: "CF" }, { flags: "CF DF" });
  expect("FC", { flags: "DF ZF" }, { flags: "ZF" });
  expect("D6", { flags: "CF", bits: 32, RAX: 0x100 }, { RAX: 0x1ff });
  assert.ok(undefinedNow("D6"));
});

test("XLAT wraps at the address size", () => {
  expect("D7", { RBX: 0x2000, RAX: 0x1203, memory: { 8195: "99" } }, { RAX: 0x1299 });
  expect("D7", { RBX: 0xfff0, RAX: 0x20, bits: 16, memory: { 16: "77" } }, { RAX: 0x77 });
});

test("hints do nothing, UD0 to UD2 are undefined", () => {
  for (const code of ["0F 1F 00", "0F 18 00", "0F 18 E0", "0F 0D 08", "0F 0D C0", "F3 0F 1E FA", "F3 0F 1E C8", "66 0F 1F 00", "0F 1D C0"]) expect(code, { RAX: 1n << 63n }, {});
  for (const code of ["0F 0B", "0F B9 00", "0F FF C0"]) expect(code, {}, { fault: "UD" });
  assert.is(decoded("F3 0F 1E FA"), "endbr64");
  assert.is(decoded("0F 1E FA"), "nop Ev");
  expect("0F AE 38", { RAX: 0x2000 }, {}); // CLFLUSH
  expect("0F AE 38", { RAX: 1n << 63n }, { fault: "GP(0)" });
});

test.run();
