import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AT, is, type Rig, rig, SEL } from "../system.test-support.ts";
import { writeDebugRegister } from "./control.ts";
import { S } from "./state.ts";

const HANDLER = 0x20000,
  TF = 0x100,
  RF = 0x10000,
  BS = 0x4000,
  FIXED = 0xffff0ff0;
function debugged(mode: "long" | "protected32" = "long"): Rig {
  const r = rig(mode);
  r.gate(1, mode === "long" ? SEL.code64 : SEL.code32, HANDLER, 0x8e);
  r.code(mode === "long" ? "48 CF" : "CF", HANDLER);
  return r;
}
const dr6 = (r: Rig) => r.cpu.u32(S.DR6);

const step = suite("single-step");
step(
  "with TF each instruction ends with a trap, after its effect; the handler runs without TF (SDM 3B 17.3.1.4)",
  () => {
    const r = debugged();
    r.cpu.flags = TF | 2;
    r.code("FF C0 FF C0"); // inc eax, twice
    r.step();
    is(r, { RAX: 1, RIP: HANDLER, RFLAGS: 2 });
    assert.is(r.stack(3, 8)[0], AT.code + 2);
    assert.is(r.stack(3, 8)[2], TF | 2);
    assert.is(dr6(r), (FIXED | BS) >>> 0);
    r.step(); // iretq
    is(r, { RIP: AT.code + 2 });
    r.step();
    is(r, { RAX: 2, RIP: HANDLER });
  },
);
step("POPF that sets TF traps after the next instruction only (SDM 3B 17.3.1.4)", () => {
  const r = debugged();
  r.ram.setUint32(AT.stack0 - 8, TF | 2, true);
  r.cpu.setNumber(S.GPR + 32, AT.stack0 - 8);
  r.code("9D FF C0 90");
  r.step();
  is(r, { RIP: AT.code + 1 });
  r.step();
  is(r, { RIP: HANDLER, RAX: 1 });
});
step("a fault of the instruction comes instead of its trap", () => {
  const r = debugged();
  r.gate(6, SEL.code64, HANDLER + 0x100, 0x8e);
  r.cpu.flags = TF | 2;
  r.code("0F 0B");
  r.step();
  is(r, { RIP: HANDLER + 0x100 });
  assert.is(dr6(r), FIXED);
  assert.is(r.cpu.u32(S.PENDING_DEBUG), 0);
});
step("INT n clears TF and is not trapped (SDM 3B 17.3.1.4)", () => {
  const r = debugged();
  r.gate(0x30, SEL.code64, HANDLER + 0x100, 0x8e);
  r.code("90", HANDLER + 0x100);
  r.cpu.flags = TF | 2;
  r.code("CD 30");
  r.step();
  is(r, { RIP: HANDLER + 0x100 });
  r.step();
  is(r, { RIP: HANDLER + 0x101 });
});
step("each iteration of a repeated string instruction is trapped, at the instruction (SDM 3B 17.3.1.4)", () => {
  const r = debugged();
  r.cpu.flags = TF | 2;
  r.cpu.setGpr32(1, 2);
  r.cpu.setGpr32(7, 0x500);
  r.code("F3 AA 90");
  r.step();
  is(r, { RIP: HANDLER, RCX: 1 });
  assert.is(r.stack(1, 8)[0], AT.code);
  assert.is(r.stack(3, 8)[2], TF | RF | 2, "between iterations RF is pushed as 1");
  r.step(2);
  is(r, { RIP: HANDLER, RCX: 0 });
  assert.is(r.stack(1, 8)[0], AT.code + 2);
});
step("MOV SS holds the trap back until after the next instruction (SDM 3A 6.8.3)", () => {
  const r = debugged("protected32");
  r.cpu.flags = TF | 2;
  r.cpu.setGpr32(0, SEL.data32);
  r.code("8E D0 FF C3");
  r.step();
  is(r, { RIP: AT.code + 2 });
  r.step();
  is(r, { RIP: HANDLER, RBX: 1 });
});
step("SYSCALL traps by TF as FMASK left it", () => {
  const r = debugged();
  r.cpu.setNumber(S.LSTAR, HANDLER + 0x200);
  r.cpu.setU32(S.STAR + 4, SEL.code64);
  r.cpu.setNumber(S.FMASK, TF);
  r.cpu.flags = TF | 2;
  r.code("0F 05");
  r.step();
  is(r, { RIP: HANDLER + 0x200 });
});
step.run();

