import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AT, get, is, type Rig, rig, SEL } from "../system.test-support.ts";
import { S, SEG, SEGMENT_NAMES, segment } from "./state.ts";

const VM = 0x20000,
  VIF = 0x80000,
  VIP = 0x100000,
  IF = 0x200,
  TF = 0x100,
  IOPL3 = 0x3000,
  NT = 0x4000,
  HANDLER = 0x20000,
  VME = 1,
  PVI = 2;
const test = suite("virtual-8086 mode");

/** Goes there by IRET: CS 1000, SS 800, ES 1100, DS 1200, FS 1300, GS 1400; IP 0, SP 1000. Its code is at AT.code. */
function program(hex: string, flags = 0, cr4 = 0): Rig {
  const r = rig("protected32");
  const frame = [0, 0x1000, VM | 2 | flags, 0x1000, 0x800, 0x1100, 0x1200, 0x1300, 0x1400],
    top = AT.stack0 - 4 * frame.length;
  frame.forEach((value, i) => {
    r.ram.setUint32(top + 4 * i, value, true);
  });
  r.cpu.setNumber(S.CR4, cr4);
  r.cpu.setGpr32(4, top);
  r.gate(13, SEL.code32, HANDLER, 0x8e);
  r.code("CF", 0x30000);
  r.cpu.setNumber(S.RIP, 0x30000);
  r.step();
  r.code(hex, AT.code);
  return r;
}
/** Did it raise #GP(0)? */
const refused = (r: Rig) => {
  r.step();
  return get(r.cpu, "RIP") === HANDLER && r.stack(1)[0] === 0;
};

