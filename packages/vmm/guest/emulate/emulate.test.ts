import { Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Case, Pair, RAM } from "./pair.test-support.ts";
import { randomCase } from "./programs.test-support.ts";

const test = suite("vmm emulate");
const pair = await Pair.make();
const noise = (seed: string) => {
  const random = new Random(seed);
  return Uint8Array.from({ length: RAM }, () => random.below(256));
};

const show = (c: Case) =>
  `${c.mode} ${c.code
    .slice(0, -16)
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join(" ")}`;

test("random instructions do what the processor does", () => {
  const random = new Random("mmio"),
    ram = noise("ram"),
    outcomes: Record<string, number> = {};
  for (let i = 0; i < 3000; i++) {
    const c = randomCase(random),
      { difference, outcome } = pair.run(c, ram);
    assert.is(difference, "", `${i}: ${show(c)}`);
    const kind = outcome.split(" ")[0]!;
    outcomes[kind] = (outcomes[kind] ?? 0) + 1;
  }
  assert.ok(outcomes.done! > 2000, JSON.stringify(outcomes));
});

test.run();
