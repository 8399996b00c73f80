import { suite } from "uvu";
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import { AT } from "../system.test-support.ts";
import { outcome, subject } from "./cases.test-support.ts";
import { F } from "./fields.ts";
import { type Guest, HOST } from "./rig.test-support.ts";

const RAX = 0,
  RCX = 1,
  RDX = 2;
/** A guest with these registers. */
function withGprs(gprs: Readonly<Record<number, number>>): Guest {
  const r = subject();
  for (const [n, value] of Object.entries(gprs)) r.cpu.setGpr(Number(n), BigInt(value));
  return r;
}
const setBit = ({ ram }: Guest, map: number, bit: number) =>
  ram.setUint8(map + (bit >> 3), ram.getUint8(map + (bit >> 3)) | (1 << (bit & 7)));

const test = suite("what leaves a guest, at the edge and one beyond");

const IN = { 1: "EC", 2: "66 ED", 4: "ED" } as const;
for (const [port, bytes, what, marked] of [
  [0x7fff, 1, "the last bit of bitmap A", [0x7fff]],
  [0x7fff, 2, "a word over both, by B", [0x8000]],
  [0x8000, 1, "the first bit of bitmap B", [0x8000]],
  [0xffff, 1, "the last bit of bitmap B", [0xffff]],
  [0x60, 4, "the last of four ports", [0x63]],
] as const) {
  test(`I/O bitmaps, ${what} [SDM 3C 24.6.4, 25.1.3]`, () => {
    const run = (bits: readonly number[]) => {
      const r = withGprs({ [RDX]: port }).with("use I/O bitmaps");
      for (const bit of bits) setBit(r, bit < 0x8000 ? HOST.ioA : HOST.ioB, bit & 0x7fff);
      return outcome(r, IN[bytes]);
    };
    assert.is(run(marked), "io");
    const beside = [port - 1, port + bytes].filter((bit) => bit < 0x10000);
    assert.is(run(beside), "goes on", "the ports beside it");
  });
}
test("I/O bitmaps: an access around the end of the port space exits, whatever they say [SDM 3C 25.1.3]", () => {
  const run = (port: number) => outcome(withGprs({ [RDX]: port }).with("use I/O bitmaps"), "66 ED");
  assert.equal([run(0xfffe), run(0xffff)], ["goes on", "io"]);
});
test("I/O bitmaps come before unconditional I/O exiting [SDM 3C 24.6.2]", () => {
  assert.is(outcome(withGprs({}).with("use I/O bitmaps", "unconditional I/O exiting"), "EC"), "goes on");
});

const STAR = 0xc0000081;
for (const [index, write, at] of [
  [0x10, false, 0x10],
  [0x174, true, 2048 * 8 + 0x174],
  [STAR, false, 1024 * 8 + 0x81],
  [STAR, true, 3072 * 8 + 0x81],
] as const) {
  test(`MSR bitmaps: ${write ? "WRMSR" : "RDMSR"} of ${index.toString(16)} [SDM 3C 24.6.9]`, () => {
    const run = (bits: readonly number[]) => {
      const r = withGprs({ [RAX]: 0, [RCX]: index, [RDX]: 0 }).with("use MSR bitmaps");
      for (const bit of bits) setBit(r, HOST.msrBitmap, bit);
      return outcome(r, write ? "0F 30" : "0F 32");
    };
    assert.is(run([at]), write ? "wrmsr" : "rdmsr");
    const others = [0, 1024, 2048, 3072].map((part) => part * 8 + (index & 0x1fff)).filter((bit) => bit !== at);
    assert.is(run([at - 1, at + 1, ...others]), "goes on", "the bits beside it, and those of the other parts");
  });
}
test("MSR bitmaps: indices outside of both ranges exit [SDM 3C 25.1.3]", () => {
  const run = (index: number) => {
    const r = withGprs({ [RCX]: index }).with("use MSR bitmaps");
    r.set({ EXCEPTION_BITMAP: 1 << 13 }); // none of them exists
    return outcome(r, "0F 32");
  };
  for (const index of [0x1fff, 0xc0000000, 0xc0001fff]) assert.is(run(index), "exception 13", index.toString(16));
  for (const index of [0x2000, 0xbfffffff, 0xc0002000, 0xffffffff]) assert.is(run(index), "rdmsr", index.toString(16));
});

test("CR3 targets: the first so many of them do not exit [SDM 3C 24.6.7, 25.1.3]", () => {
  const run = (count: number) => {
    const r = withGprs({ [RAX]: AT.tables }).with("CR3-load exiting");
    return outcome(r.set({ CR3_TARGET2: AT.tables, CR3_TARGET_COUNT: count }), "0F 22 D8");
  };
  assert.equal([run(2), run(3)], ["controlRegister", "goes on"]);
});
const MP = 2,
  TS = 8;
