/** docs/extensions.md: its example compiles as it stands there, and does what the page says. */
import { readFileSync } from "node:fs";
import { compileSources } from "@castaway/vmm/compiler";
import { buildVmm } from "@castaway/vmm/host";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../../packages/vmm/guest/rig/machine.test-support.ts";
import { vmmSources } from "../../scripts/vmm.ts";

const test = suite("docs/extensions.md");
const page = readFileSync("docs/extensions.md", "utf8");
const examples = [...page.matchAll(/^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map(
  ([, name, text]) => [name!, text!] as const,
);
const sources = vmmSources();

test("the example is compiled with the hypervisor, within its limits", async () => {
  assert.equal(
    examples.map(([name]) => name),
    ["tell-tale.ts"],
  );
  const image = await buildVmm({ sources, extensions: Object.fromEntries(examples) });
  assert.ok(image.lines.some(({ file }) => file === "extensions/tell-tale.ts"));
  assert.ok(image.bytes.length <= 256 * 1024);
});

test("the example answers CPUID, and logs what is written to its ports", async () => {
  const entry = `
import { startExtensions } from "./api/extension.ts";
import { CpuidAnswer, Registry } from "./api/index.ts";
import "./extensions/tell-tale.ts";
const registry = new Registry();
export function start(): void { startExtensions(registry); }
export function cpuid(leaf: u32): u32 {
  const answer = changetype<CpuidAnswer>(heap.alloc(offsetof<CpuidAnswer>()));
  answer.ebx = 1;
  registry.answerCpuid(leaf, 0, answer);
  return answer.ebx;
}
export function write(port: u32, value: u32): void { registry.portAt(port)!.write(port, 1, value); }
export function leave(): void { registry.leave(); }
`;
  const placed = Object.fromEntries(examples.map(([name, text]) => [`extensions/${name}`, text]));
  const { wasm } = await compileSources({ ...sources, ...placed, "page.ts": entry }, ["page.ts"]);
  const machine = new Machine(),
    written: number[] = [];
  machine.map("io", 0xb2, 2, { read: () => 0, write: (_, __, value) => void written.push(value) });
  machine.after(5_000_000);
  const vmm = machine.load<{
    start(): void;
    cpuid(leaf: number): number;
    write(port: number, value: number): void;
    leave(): void;
  }>(new WebAssembly.Module(new Uint8Array(wasm)));
  vmm.start();
  assert.equal([vmm.cpuid(0x40000000), vmm.cpuid(2)], [0x74736163, 1]);
  vmm.write(0xb3, 0xf1);
  vmm.leave();
  assert.equal(written, [0xf1]);
  assert.is(machine.log, "port b3 gets f1 at 5 ms\nnothing is told from here on\n");
});

test("what the page names is in the API", () => {
  const [registry, api] = ["api/registry.ts", "api/index.ts"].map((file) => sources[file]!);
  const named = [...page.matchAll(/^\| `(\w+)[(`]/gm)].map(([, name]) => name!);
  assert.ok(named.length >= 10);
  for (const name of named) assert.match(registry!, new RegExp(`^  ${name}[(:]`, "m"));
  for (const [, name] of page.matchAll(/\| `([A-Z]\w+)`: /g)) assert.match(api!, new RegExp(`\\b${name}\\b`));
});

test.run();
