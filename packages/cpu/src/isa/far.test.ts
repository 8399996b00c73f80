import { suite } from "uvu";
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import { AT, is, type Rig, rig, SEL } from "../system.test-support.ts";

const RPL3 = 3, TARGET = 0x20000, NT = 0x4000, VM = 0x20000;
const word = (n: number) => [n & 255, n >> 8 & 255].map((b) => b.toString(16)).join(" ");
const dword = (n: number) => `${word(n)} ${word(n >>> 16)}`;
const jmp = (selector: number, offset = TARGET) => `EA ${dword(offset)} ${word(selector)}`;
const call = (selector: number, offset = TARGET) => `9A ${dword(offset)} ${word(selector)}`;
/** A call gate at SEL.gate; 16 bytes in IA-32e mode. */
function gate(r: Rig, selector: number, access: number, parameters = 0): void {
  const at = AT.gdt + SEL.gate;
  r.ram.setUint32(at, (TARGET & 0xffff) | selector << 16, true);
  r.ram.setUint32(at + 4, (TARGET & 0xffff0000) | access << 8 | parameters, true);
}
const push = (r: Rig, ...values: number[]) => {
  const size = r.cpu.long ? 8 : 4, top = r.cpu.gpr32(4) - size * values.length;
  values.forEach((v, i) => { r.ram.setUint32(top + size * i, v, true); if (size === 8) r.ram.setUint32(top + 8 * i + 4, 0, true); });
  r.cpu.setGpr32(4, top);
};

