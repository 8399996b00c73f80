import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PhysicalMemory } from "./physical.ts";
import { type Access, contextOf, EXECUTE, GLOBAL, HUGE, LARGE, NO_EPT, READ, Tlb, WRITE } from "./tlb.ts";

const test = suite("TLB realms [SDM 3C 28.3]");

const LINEAR = 0x7654000,
  EPT = 0x123,
  OTHER_EPT = 0x456;
const context = (tlb: Tlb) => contextOf(tlb.group, 0);
const newTlb = () => new Tlb(new PhysicalMemory(1 << 20), 0);
function fill(tlb: Tlb, linear = LINEAR, flags = 0, access: Access = READ): void {
  tlb.fill(access, linear, context(tlb), 5, flags);
}
/** As `look` of access.ts asks. */
function has(tlb: Tlb, linear = LINEAR, access: Access = READ): boolean {
  const entry = tlb.entry(access, linear);
  return tlb.hit(entry, linear, context(tlb)) || tlb.adopt(entry, linear, context(tlb));
}
/** Realms, each with a page of its own in its space "linear". */
const REALMS = [
  [0, NO_EPT],
  [0, EPT],
  [5, NO_EPT],
  [5, EPT],
  [5, OTHER_EPT],
  [6, EPT],
] as const;
const nameOf = ([vpid, ept]: readonly [number, number]) => `${vpid}${ept === NO_EPT ? "" : `/${ept.toString(16)}`}`;
const pageOf = (i: number) => LINEAR + 0x1000 * i;
/** All of them in one TLB, their pages with these flags; the last realm is in use. */
function populated(flags = 0): Tlb {
  const tlb = newTlb();
  REALMS.forEach(([vpid, ept], i) => {
    tlb.enterRealm(vpid, ept, "linear", false);
    fill(tlb, pageOf(i), flags);
  });
  return tlb;
}
/** Which of them still have their page. */
const left = (tlb: Tlb): string =>
  REALMS.filter(([vpid, ept], i) => {
    tlb.enterRealm(vpid, ept, "linear", false);
    return has(tlb, pageOf(i));
  })
    .map(nameOf)
    .join(" ");

