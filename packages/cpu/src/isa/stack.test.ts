import { suite } from "uvu";
import type { Processor } from "../core/processor.ts";
import { SEG, SS, segment } from "../core/state.ts";
import { expect } from "./rig.test-support.ts";

const HIGH = 1n << 63n;
const test = suite("stack");

const shortStack = (cpu: Processor) => cpu.setU64(segment(SS) + SEG.limit, 0xffffn);

test("PUSH: sizes, sign extension, the old RSP", () => {
  expect("50", { RAX: 0x1122334455667788n }, { RSP: 0x7ff8, memory: { 32760: "88 77 66 55 44 33 22 11" } });
  expect("66 50", { RAX: 0x7788 }, { RSP: 0x7ffe, memory: { 32766: "88 77" } });
  expect("54", {}, { RSP: 0x7ff8, memory: { 32760: "00 80" } });
  expect("6A FF", {}, { RSP: 0x7ff8, memory: { 32760: "FF FF FF FF FF FF FF FF" } });
  expect("68 00 00 00 80", {}, { RSP: 0x7ff8, memory: { 32760: "00 00 00 80 FF FF FF FF" } });
  expect("66 68 34 12", {}, { RSP: 0x7ffe, memory: { 32766: "34 12" } });
  expect("FF 34 24", { memory: { 32768: "01 02" } }, { RSP: 0x7ff8, memory: { 32760: "01 02" } });
  expect("50", { bits: 32, RAX: 0x55667788 }, { RSP: 0x7ffc, memory: { 32764: "88 77 66 55" } });
});

test("a 16-bit stack wraps and keeps the upper half of ESP", () => {
  expect("50", { bits: 32, stack: 16, RSP: 0x12340002, RAX: 5, prepare: shortStack }, { fault: "SS(0)" }); // FFFE to 10001
  expect("66 50", { bits: 32, stack: 16, RSP: 0x12340000, RAX: 0xabcd }, { RSP: 0x1234fffe, memory: { 65534: "CD AB" } });
  expect("58", { bits: 16, RSP: 0xfffe, memory: { 65534: "77 66" } }, { RAX: 0x6677, RSP: 0 });
});

test("POP: the register is written after RSP moved", () => {
  expect("58", { memory: { 32768: "88 77 66 55 44 33 22 11" } }, { RAX: 0x1122334455667788n, RSP: 0x8008 });
  expect("5C", { memory: { 32768: "34 12" } }, { RSP: 0x1234 });
  expect("66 5C", { memory: { 32768: "34 12" } }, { RSP: 0x1234 });
  expect("58", { RSP: HIGH }, { fault: "SS(0)" });
});

test("POP to memory computes its address with the new RSP, and leaves RSP alone if it faults", () => {
  const memory = { 32768: "34 12" };
  expect("8F 44 24 08", { memory }, { RSP: 0x8008, memory: { 32784: "34 12" } });
  expect("66 8F 44 24 08", { memory }, { RSP: 0x8002, memory: { 32778: "34 12" } });
  expect("8F 04 24", { memory }, { RSP: 0x8008, memory: { 32776: "34 12" } });
  expect("8F 00", { memory, RAX: HIGH }, { fault: "GP(0)" });
  expect("8F 04 24", { bits: 32, stack: 16, prepare: shortStack, RSP: 0xfffe, memory: { 65534: "34 12" } }, { fault: "SS(0)" });
  expect("66 8F 04 24", { bits: 32, stack: 16, RSP: 0xfffe, memory: { 65534: "34 12" } }, { RSP: 0, memory: { 0: "34 12" } });
  expect("8F C1", { memory }, { RCX: 0x1234, RSP: 0x8008 });
});

test("PUSHA and POPA", () => {
  const eight = { RAX: 1, RCX: 2, RDX: 3, RBX: 4, RBP: 6, RSI: 7, RDI: 8 };
  expect("60", { bits: 16, ...eight }, { RSP: 0x7ff0, memory: { 32752: "08 00 07 00 06 00 00 80 04 00 03 00 02 00 01 00" } });
  expect("61", { bits: 16, RSP: 0x7ff0, memory: { 32752: "08 00 07 00 06 00 55 55 04 00 03 00 02 00 01 00" } }, { ...eight, RSP: 0x8000 });
  expect("60", { bits: 32, ...eight }, { RSP: 0x7fe0, memory: { 32736: "08 00 00 00 07 00 00 00 06 00 00 00 00 80 00 00 04 00 00 00 03 00 00 00 02 00 00 00 01" } });
  expect("60", { bits: 16, RSP: 7, ...eight }, { fault: "SS(0)" }); // nothing was written
  expect("61", { bits: 16, RSP: 0xfff1 }, { fault: "SS(0)" });
  expect("60", {}, { fault: "UD" });
});

