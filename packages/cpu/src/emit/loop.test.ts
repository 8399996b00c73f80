import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Cpu } from "../cpu.ts";

const test = suite("the loop, and writes to pages with code");

/** Runs code at 1000h in 64-bit mode up to its HLT; counts the writes to pages with code that TypeScript heard of. */
function run(executor: "interpreter" | "evaluator", code: number[]): { cpu: Cpu; heard: number } {
  const cpu = new Cpu({ memory: "64KiB", executor }),
    { onCodeWrite } = cpu.physical;
  let heard = 0;
  cpu.write(0x1000, code);
  cpu.write(0x10f0, new Array(32).fill(0x5a));
  cpu.physical.onCodeWrite = (address, bytes) => {
    heard++;
    onCodeWrite(address, bytes);
  };
  cpu.enter("long", 0x1000);
  cpu.set("RAX", 0x11223344);
  assert.is(cpu.run({ instructions: 1000 }).reason, "idle");
  return { cpu, heard };
}

for (const [name, bytes, store] of [
  ["1 byte", 1, [0x88, 0x04, 0x25]],
  ["2 bytes", 2, [0x66, 0x89, 0x04, 0x25]],
  ["4 bytes", 4, [0x89, 0x04, 0x25]],
  ["8 bytes", 8, [0x48, 0x89, 0x04, 0x25]],
  ["16 bytes", 16, [0x0f, 0x11, 0x04, 0x25]],
  ["a read-modify-write", 8, [0x48, 0x01, 0x04, 0x25]],
] as const) {
  test(`${name} beside code: at most the first write leaves emitted code, for want of a TLB entry`, () => {
    const at = (address: number) => [...store, address & 0xff, address >> 8, 0, 0];
    const code = [...at(0x10f0), ...at(0x10f8), ...at(0x10ff), ...at(0x10f3), 0xf4];
    const { cpu, heard } = run("interpreter", code);
    assert.ok(heard <= 1);
    assert.equal(cpu.read(0x10f0, 40), run("evaluator", code).cpu.read(0x10f0, 40));
    assert.is.not(cpu.read(0x10ff, 1)[0], 0x5a);
    assert.is(cpu.read(0x10ff + bytes, 1)[0], 0x5a);
  });
}

test("a write into the block that comes next is seen", () => {
  // mov byte [1020h],90h: beside; mov byte [101Bh],7: the immediate of the addition; jmp 1018h; 1018h: nop; add eax,1; hlt
  const code = [0xc6, 0x04, 0x25, 0x20, 0x10, 0, 0, 0x90, 0xc6, 0x04, 0x25, 0x1b, 0x10, 0, 0, 0x07];
  code.push(0xeb, 0x06, 0, 0, 0, 0, 0, 0, 0x90, 0x83, 0xc0, 0x01, 0xf4);
  for (const executor of ["interpreter", "evaluator"] as const) {
    const { cpu } = run(executor, code);
    assert.is(cpu.get("RAX").low, 0x1122334b);
  }
});

test.run();
