import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AT, get, is, type Rig, rig, SEL, writeDescriptor } from "../system.test-support.ts";
import { ES, GS, S, SEG, SS, segment } from "./state.ts";

const load = suite("loads of segment registers");
const MOV_DS_AX = "8E D8",
  MOV_SS_AX = "8E D0",
  MOV_ES_AX = "8E C0";
const withAx = (r: Rig, selector: number) => r.cpu.setGpr32(0, selector);

load(
  "real mode: the base is the selector times 16; limit and attributes stay, so unreal mode works (SDM 3A 20.1.1)",
  () => {
    const r = rig("real");
    r.cpu.setU32(segment(ES) + SEG.limit, 0xffffffff);
    r.cpu.refresh();
    withAx(r, 0x1234);
    r.code(`${MOV_ES_AX} 66 67 26 88 1D 00 00 08 00`); // mov es:[0x80000], bl, beyond 64 KiB
    r.cpu.setGpr32(3, 0x5a);
    r.step(2);
    is(r, { ES: 0x1234 });
    assert.is(r.ram.getUint8(0x12340 + 0x80000), 0x5a);
  },
);

const refusals: [
  code: string,
  what: string,
  selector: number,
  cpl: 0 | 3,
  fault: string,
  prepare?: (r: Rig) => void,
][] = [
  [MOV_SS_AX, "a null selector", 0, 0, "GP(0)"],
  [MOV_SS_AX, "a selector beyond the GDT", 0x1000, 0, "GP(1000)"],
  [MOV_SS_AX, "RPL is not CPL", SEL.data32 | 3, 0, "GP(10)"],
  [MOV_SS_AX, "DPL is not CPL", SEL.userData & ~3, 0, "GP(20)"],
  [MOV_SS_AX, "read-only data", SEL.readOnly, 0, "GP(88)"],
  [MOV_SS_AX, "code", SEL.code32, 0, "GP(8)"],
  [MOV_SS_AX, "not present", SEL.absentData, 0, "SS(78)"],
  [MOV_DS_AX, "a selector beyond the GDT", 0x1003, 0, "GP(1000)"],
  [MOV_DS_AX, "execute-only code", SEL.executeOnly, 0, "GP(98)"],
  [MOV_DS_AX, "a system descriptor", SEL.tss, 0, "GP(40)"],
  [MOV_DS_AX, "data with DPL below CPL", SEL.data32, 3, "GP(10)"],
  [MOV_DS_AX, "data with DPL below RPL", SEL.data32 | 3, 0, "GP(10)"],
  [MOV_DS_AX, "not present", SEL.absentData, 0, "NP(78)"],
  [MOV_DS_AX, "a selector into an LDT that is not there", 0x14, 0, "GP(14)"],
  [MOV_DS_AX, "an entry that the limit cuts", 0x10, 0, "GP(10)", (r) => r.cpu.setU32(S.GDTR_LIMIT, 0x16)],
  ["8E C8", "CS", 0, 0, "UD"],
  ["8E F0", "no such register", 0, 0, "UD"],
];
for (const [code, what, selector, cpl, fault, prepare] of refusals) {
  load(`${code === MOV_SS_AX ? "SS" : "DS"}: ${what} is ${fault} (SDM 2B MOV)`, () => {
    const r = rig("protected32", { cpl }),
      before = get(r.cpu, "DS");
    prepare?.(r);
    withAx(r, selector);
    assert.is(r.faults(code), fault);
    is(r, { DS: before });
  });
}
load("conforming code may be read from every level (SDM 3A 5.6)", () => {
  const r = rig("protected32", { cpl: 3 });
  withAx(r, SEL.conforming | 3);
  assert.is(r.faults(MOV_DS_AX), "no fault");
});
load("a null DS loads and faults when it is used (SDM 3A 3.4.2)", () => {
  const r = rig("protected32");
  withAx(r, 3);
  r.code(MOV_DS_AX);
  r.step();
  is(r, { DS: 3 });
  assert.is(r.faults("8A 00"), "GP(0)");
});
load("64-bit mode: a null SS loads at CPL 0 to 2, with RPL equal to CPL (SDM 2B MOV)", () => {
  const r = rig("long");
  withAx(r, 0);
  assert.is(r.faults(MOV_SS_AX), "no fault");
  withAx(r, 1);
  assert.is(r.faults(MOV_SS_AX), "GP(0)");
  const user = rig("long", { cpl: 3 });
  withAx(user, 3);
  assert.is(user.faults(MOV_SS_AX), "GP(0)");
});
load("the accessed bit is set in the table (SDM 3A 3.4.5.1)", () => {
  const r = rig("protected32");
  r.descriptor(SEL.readOnly, 0x12345678, 0xfffff, 0x4090);
  withAx(r, SEL.readOnly);
  r.code(MOV_DS_AX);
  r.step();
  assert.is(r.ram.getUint8(AT.gdt + SEL.readOnly + 5), 0x91);
  assert.is(r.cpu.number(segment(3) + SEG.base), 0x12345678);
  assert.is(r.cpu.u32(segment(3) + SEG.limit), 0xfffff);
  assert.is(r.cpu.segmentAccess(3), 0x4091);
});
load("expand-down: offsets up to the limit fault, those above it do not (SDM 3A 5.3)", () => {
  const r = rig("protected32");
  withAx(r, SEL.down);
  r.code(MOV_DS_AX);
  r.step();
  r.cpu.setGpr32(0, 0x1000);
  assert.is(r.faults("8A 00"), "no fault");
  r.cpu.setGpr32(0, 0xfff);
  assert.is(r.faults("8A 00"), "GP(0)");
});
load("the LDT holds descriptors too (SDM 3A 3.5.1)", () => {
  const r = rig("protected32");
  writeDescriptor(r.ram, AT.ldt + 8, 0x100, 0xfff, 0x4093);
  withAx(r, SEL.ldt);
  r.code("0F 00 D0 B8 0C 00 00 00 8E D8"); // lldt ax; mov eax, 0x0c; mov ds, ax
  r.step(3);
  is(r, { LDTR: SEL.ldt, DS: 0x0c });
  assert.is(r.cpu.number(segment(3) + SEG.base), 0x100);
});
load("POP SS moves the pointer as wide as the old stack; POP DS restores it if the load faults", () => {
  const r = rig("protected32");
  r.ram.setUint32(AT.stack0, SEL.data16, true);
  r.cpu.setGpr32(4, AT.stack0);
  r.code("17");
  r.step();
  is(r, { SS: SEL.data16, RSP: AT.stack0 + 4 });
  assert.is(r.cpu.u32(S.STACK_MASK), 0xffff);
  r.ram.setUint32(AT.stack0 + 4, SEL.absentData, true);
  assert.is(r.faults("1F"), "NP(78)");
  is(r, { RSP: AT.stack0 + 4 });
});
load("LDS loads offset and selector; nothing changes if the selector faults (SDM 2A LDS)", () => {
  const r = rig("protected32");
  r.ram.setUint32(0x100, 0x11223344, true);
  r.ram.setUint16(0x104, SEL.userData, true);
  r.code("C5 05 00 01 00 00");
  r.step();
  is(r, { DS: SEL.userData, RAX: 0x11223344 });
  r.ram.setUint16(0x104, SEL.executeOnly, true);
  assert.is(r.faults("C4 0D 00 01 00 00"), "GP(98)");
  is(r, { ES: SEL.data32, RCX: 0 });
});
load("PUSH of a segment register with a 32-bit operand writes 16 bits (SDM 2B PUSH)", () => {
  const r = rig("protected32");
  r.ram.setUint32(AT.stack0 - 4, 0xaaaaaaaa, true);
  r.code("1E");
  r.step();
  assert.equal(r.stack(1), [(0xaaaa0000 | SEL.data32) >>> 0]);
  is(r, { RSP: AT.stack0 - 4 });
});
load.run();

