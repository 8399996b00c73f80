import { suite } from "uvu";
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import { EXECUTE, READ, WRITE } from "../core/tlb.ts";
import {
  ACCESSES,
  EPT_LEAF,
  EPT_TABLE,
  entry,
  GUEST_LEAF,
  GUEST_PHYSICAL,
  GUEST_TABLE,
  type Guest,
  guest,
  LARGE_PAGE,
  LINEAR,
  OFFSET,
  RWX,
  reach,
  reachAnew,
  read,
  setCpl,
  WRITE_BACK,
} from "./guest.test-support.ts";

const test = suite("EPT [SDM 3C 28.2]");

const A = 0x100,
  D = 0x200,
  NAMES = ["read", "write", "fetch"] as const;
/** Qualification bits: a linear address was translated, and its own translation was refused. */
const LINEAR_VALID = 0x80,
  OF_LINEAR = 0x100;
const withRights = (r: Guest, at: number, rights: number) => entry(r, at, (read(r, at) & ~7) | rights, read(r, at + 4));

/** The VM exit that an access causes. */
function exitOf(r: Guest, access: 0 | 1 | 2, linear = LINEAR) {
  const outcome = reachAnew(r, access, linear),
    { exit } = r.p.vmx;
  return {
    outcome,
    qualification: exit.qualificationLow + exit.qualificationHigh * 2 ** 32,
    guestPhysical: exit.guestPhysical,
    guestLinear: exit.guestLinear,
  };
}

