import { suite } from "uvu";
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import { ENTRY, EXECUTE, READ, SLOW, WRITE } from "../core/tlb.ts";
import { F } from "./fields.ts";
import {
  EPT_LEAF,
  enter,
  entry,
  GUEST_LEAF,
  GUEST_PHYSICAL,
  type Guest,
  guest,
  LINEAR,
  leave,
  OFFSET,
  reach,
  read,
  setControls,
} from "./guest.test-support.ts";
import { VM_EXIT } from "./vmx.ts";

const test = suite("the APIC-access page [SDM 3C 29.4]");

const PAGE = OFFSET + GUEST_PHYSICAL,
  VIRTUAL_APIC = 0x310000;
/** LINEAR leads to the APIC-access page; the page after it is an ordinary one, and so is the one before. */
function rig(shadow: boolean, ept = true): Guest {
  const r = guest({ vpid: 5 });
  leave(r);
  r.p.vmx.vmcs.setNumber(F.APIC_ACCESS_ADDRESS, PAGE);
  r.p.vmx.vmcs.setNumber(F.VIRTUAL_APIC_ADDRESS, VIRTUAL_APIC);
  setControls(r, [
    "enable VPID",
    "virtualize APIC accesses",
    ...(shadow ? (["use TPR shadow"] as const) : []),
    ...(ept ? (["enable EPT"] as const) : []),
  ]);
  if (!ept) r.p.setNumber(S.CR3, 0x120000); // the same tables, by their physical addresses
  entry(r, GUEST_LEAF - 8, 0x6067);
  entry(r, GUEST_LEAF + 8, 0x8067);
  enter(r);
  for (let i = 0; i < 0x1000; i += 4) r.p.memory.write32(PAGE + i, 0xaaaaaaaa);
  r.p.memory.write32(VIRTUAL_APIC + 0x80, 0x44332211);
  return r;
}
const ACCESSES = {
  read: (r: Guest, linear: number, bytes: number) => r.p.access.load(linear, bytes, S.RESULT),
  write: (r: Guest, linear: number, bytes: number) => r.p.access.store(linear, bytes, S.ARG0),
  modify: (r: Guest, linear: number, bytes: number) => r.p.access.loadForWrite(linear, bytes, S.RESULT),
  probe: (r: Guest, linear: number, bytes: number) => r.p.access.probeWrite(linear, bytes),
} as const;
const names = Object.keys(ACCESSES) as (keyof typeof ACCESSES)[];
/** The exit of an access that must cause one, as reason and qualification. */
function exitOf(r: Guest, access: keyof typeof ACCESSES, linear: number, bytes: number): string {
  r.p.pendingFault.vector = 0;
  assert.is(ACCESSES[access](r, linear, bytes), false, `${access} of ${bytes} at ${linear}`);
  assert.is(r.p.pendingFault.vector, VM_EXIT);
  const { exit } = r.p.vmx;
  return `${exit.reason} ${exit.qualificationLow.toString(16)}`;
}
const untouched = (r: Guest) => read(r, PAGE + 0x80) === 0xaaaaaaaa && read(r, PAGE + 0xffc) === 0xaaaaaaaa;

