import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Assembler, type CodeBits, Label } from "./assembler.ts";
import { CC, memory, R8, R12, R13, R15, RAX, RBP, RCX, RSI, RSP } from "./operands.ts";

const test = suite("assembler");

function bytes(write: (asm: Assembler) => void, bits: CodeBits = 64): string {
  const asm = new Assembler(bits);
  write(asm);
  return Buffer.from(asm.finish("f").bytes).toString("hex");
}

test("ModRM and SIB: RSP and R12 need SIB, RBP and R13 a displacement [SDM 2A 2.1.5]", () => {
  assert.is(
    bytes((a) => a.load(RAX, memory(RSP), 8)),
    "488b0424",
  );
  assert.is(
    bytes((a) => a.load(RAX, memory(R12), 8)),
    "498b0424",
  );
  assert.is(
    bytes((a) => a.load(RAX, memory(RBP), 4)),
    "8b4500",
  );
  assert.is(
    bytes((a) => a.load(R8, memory(R13, 0x80), 4)),
    "458b8580000000",
  );
  assert.is(
    bytes((a) => a.load(RAX, memory(RCX, -128, { index: R15, scale: 4, narrow: true }), 4)),
    "67428b44b980",
  );
  assert.is(
    bytes((a) => a.load(RAX, memory(null, 0x1000), 4)),
    "8b042500100000",
  );
});

test("byte registers above BL take REX, in 64-bit code only", () => {
  assert.is(
    bytes((a) => a.store(memory(RAX), RSI, 1)),
    "408830",
  );
  assert.is(
    bytes((a) => a.store(memory(RAX), RCX, 1)),
    "8808",
  );
  assert.is(
    bytes((a) => a.setCondition(RSI, CC.NE)),
    "400f95c6400fb6f6",
  );
});

test("constants take the shortest form", () => {
  assert.is(
    bytes((a) => a.constant(RAX, 0xffffffffn)),
    "b8ffffffff",
  );
  assert.is(
    bytes((a) => a.constant(RAX, -1n)),
    "48c7c0ffffffff",
  );
  assert.is(
    bytes((a) => a.constant(R8, 1n << 32n)),
    "49b80000000001000000",
  );
  assert.is(
    bytes((a) => a.aluConstant("cmp", RAX, 128, 4)),
    "81f880000000",
  );
});

test("operand and address sizes of 16- and 32-bit code", () => {
  assert.is(
    bytes((a) => a.constant(RAX, 1), 32),
    "b801000000",
  );
  assert.is(
    bytes((a) => a.constant(RAX, 1), 16),
    "66b801000000",
  );
  assert.is(
    bytes((a) => a.load(RAX, memory(null, 0x7c00), 2), 16),
    "678b0425007c0000",
  );
  assert.is(
    bytes((a) => a.load(RAX, RCX, 4), 16),
    "668bc1",
  );
});

test("a jump is long only where the short form does not reach, in either direction", () => {
  for (const [distance, length] of [
    [127, 2],
    [128, 5],
  ] as const) {
    const asm = new Assembler();
    const end = new Label();
    asm.jump(end).u8(...Array<number>(distance).fill(0x90));
    assert.is(asm.bind(end).finish("f").bytes.length, length + distance);
  }
  for (const [distance, length] of [
    [126, 2],
    [127, 6],
  ] as const) {
    const asm = new Assembler();
    const start = new Label();
    asm.bind(start).u8(...Array<number>(distance).fill(0x90));
    assert.is(asm.jump(start, CC.E).finish("f").bytes.length, length + distance);
  }
});

test("references, symbols and lines move with the jumps before them", () => {
  const asm = new Assembler();
  const end = new Label();
  asm.jump(end).u8(...Array<number>(200).fill(0x90));
  asm.line(7).symbol("inside").call("other").reference(end, "absolute8").bind(end);
  const code = asm.finish("f");
  assert.equal(
    code.relocations.map(({ at, symbol, addend }) => [at, symbol, addend]),
    [
      [206, "other", 0],
      [210, "f", 218],
    ],
  );
  assert.is(code.symbols.get("inside"), 205);
  assert.equal(code.lines, [{ at: 205, from: 7 }]);
});

test("appended code keeps its labels", () => {
  const [head, tail] = [new Assembler(), new Assembler()];
  const start = new Label();
  tail.bind(start).u8(0x90).jump(start);
  head.u8(0xcc).append(tail);
  assert.is(Buffer.from(head.finish("f").bytes).toString("hex"), "cc90ebfd");
});

test.run();
