/**
 * A guest that wants to read, change or run the hypervisor, by its processor and by the disk controller, learns nothing and
 * changes nothing, and the deployment goes on; see programs/attacks.c.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mib, ms, seconds } from "@castaway/kit";
import type { Laboratory } from "castaway";
import { vmmImage } from "../../../scripts/vmm.ts";
import { laboratory } from "./deployment.ts";
import { programImage } from "./programs.ts";

/** Nothing is copied while the guest is at it. */
const IDLE = ms(1500);
/** Where the image's code is in the hypervisor's memory: compiler/layout.ts. */
const CODE = 0x100000;

/** What comes of it: nothing special, or the vector of an exception and 1, here of #GP. */
const DONE = /^0$/;
const GP = /^e$/;
/** Instructions that are not carried out at its memory, and in the controller's registers. The others are. */
const NOT_AT_MEMORY = /^(SSE|x87|FXSAVE|descriptor table)$/;
const NOT_AT_REGISTERS = /^(SSE|x87|8 bytes|multiplication|shift|jump by it|run it|run across|descriptor|task switch)/;
/** PxTFD of commands that would use its memory: the drive fails them. With its memory for received FISs they are carried out. */
const FAILED = /^(451|1051)$/;
const CARRIED_OUT = /^10050$/;

/** The guest's orders, and what is to come of what it tries. */
const kinds: readonly (readonly [string, (name: string) => RegExp])[] = [
  ["m", (name) => (NOT_AT_MEMORY.test(name) ? GP : DONE)],
  ["o", (name) => (NOT_AT_REGISTERS.test(name) ? GP : DONE)],
  ["p", (name) => (name === "the local APIC" ? GP : DONE)],
  ["d", (name) => (name.startsWith("bits") ? DONE : name.endsWith("received FIS") ? CARRIED_OUT : FAILED)],
];

export async function standsAttacks(): Promise<string> {
  const lab = await laboratory({
    image: programImage("attacks", mib(1)),
    memory: "64MiB",
    commandLine: { idle: IDLE },
  });
  const { debugLog } = lab.machine;
  runTo(lab, "READY\n");
  const base = Number.parseInt(ask(lab, "?").get("hidden")!, 16);
  const { size } = await vmmImage();
  const code = () => sha256(lab.machine.board.cpu.read(base + CODE, size.code + size.stubs));
  const before = code();
  let trials = 0;
  for (const [key, expected] of kinds) {
    for (const [name, came] of ask(lab, key)) {
      assert.match(came, expected(name), name);
      trials++;
    }
  }
  assert.equal(lab.phase, "streaming");
  assert.equal(code(), before, "its code has changed");
  assert.doesNotMatch(debugLog.text, /panic|unexpected|interrupt /);
  for (const [key, why] of resets) reset(lab, key, why);
  lab.run({ until: lab.reaches("bare"), atMost: seconds(20) });
  assert.equal(lab.phase, "bare");
  followed(lab);
  return `${trials} trials, ${resets.length} resets; ${lab.observer.exits.eptViolation} EPT violations`;
}

/** What ends a machine without a hypervisor too, or what nobody emulates: event delivery into its memory or into registers. */
const resets: readonly (readonly [string, RegExp])[] = [
  ["s", /reset: a double fault cannot be delivered/],
  ["h", /reset: a double fault cannot be delivered/],
  ["a", /reset: /],
  ["c", /reset: the guest's processor shuts down/],
  ["t", /reset: the guest's processor shuts down/],
];
function reset(lab: Laboratory, key: string, why: RegExp): void {
  const from = lab.machine.debugLog.length;
  lab.machine.com1.type(key);
  runTo(lab, "READY\n");
  assert.match(lab.machine.debugLog.text.slice(from - lab.machine.debugLog.length), why);
  assert.equal(lab.phase, "streaming");
}

/** The disk is right. The guest has used registers with instructions that the oracle does not follow: where nothing is. */
function followed(lab: Laboratory): void {
  const wrong = lab.oracle!.findings.filter(({ kind }) => kind !== "unfollowed");
  assert.deepEqual(
    wrong.map(({ message }) => message),
    [],
  );
  const { differences, firstDifference } = lab.verify()!;
  assert.equal(differences, 0, firstDifference?.message);
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

function runTo(lab: Laboratory, text: string): void {
  const { com1, debugLog } = lab.machine;
  const shown = com1.shows(text);
  lab.run({ until: shown, atMost: seconds(30) });
  const said = () => `${com1.text.slice(-200)}\n${debugLog.text.slice(-200)}`;
  assert.ok(shown.seen, `no "${text.trim()}" from the guest: ${said()}`);
}
/** Lets the guest do a kind of things. @returns what it says came of each */
function ask(lab: Laboratory, key: string): Map<string, string> {
  const { com1 } = lab.machine;
  const from = com1.length;
  com1.type(key);
  runTo(lab, "DONE\n");
  const lines = com1.text
    .slice(from - com1.length)
    .trim()
    .split("\n")
    .slice(0, -1);
  let group = "";
  const said = new Map<string, string>();
  for (const line of lines) {
    const [name, came] = line.split(": ");
    if (came === undefined) group = `${line}: `;
    else said.set((line.startsWith(" ") ? group : "") + name!.trim(), came);
  }
  return said;
}
