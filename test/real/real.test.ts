/** A compiled C program on both executors: the right answers, and equal digests all the way. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Cpu } from "@castaway/cpu";
import { Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../../scripts/bundle.mjs";

const test = suite("a compiled program");
const program = new Uint8Array(readFileSync(join(root, "test/real/program.bin")));

function start(executor: "evaluator" | "interpreter"): { cpu: Cpu; printed: () => string } {
  let text = "";
  const ports = {
    read: () => 0xff,
    write: (port: number, _bytes: number, value: number) => {
      if (port === 0xe9) text += String.fromCharCode(value & 0xff);
    },
  };
  const cpu = new Cpu({ memory: "1MiB", executor, ports });
  cpu.write(0x10000, program);
  cpu.enter("long", 0x10000);
  cpu.set("RSP", 0x80000);
  return { cpu, printed: () => text };
}

const EXPECTED = [
  /^sorted /,
  /sha256\(abc\) ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad/,
  /tree [0-9a-f]{4} depth [0-9a-f]{2}/,
];

test("the interpreter computes what the program should: SHA-256 of abc is the standard's", () => {
  const { cpu, printed } = start("interpreter");
  assert.is(cpu.run({ instructions: 50_000_000 }).reason, "idle");
  for (const line of EXPECTED) assert.match(printed(), line);
});

test("evaluator and interpreter have equal digests after every 20,000 instructions", () => {
  const oracle = start("evaluator");
  const subject = start("interpreter");
  for (let n = 0; n < 25; n++) {
    oracle.cpu.run({ instructions: 20_000 });
    subject.cpu.run({ instructions: 20_000 });
    assert.is(subject.cpu.digest(), oracle.cpu.digest(), `after ${subject.cpu.retired} instructions`);
  }
});

test("saved and restored at ten random instants it ends in the same state and prints the same", () => {
  const straight = start("interpreter");
  straight.cpu.run({ instructions: 50_000_000 });
  const hopping = start("interpreter");
  const random = new Random(3);
  let { cpu } = hopping;
  for (let n = 0; n < 10; n++) {
    cpu.run({ instructions: 1 + random.below(40_000) });
    const saved = cpu.save();
    cpu = start("interpreter").cpu;
    cpu.restore(saved);
  }
  cpu.run({ instructions: 50_000_000 });
  assert.is(cpu.get("RIP").toString(), straight.cpu.get("RIP").toString());
  assert.is(cpu.digest(), straight.cpu.digest());
});

test.run();