test("PUSHF: RF and VM read as zero", () => {
  expect("9C", { flags: "CF PF AF ZF SF IF DF OF NT RF AC ID IOPL3" }, { RSP: 0x7ff8, memory: { 32760: "D7 7E 24" } });
  expect("66 9C", { flags: "CF ID" }, { RSP: 0x7ffe, memory: { 32766: "03 00" } });
  expect("9C", { bits: 16, real: true, flags: "IF" }, { RSP: 0x7ffe, memory: { 32766: "02 02" } });
});

test("POPF: what may change depends on CPL and IOPL", () => {
  const all = { 32768: "FF FF FF FF" };
  expect("9D", { memory: all }, { RSP: 0x8008, flags: "CF PF AF ZF SF TF IF DF OF IOPL3 NT AC ID" });
  expect("9D", { memory: all, cpl: 3 }, { RSP: 0x8008, flags: "CF PF AF ZF SF TF DF OF NT AC ID" });
  expect("9D", { memory: all, cpl: 3, flags: "IOPL3" }, { RSP: 0x8008, flags: "CF PF AF ZF SF TF IF DF OF IOPL3 NT AC ID" });
  expect("9D", { cpl: 3, flags: "IOPL3 IF VIF" }, { RSP: 0x8008, flags: "IOPL3 VIF" });
  expect("9D", { cpl: 3, flags: "IOPL1 IF" }, { RSP: 0x8008, flags: "IOPL1 IF" });
  expect("66 9D", { memory: all, flags: "AC ID VIP RF" }, { RSP: 0x8002, flags: "CF PF AF ZF SF TF IF DF OF IOPL3 NT AC ID VIP" });
  expect("9D", { bits: 16, real: true, memory: all }, { RSP: 0x8002, flags: "CF PF AF ZF SF TF IF DF OF IOPL3 NT" });
});

test("in virtual-8086 mode flags are out of reach below IOPL 3", () => {
  for (const code of ["9C", "9D"]) expect(code, { bits: 16, flags: "VM IOPL2", cpl: 3 }, { fault: "GP(0)" });
});

test("LEAVE frees the frame at the stack's width", () => {
  expect("C9", { RBP: 0x4100, memory: { 16640: "88 77 66 55 44 33 22 11" } }, { RSP: 0x4108, RBP: 0x1122334455667788n });
  expect("66 C9", { RBP: 0x4100, memory: { 16640: "88 77" } }, { RSP: 0x4102, RBP: 0x7788 });
  expect("C9", { bits: 32, stack: 16, RSP: 0x12345678, RBP: 0xabcd4100n, memory: { 16640: "88 77 66 55" } }, { RSP: 0x12344104, RBP: 0x55667788 });
  expect("C9", { RBP: HIGH }, { fault: "SS(0)" });
});

test("ENTER", () => {
  expect("C8 10 00 00", { RBP: 0x5000 }, { RSP: 0x7fe8, RBP: 0x7ff8, memory: { 32760: "00 50" } });
  expect("C8 10 00 01", { RBP: 0x5000 }, { RSP: 0x7fe0, RBP: 0x7ff8, memory: { 32760: "00 50", 32752: "F8 7F" } });
  expect("C8 10 00 03", { RBP: 0x5000, memory: { 20464: "22 22 00 00 00 00 00 00 11 11" } }, {
    RSP: 0x7fd0, RBP: 0x7ff8, memory: { 32760: "00 50", 32752: "11 11", 32744: "22 22", 32736: "F8 7F" },
  });
  expect("C8 00 00 21", { RBP: 0x5000 }, { RSP: 0x7ff0, RBP: 0x7ff8, memory: { 32760: "00 50", 32752: "F8 7F" } }); // level modulo 32
  expect("66 C8 10 00 00", { RBP: 0x1111111100005000n }, { RSP: 0x7fee, RBP: 0x1111111100007ffen, memory: { 32766: "00 50" } });
  expect("C8 04 00 00", { bits: 16, RBP: 0x5000, RSP: 2 }, { RSP: 0xfffc, RBP: 0, memory: { 0: "00 50" } });
  expect("C8 00 10 00", {
    bits: 32, RBP: 0x5000, prepare: (cpu) => {
      cpu.setU32(segment(SS) + SEG.access, 0x4097); // expand-down: only offsets above the limit exist
      cpu.setU64(segment(SS) + SEG.limit, 0x7000n);
    },
  }, { fault: "SS(0)" }); // where the new RSP points could not be written
});

test.run();
