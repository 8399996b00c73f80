/** What the VMM's image may take: these are promises (docs/extensions.md), and extensions live in what is left. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LINEAR_BYTES } from "../../packages/vmm/compiler/layout.ts";
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

test("no stack overflows: the worst case, calls by pointer and an exception at the deepest point included", () => {
  const { first, others } = image.stacks;
  assert.ok(image.symbol("vectors").stack > 0 && first.used > 1000 && others.used > 500);
  for (const { used, room } of [first, others]) assert.ok(used <= room, `${used} of ${room}`);
  assert.equal([first.room, others.room], [65536, 16384]);
  assert.is(constant("core/start-processors.ts", "STACK_BYTES"), others.room);
});

test.run();
