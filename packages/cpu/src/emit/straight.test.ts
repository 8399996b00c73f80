import { Random } from "@castaway/kit";
import { Code, I32, Module } from "@castaway/kit/wasm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Decoded, Decoder } from "../core/decode.ts";
import { OpcodeMap } from "../core/opcodes.ts";
import { Cpu } from "../cpu.ts";
import { arith } from "../isa/arith.ts";
import { declareImports } from "./handlers.ts";
import { emitStraightLine } from "./straight.ts";

const test = suite("straight-line code with registers in locals");

const decoder = new Decoder(new OpcodeMap(arith));
const LONG = { bits: 64, real: false } as const;

/** A random instruction of the family that touches no memory: bytes that decode, by trial. */
function instruction(random: Random): number[] {
  for (;;) {
    const { form } = arith.flatMap((def) => def.forms.map((f) => ({ form: f })))[random.below(100)] ?? {
      form: arith[0]!.forms[0]!,
    };
    const bytes = [
      ...(random.chance(0.2) ? [0x66] : []),
      0x40 | random.below(16),
      ...(form.map === 1 ? [0x0f] : []),
      form.byte,
    ];
    if (form.modrm) bytes.push(0xc0 | ((form.digit ?? random.below(8)) << 3) | random.below(8));
    for (let i = 0; i < 4; i++) bytes.push(random.below(256));
    const insn = decoder.decode(Uint8Array.from([...bytes, ...new Array(8).fill(0)]), 0, bytes.length + 8, LONG);
    if (insn?.def.run && !insn.operands.some((o) => o.kind === "mem")) {
      while (bytes.length < insn.length) bytes.push(0);
      return bytes.slice(0, insn.length);
    }
  }
}

/** Runs the instructions as one function over the state of a processor. */
function runStraight(cpu: Cpu, insns: Decoded[]): number {
  const module = new Module(),
    imports = declareImports(module),
    code = new Code(0);
  emitStraightLine(insns, code, imports, { helper: () => 0, vectorHelper: () => 0 });
  module.function(code, [], [I32], "run");
  const never = () => assert.unreachable("this family calls nothing");
  const calls = Object.fromEntries(
    "load store modify probe helper vectorHelper rare stride".split(" ").map((name) => [name, never]),
  );
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 1 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {
    env: { memory: cpu.physical.wasm, table, ...calls },
  });
  return (instance.exports["run"] as () => number)();
}

test("two hundred random runs of the arithmetic family leave the same registers and flags as the interpreter", () => {
  const random = new Random(7),
    names = "RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15".split(" ");
  const reference = new Cpu({ memory: "64KiB" }),
    subject = new Cpu({ memory: "64KiB" });
  for (let round = 0; round < 200; round++) {
    const program = Array.from({ length: 12 }, () => instruction(random)),
      bytes = Uint8Array.from(program.flat());
    const insns: Decoded[] = [];
    for (let at = 0; at < bytes.length; at += insns.at(-1)!.length)
      insns.push(decoder.decode(bytes, at, bytes.length, LONG)!);
    for (const cpu of [reference, subject]) {
      cpu.write(0x1000, new Uint8Array(0x400).fill(0xf4));
      cpu.write(0x1000, bytes);
      cpu.enter("long", 0x1000);
      const values = new Random(round);
      for (const name of names)
        cpu.set(name, values.chance(0.3) ? -values.below(3) : values.u32() * (values.chance(0.5) ? 1 : 2 ** 20));
      cpu.set("RFLAGS", 2 | (values.below(0x1000) & 0x8d5));
    }
    for (let i = 0; i < insns.length; i++) reference.step();
    assert.is(runStraight(subject, insns), 0);
    for (const name of [...names, "RFLAGS"])
      assert.is(subject.get(name).toString(16), reference.get(name).toString(16), `${name} in round ${round}`);
  }
});

test.run();
