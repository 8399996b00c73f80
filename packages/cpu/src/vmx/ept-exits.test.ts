import { suite } from "uvu";
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import { AT } from "../system.test-support.ts";
import { F } from "./fields.ts";
import { EXIT } from "./reasons.ts";
import { type Guest, guest, HOST } from "./rig.test-support.ts";

const test = suite("VM exits of memory accesses [SDM 3C 25.2]");

const DATA = 0x20000,
  NEXT = 0x21000,
  EPT = 0x50000;
const RAX = 0,
  RCX = 1,
  RSP = 4,
  RSI = 6,
  RDI = 7;
const REFUSED = { none: 0, "read-only": 1, "not executable": 3 } as const;

/** A guest whose guest-physical addresses of the first MiB are physical ones, but for the rights of one page. */
function rig(page: number, rights: keyof typeof REFUSED): Guest {
  const r = guest().with("enable EPT"),
    { ram, cpu } = r;
  for (let level = 0; level < 3; level++) ram.setUint32(EPT + 0x1000 * level, (EPT + 0x1000 * (level + 1)) | 7, true);
  for (let n = 0; n < 256; n++) ram.setUint32(EPT + 0x3000 + 8 * n, (n << 12) | 7 | (6 << 3), true);
  ram.setUint32(EPT + 0x3000 + (page >> 12) * 8, page | REFUSED[rights] | (6 << 3), true);
  r.set({ EPT_POINTER: EPT | 0x1e });
  cpu.setGpr(RAX, 0x1122334455667788n);
  return r;
}
interface Case {
  readonly what: string;
  readonly code: string;
  readonly page: number;
  readonly rights: keyof typeof REFUSED;
  /** Access and rights in the exit qualification. */
  readonly access: number;
  readonly linear: number;
  readonly gprs?: Readonly<Record<number, number>>;
  readonly vectoring?: number;
  readonly ip?: number;
}
const cases: readonly Case[] = [
  { what: "load", code: "8B 04 25 34 00 02 00", page: DATA, rights: "none", access: 1, linear: DATA + 0x34 },
  { what: "store", code: "89 04 25 34 00 02 00", page: DATA, rights: "read-only", access: 0xa, linear: DATA + 0x34 },
  {
    what: "read-modify-write",
    code: "01 04 25 34 00 02 00",
    page: DATA,
    rights: "read-only",
    access: 0xa,
    linear: DATA + 0x34,
  },
  {
    what: "store across pages",
    code: "48 89 04 25 FC 0F 02 00",
    page: NEXT,
    rights: "read-only",
    access: 0xa,
    linear: NEXT,
  },
  {
    what: "push",
    code: "50",
    page: AT.stack0,
    rights: "read-only",
    access: 0xa,
    linear: AT.stack0 + 0x7f8,
    gprs: { [RSP]: AT.stack0 + 0x800 },
  },
  {
    what: "call",
    code: "E8 00 00 00 00",
    page: AT.stack0,
    rights: "read-only",
    access: 0xa,
    linear: AT.stack0 + 0x7f8,
    gprs: { [RSP]: AT.stack0 + 0x800 },
  },
  {
    what: "x87 and SSE loads",
    code: "0F 28 04 25 40 00 02 00",
    page: DATA,
    rights: "none",
    access: 1,
    linear: DATA + 0x40,
  },
  { what: "LGDT", code: "0F 01 14 25 40 00 02 00", page: DATA, rights: "none", access: 1, linear: DATA + 0x40 },
  {
    what: "a descriptor",
    code: "8E D8",
    page: AT.gdt,
    rights: "none",
    access: 1,
    linear: AT.gdt + 0x10,
    gprs: { [RAX]: 0x10 },
  },
  {
    what: "string instruction",
    code: "F3 A4",
    page: DATA,
    rights: "read-only",
    access: 0xa,
    linear: DATA,
    gprs: { [RCX]: 3, [RSI]: 0x22000, [RDI]: DATA },
  },
  {
    what: "INT n",
    code: "CD 30",
    page: AT.idt,
    rights: "none",
    access: 1,
    linear: AT.idt + 0x300,
    vectoring: 0x80000430,
  },
  {
    what: "an exception on its way",
    code: "0F 0B",
    page: AT.idt,
    rights: "none",
    access: 1,
    linear: AT.idt + 0x60,
    vectoring: 0x80000306,
  },
];
for (const { what, code, page, rights, access, linear, gprs = {}, vectoring = 0, ip = AT.code } of cases)
  test(`${what}: nothing has happened, and the exit says what was accessed`, () => {
    const r = rig(page, rights),
      { cpu, ram } = r,
      { vmcs } = r.cpu.vmx;
    for (const [n, value] of Object.entries(gprs)) cpu.setGpr(Number(n), BigInt(value));
    r.set({ GUEST_RSP: cpu.number(S.GPR + 8 * RSP) });
    const registers = Array.from({ length: 16 }, (_, n) => cpu.gpr(n)),
      left = r.run(code);
    assert.ok(left !== null);
    assert.equal([left.reason, left.qualification], [EXIT.eptViolation, access | 0x180]);
    assert.equal([vmcs.number(F.GUEST_LINEAR_ADDRESS), vmcs.number(F.GUEST_PHYSICAL_ADDRESS)], [linear, linear]);
    assert.equal([left.ip, left.vectoring, left.interruption], [ip, vectoring, 0]);
    for (let n = 0; n < 16; n++) if (n !== RSP) assert.is(cpu.gpr(n), registers[n], `register ${n}`);
    assert.is(BigInt(vmcs.number(F.GUEST_RSP)), registers[RSP]);
    assert.equal([cpu.number(S.RIP), cpu.access.nested], [HOST.code, null]);
    for (let i = 0; i < 16; i += 4) assert.is(ram.getUint32(page === DATA ? DATA + 0x30 + i : NEXT - 8 + i, true), 0);
  });
