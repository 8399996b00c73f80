import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { VectorFacts } from "../core/forms.ts";
import { expect, undefinedNow } from "./rig.test-support.ts";
import { shifts } from "./shift.ts";

const ONES = 0xffffffffffffffffn, ALL = "CF PF AF ZF SF OF";
const test = suite("shifts and rotates");

test("a count of 0 changes no flag, but a 32-bit register is written", () => {
  for (const code of ["D3 E0", "D3 E8", "D3 F8", "D3 C0", "D3 C8", "D3 D0", "D3 D8", "0F A5 D8", "0F AD D8", "C1 E0 20"]) {
    expect(code, { RAX: 0xffffffff12345678n, RBX: ONES, RCX: 0x20, flags: ALL }, { RAX: 0x12345678 });
    expect(code, { RAX: 0xffffffff12345678n, RBX: ONES, RCX: 0x20 }, { RAX: 0x12345678 });
  }
  expect("48 D3 D0", { RAX: 5, RCX: 0x40, flags: "CF OF" }, {});
  expect("D2 E0", { RAX: 0x1234, RCX: 0x20, flags: ALL }, {});
});

test("SHL, SHR and SAR by 1: results and flags", () => {
  expect("D1 E0", { RAX: 0x50000000 }, { RAX: 0xa0000000, flags: "PF SF OF" });
  expect("D1 E0", { RAX: 0xd0000001n, flags: ALL }, { RAX: 0xa0000002n, flags: "CF SF" });
  expect("D1 E8", { RAX: 0xd0000001n }, { RAX: 0x68000000, flags: "CF PF OF" });
  expect("D1 E8", { RAX: 0x50000001 }, { RAX: 0x28000000, flags: "CF PF" });
  expect("D1 F8", { RAX: 0xd0000001n }, { RAX: 0xe8000000n, flags: "CF PF SF" });
  expect("48 D1 E0", { RAX: 0x8000000000000001n }, { RAX: 2, flags: "CF OF" });
  expect("D1 F0", { RAX: 0x40000000 }, { RAX: 0x80000000, flags: "PF SF OF" }); // /6 is SHL, too
  expect("D0 E4", { RAX: 0x8055 }, { RAX: 0x55, flags: "CF PF ZF OF" }); // AH
});

test("counts at and beyond the size of bytes and words", () => {
  expect("D2 E0", { RAX: 0xff, RCX: 8 }, { RAX: 0, flags: "CF PF ZF OF" });
  expect("D2 E0", { RAX: 0xff, RCX: 9 }, { RAX: 0, flags: "PF ZF" });
  expect("D2 E8", { RAX: 0xff, RCX: 8 }, { RAX: 0, flags: "CF PF ZF" });
  expect("D2 E8", { RAX: 0xff, RCX: 31 }, { RAX: 0, flags: "PF ZF" });
  expect("D2 F8", { RAX: 0xf0, RCX: 31 }, { RAX: 0xff, flags: "CF PF SF" });
  expect("66 D3 E0", { RAX: 0xffff, RCX: 16 }, { RAX: 0, flags: "CF PF ZF OF" });
  expect("C0 E0 28", { RAX: 1 }, { RAX: 0, flags: "CF PF ZF OF" }); // the count is masked to 8
});

test("ROL and ROR change CF and OF only; a full turn sets CF", () => {
  expect("D0 C0", { RAX: 0xa5, flags: "PF AF ZF SF" }, { RAX: 0x4b, flags: "CF PF AF ZF SF OF" });
  expect("D0 C8", { RAX: 0xa5 }, { RAX: 0xd2, flags: "CF" });
  expect("D2 C0", { RAX: 0xa5, RCX: 8 }, { flags: "CF" });
  expect("D2 C8", { RAX: 0xa5, RCX: 8 }, { flags: "CF OF" });
  expect("D2 C0", { RAX: 0xa5, RCX: 0x1f }, { RAX: 0xd2, flags: "OF" });
  expect("C1 C8 04", { RAX: 0x1234567f }, { RAX: 0xf1234567n, flags: "CF" });
  expect("48 C1 C0 3F", { RAX: 1 }, { RAX: 1n << 63n, flags: "OF" });
  expect("66 C1 C0 11", { RAX: 0x8001 }, { RAX: 3, flags: "CF OF" });
});

