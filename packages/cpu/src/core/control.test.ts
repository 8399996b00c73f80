import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AT, faultName, is, pteOf, type Rig, rig, SEL } from "../system.test-support.ts";
import { CR0_CD, CR0_NW, flushTlb, writeCr0, writeCr3, writeCr4 } from "./control.ts";
import { cpuid } from "./cpuid.ts";
import { msrs, readMsr, writeMsr } from "./msr.ts";
import { CR0_PE, CR0_PG, CR0_WP, CR4_PAE, CR4_PCIDE, CR4_PGE, EFER_LMA } from "./paging.ts";
import { FS, S, SEG, segment } from "./state.ts";

/** What a call raises. */
function raises(r: Rig, what: () => void): string {
  try {
    what();
  } catch (e) {
    if (e !== r.cpu.pendingFault) throw e;
    return faultName(r.cpu);
  }
  return "no fault";
}

const control = suite("control registers");
control(
  "CR0: PG needs PE, NW needs CD, the upper half is reserved; other reserved bits are ignored (SDM 3A 2.5)",
  () => {
    const r = rig("protected32"),
      cr0 = r.cpu.u32(S.CR0);
    assert.is(
      raises(r, () => writeCr0(r.cpu, (cr0 | CR0_PG) & ~CR0_PE, 0)),
      "GP(0)",
    );
    assert.is(
      raises(r, () => writeCr0(r.cpu, cr0 | CR0_NW, 0)),
      "GP(0)",
    );
    assert.is(
      raises(r, () => writeCr0(r.cpu, cr0, 1)),
      "GP(0)",
    );
    writeCr0(r.cpu, cr0 | CR0_NW | CR0_CD | (0x1ff8ffc0 & ~0x50000), 0);
    assert.is(r.cpu.u32(S.CR0), (cr0 | CR0_NW | CR0_CD) >>> 0);
  },
);
control("paging with EFER.LME starts IA-32e mode, which needs PAE and no L bit in CS (SDM 3A 9.8.5)", () => {
  const r = rig("protected32");
  writeMsr(r.cpu, 0xc0000080, 0x100, 0);
  assert.is(
    raises(r, () => writeCr0(r.cpu, 0x80000031, 0)),
    "GP(0)",
  );
  writeCr4(r.cpu, CR4_PAE, 0);
  writeCr0(r.cpu, 0x80000031, 0);
  assert.is(r.cpu.u32(S.EFER), 0x100 | EFER_LMA);
  assert.is(
    raises(r, () => writeMsr(r.cpu, 0xc0000080, 0, 0)),
    "GP(0)",
    "LME while paging",
  );
  assert.is(
    raises(r, () => writeCr4(r.cpu, 0, 0)),
    "GP(0)",
    "PAE in IA-32e mode",
  );
  writeCr0(r.cpu, 0x31, 0);
  assert.is(r.cpu.u32(S.EFER), 0x100);
});
control("paging cannot be switched off in 64-bit mode (SDM 2B MOV)", () => {
  const r = rig("long");
  assert.is(
    raises(r, () => writeCr0(r.cpu, 0x31, 0)),
    "GP(0)",
  );
});
control("CR4: bits without their feature are reserved (SDM 3A 2.5)", () => {
  const r = rig("protected32", { without: ["smep", "pge", "vme"] });
  assert.is(
    raises(r, () => writeCr4(r.cpu, CR4_PGE, 0)),
    "GP(0)",
  );
  assert.is(
    raises(r, () => writeCr4(r.cpu, 0x100000, 0)),
    "GP(0)",
  );
  assert.is(
    raises(r, () => writeCr4(r.cpu, 1, 0)),
    "GP(0)",
    "VME",
  );
});
control("PAE paging loads PDPTEs, whose reserved bits raise #GP(0) with nothing changed (SDM 3A 4.4.1)", () => {
  const r = rig("protected32");
  r.ram.setUint32(0x5000, 0x6001, true);
  r.ram.setUint32(0x5008, 0x7003, true);
  writeCr4(r.cpu, CR4_PAE, 0);
  writeCr3(r.cpu, 0x5000, 0);
  assert.is(
    raises(r, () => writeCr0(r.cpu, 0x80000031, 0)),
    "GP(0)",
  );
  assert.is(r.cpu.u32(S.CR0), 0x31);
  r.ram.setUint32(0x5008, 0x7001, true);
  writeCr0(r.cpu, 0x80000031, 0);
  assert.equal(
    [0, 1, 2].map((i) => r.cpu.u32(S.PDPTE + 8 * i)),
    [0x6001, 0x7001, 0],
  );
});
control("MOV to CR3 forgets translations but the global ones; CR4.PGE forgets all (SDM 3A 4.10.4.1)", () => {
  const r = rig("long"),
    probe = (at: number) => raises(r, () => r.cpu.readLinear(at, 4));
  writeCr4(r.cpu, CR4_PAE | CR4_PGE, 0);
  r.ram.setUint32(pteOf(0x61000), 0x61107, true);
  assert.equal([probe(0x60000), probe(0x61000)], ["no fault", "no fault"]);
  r.ram.setUint32(pteOf(0x60000), 0, true);
  r.ram.setUint32(pteOf(0x61000), 0, true);
  assert.equal([probe(0x60000), probe(0x61000)], ["no fault", "no fault"], "cached");
  writeCr3(r.cpu, AT.tables, 0);
  assert.equal([probe(0x60000), probe(0x61000)], ["PF(0)", "no fault"]);
  writeCr4(r.cpu, CR4_PAE, 0);
  assert.is(probe(0x61000), "PF(0)");
});
control("PCIDs keep translations apart, and bit 63 keeps them over a load (SDM 3A 4.10.1)", () => {
  const r = rig("long"),
    probe = (at: number) => raises(r, () => r.cpu.readLinear(at, 4));
  assert.is(
    raises(r, () => {
      r.cpu.setU32(S.CR3, AT.tables | 1);
      writeCr4(r.cpu, CR4_PAE | CR4_PCIDE, 0);
    }),
    "GP(0)",
  );
  r.cpu.setU32(S.CR3, AT.tables);
  writeCr4(r.cpu, CR4_PAE | CR4_PCIDE, 0);
  writeCr3(r.cpu, AT.tables | 1, 0);
  probe(0x60000);
  r.ram.setUint32(pteOf(0x60000), 0, true);
  writeCr3(r.cpu, AT.tables | 2, 0);
  assert.is(probe(0x60000), "PF(0)", "another space");
  writeCr3(r.cpu, AT.tables | 1, 0x80000000 | 0);
  assert.is(probe(0x60000), "no fault", "kept");
  writeCr3(r.cpu, AT.tables | 1, 0);
  assert.is(probe(0x60000), "PF(0)", "forgotten");
});
control("INVLPG forgets one page, global too; INVPCID as its type says (SDM 2A INVLPG, INVPCID)", () => {
  const r = rig("long"),
    probe = (at: number) => raises(r, () => r.cpu.readLinear(at, 4));
  writeCr4(r.cpu, CR4_PAE | CR4_PGE, 0);
  for (const at of [0x60000, 0x61000]) {
    r.ram.setUint32(pteOf(at), at | 0x107, true);
    probe(at);
    r.ram.setUint32(pteOf(at), 0, true);
  }
  r.code("0F 01 3C 25 00 00 06 00"); // invlpg [0x60000]
  r.step();
  assert.equal([probe(0x60000), probe(0x61000)], ["PF(0)", "no fault"]);
  r.cpu.setGpr32(0, 3);
  r.code("66 0F 38 82 04 25 00 05 00 00"); // invpcid rax, [0x500]: all but globals
  r.step();
  assert.is(probe(0x61000), "no fault");
  r.cpu.setGpr32(0, 2);
  r.code("66 0F 38 82 04 25 00 05 00 00");
  r.step();
  assert.is(probe(0x61000), "PF(0)");
  r.cpu.setGpr32(0, 4);
  assert.is(r.faults("66 0F 38 82 04 25 00 05 00 00"), "GP(0)");
  flushTlb(r.cpu);
});
control("after a page fault a read does not go to the page that was there before it (SDM 3A 4.10.4.1)", () => {
  const r = rig("long"),
    at = 0x60000;
  writeCr0(r.cpu, r.cpu.u32(S.CR0) | CR0_WP, 0);
  r.ram.setUint32(at, 0x11111111, true);
  r.ram.setUint32(0x61000, 0x22222222, true);
  r.ram.setUint32(pteOf(at), at | 5, true);
  flushTlb(r.cpu);
  assert.is(r.cpu.readLinear(at, 4), 0x11111111);
  const write = () => r.cpu.writeLinear(at, 4, 0);
  assert.is(raises(r, write), "PF(3)");
  r.ram.setUint32(pteOf(at), 0x61007, true); // copied on write, as a system may that relies on the fault
  assert.is(r.cpu.readLinear(at, 4), 0x22222222);
});
control("INVLPG forgets every part of a large page, of a page of 1 GiB too (SDM 3A 4.10.4.1)", () => {
  for (const size of [0x200000, 0x40000000]) {
    const r = rig("long"),
      probe = (at: number) => raises(r, () => r.cpu.readLinear(at, 4)),
      huge = size === 0x40000000;
    const entry = huge ? AT.tables + 0x1000 + 8 : AT.tables + 0x2000 + 8 * 2,
      at = huge ? size : 2 * size;
    r.ram.setUint32(entry, 0x87, true);
    assert.equal(
      [0, 0x1000, size - 0x1000].map((o) => probe(at + o)),
      ["no fault", "no fault", "no fault"],
    );
    r.ram.setUint32(entry, 0, true);
    r.cpu.setNumber(S.GPR, at + 0x5000);
    r.code("0F 01 38");
    r.step();
    assert.equal(
      [0, 0x1000, size - 0x1000].map((o) => probe(at + o)),
      ["PF(0)", "PF(0)", "PF(0)"],
    );
  }
});
control("MOV CR: #UD for registers that are not there, #GP(0) above CPL 0 (SDM 2B MOV)", () => {
  assert.is(rig("long").faults("0F 20 C8"), "UD"); // cr1
  assert.is(rig("long", { cpl: 3 }).faults("0F 20 C0"), "GP(0)");
  assert.is(rig("long").faults("44 0F 20 C0"), "no fault"); // cr8
  assert.is(rig("protected32").faults("0F 22 C8"), "UD");
});
control("LMSW sets PE and never clears it; CLTS clears TS (SDM 2A LMSW, CLTS)", () => {
  const r = rig("real");
  r.cpu.setGpr32(0, 0x9);
  r.code("0F 01 F0 0F 06");
  r.step();
  assert.is(r.cpu.u32(S.CR0), 0x19);
  assert.is(r.cpu.u32(S.X87_TRAP), 7);
  r.cpu.setGpr32(0, 0);
  r.step();
  assert.is(r.cpu.u32(S.CR0), 0x11);
  assert.is(r.cpu.u32(S.X87_TRAP), 0);
  r.code("0F 01 F0");
  r.step();
  assert.is(r.cpu.u32(S.CR0), 0x11);
});
control("privileged instructions raise #GP(0) above CPL 0 (SDM 3A 5.9)", () => {
  const all = {
    HLT: "F4",
    CLTS: "0F 06",
    LMSW: "0F 01 F0",
    INVLPG: "0F 01 38",
    INVD: "0F 08",
    WBINVD: "0F 09",
    RDMSR: "0F 32",
    WRMSR: "0F 30",
    SWAPGS: "0F 01 F8",
  };
  for (const [name, code] of Object.entries(all)) assert.is(rig("long", { cpl: 3 }).faults(code), "GP(0)", name);
});
control("CLI and STI need IOPL (SDM 2A CLI, 2B STI)", () => {
  for (const code of ["FA", "FB"]) {
    const r = rig("protected32", { cpl: 3 });
    assert.is(r.faults(code), "GP(0)");
    r.cpu.flags = 0x3002;
    assert.is(r.faults(code), "no fault");
    is(r, { RFLAGS: code === "FB" ? 0x3202 : 0x3002 });
  }
});
control("RDPMC names a counter that is not there; XGETBV is undefined without XSAVE", () => {
  assert.is(rig("long").faults("0F 33"), "GP(0)");
  assert.is(rig("long").faults("0F 01 D0"), "UD");
});
control.run();