test("IRET with VM at CPL 0 loads paragraphs with the attributes of level 3 (SDM 3A 20.2.5)", () => {
  const r = program("90", IOPL3 | VIF);
  is(r, { CS: 0x1000, SS: 0x800, ES: 0x1100, DS: 0x1200, FS: 0x1300, GS: 0x1400, RIP: 0, RSP: 0x1000, CPL: 3 });
  is(r, { RFLAGS: VM | IOPL3 | VIF | 2 });
  for (let n = 0; n < 6; n++) {
    assert.is(r.cpu.segmentAccess(n), 0xf3, SEGMENT_NAMES[n]);
    assert.is(r.cpu.u32(segment(n) + SEG.limit), 0xffff);
    assert.is(r.cpu.u32(segment(n) + SEG.base), r.cpu.selector(n) * 16);
  }
});
test("IRET to an offset beyond 64 KiB is #GP(0) and changes nothing (SDM 2A IRET)", () => {
  const r = rig("protected32");
  [0x10000, 0x1000, VM | 2, 0x1000, 0x800, 0, 0, 0, 0].forEach((value, i) => {
    r.ram.setUint32(0x7000 + 4 * i, value, true);
  });
  r.cpu.setGpr32(4, 0x7000);
  assert.is(r.faults("CF"), "GP(0)");
  is(r, { RSP: 0x7000, CPL: 0, RFLAGS: 2 });
});
test("far transfers and segment loads are those of real-address mode", () => {
  const r = program("B8 34 12 8E D8 EA 02 00 00 30", IOPL3); // mov ax, 1234; mov ds, ax; jmp 3000:2
  r.step(3);
  is(r, { DS: 0x1234, CS: 0x3000, RIP: 2, CPL: 3 });
  assert.is(r.cpu.u32(segment(3) + SEG.base), 0x12340);
});
test("an interrupt goes to level 0 with all segments on the stack, and leaves null ones (SDM 3A 20.2.1)", () => {
  const r = program("CD 30", IOPL3 | IF | NT);
  r.gate(0x30, SEL.code32, HANDLER, 0xee);
  r.step();
  is(r, { CS: SEL.code32, SS: SEL.data32, ES: 0, DS: 0, FS: 0, GS: 0, RIP: HANDLER, CPL: 0, RFLAGS: IOPL3 | 2 });
  const flags = VM | IOPL3 | IF | NT | 2;
  assert.equal(r.stack(9), [2, 0x1000, flags, 0x1000, 0x800, 0x1100, 0x1200, 0x1300, 0x1400]);
  assert.is(r.faults("26 8A 05 00 00 00 00"), "GP(0)"); // mov al, es:[0]
});
test("a handler that is not of level 0 is refused with its selector (SDM 2A INT n)", () => {
  for (const selector of [SEL.conforming, SEL.user32]) {
    const r = program("CD 30", IOPL3);
    r.gate(0x30, selector, 0x5000, 0xee);
    r.step();
    is(r, { RIP: HANDLER });
    assert.is(r.stack(1)[0], selector & ~3);
  }
});
test("CLI, STI, PUSHF, POPF, INT n and IRET are #GP(0) below IOPL 3; INT3 is not (SDM 3A 20.2.7)", () => {
  for (const code of ["FA", "FB", "9C", "9D", "66 9C", "66 9D", "CD 30", "CF", "66 CF"]) {
    assert.ok(refused(program(code, 0x2000)), code);
    const r = program(code, IOPL3);
    r.gate(0x30, SEL.code32, 0x5000, 0xee);
    assert.not.ok(refused(r), code);
  }
  const r = program("CC", 0);
  r.gate(3, SEL.code32, 0x5000, 0xee);
  r.step();
  is(r, { RIP: 0x5000 });
});
test("privileged instructions are #GP(0), those of protected mode #UD (SDM 3A 20.2.8)", () => {
  for (const code of ["F4", "0F 20 C0", "0F 06", "0F 01 16 00 00", "0F 01 F0", "0F 32"])
    assert.ok(refused(program(code, IOPL3)), code);
  for (const code of [
    "0F 02 C0",
    "0F 03 C0",
    "0F 00 E0",
    "0F 00 E8",
    "0F 00 D0",
    "0F 00 C0",
    "0F 00 D8",
    "0F 00 C8",
    "63 C0",
  ]) {
    const r = program(code, IOPL3);
    r.gate(6, SEL.code32, 0x5000, 0x8e);
    r.step();
    is(r, { RIP: 0x5000 });
  }
});
test("SYSENTER leaves for level 0, its own segments only (SDM 2B SYSENTER)", () => {
  const r = program("0F 34", IF);
  r.cpu.setNumber(S.SYSENTER_CS, SEL.code32);
  r.cpu.setNumber(S.SYSENTER_ESP, AT.stack0);
  r.cpu.setNumber(S.SYSENTER_EIP, HANDLER);
  r.step();
  is(r, { CS: SEL.code32, SS: SEL.data32, RIP: HANDLER, RSP: AT.stack0, CPL: 0, RFLAGS: 2, DS: 0x1200 });
});
test("an alignment check is made as at level 3 (SDM 3A 6.15)", () => {
  const r = program("A1 01 00", IOPL3 | 0x40000);
  r.cpu.setNumber(S.CR0, r.cpu.u32(S.CR0) | 0x40000);
  r.cpu.refresh();
  assert.is(r.faults("A1 01 00"), "AC(0)");
});
test("ports go by the bitmap, whatever IOPL is (SDM 3A 20.2.8)", () => {
  const q = program("E6 80", IOPL3);
  q.ram.setUint16(AT.tss + 102, 0x68, true); // which is the limit
  assert.ok(refused(q));
  const r = program("E4 80", IOPL3);
  r.ram.setUint16(AT.tss + 102, 0x68, true);
  r.cpu.setNumber(segment(7) + SEG.limit, 0x100);
  r.step();
  is(r, { RAX: 0x78, RIP: 2 });
});
test("IRET at IOPL 3 loads neither IOPL nor VM, VIF, VIP (SDM 2A IRET)", () => {
  const r = program("66 CF", IOPL3);
  r.cpu.setGpr32(4, 0);
  [0x20, 0x2000, 0x1a0ed7].forEach((value, i) => {
    r.ram.setUint32(0x8000 + 4 * i, value, true);
  });
  r.step();
  is(r, { CS: 0x2000, RIP: 0x20, RSP: 12, CPL: 3, RFLAGS: VM | IOPL3 | 0xed7 });
});
test.run();