test("MOV to CR0 exits if it differs from the shadow in a bit of the mask; others are written [SDM 3C 25.1.3, 25.3]", () => {
  const run = (mask: number, shadow: number, change: number) => {
    const r = subject(),
      { vmcs } = r.cpu.vmx,
      cr0 = vmcs.low(F.GUEST_CR0);
    r.cpu.setGpr(RAX, BigInt((cr0 ^ change) >>> 0));
    r.set({ CR0_MASK: mask, CR0_SHADOW: shadow });
    return { came: outcome(r, "0F 22 C0"), changed: (r.cpu.u32(S.CR0) ^ cr0) >>> 0 };
  };
  assert.equal(run(TS, 0, TS), { came: "controlRegister", changed: 0 });
  assert.equal(run(TS, TS, TS), { came: "goes on", changed: 0 }, "it is what the guest believes to have");
  assert.equal(run(TS, TS, 0).came, "controlRegister");
  assert.equal(run(TS, 0, MP), { came: "goes on", changed: MP });
  assert.equal(run(0, 0, TS), { came: "goes on", changed: TS });
});
test("MOV from CR4 reads the shadow where the mask is 1 [SDM 3C 25.3]", () => {
  const r = subject();
  const cr4 = r.cpu.vmx.vmcs.low(F.GUEST_CR4),
    VMXE = 0x2000;
  assert.is(outcome(r.set({ CR4_MASK: VMXE | 4, CR4_SHADOW: 4 | 8 }), "0F 20 E0"), "goes on");
  assert.is(Number(r.cpu.gpr(RAX)), (cr4 & ~VMXE) | 4);
});

test("the TPR threshold: an exit below it, none at it [SDM 3C 29.1.2]", () => {
  const run = (tpr: number) => {
    const r = withGprs({ [RAX]: tpr }).with("use TPR shadow");
    r.ram.setUint32(HOST.apic + 0x80, 0x70, true);
    return outcome(r.set({ TPR_THRESHOLD: 5 }), "44 0F 22 C0 90", 2);
  };
  assert.equal([run(5), run(4)], ["goes on", "tprBelowThreshold"]);
});
test("page faults: the bitmap decides if the error code matches, and the reverse if not [SDM 3C 24.6.3]", () => {
  const run = (bitmap: number, mask: number, match: number, code: string) => {
    const r = withGprs({ [RDX]: 0x7ffff000 });
    r.set({ EXCEPTION_BITMAP: bitmap, PAGE_FAULT_MASK: mask, PAGE_FAULT_MATCH: match });
    return outcome(r, code, 1);
  };
  const PF = 1 << 14,
    WRITE = 2,
    [read, write] = ["8B 02", "89 02"] as const,
    guests = "tripleFault"; // it has no handlers
  assert.equal([run(PF, 0, 0, read), run(0, 0, 0, read)], ["exception 14", guests]);
  assert.equal([run(PF, WRITE, WRITE, write), run(PF, WRITE, WRITE, read)], ["exception 14", guests]);
  assert.equal([run(0, WRITE, WRITE, write), run(0, WRITE, WRITE, read)], [guests, "exception 14"]);
  assert.equal([run(PF, 0, 1, read), run(0, 0, 1, read)], [guests, "exception 14"], "it can match nothing");
});
test("the preemption timer: an exit when it is over, none one count before [SDM 3C 25.5.1]", () => {
  const run = (instructions: number) => {
    const r = subject().with("activate VMX-preemption timer").set({ PREEMPTION_TIMER_VALUE: 2 });
    const code = `${"90 ".repeat(instructions)}90`;
    outcome(r, code, instructions);
    r.cpu.attend(); // the timer's part, in a machine
    if (r.cpu.vmx.nonRoot) r.step();
    return r.cpu.vmx.nonRoot ? "goes on" : "left";
  };
  assert.equal([run(62), run(64)], ["goes on", "left"]);
});
test("LMSW from memory in the upper half of the address space tells so, and where (table 27-3)", () => {
  const r = subject(),
    upper = -(2 ** 39);
  r.set({ CR0_MASK: 0xe, CR0_SHADOW: 0 });
  r.ram.setUint32(AT.tables + 8 * 511, r.ram.getUint32(AT.tables, true), true); // the last entry maps what the first does
  r.ram.setUint16(0x7000, 0xf, true);
  r.cpu.setGpr(RAX, BigInt.asUintN(64, BigInt(upper + 0x7000)));
  const left = r.run("0F 01 30"); // lmsw [rax]
  assert.is(left?.qualification, (0xf << 16) | (1 << 6) | (3 << 4));
  assert.is(r.cpu.vmx.vmcs.number(F.GUEST_LINEAR_ADDRESS), upper + 0x7000);
});
test.run();
