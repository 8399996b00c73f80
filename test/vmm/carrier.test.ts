/** A register that an instruction overwrites makes no difference to it: tried with two values on the emulated processor. */
import { Cpu, GPR_NAMES } from "@castaway/cpu";
import Long from "long";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileGuest } from "../../packages/vmm/guest/rig/compile.test-support.ts";
import { Machine } from "../../packages/vmm/guest/rig/machine.test-support.ts";

type Carrier = { memory: WebAssembly.Memory; buffer(): number; carrier(bits: number): number };
const vmm = new Machine().load<Carrier>(await compileGuest("cast-off/carrier.test-entry.ts")) as Carrier;

const BYTES = 8;
function carrierOf(bits: number, code: readonly number[]): number {
  new Uint8Array(vmm.memory.buffer).set([...code, ...Array<number>(BYTES).fill(0)].slice(0, BYTES), vmm.buffer());
  return vmm.carrier(bits);
}

const cpu = new Cpu({ memory: "64KiB", executor: "evaluator", model: "skylake" });
const AT = 0x4000;
/** All registers after the instruction, with this one having that value before. */
function run(bits: number, code: readonly number[], register: number, value: Long): string {
  cpu.enter(bits === 64 ? "long" : "protected32", AT);
  cpu.write(AT, [...code, ...Array<number>(16).fill(0x90)]);
  cpu.blocks.clear();
  for (const [n, name] of GPR_NAMES.entries()) cpu.set(name, Long.fromBits(0x1000 * (n + 1) + n, 0x11 * n, true));
  cpu.set("RSP", 0x3000);
  cpu.set(GPR_NAMES[register]!, value);
  cpu.set("RFLAGS", 0x8d7);
  cpu.step();
  return [...GPR_NAMES, "RIP", "RFLAGS"].map((name) => `${name} ${cpu.get(name).toString(16)}`).join(", ");
}

const test = suite("carriers");

// biome-ignore format: a table
const KNOWN: readonly (readonly [bits: number, code: string, register: number])[] = [
  [64, "48 89 e5", 5],             // MOV RBP, RSP
  [64, "31 c0", 0],                // XOR EAX, EAX
  [64, "45 31 f6", 14],            // XOR R14D, R14D
  [64, "b9 01 00 00 00", 1],       // MOV ECX, 1
  [64, "49 c7 c4 00 00 00 00", 12],// MOV R12, 0
  [64, "4c 8d 44 24 10", 8],       // LEA R8, [RSP + 16]
  [64, "0f b6 c2", 0],             // MOVZX EAX, DL
  [64, "0f a2", 3], [64, "0f 31", 0], [64, "0f 20 d8", 0],
  [32, "89 d0", 0], [32, "8d 42 01", 0],
  [64, "48 8d 40 08", -1],         // LEA RAX, [RAX + 8]
  [64, "0f b6 c0", -1],            // MOVZX EAX, AL
  [64, "0f b6 c4", -1],            // MOVZX EAX, AH
  [64, "48 89 ec", -1],            // MOV RSP, RBP
  [64, "48 8b 00", -1],            // MOV RAX, [RAX]
  [64, "8b 42 08", -1],            // MOV EAX, [RDX + 8]
  [64, "66 b8 01 00", -1], [64, "b0 01", -1], [64, "31 c8", -1], [64, "58", -1], [64, "f4", -1], [64, "c3", -1],
  [32, "40", -1], [32, "63 c8", -1], [16, "b8 01 00", -1],
];
test("known instructions", () => {
  for (const [bits, code, register] of KNOWN)
    assert.is(
      carrierOf(
        bits,
        code.split(" ").map((byte) => Number.parseInt(byte, 16)),
      ),
      register,
      `${bits}: ${code}`,
    );
});

test("whatever bytes there are: the register that is named is overwritten, and not read", () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const opcodes = [0x0f, 0x29, 0x2b, 0x31, 0x33, 0x63, 0x89, 0x8b, 0x8d, 0xb8, 0xbf, 0xc7];
  let found = 0;
  for (let i = 0; i < 6000; i++) {
    const bits = random(2) === 0 ? 64 : 32,
      code = random(2) === 0 ? [0x40 | random(16)] : [];
    const opcode = random(8) === 0 ? random(256) : opcodes[random(opcodes.length)]!;
    code.push(opcode);
    if (opcode === 0x0f) code.push([0x20, 0xa2, 0xb6, 0xb7, 0xbe, 0xbf, random(256)][random(8)]!);
    while (code.length < 12) code.push(random(256));
    const register = carrierOf(bits, code);
    const isTime = code.join().includes("15,49");
    if (register < 0 || isTime) continue;
    found++;
    const [one, other] = [Long.fromBits(0x12345678, 0x9abcdef, true), Long.fromBits(-1, 0, true)];
    const text = code.map((byte) => byte.toString(16)).join(" ");
    assert.is(run(bits, code, register, one), run(bits, code, register, other), `${bits}: ${text} and ${register}`);
  }
  assert.ok(found > 1000, `${found}`);
});

test.run();