const msr = suite("model-specific registers");
msr("an unknown register, and any above CPL 0, is #GP(0) (SDM 2B RDMSR)", () => {
  const r = rig("long");
  r.cpu.setGpr32(1, 0xc0011029);
  assert.is(r.faults("0F 32"), "GP(0)");
  assert.is(r.faults("0F 30"), "GP(0)");
});
const illegal: [name: string, index: number, low: number, high: number][] = [
  ["FS_BASE not canonical", 0xc0000100, 0, 0x8000],
  ["LSTAR not canonical", 0xc0000082, 0, 0x7fff8000],
  ["SYSENTER_EIP not canonical", 0x176, 0, 0x8000],
  ["EFER reserved", 0xc0000080, 0x2, 0],
  ["FMASK upper half", 0xc0000084, 0, 1],
  ["TSC_AUX upper half", 0xc0000103, 0, 1],
  ["PAT type 2", 0x277, 2, 0],
  ["PAT type 8", 0x277, 0, 0x08000000],
  ["MTRR type 2", 0x200, 2, 0],
  ["MTRR base reserved", 0x200, 0x100, 0],
  ["MTRR mask beyond 40 bits", 0x201, 0, 0x100],
  ["MTRRcap read-only", 0xfe, 0, 0],
  ["ARCH_CAPABILITIES read-only", 0x10a, 0, 0],
  ["MC0_STATUS not zero", 0x401, 1, 0],
  ["APIC_BASE reserved", 0x1b, 0xfee00801, 0],
  ["MISC_FEATURES", 0x140, 1, 0],
];
for (const [name, index, low, high] of illegal) {
  msr(`${name}: WRMSR raises #GP(0) (SDM 4 table 2-2)`, () => {
    const r = rig("long", { apic: true });
    assert.is(
      raises(r, () => writeMsr(r.cpu, index, low, high)),
      "GP(0)",
    );
  });
}
msr("every register is read back, or refuses", () => {
  const r = rig("long", { apic: true, add: ["vmx"] });
  for (const { index, name } of msrs()) {
    assert.is(
      raises(r, () => readMsr(r.cpu, index)),
      "no fault",
      name,
    );
    const value = readMsr(r.cpu, index);
    const outcome = raises(r, () => writeMsr(r.cpu, index, Number(value & 0xffffffffn) | 0, Number(value >> 32n) | 0));
    if (outcome === "no fault") assert.is(readMsr(r.cpu, index), value, name);
  }
});
msr("FS_BASE is the base of FS at once (SDM 3A 3.4.4.1)", () => {
  const r = rig("long");
  writeMsr(r.cpu, 0xc0000100, 0x1000, 0xffff8000 | 0);
  assert.is(r.cpu.u64(segment(FS) + SEG.effectiveBase), 0xffff800000001000n);
  assert.is(readMsr(r.cpu, 0xc0000100), 0xffff800000001000n);
});
msr("the time-stamp counter and TSC_ADJUST move together (SDM 3B 17.17.3)", () => {
  const r = rig("long");
  r.clock.advanceTo(1000);
  writeMsr(r.cpu, 0x10, 5000, 0);
  assert.is(readMsr(r.cpu, 0x10), 5000n);
  assert.is(readMsr(r.cpu, 0x3b), 4000n);
  writeMsr(r.cpu, 0x3b, 0, 0);
  assert.is(readMsr(r.cpu, 0x10), 1000n);
});
msr("the microcode's revision appears after CPUID leaf 1 (SDM 3A 9.11.7.1)", () => {
  const r = rig("long");
  writeMsr(r.cpu, 0x8b, 0, 0);
  assert.is(readMsr(r.cpu, 0x8b), 0n);
  r.cpu.setGpr32(0, 1);
  r.code("0F A2");
  r.step();
  assert.is(readMsr(r.cpu, 0x8b), 1n << 32n);
});
msr("Linux' microcode driver warned of a fault: the platform's number is read-only (SDM 3A 9.11.4)", () => {
  const r = rig("long");
  assert.is(readMsr(r.cpu, 0x17), 0n);
  assert.is(
    raises(r, () => writeMsr(r.cpu, 0x17, 0, 0)),
    "GP(0)",
  );
});
msr("FEATURE_CONTROL is locked by its bit 0 (SDM 3C 23.7)", () => {
  const r = rig("long", { add: ["vmx"] });
  writeMsr(r.cpu, 0x3a, 5, 0);
  assert.is(
    raises(r, () => writeMsr(r.cpu, 0x3a, 5, 0)),
    "GP(0)",
  );
  assert.is(readMsr(r.cpu, 0x3a), 5n);
});
msr.run();