const jumps = suite("JMP and CALL far");
jumps("real mode: CS is a paragraph; CALL pushes CS:IP", () => {
  const r = rig("real");
  r.code("9A 34 12 00 30");
  r.step();
  is(r, { CS: 0x3000, RIP: 0x1234, RSP: 0x7ffc });
  assert.equal(r.stack(2, 2), [5, AT.code >> 4]);
});
jumps("to code of the same level, CPL goes into CS.RPL (SDM 3A 5.8.1)", () => {
  for (const [code, selector, cs] of [[jmp(SEL.code32), SEL.code32, SEL.code32], [jmp(SEL.code32 | 0), SEL.conforming, SEL.code32]] as const) {
    const r = rig("protected32");
    void selector;
    r.code(code);
    r.step();
    is(r, { CS: cs, RIP: TARGET });
  }
  const r = rig("protected32", { cpl: 3 });
  r.code(call(SEL.conforming));
  r.step();
  is(r, { CS: SEL.conforming | 3, RIP: TARGET, CPL: 3, RSP: AT.stack3 - 8 });
  assert.equal(r.stack(2), [AT.code + 7, SEL.user32]);
});
const refusals: [what: string, code: string, cpl: 0 | 3, fault: string, prepare?: (r: Rig) => void][] = [
  ["null", jmp(3), 0, "GP(0)"],
  ["beyond the GDT", jmp(0x1000), 0, "GP(1000)"],
  ["data", jmp(SEL.data32), 0, "GP(10)"],
  ["code of another level", jmp(SEL.user32), 0, "GP(18)"],
  ["RPL above CPL", jmp(SEL.code32 | RPL3), 0, "GP(8)"],
  ["conforming code of an outer level", jmp(SEL.conforming), 0, "GP(70)", (r) => r.descriptor(SEL.conforming, 0, 0xffffffff, 0xc0ff)],
  ["not present", jmp(SEL.absentCode), 0, "NP(80)"],
  ["an offset beyond the limit", jmp(SEL.code16, 0x10000), 0, "GP(0)"],
  ["an interrupt gate", jmp(SEL.gate), 0, "GP(60)", (r) => gate(r, SEL.code32, 0x8e)],
  ["a gate with DPL below CPL", call(SEL.gate), 3, "GP(60)", (r) => gate(r, SEL.code32, 0x8c)],
  ["a gate with DPL below RPL", call(SEL.gate | RPL3), 0, "GP(60)", (r) => gate(r, SEL.code32, 0x8c)],
  ["a gate that is not present", call(SEL.gate), 0, "NP(60)", (r) => gate(r, SEL.code32, 0x0c)],
  ["a gate to null", call(SEL.gate), 0, "GP(0)", (r) => gate(r, 0, 0x8c)],
  ["a gate to data", call(SEL.gate), 0, "GP(10)", (r) => gate(r, SEL.data32, 0x8c)],
  ["a gate to code that is not present", call(SEL.gate), 0, "NP(80)", (r) => gate(r, SEL.absentCode, 0x8c)],
  ["JMP through a gate to an inner level", jmp(SEL.gate), 3, "GP(8)", (r) => gate(r, SEL.code32, 0xec)],
  ["CALL through a gate without a stack for the inner level", call(SEL.gate), 3, "TS(0)", (r) => { gate(r, SEL.code32, 0xec); r.ram.setUint32(AT.tss + 8, 0, true); }],
  ["CALL through a gate beyond the limit of the code", call(SEL.gate), 3, "GP(0)", (r) => { r.descriptor(SEL.code32, 0, 0xffff, 0x409b); gate(r, SEL.code32, 0xec); }],
];
for (const [what, code, cpl, fault, prepare] of refusals) {
  jumps(`${what}: ${fault} (SDM 2A JMP, CALL)`, () => {
    const r = rig("protected32", { cpl });
    prepare?.(r);
    assert.is(r.faults(code), fault);
    is(r, { RSP: cpl ? AT.stack3 : AT.stack0, CPL: cpl });
  });
}
jumps("through a call gate to an inner level, parameters are copied to the new stack (SDM 3A 5.8.5)", () => {
  const r = rig("protected32", { cpl: 3 });
  gate(r, SEL.code32, 0xec, 2);
  push(r, 0x111, 0x222);
  r.code(call(SEL.gate));
  r.step();
  is(r, { CS: SEL.code32, SS: SEL.data32, CPL: 0, RIP: TARGET, RSP: AT.stack0 - 24 });
  assert.equal(r.stack(6), [AT.code + 7, SEL.user32, 0x111, 0x222, AT.stack3 - 8, SEL.userData]);
  r.code("CA 08 00"); // retf 8 releases them on both stacks
  r.step();
  is(r, { CS: SEL.user32, SS: SEL.userData, CPL: 3, RIP: AT.code + 7, RSP: AT.stack3 });
});
jumps("the most parameters there are, 31, are copied", () => {
  const r = rig("protected32", { cpl: 3 }), values = Array.from({ length: 31 }, (_, i) => i + 1);
  gate(r, SEL.code32, 0xec, 31);
  push(r, ...values);
  r.code(call(SEL.gate));
  r.step();
  assert.equal(r.stack(35).slice(2, 33), values);
});
jumps("a 16-bit gate pushes words", () => {
  const r = rig("protected32");
  gate(r, SEL.code32, 0x84);
  r.code(call(SEL.gate));
  r.step();
  is(r, { RIP: TARGET & 0xffff, RSP: AT.stack0 - 4 });
});
jumps("IA-32e mode: a 16-byte gate leads to 64-bit code, SS becomes null (SDM 3A 5.8.3.1, 5.8.5.1)", () => {
  const r = rig("compatibility", { cpl: 3 });
  gate(r, SEL.code64, 0xec);
  r.code(call(SEL.gate));
  r.step();
  is(r, { CS: SEL.code64, SS: 0, CPL: 0, RIP: TARGET, RSP: AT.stack0 - 32 });
  assert.equal(r.stack(4, 8), [AT.code + 7, SEL.user32, AT.stack3, SEL.userData]);
  gate(r, SEL.code32, 0xec);
  assert.is(rigged((q) => gate(q, SEL.code32, 0xec), call(SEL.gate)), "GP(8)");
  assert.is(rigged((q) => gate(q, SEL.code64, 0xe4), call(SEL.gate)), "GP(60)");
});
function rigged(prepare: (r: Rig) => void, code: string): string {
  const r = rig("compatibility", { cpl: 3 });
  prepare(r);
  return r.faults(code);
}
jumps("from 64-bit to compatibility mode and back (SDM 3A 5.8.1)", () => {
  const r = rig("long");
  r.ram.setUint32(0x100, TARGET, true);
  r.ram.setUint16(0x104, SEL.code32, true);
  r.code("FF 2C 25 00 01 00 00"); // jmp far [0x100]
  r.code(jmp(SEL.code64, AT.code), TARGET);
  r.step();
  is(r, { CS: SEL.code32, RIP: TARGET });
  assert.is(r.cpu.long, false);
  r.step();
  is(r, { CS: SEL.code64, RIP: AT.code });
  assert.is(r.cpu.long, true);
});
jumps("code with L and D set is refused in IA-32e mode (SDM 2A JMP)", () => {
  const r = rig("compatibility");
  r.descriptor(SEL.code32, 0, 0xffffffff, 0xe09b);
  assert.is(r.faults(jmp(SEL.code32)), "GP(8)");
});
jumps.run();

