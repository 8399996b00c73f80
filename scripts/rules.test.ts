import { test } from "uvu";
import * as assert from "uvu/assert";
import { findingsIn, layerOf } from "./rules.ts";

const rulesOf = (file: string, text: string) => findingsIn(file, text).map(({ line, rule }) => `${line} ${rule}`);
const device = "packages/devices/src/pit.ts";

test("a file belongs to the longest folder of the table", () => {
  assert.is(layerOf("packages/vmm/guest/main.ts"), "packages/vmm/guest");
  assert.is(layerOf("packages/kit/src/a/b.ts"), "packages/kit");
  assert.is(layerOf("README.md"), undefined);
});

test("import directions follow the diagram", () => {
  assert.equal(rulesOf(device, 'import { Clock } from "@castaway/kit";'), []);
  assert.equal(rulesOf(device, '\nimport { Cpu } from "@castaway/cpu";'), ["2 import-direction"]);
  assert.equal(rulesOf(device, 'export * from "@castaway/net";'), ["1 import-direction"]);
  assert.equal(rulesOf(device, 'type C = import("@castaway/cpu").Cpu;'), ["1 import-direction"]);
  assert.equal(rulesOf("packages/kit/src/a.ts", 'const x = await import("@castaway/cpu");'), ["1 import-direction"]);
  assert.equal(rulesOf("packages/cli/src/a.ts", 'import { Machine } from "castaway";'), []);
  assert.equal(rulesOf("packages/web/src/a.ts", 'import { createRemote } from "castaway/remote";'), []);
  assert.equal(rulesOf("packages/web/src/a.ts", 'import { ms } from "@castaway/kit";'), ["1 import-direction"]);
  assert.equal(rulesOf("packages/machine/src/a.ts", 'import { a } from "castaway/remote";'), ["1 import-by-name"]);
  assert.equal(rulesOf("packages/machine/src/a.ts", 'import { build } from "@castaway/vmm/host";'), []);
  assert.equal(rulesOf("test/a.ts", 'import { Cpu } from "@castaway/cpu";'), []);
  const guest = 'import { E1000 } from "@castaway/devices";';
  assert.equal(rulesOf("packages/vmm/guest/net/a.test.ts", guest), []);
  assert.equal(rulesOf("packages/vmm/guest/net/a.ts", guest), ["1 import-direction"]);
  assert.equal(rulesOf("packages/vmm/guest/net/a.test-entry.ts", guest), ["1 import-direction"]);
});

test("imports are spelled one way", () => {
  assert.equal(rulesOf(device, 'import { a } from "./a";'), ["1 import-extension"]);
  assert.equal(rulesOf(device, 'import { a } from "../../kit/src/a.ts";'), ["1 import-by-name"]);
  assert.equal(rulesOf(device, 'import { a } from "@castaway/devices";'), ["1 import-by-name"]);
  assert.equal(rulesOf("scripts/a.ts", 'import "fs";'), ["1 import-node-prefix"]);
});

test("only the table's npm packages, and no Node built-in", () => {
  assert.equal(rulesOf(device, 'import Long from "long";'), []);
  assert.equal(rulesOf(device, 'import _ from "lodash/map";'), ["1 import-npm"]);
  assert.equal(rulesOf(device, 'import { test } from "uvu";'), ["1 import-npm"]);
  assert.equal(rulesOf("packages/devices/src/pit.test.ts", 'import * as a from "uvu/assert";'), []);
  assert.equal(rulesOf(device, 'import { readFileSync } from "node:fs";'), ["1 no-node"]);
  assert.equal(rulesOf("packages/cli/src/a.ts", 'import { readFileSync } from "node:fs";'), []);
});

test("no host clock, timer or randomness", () => {
  assert.equal(rulesOf(device, "const t = Date.now();"), ["1 no-host-clock"]);
  assert.equal(rulesOf(device, "const t = new Date();"), ["1 no-host-clock"]);
  assert.equal(rulesOf(device, "performance.now();"), ["1 no-host-clock"]);
  assert.equal(rulesOf(device, "setTimeout(f, 1);"), ["1 no-host-timer"]);
  assert.equal(rulesOf(device, "Math.random();"), ["1 no-randomness"]);
  assert.equal(rulesOf(device, "globalThis.Date;"), ["1 no-global-this"]);
  assert.equal(rulesOf("packages/cli/src/a.ts", "Date.now();"), []);
  assert.equal(rulesOf("packages/web/src/a.ts", "performance.now();"), []);
  assert.equal(rulesOf("packages/devices/src/pit.test.ts", "Date.now();"), []);
});

test("a member that is merely called like a global is fine", () => {
  assert.equal(rulesOf(device, "const a = { Date: 1 }; a.Date; class B { performance() {} }"), []);
});

test("no arithmetic that depends on the engine", () => {
  assert.equal(rulesOf(device, "Math.sin(1);"), ["1 no-engine-dependence"]);
  assert.equal(rulesOf(device, "const { sin } = Math;"), ["1 no-engine-dependence"]);
  assert.equal(rulesOf(device, 'Math["sin"](1);'), ["1 no-engine-dependence"]);
  assert.equal(rulesOf(device, "const a = 2 ** n;"), ["1 no-engine-dependence"]);
  assert.equal(rulesOf(device, "const a = 10 ** 3;"), ["1 no-engine-dependence"]);
  assert.equal(rulesOf(device, "const a = 3 * 2 ** 32;"), []);
  assert.equal(rulesOf(device, "a **= 2;"), ["1 no-engine-dependence"]);
  assert.equal(rulesOf(device, "const a = 2n ** n, b = Math.imul(1, 2), c = Math.sqrt(2);"), []);
  assert.equal(rulesOf(device, "a.toLocaleString();"), ["1 no-engine-dependence"]);
});

test("no file over 600 lines", () => {
  assert.equal(rulesOf(device, "\n".repeat(600)), []);
  assert.equal(rulesOf(device, "\n".repeat(601)), ["601 file-length"]);
  assert.equal(rulesOf("docs/long.md", "\n".repeat(700)), []);
});

test("no path or registry of somebody's machine", () => {
  assert.equal(rulesOf("docs/a.md", `see /${"home"}/ann/castaway`), ["1 no-machine-path"]);
  assert.equal(rulesOf("docs/a.md", `see https://${"registry"}.example/uvu`), ["1 no-registry-host"]);
  assert.equal(findingsIn("a.md", "made in /opt/here", ["/opt/here"]).length, 1);
  assert.equal(rulesOf("docs/a.md", "see https://castaway.example/home/ann"), []);
});

test.run();