const answers = suite("CPUID");
answers("vendor, signature and brand are the model's; leaves that are not there answer zeros (SDM 2A CPUID)", () => {
  const { cpu } = rig("long"),
    text = (...words: number[]) =>
      String.fromCharCode(...words.flatMap((w) => [w & 255, (w >> 8) & 255, (w >> 16) & 255, w >>> 24])).replace(
        /\0+$/,
        "",
      );
  const [max, b, c, d] = cpuid(cpu, 0, 0);
  assert.is(text(b, d, c), "GenuineIntel");
  assert.is(max, 13);
  assert.is(cpuid(cpu, 1, 0)[0], 0x506e3);
  assert.is(
    text(...cpuid(cpu, 0x80000002, 0), ...cpuid(cpu, 0x80000003, 0), ...cpuid(cpu, 0x80000004, 0)),
    "Castaway Processor (Skylake)",
  );
  assert.equal(cpuid(cpu, 0x40000000, 0), [0, 0, 0, 0]);
  assert.equal(cpuid(cpu, 14, 0), [0, 0, 0, 0]);
  assert.equal(cpuid(cpu, 0x80000008, 0), [0x3028, 0, 0, 0]);
});
answers("SYSCALL is reported in 64-bit mode, APIC while it is enabled (SDM 2A CPUID, 3A 10.4.3)", () => {
  const compatibility = rig("compatibility").cpu;
  assert.is((cpuid(compatibility, 0x80000001, 0)[3] >>> 11) & 1, 0);
  const long = rig("long", { apic: true }).cpu; // there is one memory, so one processor at a time
  assert.is((cpuid(long, 0x80000001, 0)[3] >>> 11) & 1, 1);
  assert.is((cpuid(long, 1, 0)[3] >>> 9) & 1, 1);
  writeMsr(long, 0x1b, 0xfee00000 | 0, 0);
  assert.is((cpuid(long, 1, 0)[3] >>> 9) & 1, 0);
});
answers("a form whose feature is off is undefined", () => {
  assert.is(rig("long", { without: ["rdtscp"] }).faults("0F 01 F9"), "UD");
  assert.is(rig("long", { without: ["sysenter"] }).faults("0F 34"), "UD");
  assert.is(rig("long").faults("0F 01 C8"), "UD"); // MONITOR
  void SEL;
});
answers.run();