const system = suite("system segments");
system("LTR marks the TSS busy and refuses a busy one (SDM 2A LTR)", () => {
  const r = rig("protected32");
  withAx(r, SEL.tss);
  r.code("0F 00 D8");
  r.step();
  assert.is(r.ram.getUint8(AT.gdt + SEL.tss + 5), 0x8b);
  assert.is(r.faults("0F 00 D8"), "GP(40)");
  withAx(r, SEL.data32);
  assert.is(r.faults("0F 00 D8"), "GP(10)");
  withAx(r, 0);
  assert.is(r.faults("0F 00 D8"), "GP(0)");
});
system("in 64-bit mode TSS and LDT descriptors have 16 bytes (SDM 3A 3.5.2, 7.2.3)", () => {
  const r = rig("long");
  r.ram.setUint32(AT.gdt + SEL.tss + 8, 0xffff8000, true);
  withAx(r, SEL.tss);
  assert.is(r.faults("0F 00 D8"), "no fault");
  assert.is(r.cpu.u32(segment(7) + SEG.base + 4), 0xffff8000);
  r.ram.setUint32(AT.gdt + SEL.ldt + 8, 0x8000, true); // not canonical
  withAx(r, SEL.ldt);
  assert.is(r.faults("0F 00 D0"), "GP(50)");
});
system("LLDT, LTR, LGDT, LIDT need CPL 0 (SDM 3A 5.9)", () => {
  for (const code of ["0F 00 D0", "0F 00 D8", "0F 01 10", "0F 01 18"])
    assert.is(rig("protected32", { cpl: 3 }).faults(code), "GP(0)");
});
system("SLDT, STR, SGDT, SIDT and SMSW fault above CPL 0 with CR4.UMIP (SDM 3A 2.5)", () => {
  for (const code of ["0F 00 C0", "0F 00 C8", "0F 01 00", "0F 01 08", "0F 01 E0"]) {
    const r = rig("protected32", { cpl: 3 });
    assert.is(r.faults(code), "no fault", code);
    r.cpu.setU32(S.CR4, 0x800);
    assert.is(r.faults(code), "GP(0)", code);
  }
});
system("SLDT, STR, LAR, VERR, ARPL are undefined in real mode (SDM 2A, 2B)", () => {
  for (const code of ["0F 00 C0", "0F 00 C8", "0F 02 C0", "0F 00 E0", "63 C0"])
    assert.is(rig("real").faults(code), "UD", code);
});
system("LGDT takes 24 bits of base with a 16-bit operand; SGDT stores 32 (SDM 2A LGDT)", () => {
  const r = rig("protected32");
  r.ram.setUint16(0x100, 0x1234, true);
  r.ram.setUint32(0x102, 0xabcdef01, true);
  r.code("66 0F 01 15 00 01 00 00 0F 01 05 00 02 00 00");
  r.step(2);
  assert.is(r.cpu.number(S.GDTR_BASE), 0xcdef01);
  assert.is(r.ram.getUint16(0x200, true), 0x1234);
  assert.is(r.ram.getUint32(0x202, true), 0xcdef01);
});
system("LIDT refuses a base that is not canonical (SDM 2A LGDT)", () => {
  const r = rig("long");
  r.ram.setUint32(0x106, 0x8000, true);
  assert.is(r.faults("0F 01 1C 25 00 01 00 00"), "GP(0)");
});