test("every kind of access with every combination of a page's rights, for users and supervisors, with A and D or not", () => {
  for (const marks of [false, true])
    for (const cpl of [0, 3])
      for (let rights = 0; rights < 8; rights++)
        for (const access of ACCESSES) {
          const r = guest({ marks }),
            why = `${NAMES[access]} with ${rights}, CPL ${cpl}`;
          setCpl(r, cpl);
          withRights(r, EPT_LEAF, rights);
          const { outcome, qualification, guestPhysical, guestLinear } = exitOf(r, access, LINEAR + 0x123);
          const flags = read(r, EPT_LEAF) & (A | D);
          if (rights === 2 || rights === 6) {
            assert.equal([outcome, qualification, guestLinear], ["exit 49", 0, null], why);
            assert.is(guestPhysical, GUEST_PHYSICAL + 0x123);
          } else if (rights & (1 << access)) {
            assert.is(outcome, OFFSET + GUEST_PHYSICAL + 0x123, why);
            assert.is(flags, !marks ? 0 : access === WRITE ? A | D : A, why);
            continue;
          } else {
            assert.is(outcome, "exit 48", why);
            assert.is(qualification, (1 << access) | (rights << 3) | LINEAR_VALID | OF_LINEAR, why);
            assert.equal([guestPhysical, guestLinear], [GUEST_PHYSICAL + 0x123, LINEAR + 0x123]);
          }
          assert.is(flags, 0, why);
        }
});
test("the entries of all levels allow together what is allowed; an absent one ends the walk", () => {
  for (const level of [4, 3, 2, 1])
    for (const rights of [0, 1, 3, 4, 5, 7])
      for (const access of ACCESSES) {
        const r = guest();
        // A page of the guest's of its own in each of the EPT's tables above the last.
        entry(r, GUEST_LEAF, (level === 4 ? 0 : GUEST_PHYSICAL) | 0x67, level === 4 ? 0x80 : 0);
        entry(r, EPT_TABLE[4] + 8, EPT_TABLE[3] | RWX);
        const at = level === 4 ? EPT_TABLE[4] + 8 : level === 1 ? EPT_LEAF : EPT_TABLE[level]!;
        if (level < 4 && level > 1) {
          entry(r, EPT_TABLE[level]! + 8, (read(r, at) & ~7) | rights);
          entry(r, GUEST_LEAF, (GUEST_PHYSICAL + 2 ** (12 + 9 * (level - 1))) | 0x67);
        } else withRights(r, at, rights);
        const { outcome, qualification } = exitOf(r, access);
        if (rights & (1 << access)) assert.type(outcome, "number", `level ${level}, ${rights}`);
        else {
          assert.is(outcome, "exit 48");
          assert.is(qualification, (1 << access) | (rights << 3) | LINEAR_VALID | OF_LINEAR, `level ${level}`);
        }
      }
});
test("accessed flags are set at every level as it is used, and never without EPTP bit 6", () => {
  for (const marks of [false, true]) {
    const r = guest({ marks });
    reach(r, READ);
    for (const level of [4, 3, 2]) assert.is(read(r, EPT_TABLE[level]!) & (A | D), marks ? A : 0);
    assert.is(read(r, EPT_LEAF) & (A | D), marks ? A : 0);
    reach(r, WRITE);
    assert.is(read(r, EPT_LEAF) & (A | D), marks ? A | D : 0);
  }
});
test("misconfigurations, each bit by itself; the same bits mean nothing in an entry that is not present", () => {
  const bits = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const rows: readonly (readonly [what: string, level: number, leaf: boolean, reserved: number[], free: number[]])[] = [
    ["PML4E", 4, false, [...bits(3, 7), ...bits(40, 51)], [8, 9, 10, 11, ...bits(52, 63)]],
    ["PDPTE", 3, false, [...bits(3, 6), ...bits(40, 51)], [8, 9, 10, 11, ...bits(52, 63)]],
    ["PDE", 2, false, [...bits(3, 6), ...bits(40, 51)], [8, 9, 10, 11, ...bits(52, 63)]],
    ["1-GiB page", 3, true, [...bits(12, 29), ...bits(40, 51)], [6, 8, 9, 10, 11, ...bits(52, 63)]],
    ["2-MiB page", 2, true, [...bits(12, 20), ...bits(40, 51)], [6, 8, 9, 10, 11, ...bits(52, 63)]],
    ["4-KiB page", 1, true, bits(40, 51), [6, 7, 8, 9, 10, 11, ...bits(52, 63)]],
  ];
  for (const [what, level, leaf, reserved, free] of rows) {
    const r = guest(),
      shift = 12 + 9 * (level - 1),
      at = level === 1 ? EPT_LEAF : EPT_TABLE[level]! + 8,
      target = level === 1 ? GUEST_PHYSICAL : 2 ** shift + (level === 2 ? GUEST_PHYSICAL : 0);
    // Guest-physical addresses from the second entry of that level on: the tables below are those of the first.
    entry(r, GUEST_LEAF, (target % 2 ** 32) | 0x67, Math.floor(target / 2 ** 32));
    const good = leaf
      ? (level === 1 ? OFFSET + GUEST_PHYSICAL : LARGE_PAGE) | RWX | WRITE_BACK
      : EPT_TABLE[level - 1]! | RWX;
    const set = (bit: number, from = good) =>
      entry(r, at, bit < 32 ? from | (1 << bit) : from, bit < 32 ? 0 : 1 << (bit - 32));
    entry(r, at, good);
    assert.type(exitOf(r, READ).outcome, "number", what);
    for (const bit of reserved) {
      set(bit);
      const { outcome, qualification, guestPhysical, guestLinear } = exitOf(r, READ);
      assert.equal([outcome, qualification, guestLinear], ["exit 49", 0, null], `${what} bit ${bit}`);
      assert.is(guestPhysical, target);
      set(bit, good & ~7);
      assert.is(exitOf(r, READ).outcome, "exit 48", `${what} bit ${bit}, not present`);
    }
    for (const bit of free) {
      set(bit);
      assert.type(exitOf(r, READ).outcome, "number", `${what} bit ${bit}`);
    }
    for (const rights of [2, 6]) {
      entry(r, at, (good & ~7) | rights);
      assert.is(exitOf(r, READ).outcome, "exit 49", `${what} rights ${rights}`);
    }
    if (!leaf) continue;
    for (let type = 0; type < 8; type++) {
      entry(r, at, (good & ~0x38) | (type << 3));
      const { outcome } = exitOf(r, READ);
      if ([0, 1, 4, 5, 6].includes(type)) assert.type(outcome, "number", `${what} type ${type}`);
      else assert.is(outcome, "exit 49", `${what} type ${type}`);
    }
  }
});
test("a misconfiguration further down comes before what an upper entry refuses", () => {
  const r = guest();
  entry(r, GUEST_LEAF, (0x200000 + GUEST_PHYSICAL) | 0x67);
  entry(r, EPT_TABLE[2] + 8, EPT_TABLE[1] | 1);
  assert.is(exitOf(r, WRITE).outcome, "exit 48");
  withRights(r, EPT_LEAF, 2);
  assert.is(exitOf(r, WRITE).outcome, "exit 49");
});
test("pages of 4 KiB, 2 MiB and 1 GiB of EPT under pages of each size of the guest", () => {
  const LARGE = { 1: 0, 2: 0x80, 3: 0x80 } as const;
  for (const guestLevel of [1, 2, 3] as const)
    for (const level of [1, 2, 3] as const) {
      const r = guest(),
        linear = 0x5123;
      const at = OFFSET + GUEST_TABLE[guestLevel] + (guestLevel === 1 ? 8 * 5 : 0);
      // Guest-physical 40000000h and up, except that the guest's own tables stay where they are.
      const target = 0x40000000 + (guestLevel === 1 ? 0x5000 : 0);
      entry(r, EPT_TABLE[3] + 8, level === 3 ? LARGE_PAGE | RWX | WRITE_BACK : 0x14000 | RWX);
      entry(r, 0x14000, level === 2 ? 0x400000 | LARGE_PAGE | RWX | WRITE_BACK : 0x15000 | RWX);
      entry(r, 0x15000 + 8 * 5, 0x345000 | RWX | WRITE_BACK);
      entry(r, at, target | 0x67 | LARGE[guestLevel]);
      const expected = { 1: 0x345123, 2: 0x405123, 3: 0x5123 }[level];
      assert.is(reachAnew(r, READ, linear), expected, `guest ${guestLevel}, EPT ${level}`);
      assert.is(r.cpu.linearToPhysical(linear), expected);
      // INVLPG anywhere in the guest's page.
      if (guestLevel > 1) {
        entry(r, at, 0);
        assert.is(reach(r, READ, linear), expected);
        r.p.access.tlb.invalidate(guestLevel === 2 ? 0x1ff000 : 0x3ffff000);
        assert.is(reach(r, READ, linear), "PF 0");
      }
    }
});

