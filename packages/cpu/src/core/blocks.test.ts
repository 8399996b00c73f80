import { suite } from "uvu";
import * as assert from "uvu/assert";
import { definitions } from "../isa/index.ts";
import { BlockCache } from "./blocks.ts";
import { Decoder } from "./decode.ts";
import { OpcodeMap } from "./opcodes.ts";
import { LAYOUT, PAGE, PhysicalMemory } from "./physical.ts";

const test = suite("blocks of decoded code");
const map = new OpcodeMap(definitions);
const LONG = 2,
  PROTECTED = 1;

function rig() {
  const memory = new PhysicalMemory(8 * PAGE),
    blocks = new BlockCache(memory, new Decoder(map)),
    dropped: number[] = [];
  blocks.onDrop = (block) => dropped.push(block.physical);
  const put = (at: number, ...code: number[]) => memory.ram.set(code, at);
  const find = (at: number, mode = LONG) => blocks.find(at, LAYOUT.ram + at - (at % PAGE), mode);
  return { memory, blocks, dropped, put, find };
}
const names = (block: ReturnType<BlockCache["find"]>) => block?.insns.map(({ def }) => def.name).join(" ");

test("a write beside a block drops nothing; one to any of its bytes drops it, and only it", () => {
  const { memory, dropped, put, find } = rig();
  put(0x1010, 0x90, 0x90, 0xc3);
  put(0x1020, 0x90, 0xc3);
  const first = find(0x1010),
    second = find(0x1020);
  for (const at of [0x100f, 0x1013, 0x101f, 0x1022]) memory.onCodeWrite(at, 1);
  assert.equal(dropped, []);
  assert.is(find(0x1010), first);
  memory.onCodeWrite(0x100d, 4);
  assert.equal(dropped, [0x1010]);
  assert.is(first!.valid, false);
  assert.is(find(0x1020), second);
  assert.is.not(find(0x1010), first);
  memory.onCodeWrite(0x1012, 1);
  assert.equal(dropped, [0x1010, 0x1010]);
});

test("the last block's end makes writes to its page fast again", () => {
  const { memory, put, find } = rig();
  put(0x1000, 0xc3);
  find(0x1000);
  assert.is(memory.codePages[1], 1);
  memory.onCodeWrite(0x1000, 1);
  assert.is(memory.codePages[1], 0);
});

test("an instruction that crosses its page goes when either end is written", () => {
  for (const at of [0x1fff, 0x3000, 0x3001]) {
    const { memory, blocks, dropped, put, find } = rig();
    put(0x1ffe, 0x48, 0x8b);
    put(0x3000, 0x04, 0x24);
    assert.is(find(0x1ffe), null);
    const block = blocks.findCrossing(0x1ffe, LAYOUT.ram + 0x1000, 3, LAYOUT.ram + 0x3000, LONG);
    assert.is(names(block), "mov");
    for (const beside of [0x1ffd, 0x3002]) memory.onCodeWrite(beside, 1);
    assert.equal(dropped, []);
    memory.onCodeWrite(at, 1);
    assert.equal(dropped, [0x1ffe]);
  }
});

test("a change of the physical map forgets the code of pages that are elsewhere now, and no other", () => {
  const { memory, blocks, dropped, put, find } = rig();
  put(0x1000, 0xc3);
  put(0x2000, 0xc3);
  put(0x5000, 0x90, 0xc3);
  find(0x1000);
  const stays = find(0x2000);
  memory.mapHost(1, LAYOUT.ram + 0x5000, false);
  blocks.remapped();
  assert.equal(dropped, [0x1000]);
  assert.is(find(0x2000), stays);
  assert.is(names(blocks.find(0x1000, LAYOUT.ram + 0x5000, LONG)), "nop ret");
});

test("equal bytes are one instruction, unless their modes differ", () => {
  const { put, find } = rig();
  put(0x1000, 0x40, 0xc3);
  put(0x1100, 0x40, 0xc3);
  assert.is(find(0x1000, PROTECTED)!.insns[0], find(0x1100, PROTECTED)!.insns[0]);
  assert.is(names(find(0x1000, PROTECTED)), "inc ret");
  assert.is(names(find(0x1000, LONG)), "ret");
});

test.run();