test("data accesses exit with their offset and kind, and touch nothing", () => {
  const r = rig(false);
  r.p.setNumber(S.RESULT, 0x1234);
  for (const offset of [0, 0x20, 0x80, 0x83, 0xfff])
    for (const bytes of offset === 0xfff ? [1] : [1, 2, 4, 8, 16])
      for (const name of names) {
        const kind = name === "read" ? 0 : 1;
        assert.is(exitOf(r, name, LINEAR + offset, bytes), `44 ${(offset | (kind << 12)).toString(16)}`);
      }
  assert.ok(untouched(r));
  assert.is(r.p.number(S.RESULT), 0x1234);
});
test("an access of event delivery is of a kind of its own; a fetch too, and is not cached", () => {
  const r = rig(true);
  r.p.vectoring = 0x80000030;
  assert.is(exitOf(r, "read", LINEAR + 0x10, 8), "44 3010");
  assert.is(exitOf(r, "write", LINEAR + 0x10, 8), "44 3010");
  r.p.vectoring = 0;
  for (let i = 0; i < 2; i++) {
    assert.is(reach(r, EXECUTE, LINEAR + 0x80), "exit 44");
    assert.is(r.p.vmx.exit.qualificationLow, 0x2080);
  }
});
test("with the TPR shadow, 1 to 4 bytes at 80h are those of the virtual APIC's TPR; all others exit", () => {
  const r = rig(true),
    { p } = r;
  p.vmx.vmcs.set32(F.TPR_THRESHOLD, 2);
  for (const [bytes, value] of [
    [1, 0x11],
    [2, 0x2211],
    [4, 0x44332211],
  ] as const) {
    for (const name of ["read", "modify"] as const) {
      p.setNumber(S.RESULT, -1);
      assert.ok(ACCESSES[name](r, LINEAR + 0x80, bytes));
      assert.is(p.number(S.RESULT), value);
    }
    assert.ok(ACCESSES.probe(r, LINEAR + 0x80, bytes));
  }
  for (const bytes of [1, 2, 4])
    for (const value of [0x20, 0x1f]) {
      p.memory.write32(VIRTUAL_APIC + 0x80, 0xffffffff);
      p.setNumber(S.ARG0, 0x87654300 + value);
      assert.is(p.vmx.tprPending, false);
      assert.ok(ACCESSES.write(r, LINEAR + 0x80, bytes));
      assert.is(read(r, VIRTUAL_APIC + 0x80), value); // bytes 3:1 are cleared
      assert.is(p.vmx.tprPending, value < 0x20); // and the threshold is looked at
      p.vmx.tprPending = false;
    }
  for (const name of names) {
    const kind = name === "read" ? 0 : 1;
    for (const [offset, bytes] of [
      [0x80, 8],
      [0x81, 1],
      [0x7f, 1],
      [0x7e, 4],
      [0x84, 4],
      [0x90, 4],
    ] as const)
      assert.is(exitOf(r, name, LINEAR + offset, bytes), `44 ${(offset | (kind << 12)).toString(16)}`);
  }
  assert.ok(untouched(r));
});
test("an access that crosses into the page, or out of it, exits before anything is written", () => {
  const r = rig(true);
  r.p.setNumber(S.ARG0, -1);
  assert.is(exitOf(r, "write", LINEAR - 2, 4), "44 1000");
  assert.is(exitOf(r, "read", LINEAR - 2, 4), "44 0");
  assert.is(exitOf(r, "modify", LINEAR + 0xffe, 4), "44 1ffe");
  assert.is(exitOf(r, "probe", LINEAR - 2, 4), "44 1000");
  assert.is(read(r, PAGE - 4), 0);
  assert.ok(untouched(r));
});
test("page faults and EPT violations come first", () => {
  const r = rig(true);
  entry(r, EPT_LEAF, PAGE | 0x35);
  assert.is(reach(r, WRITE), "exit 48");
  assert.is(exitOf(r, "write", LINEAR + 0x80, 4).slice(0, 2), "48");
  assert.ok(ACCESSES.read(r, LINEAR + 0x80, 4));
  entry(r, GUEST_LEAF, 0);
  r.p.access.tlb.invalidate(LINEAR);
  assert.is(reach(r, READ), "PF 0");
});
test("the same without EPT, where page tables lead there", () => {
  const r = rig(false, false);
  for (const level of [4, 3, 2] as const) {
    const at = OFFSET + [0, 0, 0x22000, 0x21000, 0x20000][level]!;
    entry(r, at, read(r, at) + OFFSET);
  }
  entry(r, GUEST_LEAF, PAGE | 0x67);
  assert.is(exitOf(r, "read", LINEAR + 0x20, 4), "44 20");
});
test("entries of the page are slow, and not taken for code", () => {
  const r = rig(true),
    { memory, access } = r.p;
  memory.codePages[PAGE >> 12] = 1;
  memory.codeMaps.set(PAGE >> 12, 0x1000);
  reach(r, READ);
  reach(r, WRITE);
  for (const kind of [READ, WRITE] as const) {
    const at = access.tlb.entry(kind, LINEAR) >> 2;
    assert.is(memory.u32[at]! & SLOW, SLOW);
    assert.is(memory.u32[at + (ENTRY.code >> 2)], 0);
    access.tlb.refreshHosts();
    assert.is(memory.u32[at]! & SLOW, SLOW);
  }
});
test("an entry made while the page was another one reaches memory; a hypervisor that changes it invalidates", () => {
  const r = rig(true);
  assert.is(exitOf(r, "read", LINEAR, 4), "44 0");
  leave(r);
  r.p.vmx.vmcs.setNumber(F.APIC_ACCESS_ADDRESS, PAGE + 0x1000);
  enter(r);
  assert.ok(ACCESSES.read(r, LINEAR, 4));
  assert.is(r.p.number(S.RESULT), 0xaaaaaaaa);
  r.p.setNumber(S.ARG0, 7);
  assert.ok(ACCESSES.write(r, LINEAR, 4));
  assert.is(read(r, PAGE), 7);
  assert.is(exitOf(r, "read", LINEAR + 0x1000, 4), "44 0");
});
test("in root operation, and without the control, it is a page like any other", () => {
  const r = rig(true);
  leave(r);
  assert.is(r.p.access.virtualApic, null);
  setControls(r, ["enable EPT", "use TPR shadow"]);
  enter(r);
  assert.ok(ACCESSES.read(r, LINEAR + 0x80, 4));
  assert.is(r.p.number(S.RESULT), 0xaaaaaaaa);
});
test.run();