// ---- accesses to the guest's paging structures ----

const tableEntry = (level: number) => GUEST_TABLE[level]! + (level === 1 ? 8 * 5 : 0);
const eptOf = (guestPhysical: number) => EPT_TABLE[1] + 8 * (guestPhysical >> 12);

test("a paging structure that EPT does not map: read, or read and write with A and D; not the linear address's own", () => {
  for (const marks of [false, true])
    for (const level of [4, 3, 2, 1])
      for (const access of ACCESSES)
        for (const rights of [0, 4]) {
          const r = guest({ marks });
          withRights(r, eptOf(GUEST_TABLE[level]!), rights);
          const { outcome, qualification, guestPhysical, guestLinear } = exitOf(r, access, LINEAR + 8);
          assert.is(outcome, "exit 48");
          assert.is(qualification, (marks ? 3 : 1) | (rights << 3) | LINEAR_VALID, `level ${level}`);
          assert.equal([guestPhysical, guestLinear], [tableEntry(level), LINEAR + 8]);
        }
});
test("a paging structure that cannot be written: only where the guest's flags are to be set, or always with A and D", () => {
  for (const marks of [false, true])
    for (const level of [4, 3, 2, 1])
      for (const flags of [0, 0x20, 0x60])
        for (const access of ACCESSES) {
          const r = guest({ marks }),
            at = OFFSET + tableEntry(level),
            why = `level ${level}, flags ${flags}, ${NAMES[access]}`;
          entry(r, at, (read(r, at) & ~0x60) | flags);
          withRights(r, eptOf(GUEST_TABLE[level]!), 5);
          const sets = flags === 0 || (flags === 0x20 && level === 1 && access === WRITE);
          const { outcome, qualification, guestPhysical } = exitOf(r, access);
          if (marks || sets) {
            assert.is(outcome, "exit 48", why);
            assert.is(qualification, 3 | (5 << 3) | LINEAR_VALID, why);
            assert.is(guestPhysical, tableEntry(level), why);
            assert.is(read(r, at) & 0x60, flags);
          } else assert.is(outcome, OFFSET + GUEST_PHYSICAL, why);
        }
});
test("with A and D the pages of paging structures become dirty as they are read", () => {
  const r = guest({ marks: true });
  reach(r, READ);
  for (const level of [4, 3, 2, 1]) assert.is(read(r, eptOf(GUEST_TABLE[level]!)) & (A | D), A | D);
  assert.is(read(r, EPT_LEAF) & (A | D), A);
});
test("an entry above 2 GiB whose flags are set is not written", () => {
  const r = guest();
  entry(r, EPT_TABLE[3] + 8 * 2, EPT_TABLE[2] | RWX); // guest-physical 80000000h is as 0
  for (const level of [4, 3, 2]) entry(r, OFFSET + GUEST_TABLE[level]!, (0x80000000 + GUEST_TABLE[level - 1]!) | 0x67);
  entry(r, GUEST_LEAF, (0x80000000 + GUEST_PHYSICAL) | 0x67);
  for (const level of [4, 3, 2, 1]) withRights(r, eptOf(GUEST_TABLE[level]!), 1);
  assert.is(reachAnew(r, WRITE), OFFSET + GUEST_PHYSICAL);
});

