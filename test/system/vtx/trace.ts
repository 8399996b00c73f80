/**
 * Small hypervisors on the whole PC, by the command line with --trace and --json: the trace must be one that Perfetto can
 * show, and say as often as the report, and as the program, what happened.
 */
import * as assert from "node:assert";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { main } from "../../../packages/cli/src/main.ts";
import { assemble, outputOf, readProgram, VTX_PROGRAMS } from "../program.ts";

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly tid: number;
  readonly ts: number;
  readonly args: Record<string, string | number>;
}

/** Slices by name, after a check that they nest, that the events are in order, and that each has what Perfetto asks for. */
export function countSlices(events: readonly TraceEvent[]): Map<string, number> {
  const open = new Map<number, string[]>(),
    counts = new Map<string, number>();
  let last = 0;
  for (const { name, ph, tid, ts } of events) {
    if (ph === "M") {
      open.set(tid, []);
      continue;
    }
    const stack = open.get(tid);
    assert.ok(stack !== undefined, `${name}: track ${tid} has no name`);
    assert.ok(ts >= last, `${name} at ${ts} µs comes after ${last} µs`);
    last = ts;
    if (ph === "B") stack.push(name);
    else if (ph === "E") {
      assert.strictEqual(stack.pop(), name, `what ends at ${ts} µs`);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    } else assert.strictEqual(ph, "i");
  }
  for (const [track, stack] of open) assert.deepStrictEqual(stack, [], `track ${track} is left open`);
  return counts;
}

/** Boots the program's image in place of the BIOS. */
async function bootTraced(program: string, folder: string) {
  const { expected, cpus } = readProgram(VTX_PROGRAMS, program),
    path = (name: string) => join(folder, name);
  mkdirSync(path("seabios"), { recursive: true });
  writeFileSync(path("seabios/bios.bin"), readFileSync(assemble(VTX_PROGRAMS, program)));
  writeFileSync(path("disk.img"), new Uint8Array(512));
  const err = new PassThrough(),
    printed: Buffer[] = [];
  err.on("data", (bytes: Buffer) => printed.push(bytes));
  const machine = ["--model", "skylake", "--memory", "4MiB", "--no-display", "--cpus", String(cpus)],
    files = ["--json", path("report.json"), "--trace", path("vmx.json")];
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: err };
  await main(
    ["boot", path("disk.img"), "--plain", "--log", "debug", "--at-most", "30ms", ...machine, ...files],
    pathToFileURL(`${folder}/`),
    streams as unknown as Parameters<typeof main>[2],
  );
  const read = (name: string) => JSON.parse(readFileSync(path(name), "utf8"));
  const events: TraceEvent[] = read("vmx.json");
  assert.deepStrictEqual(outputOf(Buffer.concat(printed).toString("latin1")), expected);
  return { expected, events, slices: countSlices(events), report: read("report.json") };
}

/** @returns what was seen, for people */
export async function systemTrace(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "castaway-trace-"));
  try {
    const violations = await bootTraced("ept-violations", folder);
    const { total, byReason } = violations.report.vmExits;
    for (const [reason, count] of Object.entries(byReason))
      assert.strictEqual(violations.slices.get(reason), count, reason);
    assert.strictEqual(violations.slices.get("guest"), total);
    assert.strictEqual(violations.slices.get("VMX operation"), 1);
    assert.ok(violations.expected.filter((line) => line.includes(": ept_violation")).length <= byReason.eptViolation);

    const refused = await bootTraced("entry-refused", folder);
    const rules = refused.events.filter(({ name }) => name === "VM entry refused").map(({ args }) => args["rule"]);
    assert.strictEqual(rules.length, refused.expected.filter((line) => / VMfail [78]$/.test(line)).length);
    assert.ok(rules.every((rule) => typeof rule === "string"));
    return `${violations.events.length + refused.events.length} events, ${total} exits, ${rules.length} entries refused`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