test("RCL and RCR turn through CF: 9, 17, 33 and 65 bits", () => {
  expect("D0 D0", { RAX: 0xa5, flags: "CF ZF" }, { RAX: 0x4b, flags: "CF ZF OF" });
  expect("D0 D8", { RAX: 0xa5, flags: "CF" }, { RAX: 0xd2, flags: "CF" });
  expect("D2 D0", { RAX: 0xa5, RCX: 9, flags: "CF" }, { flags: "CF" });
  expect("D2 D0", { RAX: 0xa5, RCX: 0x1f, flags: "CF" }, { RAX: 0x5d, flags: "" });
  expect("D2 D8", { RAX: 0xa5, RCX: 0x1f, flags: "CF" }, { RAX: 0xba, flags: "OF" });
  expect("66 D3 D0", { RAX: 0x8000, RCX: 17, flags: "" }, { flags: "OF" });
  expect("C1 D0 1F", { RAX: 0xffffffffn, flags: "" }, { RAX: 0xbfffffffn, flags: "CF" });
  expect("48 C1 D0 01", { RAX: 1n << 63n }, { RAX: 0, flags: "CF OF" });
  expect("48 D1 D8", { RAX: 1, flags: "CF" }, { RAX: 1n << 63n, flags: "CF OF" });
  expect("48 C1 D0 3F", { RAX: 0x4000000000000001n, flags: "CF" }, { RAX: 0xd000000000000000n, flags: "OF" });
});

test("SHLD and SHRD take their bits from the other register", () => {
  expect("0F A4 D8 01", { RAX: 0x52345678, RBX: 0xabcdef01n }, { RAX: 0xa468acf1n, flags: "SF OF" });
  expect("0F AC D8 01", { RAX: 0x52345678, RBX: 0xabcdef01n }, { RAX: 0xa91a2b3cn, flags: "PF SF OF" });
  expect("0F A5 D8", { RAX: 0x52345678, RBX: 0xabcdef01n, RCX: 31 }, { RAX: 0x55e6f780, flags: "" });
  expect("66 0F A4 D8 0F", { RAX: 0x1234, RBX: 0xabcd }, { RAX: 0x55e6, flags: "" });
  expect("66 0F AC D8 10", { RAX: 0x1234, RBX: 0xabcd }, { RAX: 0xabcd, flags: "SF OF" });
  expect("48 0F A4 D8 3F", { RAX: 3, RBX: ONES - 1n }, { RAX: ONES, flags: "CF PF SF" });
  expect("48 0F AC D8 04", { RAX: 0x18, RBX: 0x5 }, { RAX: 0x5000000000000001n, flags: "CF OF" });
});

test("memory is read and written once, as a write", () => {
  expect("C1 23 04", { RBX: 0x2000, memory: { 8192: "78 56 34 12" } }, { memory: { 8192: "80 67 45 23" }, flags: "CF OF" });
  expect("D3 23", { RBX: 1n << 63n }, { fault: "GP(0)" });
  assert.ok(undefinedNow("F0 D1 23"));
});

test("what the manual leaves undefined depends on the count", () => {
  const rule = (name: string, facts: VectorFacts) => {
    const rules = shifts.find((def) => def.name === name)!.vectors!, flags = rules.undefinedFlags;
    return [...new Set((typeof flags === "function" ? flags(facts) : flags ?? "").split(" ").filter(Boolean))].sort().join(" ");
  };
  assert.is(rule("shl", { size: 8, last: 0x20n }), "");
  assert.is(rule("shl", { size: 8, last: 1n }), "AF");
  assert.is(rule("shl", { size: 8, last: 7n }), "AF OF");
  assert.is(rule("shl", { size: 8, last: 8n }), "AF CF OF");
  assert.is(rule("sar", { size: 8, last: 8n }), "AF OF");
  assert.is(rule("rcl", { size: 64, last: 0x41n }), "");
  assert.is(rule("rcl", { size: 64, last: 0x21n }), "OF");
  assert.ok(shifts.find((def) => def.name === "shld")!.vectors!.undefinedResult!({ size: 16, last: 17n }));
});

test.run();
