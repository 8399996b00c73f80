import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FS, GS, S, SEG, segment } from "../core/state.ts";
import { AT, is, type Rig, rig } from "../system.test-support.ts";

const ENTRY = 0x20000;
/** STAR as Linux sets it: kernel 10h and 18h, user 23h, 2bh, 33h. */
function prepare(r: Rig): Rig {
  r.cpu.setU32(S.STAR + 4, 0x00230010);
  r.cpu.setNumber(S.LSTAR, ENTRY);
  r.cpu.setNumber(S.FMASK, 0x40700);
  return r;
}

const test = suite("SYSCALL and SYSRET");
test("SYSCALL keeps RIP in RCX and RFLAGS in R11, masks RFLAGS, and leaves RSP (SDM 2B SYSCALL)", () => {
  const r = prepare(rig("long", { cpl: 3 }));
  r.cpu.flags = 0x40203;
  r.code("0F 05");
  r.step();
  is(r, { RIP: ENTRY, RCX: AT.code + 2, R11: 0x40203, RFLAGS: 3, CS: 0x10, SS: 0x18, CPL: 0, RSP: AT.stack3 });
  assert.is(r.cpu.segmentAccess(1), 0xa09b);
  assert.is(r.cpu.u32(segment(2) + SEG.limit), 0xffffffff);
});
test("SYSRET goes to 64-bit mode with REX.W, to compatibility mode without (SDM 2B SYSRET)", () => {
  const r = prepare(rig("long"));
  r.cpu.setNumber(S.GPR + 8, 0x30000);
  r.cpu.setNumber(S.GPR + 8 * 11, 0x13202);
  r.code("48 0F 07");
  r.step();
  is(r, { RIP: 0x30000, CS: 0x33, SS: 0x2b, CPL: 3, RFLAGS: 0x3202 }); // RF is cleared
  assert.is(r.cpu.long, true);
  const q = prepare(rig("long"));
  q.cpu.setNumber(S.GPR + 8, 0x5_0003_0000);
  q.code("0F 07");
  q.step();
  is(q, { RIP: 0x30000, CS: 0x23, SS: 0x2b, CPL: 3 });
  assert.is(q.cpu.long, false);
});
test("SYSRET with RCX that is not canonical faults at CPL 0 (SDM 2B SYSRET)", () => {
  const r = prepare(rig("long"));
  r.cpu.setNumber(S.GPR + 8, 2 ** 47);
  assert.is(r.faults("48 0F 07"), "GP(0)");
  is(r, { CPL: 0 });
});
test("they are undefined without EFER.SCE, and outside of 64-bit mode on this vendor's processors", () => {
  const r = rig("long");
  r.cpu.setU32(S.EFER, 0x500);
  assert.is(r.faults("0F 05"), "UD");
  assert.is(r.faults("48 0F 07"), "UD");
  assert.is(rig("compatibility").faults("0F 05"), "UD");
  assert.is(rig("long", { cpl: 3 }).faults("48 0F 07"), "GP(0)");
});
test("SYSENTER and SYSEXIT take flat segments from IA32_SYSENTER_CS (SDM 2B SYSENTER, SYSEXIT)", () => {
  const r = rig("protected32", { cpl: 3 });
  assert.is(r.faults("0F 34"), "GP(0)"); // a null selector
  r.cpu.setNumber(S.SYSENTER_CS, 0x61);
  r.cpu.setNumber(S.SYSENTER_ESP, 0x7000);
  r.cpu.setNumber(S.SYSENTER_EIP, ENTRY);
  r.cpu.flags = 0x203;
  r.code("0F 34");
  r.code("0F 35", ENTRY);
  r.step();
  is(r, { RIP: ENTRY, RSP: 0x7000, CS: 0x60, SS: 0x68, CPL: 0, RFLAGS: 3 });
  r.cpu.setGpr32(1, 0x9000);
  r.cpu.setGpr32(2, 0x30000);
  r.step();
  is(r, { RIP: 0x30000, RSP: 0x9000, CS: 0x73, SS: 0x7b, CPL: 3 });
});
test("SYSENTER from compatibility mode enters 64-bit mode; SYSEXIT with REX.W leaves to it", () => {
  const r = rig("compatibility", { cpl: 3 });
  r.cpu.setNumber(S.SYSENTER_CS, 0x60);
  r.cpu.setNumber(S.SYSENTER_EIP, ENTRY);
  r.cpu.setNumber(S.SYSENTER_ESP, -0x1000);
  r.code("0F 34");
  r.code("48 0F 35", ENTRY);
  r.step();
  assert.is(r.cpu.long, true);
  is(r, { RSP: -0x1000, RIP: ENTRY });
  r.cpu.setNumber(S.GPR + 8 * 2, 0x30000);
  r.cpu.setNumber(S.GPR + 8, 0x9000);
  r.step();
  is(r, { CS: 0x83, SS: 0x8b, RIP: 0x30000, RSP: 0x9000 });
  assert.is(r.cpu.long, true);
});
test("SWAPGS exchanges the base of GS with KERNEL_GS_BASE (SDM 2B SWAPGS)", () => {
  const r = rig("long");
  r.cpu.setU64(segment(GS) + SEG.base, 0x7f0012345678n);
  r.cpu.setU64(S.KERNEL_GS_BASE, 0xffff888000000000n);
  r.code("0F 01 F8");
  r.step();
  assert.is(r.cpu.u64(segment(GS) + SEG.base), 0xffff888000000000n);
  assert.is(r.cpu.u64(segment(GS) + SEG.effectiveBase), 0xffff888000000000n);
  assert.is(r.cpu.u64(S.KERNEL_GS_BASE), 0x7f0012345678n);
});
test("WRFSBASE and RDFSBASE at every level, with CR4.FSGSBASE; the base is canonical (SDM 2B WRFSBASE)", () => {
  const r = rig("long", { cpl: 3 });
  assert.is(r.faults("F3 48 0F AE D0"), "UD");
  r.cpu.setU32(S.CR4, r.cpu.u32(S.CR4) | 0x10000);
  r.cpu.setU64(S.GPR, 0x7fff00001000n);
  assert.is(r.faults("F3 48 0F AE D0"), "no fault");
  assert.is(r.cpu.u64(segment(FS) + SEG.effectiveBase), 0x7fff00001000n);
  assert.is(r.faults("F3 48 0F AE C1"), "no fault");
  assert.is(r.cpu.gpr(1), 0x7fff00001000n);
  r.cpu.setU64(S.GPR, 0x800000000000n);
  assert.is(r.faults("F3 48 0F AE D0"), "GP(0)");
});
test.run();