const ZF = 0x40;
const questions: [name: string, code: string, selector: number, cpl: 0 | 3, answer: number | null][] = [
  ["LAR of data", "0F 02 C8", SEL.data32, 0, 0xcf9300],
  ["LAR of a TSS", "0F 02 C8", SEL.tss, 0, 0x8900],
  ["LAR of an interrupt gate", "0F 02 C8", SEL.gate, 0, null],
  ["LAR of a more privileged segment", "0F 02 C8", SEL.data32, 3, null],
  ["LAR of conforming code", "0F 02 C8", SEL.conforming, 3, 0xcf9f00],
  ["LAR of null", "0F 02 C8", 3, 0, null],
  ["LSL of data", "0F 03 C8", SEL.data32, 0, 0xffffffff],
  ["LSL of a TSS", "0F 03 C8", SEL.tss, 0, 0x67],
  ["LSL of a call gate", "0F 03 C8", SEL.gate, 0, null],
];
for (const [name, code, selector, cpl, answer] of questions) {
  system(`${name}: ${answer === null ? "ZF clear, register unchanged" : answer.toString(16)} (SDM 2A)`, () => {
    const r = rig("protected32", { cpl });
    r.descriptor(SEL.gate, 0, 0, name.includes("interrupt") ? 0x8e : 0x8c);
    withAx(r, selector);
    r.cpu.setGpr32(1, 0x77);
    r.code(code);
    r.step();
    is(r, { RCX: answer ?? 0x77 });
    assert.is((r.cpu.flags & ZF) !== 0, answer !== null);
  });
}
system("VERR and VERW say what may be read and written (SDM 2B VERR)", () => {
  const r = rig("protected32"),
    ask = (digit: number, selector: number) => {
      withAx(r, selector);
      assert.is(r.faults(`0F 00 ${(0xc0 | (digit << 3)).toString(16)}`), "no fault");
      return (r.cpu.flags & ZF) !== 0;
    };
  assert.equal(
    [SEL.data32, SEL.readOnly, SEL.code32, SEL.executeOnly, SEL.tss].map((s) => ask(4, s)),
    [true, true, true, false, false],
  );
  assert.equal(
    [SEL.data32, SEL.readOnly, SEL.code32, SEL.executeOnly, SEL.tss].map((s) => ask(5, s)),
    [true, false, false, false, false],
  );
});
system("ARPL raises RPL to that of the source and says so in ZF (SDM 2A ARPL)", () => {
  const r = rig("protected32");
  r.cpu.setGpr32(0, 0x1001);
  r.cpu.setGpr32(1, 3);
  r.code("63 C8 63 C8");
  r.step();
  is(r, { RAX: 0x1003 });
  assert.is(r.cpu.flags & ZF, ZF);
  r.step();
  assert.is(r.cpu.flags & ZF, 0);
});
system("ARPL writes only if the RPL rises: data that cannot be written is no fault otherwise", () => {
  const r = rig("protected32");
  r.ram.setUint16(0x8000, 1, true);
  withAx(r, SEL.readOnly);
  r.code(MOV_DS_AX);
  r.step();
  r.cpu.setGpr32(0, 0x8000);
  r.cpu.setGpr32(1, 1);
  assert.is(r.faults("63 08"), "no fault"); // arpl [eax], cx
  r.cpu.setGpr32(1, 2);
  assert.is(r.faults("63 08"), "GP(0)");
});
system("a null GS in 64-bit mode has base 0 until WRMSR gives it one", () => {
  const r = rig("long");
  r.cpu.setNumber(segment(GS) + SEG.base, 0x5000);
  withAx(r, 0);
  r.code("8E E8");
  r.step();
  assert.is(r.cpu.number(segment(GS) + SEG.base), 0);
  assert.is(r.cpu.number(segment(GS) + SEG.effectiveBase), 0);
  void SS;
});
system.run();
