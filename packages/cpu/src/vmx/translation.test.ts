import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadPdptes } from "../core/control.ts";
import { S } from "../core/state.ts";
import { EXECUTE, READ, WRITE } from "../core/tlb.ts";
import { F } from "./fields.ts";
import {
  ACCESSES,
  EPT_LEAF,
  EPT_TABLE,
  enter,
  entry,
  GUEST_LEAF,
  GUEST_PHYSICAL,
  GUEST_TABLE,
  type Guest,
  guest,
  LINEAR,
  leave,
  OFFSET,
  RWX,
  reach,
  reachAnew,
  read,
  WRITE_BACK,
} from "./guest.test-support.ts";
import { VM_EXIT } from "./vmx.ts";

const test = suite("a guest's translation");

const HERE = OFFSET + GUEST_PHYSICAL,
  THERE = 0x300000;
const CR0_PE = 0x11,
  PAGING = 0x80000011;
/** Leaves 64-bit mode. */
function setMode({ p }: Guest, cr0: number, cr4: number, cr3 = 0): void {
  p.setNumber(S.EFER, 0);
  p.setNumber(S.CR0, cr0);
  p.setNumber(S.CR4, cr4);
  p.setNumber(S.CR3, cr3);
  p.access.tlb.flushAll();
  p.refresh();
}
/** EPT leads to another page from now on, and nobody is told. */
const moveByEpt = (r: Guest) => entry(r, EPT_LEAF, THERE | RWX | WRITE_BACK);

// ---- modes of the guest ----

test("without paging a linear address is guest-physical, with EPT's rights and qualification", () => {
  const r = guest();
  setMode(r, CR0_PE, 0);
  assert.is(reach(r, READ, 0x7123), HERE + 0x123);
  assert.is(r.cpu.linearToPhysical(0x7123), HERE + 0x123);
  entry(r, EPT_LEAF, HERE | 5 | WRITE_BACK);
  assert.is(reach(r, WRITE, 0x7123), "exit 48");
  const { exit } = r.p.vmx;
  assert.is(exit.qualificationLow, 2 | (5 << 3) | 0x180);
  assert.equal([exit.guestLinear, exit.guestPhysical], [0x7123, 0x7123]);
  assert.is(reach(r, EXECUTE, 0xfffff000), "exit 48");
  assert.is(exit.guestPhysical, 0xfffff000);
});
test("32-bit paging: tables and pages are guest-physical, 4-MiB pages too", () => {
  const r = guest();
  setMode(r, PAGING, 0x10, 0x30000);
  entry(r, OFFSET + 0x30000, 0x31007, 0x87);
  entry(r, OFFSET + 0x31000 + 4 * 4, 0, 0x7007);
  assert.is(reach(r, READ, 0x5123), HERE + 0x123);
  assert.is(read(r, OFFSET + 0x30000) & 0x20, 0x20);
  assert.is(reach(r, READ, 0x407123), HERE + 0x123);
  const { exit } = r.p.vmx;
  entry(r, EPT_TABLE[1] + 8 * 0x31, (OFFSET + 0x31000) | 1);
  entry(r, OFFSET + 0x31000 + 4 * 4, 0, 0x7007);
  assert.is(reachAnew(r, READ, 0x5123), "exit 48");
  assert.equal([exit.qualificationLow, exit.guestPhysical], [3 | (1 << 3) | 0x80, 0x31014]);
  entry(r, EPT_TABLE[1] + 8 * 0x30, 0);
  assert.is(reachAnew(r, READ, 0x5123), "exit 48");
  assert.equal([exit.qualificationLow, exit.guestPhysical], [1 | 0x80, 0x30000]);
});
test("PAE: PDPTEs are registers, which a walk does not read again; the tables below are guest-physical", () => {
  const r = guest({ marks: true });
  setMode(r, PAGING, 0x20, 0x30000);
  r.p.setNumber(S.PDPTE + 8, GUEST_TABLE[2] | 1);
  assert.is(reach(r, READ, 0x40005123), HERE + 0x123);
  assert.is(reach(r, READ, 0x5123), "PF 0");
  assert.is(read(r, EPT_TABLE[1] + 8 * 0x30) & 0x300, 0);
});

// ---- PDPTEs that MOV to CR3 and others load ----

