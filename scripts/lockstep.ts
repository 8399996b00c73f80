/**
 * `npm run lockstep -- [options]`: runs a guest here and in QEMU, and prints the first difference; see docs/lockstep.md.
 *
 *     npm run lockstep                                        the demo disk's first million instructions
 *     npm run lockstep -- --from 120000000 --count 50000      from that instruction on
 *     npm run lockstep -- --from 0x7c00                       from the first time that this linear address is executed
 *     npm run lockstep -- --from 0xffffffff81000000:3         from the third time
 *     npm run lockstep -- --disk debian.img --memory 512MiB   another guest
 *     npm run lockstep -- --every-instruction                 compares after each instruction, not at checkpoints: slower
 *     npm run lockstep -- --give 0xffffffff81034b51           QEMU is given the results of the instruction there
 *     npm run lockstep -- --break-instruction 1000            makes that one wrong, to try the tool
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import type { BlockDevice } from "@castaway/kit";
import { modelNames, StoreDisk } from "castaway";
import { FileStore } from "../packages/cli/src/files.ts";
import { available } from "../test/lockstep/qemu.ts";
import { difference, summary } from "../test/lockstep/report.ts";
import { type From, lockstep } from "../test/lockstep/run.ts";
import { demoImage, machine } from "../test/system/guests/machine.ts";

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "0" },
    count: { type: "string", default: "1000000" },
    disk: { type: "string" },
    memory: { type: "string", default: "128MiB" },
    model: { type: "string", default: modelNames[0]! },
    "every-instruction": { type: "boolean", default: false },
    "memory-every": { type: "string" },
    give: { type: "string", multiple: true, default: [] },
    "break-instruction": { type: "string" },
  },
});

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`lockstep: --${name} ${text}: a whole number, 0 or more`);
  process.exit(2);
}
/** Addresses of the upper half are negative numbers. */
function linear(name: string, text: string): number {
  if (/^0x[0-9a-f]{1,16}$/i.test(text)) return Number(BigInt.asIntN(64, BigInt(text)));
  console.error(`lockstep: --${name} ${text}: a linear address, like 0x7c00`);
  process.exit(2);
}
function place(text: string): From {
  if (!text.startsWith("0x")) return { kind: "instruction", retired: whole("from", text) };
  const [address, hits = "1"] = text.split(":");
  return { kind: "address", linear: linear("from", address!), hits: Math.max(1, whole("from", hits)) };
}
function disk(path: string | undefined): Uint8Array | BlockDevice {
  if (path === undefined) return demoImage();
  if (path.endsWith(".gz")) return new Uint8Array(gunzipSync(readFileSync(path)));
  return new StoreDisk(new FileStore(path, { readOnly: true }));
}

if (!available()) {
  console.error("lockstep: qemu-system-x86_64 is not installed, and apt-get could not install it");
  process.exit(2);
}
const medium = disk(values.disk);
const { "memory-every": memoryEvery, "break-instruction": broken } = values;
const outcome = lockstep({
  machine: () => machine(medium, { memory: values.memory, model: values.model }),
  from: place(values.from),
  count: whole("count", values.count),
  everyInstruction: values["every-instruction"],
  memoryEvery: memoryEvery === undefined ? undefined : whole("memory-every", memoryEvery),
  given: new Set(values.give.map((address) => linear("give", address))),
  sabotage: broken === undefined ? null : { at: whole("break-instruction", broken) },
  onProgress: ({ retired, compared, seconds }) =>
    console.log(`instruction ${retired}: ${compared} compared, ${Math.round(compared / seconds)} a second`),
});
console.log(summary(outcome));
if (outcome.divergence !== null) {
  const { retired } = outcome.divergence;
  console.log(`\n${difference(outcome, again(Math.max(0, retired - 1)))}`);
  outcome.session?.end();
}
process.exit(outcome.divergence === null ? 0 : 1);

/** The same run from just before the difference. */
function again(from: number): string {
  const kept = Object.entries(values).flatMap(([name, value]) => {
    if (["from", "count", "every-instruction"].includes(name) || value === undefined || value === false) return [];
    return [value].flat().map((text) => (text === true ? `--${name}` : `--${name} ${text}`));
  });
  return ["npm run lockstep -- --every-instruction", `--from ${from} --count 10`, ...kept].join(" ");
}
