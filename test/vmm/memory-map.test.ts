/** The memory map that a guest gets: asked of a small BIOS in real mode, changed, and told by the hook of INT 15h. */
import type { Cpu } from "@castaway/cpu";
import { buildVmm } from "@castaway/vmm/host";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Assembler, Label } from "../../packages/vmm/compiler/x64/assembler.ts";
import { CC, RAX, RBX, RCX, RSI } from "../../packages/vmm/compiler/x64/operands.ts";
import { vmmSources } from "../../scripts/vmm.ts";
import { bootImage, MIB } from "./image.test-support.ts";

const test = suite("VMM memory map");

const MAIN = `
import { MemoryMap } from "./core/memory-map.ts";
import { bootDisk } from "./boot-disk.ts";
import { loadInterrupts, onInterrupt } from "./interrupts.ts";
import { log, logHex } from "./log.ts";
import { placeMemory } from "./memory.ts";
export { onInterrupt };
export function main(information: u32, base: u32): void {
  placeMemory(base);
  loadInterrupts();
  const map = new MemoryMap(base);
  if (map.problem.length > 0) { log(map.problem); return; }
  log("top ");
  logHex(map.top);
  map.placeHook();
  bootDisk();
}`;
const image = await buildVmm({ sources: { ...vmmSources(), "main.ts": MAIN } });

type Entry = readonly [first: number, end: number, type: number, attributes?: number];
const INT15 = 0x700,
  INT13 = 0x780,
  TABLE = 0x1000,
  COUNT = 0xff0,
  LOOP = 0x7c00,
  CALL = 0x7c10,
  BUFFER = 0x2000;
const SMAP = 0x534d4150;

/** INT 15h: E820 from the table, in 24 bytes; everything else leaves its flags in DX, returns C0DE and CF. */
function biosInt15(): Uint8Array {
  const asm = new Assembler(16),
    [other, done] = [new Label(), new Label()];
  asm.u8(0x9c, 0x3d).u16(0xe820).jump(other, CC.NE); // PUSHF; CMP AX
  asm.u8(0x9d, 0x1e, 0x56, 0x57).u8(0x31, 0xf6, 0x8e, 0xde); // POPF; PUSH DS, SI, DI; DS = 0
  asm
    .u8(0x6b, 0xc0 | (RSI << 3) | RBX, 24)
    .u8(0x81, 0xc6)
    .u16(TABLE); // IMUL SI, BX; ADD SI
  asm.u8(0xb9).u16(12).u8(0xfc, 0xf3, 0xa5, 0x5f, 0x5e, 0x1f); // MOV CX; REP MOVSW; POP DI, SI, DS
  asm.aluConstant("add", RBX, 1, 4).u8(0x2e, 0x3b, 0x1e).u16(COUNT).jump(done, CC.B); // CMP BX, CS:
  asm.alu("xor", RBX, RBX, 4);
  asm.bind(done).constant(RAX, SMAP).constant(RCX, 24).u8(0xf8, 0xca, 2, 0); // CLC; RETF 2
  asm.bind(other).u8(0x5a, 0xb8).u16(0xc0de).u8(0xf9, 0xca, 2, 0); // POP DX; MOV AX; STC; RETF 2
  return asm.finish("int15").bytes;
}
const quad = (value: number) => Array.from({ length: 8 }, (_, n) => Math.floor(value / 2 ** (8 * n)) % 256);