const returns = suite("RET and IRET");
const refusedReturns: [what: string, frame: number[], code: string, cpl: 0 | 3, fault: string][] = [
  ["null", [TARGET, 0], "CB", 0, "GP(0)"],
  ["RPL below CPL", [TARGET, SEL.code32], "CB", 3, "GP(8)"],
  ["data", [TARGET, SEL.data32], "CB", 0, "GP(10)"],
  ["DPL is not RPL", [TARGET, SEL.code32 | 3], "CB", 0, "GP(8)"],
  ["not present", [TARGET, SEL.absentCode], "CB", 0, "NP(80)"],
  ["to an outer level with a null SS", [TARGET, SEL.user32, 0x9000, 0], "CB", 0, "GP(0)"],
  ["to an outer level with SS of the wrong RPL", [TARGET, SEL.user32, 0x9000, SEL.userData & ~3], "CB", 0, "GP(20)"],
  ["IRET to null", [TARGET, 0, 2], "CF", 0, "GP(0)"],
  ["IRET to code of an inner level", [TARGET, SEL.code32, 2], "CF", 3, "GP(8)"],
  ["IRET to an outer level with SS that is data of another DPL", [TARGET, SEL.user32, 2, 0x9000, SEL.data32 | 3], "CF", 0, "GP(10)"],
];
for (const [what, frame, code, cpl, fault] of refusedReturns) {
  returns(`${what}: ${fault}, and the stack stays (SDM 2B RET, 2A IRET)`, () => {
    const r = rig("protected32", { cpl });
    push(r, ...frame);
    const top = r.cpu.gpr32(4);
    assert.is(r.faults(code), fault);
    is(r, { RSP: top, CPL: cpl });
  });
}
returns("IRET to an outer level takes away segments that are too privileged for it (SDM 2A IRET)", () => {
  const r = rig("protected32");
  push(r, TARGET, SEL.user32, 0x202, AT.stack3, SEL.userData);
  r.cpu.setGpr32(0, SEL.userData);
  r.code("8E C0 CF");
  r.step(2);
  is(r, { CS: SEL.user32, SS: SEL.userData, RIP: TARGET, RSP: AT.stack3, CPL: 3, DS: 0, ES: SEL.userData, RFLAGS: 0x202 });
});
returns("IRET loads IOPL at CPL 0 only, and IF only if CPL is not above IOPL (SDM 2A IRET)", () => {
  const user = rig("protected32", { cpl: 3 });
  push(user, TARGET, SEL.user32, 0x3202);
  user.code("CF");
  user.step();
  is(user, { RFLAGS: 2 });
  const kernel = rig("protected32");
  push(kernel, TARGET, SEL.code32, 0x3202);
  kernel.code("CF");
  kernel.step();
  is(kernel, { RFLAGS: 0x3202 });
});
returns("IRET of 16 bits leaves the upper half of RFLAGS", () => {
  const r = rig("real");
  r.cpu.flags = 0x40002;
  r.ram.setUint16(0x7ffa, 0x100, true);
  r.ram.setUint16(0x7ffc, 0x3000, true);
  r.ram.setUint16(0x7ffe, 0x0001, true);
  r.cpu.setGpr32(4, 0x7ffa);
  r.code("CF");
  r.step();
  is(r, { CS: 0x3000, RIP: 0x100, RSP: 0x8000, RFLAGS: 0x40003 });
});
returns("64-bit mode: IRETQ always pops SS:RSP, and SS may be null below CPL 3 (SDM 3A 6.14.3)", () => {
  const r = rig("long");
  push(r, TARGET, SEL.code64, 2, 0x7000, 0);
  r.code("48 CF");
  r.step();
  is(r, { CS: SEL.code64, SS: 0, RIP: TARGET, RSP: 0x7000 });
  push(r, TARGET, SEL.user64, 2, 0x7000, 3);
  assert.is(r.faults("48 CF"), "GP(0)");
});
returns("in IA-32e mode there are neither tasks nor virtual-8086 mode: #GP(0) for NT, VM is ignored (SDM 2A IRET)", () => {
  const r = rig("long");
  r.cpu.flags = NT | 2;
  assert.is(r.faults("48 CF"), "GP(0)");
  const q = rig("compatibility");
  push(q, TARGET, SEL.code32, VM | 2);
  q.code("CF");
  q.step();
  is(q, { CS: SEL.code32, RIP: TARGET, RFLAGS: 2 });
  assert.is(q.faults(jmp(SEL.tss)), "GP(40)");
});
returns("INTO traps on overflow only (SDM 2A INTO)", () => {
  const r = rig("protected32");
  r.gate(4, SEL.code32, TARGET, 0x8e);
  r.code("CE CE");
  r.step();
  is(r, { RIP: AT.code + 1 });
  r.cpu.flags = 0x802;
  r.step();
  is(r, { RIP: TARGET });
  assert.is(r.stack(1)[0], AT.code + 2);
});
returns("RETF n to 64-bit code releases n bytes at the width of the stack that it has then (SDM 2B RET)", () => {
  const r = rig("compatibility");
  r.cpu.setGpr32(0, SEL.data16);
  r.cpu.setGpr32(4, 0xfff0);
  r.ram.setUint32(0xfff0, TARGET, true);
  r.ram.setUint32(0xfff4, SEL.code64, true);
  r.code("8E D0 CA 10 00"); // mov ss, ax; retf 16
  r.step(2);
  is(r, { CS: SEL.code64, RIP: TARGET, RSP: 0x10008 });
});
returns("RETF to an outer level in 64-bit mode (SDM 2B RET)", () => {
  const r = rig("long");
  push(r, TARGET, SEL.user64, AT.stack3, SEL.userData);
  r.code("48 CB");
  r.step();
  is(r, { CS: SEL.user64, SS: SEL.userData, CPL: 3, RIP: TARGET, RSP: AT.stack3 });
  assert.is(r.cpu.u32(S.CPL), 3);
});
returns.run();