const vme = suite("virtual interrupt flag");
vme("with CR4.VME, CLI and STI change VIF; STI is #GP(0) while VIP is set (SDM 3A 20.3)", () => {
  const r = program("FB FA", 0, VME);
  r.step();
  is(r, { RFLAGS: VM | VIF | 2 });
  r.step();
  is(r, { RFLAGS: VM | 2, RIP: 2 });
  assert.ok(refused(program("FB", VIP, VME)));
});
vme("16-bit PUSHF shows VIF as IF, and IOPL 3; 32-bit PUSHF is #GP(0)", () => {
  const r = program("9C", VIF | IF, VME);
  r.step();
  assert.equal(r.stack(1, 2), [0x3202]);
  const q = program("9C", IF, VME);
  q.step();
  assert.equal(q.stack(1, 2), [0x3002]);
  assert.ok(refused(program("66 9C", VIF, VME)));
});
vme("16-bit POPF and IRET load VIF from IF; not TF, nor IF while VIP is set", () => {
  for (const [code, before] of [
    ["9D", []],
    ["CF", [0, 0x1000]],
  ] as const) {
    const run = (image: number, flags: number) => {
      const r = program(code, flags, VME);
      [...before, image].forEach((value, i) => {
        r.ram.setUint16(0x9000 + 2 * i, value, true);
      });
      return r;
    };
    const r = run(0x4ed7, 0);
    r.step();
    is(r, { RFLAGS: VM | VIF | 0x4cd7 });
    const q = run(2, VIF | IF);
    q.step();
    is(q, { RFLAGS: VM | IF | 2 });
    assert.ok(refused(run(TF, 0)), `${code} TF`);
    assert.ok(refused(run(IF, VIP)), `${code} IF`);
  }
});
vme("INT n goes through the program's vectors where the bitmap has a 0 (SDM 3A table 20-2)", () => {
  for (const [flags, pushed, after] of [
    [VIF | TF, 0x3302, VM | 2],
    [IOPL3 | IF, 0x3202, VM | IOPL3 | 2],
  ] as const) {
    const r = program("CD 31", flags & ~TF, VME);
    r.cpu.flags |= flags & TF;
    r.ram.setUint16(AT.tss + 102, 0x88, true);
    r.ram.setUint8(AT.tss + 0x68 + 6, 1); // vector 30h is the monitor's
    r.cpu.setNumber(segment(7) + SEG.limit, 0x100);
    r.ram.setUint32(0x31 * 4, 0x2000_0123, true);
    r.step();
    is(r, { CS: 0x2000, RIP: 0x123, RFLAGS: after, RSP: 0xffa });
    assert.equal(r.stack(3, 2), [2, 0x1000, pushed]);
  }
  const r = program("CD 30", 0, VME);
  r.ram.setUint16(AT.tss + 102, 0x88, true);
  r.ram.setUint8(AT.tss + 0x68 + 6, 1);
  r.cpu.setNumber(segment(7) + SEG.limit, 0x100);
  assert.ok(refused(r));
});
vme("a return to VIF and VIP together is a fault of the instruction there (SDM 3A 20.3.2)", () => {
  const r = program("90", VIF | VIP, VME);
  is(r, { RIP: HANDLER });
  assert.equal(r.stack(3), [0, 0, 0x1000]);
});
vme("CR4.PVI gives level 3 of protected mode a VIF (SDM 3A 20.4)", () => {
  const r = rig("protected32", { cpl: 3 });
  r.cpu.setNumber(S.CR4, PVI);
  r.code("FB FA 9C");
  r.step();
  is(r, { RFLAGS: VIF | 2 });
  r.step(2);
  is(r, { RFLAGS: 2 });
  r.cpu.flags = VIP | 2;
  assert.is(r.faults("FB"), "GP(0)");
  r.cpu.setNumber(S.CR4, VME);
  assert.is(r.faults("FA"), "GP(0)");
});
vme.run();