test("PDPTEs are loaded through EPT: a read, that makes nothing dirty", () => {
  const r = guest({ marks: true });
  for (let i = 0; i < 4; i++) entry(r, OFFSET + 0x30020 + 8 * i, ((i + 1) << 12) | 1);
  let steps = 0;
  r.p.access.onWalk = (n) => {
    steps = n;
  };
  loadPdptes(r.p, 0x30020);
  for (let i = 0; i < 4; i++) assert.is(r.p.number(S.PDPTE + 8 * i), ((i + 1) << 12) | 1);
  assert.is(read(r, EPT_TABLE[1] + 8 * 0x30) & 0x300, 0x100);
  assert.is(steps, 4);
});
test("PDPTEs that EPT refuses cause a VM exit, of no linear address, and none of them changes", () => {
  const r = guest({ marks: true }),
    { exit } = r.p.vmx;
  for (const [low, reason, qualification] of [
    [0, 48, 1],
    [4, 48, 1 | (4 << 3)],
    [2, 49, 0],
  ] as const) {
    entry(r, EPT_TABLE[1] + 8 * 0x30, low);
    let thrown: unknown;
    try {
      loadPdptes(r.p, 0x30020);
    } catch (e) {
      thrown = e;
    }
    assert.is(thrown, r.p.pendingFault);
    assert.is(r.p.pendingFault.vector, VM_EXIT);
    assert.equal(
      [exit.reason, exit.qualificationLow, exit.guestPhysical, exit.guestLinear],
      [reason, qualification, 0x30020, null],
    );
    assert.is(r.p.number(S.PDPTE), 0);
  }
  leave(r);
  entry(r, 0x30020, 0x1001);
  loadPdptes(r.p, 0x30020);
  assert.is(r.p.number(S.PDPTE), 0x1001);
});

// ---- what is invalidated when [SDM 3C 28.3.3.1] ----

test("combined mappings stay until they are invalidated, over VM exits and entries with a VPID", () => {
  const r = guest({ vpid: 5 });
  assert.is(reach(r, READ), HERE);
  moveByEpt(r);
  assert.is(reach(r, READ), HERE);
  leave(r);
  enter(r);
  assert.is(reach(r, READ), HERE);
  leave(r);
  r.p.access.tlb.dropEpt(EPT_TABLE[4] >> 12);
  enter(r);
  assert.is(reach(r, READ), THERE);
});
test("without VPIDs every VM entry and VM exit invalidates the guest's mappings and the host's", () => {
  const r = guest();
  assert.is(reach(r, READ), HERE);
  moveByEpt(r);
  leave(r);
  entry(r, GUEST_TABLE[4], 0x30007);
  entry(r, 0x30000, 0x87);
  assert.is(reach(r, READ), LINEAR);
  entry(r, GUEST_TABLE[4], 0);
  assert.is(reach(r, READ), LINEAR);
  enter(r);
  assert.is(reach(r, READ), THERE);
  leave(r);
  assert.is(reach(r, READ), "PF 0");
});
test("with a VPID the host's mappings stay, and no one sees the other's", () => {
  const r = guest({ vpid: 5 });
  leave(r);
  entry(r, GUEST_TABLE[4], 0x30007);
  entry(r, 0x30000, 0x187); // global
  r.p.setU32(S.CR4, r.p.u32(S.CR4) | 0x80);
  assert.is(reach(r, READ), LINEAR);
  assert.is(reach(r, WRITE), LINEAR);
  entry(r, GUEST_TABLE[4], 0);
  enter(r);
  assert.is(reach(r, READ), HERE); // there is one place for a page, so the host's is gone from there
  leave(r);
  assert.is(reach(r, WRITE), LINEAR);
  assert.is(reach(r, READ), "PF 0");
});
test("mappings are of a VPID and an EP4TA together", () => {
  const r = guest({ vpid: 5 }),
    { vmcs } = r.p.vmx;
  for (const access of ACCESSES) assert.is(reach(r, access), HERE);
  moveByEpt(r);
  const visit = (access: 0 | 1 | 2, vpid: number, eptp: number) => {
    leave(r);
    vmcs.set32(F.VPID, vpid);
    vmcs.setNumber(F.EPT_POINTER, eptp);
    enter(r);
    return reach(r, access);
  };
  assert.is(visit(READ, 6, 0x1001e), THERE);
  assert.is(visit(WRITE, 5, 0x1005e), HERE); // bits 11:0 of the EPTP are not in the tag
  for (let page = 0; page < 4; page++) entry(r, 0x18000 + 8 * page, read(r, EPT_TABLE[4] + 8 * page));
  assert.is(visit(WRITE, 5, 0x1801e), THERE);
  assert.is(visit(EXECUTE, 5, 0x1001e), HERE);
});
test("linear mappings of a guest without EPT are tagged with its VPID alone", () => {
  const r = guest({ controls: [], vpid: 5 });
  for (const level of [4, 3, 2]) entry(r, GUEST_TABLE[level as 4 | 3 | 2], GUEST_TABLE[(level - 1) as 3 | 2 | 1] | 7);
  entry(r, GUEST_LEAF - OFFSET, GUEST_PHYSICAL | 7);
  assert.is(r.p.access.nested, null);
  assert.is(reach(r, READ), GUEST_PHYSICAL);
  entry(r, GUEST_LEAF - OFFSET, THERE | 7);
  leave(r);
  r.p.access.tlb.dropEpts();
  enter(r);
  assert.is(reach(r, READ), GUEST_PHYSICAL);
  leave(r);
  r.p.access.tlb.dropVpid(5);
  enter(r);
  assert.is(reach(r, READ), THERE);
});
test("a violation invalidates what is cached of its linear address for other accesses, a misconfiguration like it", () => {
  for (const low of [HERE | 1 | WRITE_BACK, HERE | 2]) {
    const r = guest({ vpid: 5 });
    assert.is(reach(r, READ), HERE);
    entry(r, EPT_LEAF, low);
    assert.type(reach(r, WRITE), "string");
    moveByEpt(r); // as a hypervisor does that copies the page
    assert.is(reach(r, READ), THERE);
    assert.is(reach(r, WRITE), THERE);
  }
});
test("a violation leaves what is cached of other addresses in the guest's large page", () => {
  const r = guest();
  setMode(r, PAGING, 0x10, GUEST_TABLE[4]);
  entry(r, OFFSET + GUEST_TABLE[4], 0xe7); // 4 MiB
  assert.is(reach(r, READ, 0x7000), HERE);
  entry(r, EPT_LEAF, 0);
  entry(r, EPT_LEAF + 8, 0);
  assert.is(reach(r, READ, 0x8000), "exit 48");
  assert.is(reach(r, READ, 0x7000), HERE);
});