// ---- which comes first [SDM 3C 28.2.3.3] ----

test("the guest's own page fault comes before what EPT says of the page, whatever that is", () => {
  for (const rights of [0, 1, 2]) {
    const r = guest();
    withRights(r, EPT_LEAF, rights);
    entry(r, GUEST_LEAF, 0);
    assert.is(exitOf(r, READ).outcome, "PF 0");
    entry(r, GUEST_LEAF, GUEST_PHYSICAL | 1);
    setCpl(r, 3);
    assert.is(exitOf(r, WRITE).outcome, "PF 7");
    entry(r, GUEST_LEAF, GUEST_PHYSICAL | 0x67, 0x80000000);
    assert.is(exitOf(r, EXECUTE).outcome, "PF 21");
    entry(r, GUEST_LEAF, GUEST_PHYSICAL | 0x67, 0x100);
    assert.is(exitOf(r, READ).outcome, "PF 13");
  }
});
test("a structure that EPT refuses comes before a page fault of an entry further down, and after one further up", () => {
  for (const level of [3, 2, 1]) {
    const r = guest();
    withRights(r, eptOf(GUEST_TABLE[level]!), 0);
    entry(r, GUEST_LEAF, 0);
    assert.is(exitOf(r, READ).outcome, "exit 48");
    entry(r, OFFSET + tableEntry(level + 1), 0);
    assert.is(exitOf(r, READ).outcome, "PF 0");
  }
});
test("an access across two pages names the page that is refused, and nothing is written", () => {
  const r = guest();
  entry(r, GUEST_LEAF + 8, 0x8000 | 0x67);
  withRights(r, EPT_LEAF + 8, 5);
  r.p.setNumber(S.ARG0, -1);
  assert.is(r.p.access.store(LINEAR + 0xffe, 4, S.ARG0), false);
  const { exit } = r.p.vmx;
  assert.equal([exit.reason, exit.guestPhysical, exit.guestLinear], [48, 0x8000, 0x6000]);
  assert.is(read(r, OFFSET + GUEST_PHYSICAL + 0xffc), 0);
});
test("the cost model hears of every entry that a walk reads: 24 of them for 4 levels by 4", () => {
  const r = guest();
  let steps = 0;
  r.p.access.onWalk = (n) => {
    steps = n;
  };
  reach(r, READ);
  assert.is(steps, 24);
  r.p.access.nested = null;
  entry(r, GUEST_TABLE[4], 0);
  reachAnew(r, READ);
  assert.is(steps, 1);
});
test.run();
