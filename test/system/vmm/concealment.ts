/**
 * What a guest sees of the machine: bare, in a virtual machine, and when the hypervisor has gone. The differences are those of
 * docs/concealment.md, each of them and no others.
 */
import assert from "node:assert/strict";
import { mib, ms, seconds } from "@castaway/kit";
import type { Laboratory } from "castaway";
import { laboratory } from "./deployment.ts";
import { programImage } from "./programs.ts";

/** Long enough for the guest to look around while nothing is copied. */
const IDLE = ms(500);
/** iPXE loads the same files in the same way, but leaves without starting the hypervisor. */
const WITHOUT_HYPERVISOR = "\nimgfree\nexit";

/** Names of what was seen, and values. */
type Sight = ReadonlyMap<string, string>;
/** A line of docs/concealment.md. */
interface Difference {
  readonly what: string;
  readonly names: RegExp;
  readonly bare?: RegExp;
  /** "-": not there. */
  readonly seen?: RegExp;
}

/** What runs by itself. */
const time: Difference = { what: "the time-stamp counter", names: /^msr\.10$/ };
const memory: Difference[] = [
  { what: "INT 15h, E820", names: /^e820\./ },
  { what: "INT 15h, E801 and 88h", names: /^(e801\.bx|88h)$/ },
  { what: "INT 12h", names: /^12h$/, bare: /^27f$/, seen: /^270$/ },
];
const disk: Difference[] = [
  { what: "the disk's size in CHS", names: /^identify\.(1|36|39|3a)$/ },
  { what: "the disk's sectors", names: /^identify\.(3c|3d|64|65)$/ },
  { what: "IDENTIFY's checksum", names: /^identify\.ff$/ },
];
const virtualDifferences: readonly Difference[] = [
  ...[time, ...memory, ...disk],
  { what: "IA32_FEATURE_CONTROL", names: /^msr\.3a$/, bare: /^0,0$/, seen: /^0,1$/ },
  { what: "the deployment card", names: /^pci\.18\./, seen: /^-$/ },
];
const laterDifferences: readonly Difference[] = [
  ...[time, ...memory, ...disk],
  { what: "IA32_FEATURE_CONTROL", names: /^msr\.3a$/, bare: /^0,0$/, seen: /^0,5$/ },
  { what: "the deployment card's command", names: /^pci\.18\.4$/, bare: /^107$/, seen: /^503$/ },
];

export async function concealsItself(): Promise<string> {
  const image = programImage("concealment", mib(1));
  const bare = await laboratory({ image, memory: "64MiB", commandLine: WITHOUT_HYPERVISOR, oracle: false });
  const lab = await laboratory({ image, memory: "64MiB", commandLine: { idle: IDLE } });
  bare.disk.write(0, image);
  for (const one of [bare, lab]) runTo(one, "READY\n");
  const first = [look(bare), look(lab)] as const;
  assert.equal(lab.phase, "streaming");
  lab.run({ until: lab.reaches("bare"), atMost: seconds(20) });
  assert.equal(lab.phase, "bare");
  lab.run({ atMost: ms(100) });
  const second = [look(bare), look(lab)] as const;
  const during = compare(...first, virtualDifferences, "in the virtual machine");
  const after = compare(...second, laterDifferences, "after the hypervisor");
  assert.equal(lab.observer.exitsAfter, 0);
  return `${first[0].size} things seen, ${during} differ in the virtual machine, ${after} after it`;
}

function runTo(lab: Laboratory, text: string): void {
  const shown = lab.machine.com1.shows(text);
  lab.run({ until: shown, atMost: seconds(30) });
  assert.ok(shown.seen, `no "${text.trim()}" from the guest: ${lab.machine.com1.text.slice(-200)}`);
}

function look(lab: Laboratory): Sight {
  const { com1 } = lab.machine;
  com1.type("x");
  runTo(lab, "END\n");
  const text = com1.text.slice(com1.text.lastIndexOf("BEGIN\n"));
  const lines = text.trim().split("\n").slice(1, -1);
  return new Map(lines.map((line) => line.split(" ") as [string, string]));
}

/** @returns how many things differ */
function compare(bare: Sight, seen: Sight, documented: readonly Difference[], when: string): number {
  const names = new Set([...bare.keys(), ...seen.keys()]);
  const differing = [...names].filter((name) => bare.get(name) !== seen.get(name));
  const found = new Set<Difference>();
  for (const name of differing) {
    const [was, is] = [bare.get(name) ?? "-", seen.get(name) ?? "-"];
    const difference = documented.find(
      (one) => one.names.test(name) && (one.bare ?? /./).test(was) && (one.seen ?? /./).test(is),
    );
    assert.ok(difference, `${name} is ${is} ${when}, ${was} bare: not documented`);
    found.add(difference);
  }
  for (const one of documented) assert.ok(found.has(one), `${one.what}: documented, but nothing differs ${when}`);
  compareMemory(memoryOf(bare), memoryOf(seen), when);
  return differing.length;
}

interface Range {
  readonly first: number;
  readonly end: number;
  readonly type: number;
}
function memoryOf(sight: Sight): Range[] {
  const word = (text: string) => Number.parseInt(text, 16);
  const wide = (high: string, low: string) => word(high) * 2 ** 32 + word(low);
  return [...sight].flatMap(([name, value]) => {
    const [key, ...first] = name.split(".");
    const [high, low, type] = value.split(",");
    const from = wide(first[0]!, first[1]!);
    return key === "e820" ? [{ first: from, end: from + wide(high!, low!), type: word(type!) }] : [];
  });
}

/** The hypervisor's 16 MiB at the end of RAM, and what is from 9C000 on, are reserved; all else is as it was. */
function compareMemory(bare: readonly Range[], seen: readonly Range[], when: string): void {
  const hidden = seen.find(({ first, end, type }) => type === 2 && end - first === mib(16))!;
  assert.ok(hidden, `no 16 MiB are reserved ${when}`);
  const reserved = [hidden, { first: 0x9c000, end: 0xa0000, type: 2 }];
  const typeIn = (map: readonly Range[], at: number) => map.find(({ first, end }) => first <= at && at < end)?.type;
  const edges = new Set([...bare, ...seen, ...reserved].flatMap(({ first, end }) => [first, end]));
  for (const at of edges) {
    const expected = typeIn(reserved, at) ?? typeIn(bare, at);
    assert.equal(typeIn(seen, at), expected, `the type of memory at ${at.toString(16)} ${when}`);
  }
}
