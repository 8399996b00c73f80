import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AT, get, is, type Rig, rig, SEL } from "../system.test-support.ts";
import { S, SEG, segment } from "./state.ts";

const test = suite("task switches");
const NEXT = 0xc0,
  NEXT_AT = 0x4000,
  TASK = 0x20000,
  HANDLER = 0x28000,
  NT = 0x4000,
  TS = 8;
const JMP = "EA 00 00 00 00 C0 00",
  CALL = "9A 00 00 00 00 C0 00";

/** Fields of a 32-bit TSS. */
interface Task {
  eip?: number;
  eflags?: number;
  esp?: number;
  cs?: number;
  ss?: number;
  ds?: number;
  es?: number;
  ldt?: number;
  trap?: number;
}
/** A 32-bit TSS that suits the rig, in the GDT at NEXT. */
function task(r: Rig, of: Task = {}, access = 0x89): void {
  const { eip = TASK, eflags = 2, esp = 0x6000, cs = SEL.code32, ss = SEL.data32, ds = SEL.data32, es = 0 } = of;
  r.descriptor(NEXT, NEXT_AT, 0x67, access);
  const put = (at: number, value: number) => r.ram.setUint32(NEXT_AT + at, value, true);
  put(4, 0x5000);
  put(8, SEL.data32);
  put(0x20, eip);
  put(0x24, eflags);
  for (let n = 0; n < 8; n++) put(0x28 + 4 * n, 0x11110000 + n);
  put(0x38, esp);
  [es, cs, ss, ds, 0, 0].forEach((selector, n) => {
    put(0x48 + 4 * n, selector);
  });
  put(0x60, of.ldt ?? 0);
  put(0x64, of.trap ?? 0);
}
/** With the rig's own TSS busy, as LTR leaves it. */
function tasks(of: Task = {}, access = 0x89, cpl: 0 | 3 = 0): Rig {
  const r = rig("protected32", { cpl });
  r.descriptor(SEL.tss, AT.tss, 0x67, 0x8b);
  task(r, of, access);
  return r;
}
const isBusy = (r: Rig, selector: number) => (r.ram.getUint8(AT.gdt + selector + 5) & 2) !== 0;