function start(table: readonly Entry[], conventional = 639) {
  const prepare = (cpu: Cpu) => {
    cpu.write(INT15, biosInt15());
    cpu.write(INT13, [0xf8, 0xca, 2, 0]);
    cpu.write(4 * 0x15, [INT15 & 255, INT15 >> 8, 0, 0]);
    cpu.write(4 * 0x13, [INT13 & 255, INT13 >> 8, 0, 0]);
    cpu.write(0x413, [conventional & 255, conventional >> 8]);
    cpu.write(COUNT, [table.length]);
    const bytes = table.flatMap(([first, end, type, attributes = 1]) => [
      ...quad(first),
      ...quad(end - first),
      ...quad(type + attributes * 2 ** 32),
    ]);
    cpu.write(TABLE, bytes);
    cpu.write(LOOP, [0xf4]);
    cpu.write(0x7dfe, [0x55, 0xaa]);
    cpu.write(CALL, [0xcd, 0x15, 0xeb, 0xfe]);
  };
  const { cpu, printed } = bootImage(image, { prepare });
  return { cpu, printed, call: (registers: Registers) => call(cpu, registers) };
}
interface Registers {
  readonly eax: number;
  readonly ebx?: number;
  readonly ecx?: number;
  readonly edx?: number;
  readonly carry?: boolean;
}
/** INT 15h by the guest. */
function call(cpu: Cpu, { eax, ebx = 0, ecx = 0, edx = 0, carry = false }: Registers) {
  const others = { RSI: 0x1111, RDI: BUFFER, RBP: 0x3333, RSP: 0x7c00 };
  const given = { RAX: eax, RBX: ebx, RCX: ecx, RDX: edx, ...others };
  cpu.enter("real", CALL);
  for (const [name, value] of Object.entries(given)) cpu.set(name, value);
  cpu.set("RFLAGS", carry ? 3 : 2);
  cpu.run({ instructions: 300, nanoseconds: 1e6 });
  assert.is(cpu.state("RIP"), CALL + 2);
  for (const [name, value] of Object.entries(others)) assert.is(cpu.state(name), value, name);
  const [a, b, c, d] = ["RAX", "RBX", "RCX", "RDX"].map((name) => cpu.state(name));
  return { eax: a!, ebx: b!, ecx: c!, edx: d!, carry: (cpu.get("RFLAGS").low & 1) !== 0 };
}
/** The map as Linux asks for it. */
function enumerate({ cpu, call }: ReturnType<typeof start>, size = 20): Entry[] {
  const found: Entry[] = [];
  let ebx = 0;
  do {
    cpu.write(BUFFER, Array<number>(24).fill(0xee));
    const answer = call({ eax: 0xe820, ebx, ecx: size, edx: SMAP, carry: true });
    assert.equal([answer.eax, answer.ecx, answer.edx, answer.carry], [SMAP, 20, SMAP, false]);
    const view = new DataView(cpu.read(BUFFER, 24).buffer);
    const [first, length] = [0, 8].map((at) => Number(view.getBigUint64(at, true)));
    found.push([first!, first! + length!, view.getUint32(16, true)]);
    assert.is(view.getUint32(20, true), 0xeeeeeeee, "20 bytes");
    ebx = answer.ebx;
  } while (ebx !== 0);
  return found;
}

const HIDDEN = 0x9c000,
  LOW: Entry = [0, 0x9fc00, 1],
  EBDA: Entry = [0x9fc00, 0xa0000, 2],
  ROM: Entry = [0xf0000, MIB, 2],
  ACPI: Entry = [0x3ffe000, 0x4000000, 2];
const plain: Entry[] = [LOW, EBDA, ROM, [MIB, 0x3ffe000, 1], ACPI];
const hidden: Entry[] = [[0, HIDDEN, 1], [HIDDEN, 0xa0000, 2], ROM, [MIB, 0x3000000, 1], [0x3000000, 0x4000000, 2]];

test("E820 tells the BIOS's map with the hypervisor reserved (R2.5)", () => {
  const guest = start(plain);
  assert.is(guest.printed(), "top 3000000");
  assert.equal(enumerate(guest), hidden);
  assert.equal(enumerate(guest, 24), hidden);
  assert.is(kilobytes(guest), HIDDEN / 1024);
});