const breakpoints = suite("breakpoints");
const arm = (r: Rig, n: number, address: number, kind: number, length: number) => {
  writeDebugRegister(r.cpu, n, address, 0);
  writeDebugRegister(r.cpu, 7, (2 << (2 * n)) | (kind << (16 + 4 * n)) | (length << (18 + 4 * n)), 0);
};
breakpoints(
  "on execution: a fault before the instruction; RF in the returned flags lets it run (SDM 3B 17.3.1.1)",
  () => {
    const r = debugged();
    r.code("90 FF C0 90");
    arm(r, 1, AT.code + 1, 0, 0);
    r.step(2);
    is(r, { RIP: HANDLER, RAX: 0 });
    assert.is(dr6(r), (FIXED | 2) >>> 0);
    assert.is(r.stack(1, 8)[0], AT.code + 1);
    r.ram.setUint32(AT.stack0 - 40 + 16, RF | 2, true);
    r.step(); // iretq
    r.step();
    is(r, { RIP: AT.code + 3, RAX: 1 });
  },
);
breakpoints("without RF the handler is called again at once", () => {
  const r = debugged();
  r.code("FF C0");
  arm(r, 0, AT.code, 0, 0);
  r.step(3);
  is(r, { RIP: HANDLER, RAX: 0 });
});
breakpoints("RF covers one instruction only, and does not show in what an interrupt pushes later", () => {
  const r = debugged();
  r.gate(2, SEL.code64, HANDLER + 0x100, 0x8e);
  r.ram.setUint32(AT.stack0 - 40, AT.code, true);
  for (const [i, v] of [SEL.code64, RF | 2, AT.stack0, SEL.data32].entries())
    r.ram.setUint32(AT.stack0 - 32 + 8 * i, v, true);
  r.cpu.setNumber(S.GPR + 32, AT.stack0 - 40);
  r.code("90 90");
  r.cpu.setNumber(S.RIP, HANDLER);
  r.step(2); // iretq, nop
  r.cpu.signal(1);
  r.step();
  is(r, { RIP: HANDLER + 0x100 });
  assert.is(r.stack(3, 8)[2], 2);
});
const data: [what: string, kind: number, length: number, code: string, hit: boolean][] = [
  ["a write to a write breakpoint", 1, 3, "C6 04 25 02 05 00 00 01", true],
  ["a read of a write breakpoint", 1, 3, "8A 04 25 02 05 00 00", false],
  ["a read of an access breakpoint", 3, 3, "8A 04 25 02 05 00 00", true],
  ["a wide access that only touches it", 3, 0, "48 8B 04 25 F9 04 00 00", true],
  ["an access just before it", 3, 0, "48 8B 04 25 F8 04 00 00", false],
  ["an access just after it", 3, 1, "8A 04 25 02 05 00 00", false],
];
for (const [what, kind, length, code, hit] of data) {
  breakpoints(`on data: ${what} ${hit ? "traps after the instruction" : "does not trap"} (SDM 3B 17.2.5)`, () => {
    const r = debugged();
    arm(r, 3, 0x500, kind, length);
    const bytes = r.code(code);
    r.step();
    is(r, { RIP: hit ? HANDLER : AT.code + bytes });
    if (hit) {
      assert.is(dr6(r), (FIXED | 8) >>> 0);
      assert.is(r.stack(1, 8)[0], AT.code + bytes);
    }
  });
}
breakpoints("on ports: with CR4.DE, after IN and OUT (SDM 3B 17.2.4)", () => {
  const r = debugged();
  arm(r, 0, 0x60, 2, 0);
  r.code("E4 60");
  r.step();
  is(r, { RIP: AT.code + 2 });
  r.cpu.setU32(S.CR4, r.cpu.u32(S.CR4) | 8);
  r.code("E4 60");
  r.step();
  is(r, { RIP: HANDLER });
});
breakpoints("GD guards the registers, and is off in the handler (SDM 3B 17.2.4)", () => {
  const r = debugged();
  writeDebugRegister(r.cpu, 7, 0x2000, 0);
  r.code("0F 21 C0");
  r.step();
  is(r, { RIP: HANDLER });
  assert.is(dr6(r), (FIXED | 0x2000) >>> 0);
  assert.is(r.cpu.u32(S.DR7), 0x400);
});
breakpoints("DR4 and DR5 are DR6 and DR7, or undefined with CR4.DE; DR6 and DR7 have 32 bits (SDM 3B 17.2)", () => {
  const r = rig("long");
  r.code("0F 21 E0"); // mov rax, dr4
  r.step();
  is(r, { RAX: FIXED });
  r.cpu.setU32(S.CR4, r.cpu.u32(S.CR4) | 8);
  assert.is(r.faults("0F 21 E0"), "UD");
  r.cpu.setU64(S.GPR, 1n << 32n);
  assert.is(r.faults("0F 23 F8"), "GP(0)");
  assert.is(rig("long", { cpl: 3 }).faults("0F 21 C0"), "GP(0)");
});
breakpoints.run();