test("a fetch from a page that is not executable: RIP is there", () => {
  const r = rig(DATA, "not executable");
  r.cpu.setGpr(RAX, BigInt(DATA));
  const left = r.run("FF E0", 2);
  assert.equal([left?.reason, left?.qualification, left?.ip], [EXIT.eptViolation, 4 | (3 << 3) | 0x180, DATA]);
});
test("a paging structure: the qualification says that it was not the address itself", () => {
  const r = rig(AT.tables + 0x3000, "none"),
    left = r.run("90");
  assert.equal([left?.reason, left?.qualification], [EXIT.eptViolation, 1 | 0x80]);
  assert.is(r.cpu.vmx.vmcs.number(F.GUEST_PHYSICAL_ADDRESS), AT.tables + 0x3000 + 8 * (AT.code >> 12));
  assert.is(r.cpu.vmx.vmcs.number(F.GUEST_LINEAR_ADDRESS), AT.code);
});
test("a misconfiguration is a reason of its own", () => {
  const r = rig(DATA, "none");
  r.ram.setUint32(EPT + 0x3000 + (DATA >> 12) * 8, DATA | 2, true);
  const left = r.run("8B 04 25 34 00 02 00");
  assert.equal([left?.reason, left?.qualification], [EXIT.eptMisconfiguration, 0]);
  assert.is(r.cpu.vmx.vmcs.number(F.GUEST_PHYSICAL_ADDRESS), DATA + 0x34);
});
test("a guest that the hypervisor lets go on finishes its instruction", () => {
  const r = rig(DATA, "none");
  r.run("01 04 25 34 00 02 00");
  r.ram.setUint32(EPT + 0x3000 + (DATA >> 12) * 8, DATA | 7 | (6 << 3), true);
  assert.is(r.run("01 04 25 34 00 02 00"), null);
  assert.is(r.ram.getUint32(DATA + 0x34, true), 0x55667788);
});
test("APIC accesses: an exit that says where and how, or the virtual TPR", () => {
  const apic = (code: string, steps = 1) => {
    const r = rig(DATA, "not executable").with("virtualize APIC accesses", "use TPR shadow");
    r.set({ APIC_ACCESS_ADDRESS: DATA, TPR_THRESHOLD: 2 });
    r.cpu.setGpr(RAX, 0x35n);
    r.ram.setUint32(HOST.apic + 0x80, 0x20, true);
    return { r, left: r.run(code, steps) };
  };
  assert.is(apic("8B 04 25 20 00 02 00").left?.reason, EXIT.apicAccess);
  assert.is(apic("8B 04 25 20 00 02 00").left?.qualification, 0x20);
  assert.is(apic("89 04 25 B0 00 02 00").left?.qualification, 0x10b0);
  const read = apic("8B 0C 25 80 00 02 00");
  assert.is(read.left, null);
  assert.is(read.r.cpu.gpr(RCX), 0x20n);
  const written = apic("89 04 25 80 00 02 00");
  assert.is(written.left, null);
  assert.is(written.r.ram.getUint32(HOST.apic + 0x80, true), 0x35);
  assert.is(written.r.ram.getUint32(DATA + 0x80, true), 0);
});
test.run();
