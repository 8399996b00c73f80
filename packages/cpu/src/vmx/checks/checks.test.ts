import { Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CONTROLS } from "../controls.ts";
import { F, FIELD_NAMES } from "../fields.ts";
import { REVISION } from "../vmcs.ts";
import { BASES, type Case, type Change, LONG, randomValue, Subject } from "./base.test-support.ts";
import { GROUPS, ROWS } from "./checks.ts";
import { CONTROL_EDGES, HOST_EDGES } from "./edges-controls.test-support.ts";
import { GUEST_EDGES } from "./edges-guest.test-support.ts";
import { View } from "./view.ts";

const EDGES: readonly Case[] = [...CONTROL_EDGES, ...HOST_EDGES, ...GUEST_EDGES];
const idOf = ({ cite, rule }: { cite: string; rule: string }) => `[${cite}] ${rule}`;

const bases = suite("VM entry: machines that pass");
for (const [name, base] of Object.entries(BASES)) {
  bases(name, () => assert.is(new Subject().become(base).refusal(), null));
}
bases.run();

const edges = suite("VM entry: each rule at its edge and one beyond");
/** Cases by rule, so that each has its line in a report. */
const byRule = new Map<string, Case[]>();
for (const edge of EDGES) byRule.set(idOf(edge), [...(byRule.get(idOf(edge)) ?? []), edge]);
const rows = new Map(ROWS.map((row) => [idOf(row), row]));
const show = (change: Change) => JSON.stringify(change, (_, v) => (typeof v === "bigint" ? `0x${v.toString(16)}` : v));
for (const [id, cases] of byRule) {
  edges(id, () => {
    for (const { base, given, bad, good, qualification } of cases) {
      const legal = new Subject().become(base, given, good).refusal();
      assert.is(legal && idOf(legal), null, `legal: ${show(given)} ${show(good)}`);
      const illegal = new Subject().become(base, given, bad).refusal();
      assert.is(illegal && idOf(illegal), id, `illegal: ${show(given)} ${show(bad)}`);
      assert.is(illegal!.qualification, qualification);
    }
  });
}
edges("every row is made to fail, and every case has its row", () => {
  const all = ROWS.map(idOf);
  assert.is(new Set(all).size, all.length, "no two rows say the same");
  assert.equal(
    all.filter((id) => !byRule.has(id)),
    [],
  );
  assert.equal(
    [...byRule.keys()].filter((id) => !rows.has(id)),
    [],
  );
});
edges.run();

const memory = suite("VM entry: what checks remember");
/** Random machines near those that pass: changes from the cases, and fields of random values. */
function randomChange(random: Random): Change {
  const edge = random.pick(EDGES);
  const kinds: (() => Change)[] = [
    () => edge.bad,
    () => edge.good,
    () => edge.given,
    () => ({ ...edge.given, ...edge.good }),
    () => ({ [random.pick(FIELD_NAMES)]: randomValue(random) }),
    () => ({ on: [random.pick(CONTROLS).name] }),
    () => ({ ia32e: random.below(2) === 0, current: random.pick([0x5000, 0x8000]) }),
  ];
  return random.pick(kinds)();
}
memory("remembered verdicts are those of checks that remember nothing; nothing throws", () => {
  const random = new Random("checks of VM entry"),
    subject = new Subject(),
    refused = new Set<string | null>();
  for (let i = 0; i < 2500; i++) {
    const changes = Array.from({ length: random.below(4) }, () => randomChange(random));
    subject.become(random.pick(Object.values(BASES)), ...changes);
    const row = subject.refusal();
    assert.is(row, subject.freshRefusal(), show(Object.assign({}, ...changes)));
    refused.add(row && idOf(row));
  }
  assert.ok(refused.has(null));
  assert.ok(refused.size > rows.size / 2, `${refused.size} verdicts`);
});
memory("random contents never throw", () => {
  const random = new Random("random VMCS"),
    subject = new Subject();
  for (let i = 0; i < 300; i++) {
    const change: Change = {};
    for (const name of FIELD_NAMES) if (random.below(3) > 0) change[name] = randomValue(random);
    subject.become(change);
    const view = new View(new Subject().become(change));
    view.gather();
    for (const row of ROWS) row.ok(view);
    assert.is(subject.refusal(), subject.freshRefusal());
  }
});
memory("what refused once refuses until it is mended", () => {
  const subject = new Subject().become(LONG, { HOST_CS_SELECTOR: 0 });
  for (let i = 0; i < 3; i++) assert.is(subject.refusal()!.rule, "the selector of CS must not be 0000H");
  assert.is(subject.become(LONG).refusal(), null);
});
memory("memory and the current-VMCS pointer change unseen, and are read at each entry", () => {
  const subject = new Subject().become(LONG, {
    on: ["use TPR shadow"],
    VIRTUAL_APIC_ADDRESS: 0x8000,
    TPR_THRESHOLD: 2,
    memory: { 32896: 0x20 },
  });
  assert.is(subject.refusal(), null);
  subject.words = { 32896: 0x10 };
  assert.is(subject.refusal()!.cite, "SDM 3C 26.2.1.1");
  subject.words = { 32896: 0x20 };
  assert.is(subject.refusal(), null);
  subject.become(LONG, { VMCS_LINK_POINTER: 0x8000, memory: { 32768: REVISION } });
  assert.is(subject.refusal(), null);
  subject.vmx.currentPointer = 0x8000;
  assert.is(subject.refusal()!.qualification, 4);
  subject.become(LONG).ia32e = false;
  assert.is(subject.refusal()!.cite, "SDM 3C 26.2.4");
});
memory("a field concerns only the groups that read it", () => {
  const subject = new Subject().become(LONG),
    view = new View(subject);
  view.gather();
  GROUPS.forEach(({ blocks }, n) => {
    view.begin(1 << n);
    for (const { when, rows } of blocks) if (when(view)) for (const row of rows) assert.ok(row.ok(view));
  });
  const concerned = (change: () => void) => {
    change();
    const bits = view.gather();
    return GROUPS.filter((_, n) => bits & (1 << n)).map(({ name }) => name);
  };
  const { vmcs } = subject;
  assert.equal(
    concerned(() => {}),
    [],
  );
  assert.equal(
    concerned(() => vmcs.setNumber(F.GUEST_RIP, 4)),
    ["guest RIP"],
  );
  assert.equal(
    concerned(() => vmcs.setNumber(F.GUEST_RSP, 4)),
    [],
  );
  assert.equal(
    concerned(() => vmcs.set32(F.GUEST_RFLAGS, 0x246)),
    ["upper half of guest RFLAGS"],
    "arithmetic flags",
  );
  assert.equal(
    concerned(() => vmcs.set32(F.PRIMARY_CONTROLS, vmcs.low(F.PRIMARY_CONTROLS) | 4)),
    ["VM-execution controls", "pages of VM-execution controls", "TPR shadow"],
    "interrupt-window exiting",
  );
  assert.ok(GROUPS.length <= 32, "each group has a bit of its own");
});
memory.run();
