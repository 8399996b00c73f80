import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readMsr, writeMsr } from "../core/msr.ts";
import { S } from "../core/state.ts";
import { AT, is, pteOf, rig, SEL } from "../system.test-support.ts";

const HANDLER = 0x20000,
  IF = 0x200,
  SVR = 0xfee000f0,
  SELF = 1 << 18,
  BASE = 0xfee00000;
const test = suite("a processor and its local APIC");

test("its registers are at IA32_APIC_BASE, wherever that is moved, also over RAM (SDM 3A 10.4.4, 10.4.5)", () => {
  const r = rig("protected32", { apic: true }),
    { cpu } = r;
  assert.is(cpu.readLinear(BASE + 0x30, 4), 0x50014);
  r.ram.setUint32(0x50030, 0x12345678, true);
  assert.is(cpu.readLinear(0x50030, 4), 0x12345678);
  writeMsr(cpu, 0x1b, 0x50900, 0);
  assert.is(cpu.readLinear(0x50030, 4), 0x50014);
  cpu.writeLinear(0x50080, 4, 0x20);
  assert.is(cpu.apic!.taskPriority, 0x20);
  assert.is(r.ram.getUint32(0x50080, true), 0);
  assert.is(cpu.readLinear(BASE + 0x30, 4), 0xffffffff, "nobody is there any more");
});
test("a self-IPI is delivered when IF lets it, above the task priority only; CR8 is its upper half (SDM 3A 10.8.3, 10.8.6)", () => {
  const r = rig("long", { apic: true }),
    apic = r.cpu.apic!;
  r.gate(0x50, SEL.code64, HANDLER, 0x8e);
  apic.write(SVR, 4, 0x1ff);
  r.cpu.flags = IF;
  r.cpu.setGpr32(0, 5);
  r.code("44 0F 22 C0 90 90"); // mov cr8, rax
  r.step();
  assert.is(apic.taskPriority, 0x50);
  apic.write(BASE + 0x300, 4, SELF | 0x50);
  r.step();
  is(r, { RIP: AT.code + 5 });
  r.cpu.setGpr32(0, 4);
  r.code("44 0F 22 C0 90");
  r.step();
  is(r, { RIP: HANDLER });
});
test("the deadline timer goes by the time-stamp counter, adjusted or not (SDM 3A 10.5.4.1)", () => {
  const r = rig("long", { apic: true }),
    { cpu, clock } = r;
  cpu.apic!.write(SVR, 4, 0x1ff);
  cpu.apic!.write(BASE + 0x320, 4, 0x40031);
  writeMsr(cpu, 0x10, 10_000, 0);
  writeMsr(cpu, 0x6e0, 10_500, 0);
  assert.is(readMsr(cpu, 0x6e0), 10_500n);
  clock.advanceTo(499);
  assert.is(cpu.apic!.requested, false);
  clock.advanceTo(500);
  assert.is(cpu.apic!.requested, true);
  assert.is(readMsr(cpu, 0x6e0), 0n);
  writeMsr(cpu, 0x6e0, 11_000, 0);
  writeMsr(cpu, 0x3b, 0, 0); // the counter jumps back by 10,000
  clock.advanceTo(10_999);
  assert.is(readMsr(cpu, 0x6e0), 11_000n);
  clock.advanceTo(11_000);
  assert.is(readMsr(cpu, 0x6e0), 0n);
});
test("x2APIC mode: MSRs instead of memory, and no way straight back (SDM 3A 10.12.1, 10.12.5)", () => {
  const r = rig("protected32", { apic: true }),
    { cpu } = r;
  const refuses = (what: () => void) => {
    try {
      what();
      return false;
    } catch (e) {
      if (e !== cpu.pendingFault) throw e;
      return true;
    }
  };
  assert.is(
    refuses(() => readMsr(cpu, 0x803)),
    true,
  );
  writeMsr(cpu, 0x1b, 0xfee00d00 | 0, 0);
  assert.is(readMsr(cpu, 0x803), 0x50014n);
  assert.is(cpu.readLinear(BASE + 0x30, 4), 0xffffffff);
  assert.is(
    refuses(() => writeMsr(cpu, 0x1b, 0xfee00900 | 0, 0)),
    true,
  );
  writeMsr(cpu, 0x1b, 0xfee00100 | 0, 0);
  assert.is(
    refuses(() => writeMsr(cpu, 0x1b, 0xfee00d00 | 0, 0)),
    true,
    "disabled to x2APIC",
  );
  assert.is(cpu.u32(S.APIC_BASE), 0xfee00100);
});
test("a page that maps the APIC for the processor can be written through paging", () => {
  const r = rig("long", { apic: true });
  r.ram.setUint32(pteOf(0x60000), 0xfee00007, true);
  r.code("C7 04 25 80 00 06 00 30 00 00 00"); // mov dword [0x60080], 0x30
  r.step();
  assert.is(r.cpu.apic!.taskPriority, 0x30);
});
test.run();