test("a BIOS's map may be unsorted, overlap, have empty and invalid entries, and reach beyond 4 GiB", () => {
  const high: Entry = [2 ** 32, 2 ** 33, 1];
  const guest = start([
    high,
    [MIB, 0x3ffe000, 1],
    [0x2000000, 0x2001000, 4],
    ROM,
    [0x5000, 0x5000, 3],
    [0, 0xa0000, 1],
    EBDA,
    [0x1000000, 0x1800000, 3, 0],
    [0x1f00000, 0x2800000, 1],
  ]);
  assert.is(guest.printed(), "top 200000000");
  assert.equal(enumerate(guest), [
    [0, HIDDEN, 1],
    [HIDDEN, 0xa0000, 2],
    ROM,
    [MIB, 0x2000000, 1],
    [0x2000000, 0x2001000, 4],
    [0x2001000, 0x3000000, 1],
    [0x3000000, 0x4000000, 2],
    high,
  ]);
});

const kilobytes = ({ cpu }: ReturnType<typeof start>) => cpu.read(0x413, 1)[0]! + 256 * cpu.read(0x414, 1)[0]!;

test("what a network loader left of conventional memory does not grow, and its remains are reused", () => {
  const guest = start(plain, 0x271);
  assert.equal(enumerate(guest), hidden);
  assert.is(kilobytes(guest), HIDDEN / 1024);
  assert.is(kilobytes(start(plain, 600)), 600);
});

test("E820 fails without the signature, with a short buffer, and behind the last entry", () => {
  const { call } = start(plain);
  const good = { eax: 0xe820, ebx: 0, ecx: 20, edx: SMAP };
  for (const bad of [{ edx: 0 }, { ecx: 19 }, { ebx: 5 }, { ebx: 0xffff }])
    assert.equal({ ...call({ ...good, ...bad }) }, { ...good, ...bad, eax: 0x8620, carry: true });
});

test("E801 and 88h tell what E820 tells; other ways to ask fail", () => {
  const { call } = start(plain);
  const [below, above] = [15 * 1024, 0x2000000 / 0x10000];
  assert.equal(call({ eax: 0xe801, carry: true }), { eax: below, ebx: above, ecx: below, edx: above, carry: false });
  assert.equal(call({ eax: 0x8800, ebx: 1, ecx: 2, edx: 3, carry: true }), {
    ...{ eax: 0x2f * 1024, ebx: 1, ecx: 2, edx: 3, carry: false },
  });
  for (const eax of [0xe881, 0xda88, 0x8a00, 0xc700])
    assert.equal(call({ eax }), { eax: 0x8600 | (eax & 0xff), ebx: 0, ecx: 0, edx: 0, carry: true });
});

test("a gap above 1 MiB ends what E801 and 88h tell", () => {
  const { call } = start([LOW, [MIB, 0xf00000, 1], [0x1000000, 0x4000000, 1]]);
  assert.equal(call({ eax: 0xe801 }), { eax: 14 * 1024, ebx: 0, ecx: 14 * 1024, edx: 0, carry: false });
  assert.is(call({ eax: 0x8800 }).eax, 14 * 1024);
});

test("everything else is the BIOS's, with the caller's flags, and so is its answer", () => {
  const { call } = start(plain);
  for (const eax of [0xc000, 0x2401, 0x8700, 0xe980]) {
    const clear = call({ eax, ebx: 5 }),
      set = call({ eax, carry: true });
    assert.equal([clear.eax, clear.ebx, clear.carry], [0xc0de, 5, true]);
    assert.equal([clear.edx & 1, set.edx & 1], [0, 1]);
  }
});

test("a map that is too long, or a BIOS whose own memory is in the way, is told", () => {
  assert.is(start([[0, 0x9d800, 1], ...plain.slice(2)]).printed(), "conventional memory ends below 9F000");
  const many = Array.from({ length: 120 }, (_, n): Entry => [n * MIB, n * MIB + 4096, 1]);
  assert.is(start(many).printed(), "the BIOS's memory map is too long");
});

test.run();