test("JMP saves the old task's state and loads the new one's (SDM 3A 7.3)", () => {
  const r = tasks({ eflags: 0x3003 });
  r.cpu.flags = 0x203;
  r.cpu.setGpr32(0, 0x55);
  r.code(JMP);
  r.step();
  is(r, { RIP: TASK, RAX: 0x11110000, RDI: 0x11110007, RSP: 0x6000, RFLAGS: 0x3003, TR: NEXT, ES: 0, DS: SEL.data32 });
  assert.is(r.cpu.u32(S.CR0) & TS, TS);
  assert.equal(
    [SEL.tss, NEXT].map((s) => isBusy(r, s)),
    [false, true],
  );
  const saved = [0x20, 0x24, 0x28, 0x38].map((at) => r.ram.getUint32(AT.tss + at, true));
  assert.equal(saved, [AT.code + 7, 0x203, 0x55, AT.stack0]);
  assert.equal(
    [0x48, 0x4c, 0x50].map((at) => r.ram.getUint16(AT.tss + at, true)),
    [SEL.data32, SEL.code32, SEL.data32],
  );
  assert.is(r.ram.getUint16(NEXT_AT, true), 0);
});
test("CALL links and sets NT; IRET goes back, and leaves the task idle with NT clear (SDM 3A 7.4)", () => {
  const r = tasks();
  r.code(CALL);
  r.code("CF", TASK);
  r.step();
  is(r, { RIP: TASK, RFLAGS: NT | 2, TR: NEXT });
  assert.is(r.ram.getUint16(NEXT_AT, true), SEL.tss);
  assert.ok(isBusy(r, SEL.tss) && isBusy(r, NEXT));
  r.step();
  is(r, { RIP: AT.code + 7, TR: SEL.tss, RFLAGS: 2, RSP: AT.stack0 });
  assert.equal(
    [SEL.tss, NEXT].map((s) => isBusy(r, s)),
    [true, false],
  );
  assert.is(r.ram.getUint32(NEXT_AT + 0x20, true), TASK + 1);
  assert.is(r.ram.getUint32(NEXT_AT + 0x24, true), 2);
});
test("an exception through a task gate leaves its error code on the new task's stack (SDM 2A INT n)", () => {
  const r = tasks();
  r.gate(13, NEXT, 0, 0x85);
  r.code("8E D8"); // mov ds, ax
  r.cpu.setGpr32(0, SEL.executeOnly);
  r.step();
  is(r, { RIP: TASK, RSP: 0x5ffc, TR: NEXT, RFLAGS: NT | 2 });
  assert.equal(r.stack(1), [SEL.executeOnly]);
  assert.is(r.ram.getUint32(AT.tss + 0x20, true), AT.code);
  assert.is(r.ram.getUint32(AT.tss + 0x24, true), 0x10002, "RF in the image of a fault");
});
test("a task gate in the GDT leads to its task, for those within its DPL (SDM 3A 7.2.5)", () => {
  const r = tasks({}, 0x89, 3);
  r.ram.setUint32(AT.gdt + SEL.gate, NEXT << 16, true);
  r.ram.setUint32(AT.gdt + SEL.gate + 4, 0xe500, true);
  r.code("EA 00 00 00 00 63 00");
  r.step();
  is(r, { RIP: TASK, CPL: 0 });
  const q = tasks({}, 0x89, 3);
  q.ram.setUint32(AT.gdt + SEL.gate + 4, 0x8500, true);
  assert.is(q.faults("EA 00 00 00 00 63 00"), "GP(60)");
  assert.is(q.faults("EA 00 00 00 00 C3 00"), "GP(c0)");
});
test("a 16-bit TSS holds halves of registers, and neither FS, GS nor CR3 (SDM 3A 7.6)", () => {
  const r = tasks();
  r.descriptor(NEXT, NEXT_AT, 0x2b, 0x81);
  const words = [0, 0, 0, 0, 0, 0, 0, 0x1234, 0xcd7, 1, 2, 3, 4, 0x6000, 6, 7, 8, 0, SEL.code32, SEL.data32, 0, 0];
  words.forEach((value, i) => {
    r.ram.setUint16(NEXT_AT + 2 * i, value, true);
  });
  r.code(CALL);
  r.code("CF", 0x1234);
  r.step();
  is(r, { RIP: 0x1234, RFLAGS: NT | 0xcd7, RCX: 0xffff0002, RSP: 0xffff6000, FS: 0, GS: 0 });
  r.step();
  is(r, { RIP: AT.code + 7 });
  assert.equal(
    [0x0e, 0x10, 0x14].map((at) => r.ram.getUint16(NEXT_AT + at, true)),
    [0x1235, 0xcd7, 2],
  );
});
const early: [what: string, fault: string, prepare: (r: Rig) => string][] = [
  ["a busy TSS", "GP(c0)", (r) => (task(r, {}, 0x8b), JMP)],
  ["a TSS that is not present", "NP(c0)", (r) => (task(r, {}, 0x09), JMP)],
  ["a TSS that is too short", "TS(c0)", (r) => (r.descriptor(NEXT, NEXT_AT, 0x66, 0x89), JMP)],
  ["a link to an idle TSS", "TS(c0)", (r) => ((r.cpu.flags = NT | 2), r.ram.setUint16(AT.tss, NEXT, true), "CF")],
  ["a link into the LDT", "TS(c4)", (r) => ((r.cpu.flags = NT | 2), r.ram.setUint16(AT.tss, NEXT | 4, true), "CF")],
];
for (const [what, fault, prepare] of early) {
  test(`${what} is ${fault} in the old task, and nothing changes (SDM 3A table 7-1)`, () => {
    const r = tasks(),
      code = prepare(r);
    const before = get(r.cpu, "RFLAGS");
    assert.is(r.faults(code), fault);
    is(r, { TR: SEL.tss, RSP: AT.stack0, RFLAGS: before });
    assert.is(r.ram.getUint32(AT.tss + 0x20, true), 0);
    assert.is(r.cpu.u32(S.CR0) & TS, 0);
  });
}
const late: [what: string, of: Task, vector: number, code: number][] = [
  ["CS is null", { cs: 0 }, 10, 0],
  ["CS is data", { cs: SEL.data32 }, 10, SEL.data32],
  ["CS is of another level than its RPL", { cs: SEL.code32 | 3 }, 10, SEL.code32],
  ["CS is not present", { cs: SEL.absentCode }, 11, SEL.absentCode],
  ["SS is null", { ss: 0 }, 10, 0],
  ["SS is of another level", { ss: SEL.userData }, 10, SEL.userData & ~3],
  ["DS cannot be read", { ds: SEL.executeOnly }, 10, SEL.executeOnly],
  ["DS is not present", { ds: SEL.absentData }, 11, SEL.absentData],
  ["LDT is none", { ldt: SEL.data32 }, 10, SEL.data32],
  ["EIP is beyond CS", { cs: SEL.code16, eip: 0x10000 }, 13, 0],
];
for (const [what, of, vector, code] of late) {
  test(`${what}: a fault of the new task's first instruction (SDM 3A 7.3)`, () => {
    const r = tasks(of);
    r.gate(vector, SEL.code32, HANDLER, 0x8e);
    r.code(JMP);
    r.step();
    is(r, { RIP: HANDLER, TR: NEXT, CPL: 0 });
    assert.equal(r.stack(2), [code, of.eip ?? TASK]);
    assert.is(r.ram.getUint32(AT.tss + 0x20, true), AT.code + 7);
  });
}
test("a fault in the task of a fault's gate is a double fault there (SDM 3A 6.15)", () => {
  const r = tasks({ ds: SEL.executeOnly });
  r.gate(13, NEXT, 0, 0x85);
  r.gate(8, SEL.code32, HANDLER, 0x8e);
  r.code("8E D8");
  r.cpu.setGpr32(0, SEL.executeOnly);
  r.step();
  is(r, { RIP: HANDLER, TR: NEXT });
  assert.equal(r.stack(2), [0, TASK]);
});
test("the T bit is a debug trap before the new task's first instruction (SDM 3B 17.3.1.5)", () => {
  const r = tasks({ trap: 1 });
  r.gate(1, SEL.code32, HANDLER, 0x8e);
  r.cpu.setNumber(S.DR7, 0x455);
  r.code(JMP);
  r.code("EB FE", HANDLER);
  r.step(2);
  is(r, { RIP: HANDLER });
  assert.is(r.stack(1)[0], TASK);
  assert.is(r.cpu.u32(S.DR6) & 0xe000, 0x8000);
  assert.is(r.cpu.u32(S.DR7), 0x400, "local breakpoints are the old task's");
});
test("a task may be one of virtual-8086 mode (SDM 3A 20.2.5)", () => {
  const r = tasks({ eflags: 0x20002, cs: 0x1000, ss: 0x800, ds: 0x1200, eip: 0x10 });
  r.code(JMP);
  r.step();
  is(r, { CS: 0x1000, RIP: 0x10, DS: 0x1200, CPL: 3, RFLAGS: 0x20002 });
  assert.is(r.cpu.u32(segment(1) + SEG.base), 0x10000);
});
test("a page fault on the old TSS is the old task's (SDM 3A 7.3)", () => {
  const r = tasks();
  const pages = AT.tables + 0x1000;
  r.ram.setUint32(AT.tables, pages | 7, true);
  for (let i = 0; i < 256; i++) r.ram.setUint32(pages + 4 * i, (i << 12) | 7, true);
  r.ram.setUint32(pages + 4 * (AT.tss >> 12), AT.tss | 5, true); // read-only
  r.ram.setUint32(NEXT_AT + 0x1c, AT.tables, true);
  r.cpu.setNumber(S.CR3, AT.tables);
  r.cpu.setNumber(S.CR0, 0x80010031);
  r.cpu.refresh();
  assert.is(r.faults(JMP), "PF(3)");
  is(r, { TR: SEL.tss, RSP: AT.stack0 });
  assert.equal(
    [SEL.tss, NEXT].map((s) => isBusy(r, s)),
    [true, false],
  );
  r.ram.setUint32(pages + 4 * (AT.tss >> 12), AT.tss | 7, true);
  r.code(JMP);
  r.step();
  is(r, { RIP: TASK, TR: NEXT });
  assert.is(r.cpu.u32(S.CR3), AT.tables);
});
test.run();