test("a translation is used in the realm that it was made in, and again after coming back", () => {
  const tlb = newTlb();
  tlb.enterRealm(0, NO_EPT, "linear", false);
  fill(tlb);
  for (const [vpid, ept] of [
    [5, NO_EPT],
    [0, EPT],
    [5, EPT],
  ] as const) {
    tlb.enterRealm(vpid, ept, "linear", false);
    assert.is(has(tlb), false);
  }
  tlb.enterRealm(0, NO_EPT, "linear", false);
  assert.ok(has(tlb));
  assert.is(left(populated()), "0 0/123 5 5/123 5/456 6/123");
});
test("a VM entry or exit without VPIDs invalidates all that VPID 0 has, whatever the EP4TA, global or not", () => {
  for (const flags of [0, GLOBAL]) {
    const tlb = populated(flags);
    tlb.enterRealm(0, EPT, "linear", true);
    assert.is(left(tlb), "5 5/123 5/456 6/123");
  }
});
test("global pages are shared by the address spaces of one realm only", () => {
  const tlb = newTlb();
  tlb.enterRealm(5, EPT, "1", false);
  fill(tlb, LINEAR, GLOBAL);
  for (const [vpid, ept] of [
    [0, NO_EPT],
    [0, EPT],
    [5, NO_EPT],
    [5, OTHER_EPT],
    [6, EPT],
  ] as const) {
    tlb.enterRealm(vpid, ept, "1", false);
    assert.is(has(tlb), false, nameOf([vpid, ept]));
  }
  tlb.enterRealm(5, EPT, "2", false);
  assert.ok(has(tlb));
});
test("the global pages of a realm that was dropped are nobody's", () => {
  const tlb = newTlb();
  tlb.enterRealm(0, NO_EPT, "linear", false);
  fill(tlb, LINEAR, GLOBAL);
  tlb.enterRealm(0, NO_EPT, "linear", true);
  assert.is(has(tlb), false);
});
test("a load of CR3 forgets the space for every EP4TA of the VPID, but no global page, and nothing of other VPIDs", () => {
  const tlb = populated();
  tlb.enterRealm(5, EPT, "linear", false);
  fill(tlb, LINEAR - 0x1000, GLOBAL);
  tlb.enterSpace("linear", true);
  assert.ok(has(tlb, LINEAR - 0x1000));
  assert.is(left(tlb), "0 0/123 6/123");
});
test("flushAll forgets the VPID in use, global pages too, and nothing of others", () => {
  for (const flags of [0, GLOBAL]) {
    const tlb = populated(flags);
    tlb.enterRealm(5, NO_EPT, "linear", false);
    tlb.flushAll();
    assert.is(left(tlb), "0 0/123 6/123");
  }
});
test("flushNonGlobal forgets what is not global of the VPID in use", () => {
  const tlb = populated();
  tlb.enterRealm(5, EPT, "linear", false);
  fill(tlb, LINEAR - 0x1000, GLOBAL);
  tlb.flushNonGlobal();
  assert.ok(has(tlb, LINEAR - 0x1000));
  assert.is(left(tlb), "0 0/123 6/123");
});
test("INVLPG: all PCIDs and EP4TAs of the VPID in use; INVVPID: those of another VPID", () => {
  for (const vpid of [0, 5]) {
    for (const flags of [0, GLOBAL, LARGE, LARGE | HUGE]) {
      const tlb = populated(flags);
      tlb.enterRealm(5, EPT, "17", false);
      if (vpid === 5) for (let i = 0; i < REALMS.length; i++) tlb.invalidate(pageOf(i));
      else for (let i = 0; i < REALMS.length; i++) tlb.invalidate(pageOf(i), 0);
      assert.is(left(tlb), vpid === 5 ? "0 0/123 6/123" : "5 5/123 5/456 6/123", String(flags));
    }
  }
});
test("INVLPG of one part of a large page invalidates its other parts in the VPID in use", () => {
  const tlb = newTlb(),
    second = LINEAR + 0x5000;
  tlb.enterRealm(5, EPT, "linear", false);
  fill(tlb, LINEAR, LARGE, EXECUTE);
  tlb.enterRealm(6, EPT, "linear", false);
  fill(tlb, second, LARGE, WRITE);
  tlb.invalidate(second - 0x1000);
  assert.is(has(tlb, second, WRITE), false);
  tlb.enterRealm(5, EPT, "linear", false);
  assert.ok(has(tlb, LINEAR, EXECUTE));
});
test("INVVPID and INVEPT drop the contexts that they name", () => {
  const rows: readonly (readonly [name: string, drop: (tlb: Tlb) => void, left: string])[] = [
    ["INVVPID single context", (tlb) => tlb.dropVpid(5), "0 0/123 6/123"],
    ["INVVPID all contexts", (tlb) => tlb.dropVpids(), "0 0/123"],
    ["INVEPT single context", (tlb) => tlb.dropEpt(EPT), "0 5 5/456"],
    ["INVEPT all contexts", (tlb) => tlb.dropEpts(), "0 5"],
    ["INVEPT of another context", (tlb) => tlb.dropEpt(0x789), "0 0/123 5 5/123 5/456 6/123"],
  ];
  for (const [name, drop, expected] of rows)
    for (const flags of [0, GLOBAL]) {
      const tlb = populated(flags);
      tlb.enterRealm(0, NO_EPT, "linear", false);
      drop(tlb);
      assert.is(left(tlb), expected, name);
    }
});
test("INVVPID retaining global translations keeps those", () => {
  for (const [flags, expected] of [
    [0, "0 0/123 6/123"],
    [GLOBAL, "0 0/123 5 5/123 5/456 6/123"],
  ] as const) {
    const tlb = populated(flags);
    tlb.enterRealm(0, NO_EPT, "linear", false);
    tlb.dropVpidSpaces(5);
    assert.is(left(tlb), expected);
  }
});
test("when all groups are given out everything is forgotten, and the realm in use stays in use", () => {
  const tlb = newTlb(); // which has taken one
  for (let i = 0; i < 255; i++) {
    tlb.enterRealm(1 + (i & 1), EPT, String(i), false);
    fill(tlb, pageOf(i), GLOBAL);
  }
  assert.ok(has(tlb, pageOf(254)));
  tlb.enterRealm(1, EPT, "one too many", false);
  assert.is(tlb.save().entries.length, 0);
  fill(tlb, LINEAR, GLOBAL);
  tlb.enterRealm(2, EPT, "one too many", false);
  assert.is(has(tlb), false);
  tlb.enterRealm(1, EPT, "another", false);
  assert.ok(has(tlb));
});
test("a thousand transitions without VPIDs never bring a stale translation back", () => {
  const tlb = newTlb();
  for (let i = 0; i < 1000; i++) {
    tlb.enterRealm(0, i & 1 ? EPT : NO_EPT, "linear", true);
    assert.is(has(tlb), false, String(i));
    fill(tlb, LINEAR, i % 3 === 0 ? GLOBAL : 0);
    assert.ok(has(tlb));
  }
});
test("realms are saved and restored", () => {
  const tlb = populated(GLOBAL);
  tlb.dropEpt(OTHER_EPT);
  tlb.enterRealm(5, EPT, "3", false);
  const saved = JSON.parse(JSON.stringify(tlb.save())) as ReturnType<Tlb["save"]>,
    other = newTlb();
  other.enterRealm(0, NO_EPT, "linear", true);
  other.restore(saved);
  assert.equal(other.save(), tlb.save());
  assert.ok(has(other, pageOf(3))); // adopted from space "linear" of the realm in use
  assert.is(left(other), "0 0/123 5 5/123 6/123");
  other.reset();
  tlb.reset();
  assert.equal(other.save(), tlb.save());
  assert.equal(tlb.save(), { entries: [], spaces: [""], realms: [[0, NO_EPT]], group: 0 });
});
test.run();