test("the guest's INVLPG and load of CR3 invalidate combined mappings", () => {
  const r = guest({ vpid: 5 });
  assert.is(reach(r, READ), HERE);
  moveByEpt(r);
  r.p.access.tlb.invalidate(LINEAR);
  assert.is(reach(r, READ), THERE);
  entry(r, EPT_LEAF, HERE | RWX | WRITE_BACK);
  r.p.access.tlb.enterSpace("linear", true);
  r.p.refresh();
  assert.is(reach(r, READ), HERE);
});

// ---- from outside ----

test("a debugger looks through EPT, whatever the rights, and leaves no trace", () => {
  const r = guest({ marks: true, vpid: 5 });
  entry(r, EPT_LEAF, HERE | 4 | WRITE_BACK);
  for (const level of [4, 3, 2, 1] as const) {
    const at = EPT_TABLE[1] + 8 * (GUEST_TABLE[level] >> 12);
    entry(r, at, (read(r, at) & ~7) | 1);
  }
  entry(r, GUEST_LEAF, GUEST_PHYSICAL | 1);
  const before = r.cpu.digest();
  assert.is(r.cpu.linearToPhysical(LINEAR + 5), HERE + 5);
  assert.equal(r.cpu.readLinear(LINEAR, 4), new Uint8Array(4));
  assert.is(r.cpu.digest(), before);
  entry(r, EPT_LEAF, 0);
  assert.is(r.cpu.linearToPhysical(LINEAR), null);
  entry(r, EPT_LEAF, HERE | 2);
  assert.is(r.cpu.linearToPhysical(LINEAR), null);
  leave(r);
  assert.is(r.cpu.linearToPhysical(LINEAR), null);
});
test("a restored guest goes on in its realm with its EPT", () => {
  const r = guest({ vpid: 5 });
  assert.is(reach(r, READ), HERE);
  const saved = r.cpu.save(),
    other = guest({ vpid: 6 });
  other.cpu.restore(saved);
  moveByEpt(other);
  assert.is(reach(other, READ), HERE);
  assert.is(reach(other, EXECUTE), THERE);
  leave(r);
  other.cpu.restore(r.cpu.save());
  assert.is(other.p.access.nested, null);
});
test("a reset ends the guest's translation", () => {
  const r = guest({ controls: ["enable EPT", "virtualize APIC accesses"], vpid: 5 });
  r.cpu.reset();
  assert.equal([r.p.access.nested, r.p.access.virtualApic], [null, null]);
  assert.equal(r.p.access.tlb.save().realms, [[0, -1]]);
});
test.run();
