/** What the VMM's image may take: these are promises (docs/extensions.md), and extensions live in what is left. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LINEAR_BYTES, STACK_BOTTOM, STACK_TOP } from "../../packages/vmm/compiler/layout.ts";
import { vmmImage } from "../../scripts/vmm.ts";

const test = suite("VMM limits");
const image = await vmmImage();
/** A constant of a guest source. */
const constant = (file: string, name: string) =>
  Number(new RegExp(`${name}: \\w+ = (\\w+);`).exec(readFileSync(`packages/vmm/guest/${file}`, "utf8"))?.[1]);

test("the image has 256 KiB at most, and its memory 16 MiB", () => {
  assert.ok(image.bytes.length <= 256 * 1024, `${image.bytes.length} bytes`);
  assert.is(LINEAR_BYTES, 16 * 1024 * 1024);
  assert.is(constant("core/hypervisor.ts", "HIDDEN_BYTES"), LINEAR_BYTES);
});

test("no stack overflows: the worst case of each way in, calls by pointer and an exception at the deepest point included", () => {
  const stack = (name: string) => image.symbol(name).stack,
    exception = stack("vectors");
  assert.ok(exception > 0 && stack("boot") > 1000 && stack("apStart") > 500);
  assert.ok(stack("boot") + exception <= STACK_TOP - STACK_BOTTOM, `${stack("boot")} bytes`);
  assert.ok(
    stack("apStart") + exception <= constant("core/start-processors.ts", "STACK_BYTES"),
    `${stack("apStart")} bytes`,
  );
});

test.run();
