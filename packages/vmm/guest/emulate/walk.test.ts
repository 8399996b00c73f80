import { Cpu } from "@castaway/cpu";
import { Random } from "@castaway/kit";
import Long from "long";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileGuest } from "../rig/compile.test-support.ts";
import { Emulated, HIDDEN, RAM, word } from "./pair.test-support.ts";

const test = suite("vmm page walk");
const emulated = new Emulated(await compileGuest("emulate/emulate.test-entry.ts"));
emulated.device.read = () => 0xffffffff; // the processor that it is compared with has no device

const READ = 0,
  WRITE = 1,
  EXECUTE = 2;
const RESULTS = ["ok", "not present", "rights", "reserved"];
const PG = 0x80000000,
  WP = 0x10000,
  PSE = 0x10,
  PAE = 0x20,
  SMEP = 0x100000,
  SMAP = 0x200000,
  LMA = 0x500,
  NXE = 0x800;

interface Registers {
  cr0: number;
  cr3: number;
  cr4: number;
  efer: number;
  pdptes?: bigint[];
  physicalBits?: number;
}
function setUp({ cr0, cr3, cr4, efer, pdptes = [0n, 0n, 0n, 0n], physicalBits = 40 }: Registers): void {
  emulated.words.set([cr0, cr3, cr4, efer].map(word), 18);
  emulated.words.set(pdptes, 22);
  emulated.words[26] = BigInt(physicalBits);
}
/** "ok" with the physical address, or why not with the error code; in hexadecimal. */
function translate(linear: bigint, access: number, user = false, overridesSmap = false): string {
  const { exports } = emulated,
    result = exports.translate(linear, access, Number(user), Number(overridesSmap));
  return `${RESULTS[result]} ${(result === 0 ? word(exports.physical()) : exports.walkError()).toString(16)}`;
}

/** Entries of all kinds, most of them usable, in all of memory. */
function scatter(random: Random, wide: boolean): Uint8Array {
  const ram = new Uint8Array(RAM),
    view = new DataView(ram.buffer);
  const chance = (oneIn: number) => random.below(oneIn) === 0;
  for (let at = 0; at < RAM; at += wide ? 8 : 4) {
    let flags = random.u32() & 0xe78; // all but P, RW, US and PS
    if (!chance(12)) flags |= 1;
    if (!chance(4)) flags |= 2;
    if (!chance(3)) flags |= 4;
    if (chance(4)) flags |= 0x80;
    const large = (flags & 0x80) !== 0 && !chance(6);
    const page = large
      ? (random.u32() & 0xffc00000) | (chance(4) ? random.u32() & 0x1fe000 : 0)
      : random.below(32) << 12;
    view.setUint32(at, (page | flags) >>> 0, true);
    if (!wide) continue;
    let high = chance(8) ? random.u32() & 0x7ff00000 : 0; // ignored with 4-level paging, else reserved
    if (chance(6)) high |= 0x80000000;
    if (chance(20)) high |= random.u32() & (chance(4) ? 0xfffff : 0xff);
    view.setUint32(at + 4, high >>> 0, true);
  }
  return ram;
}

test("random tables lead where the processor's own walk goes, in every paging mode", () => {
  const random = new Random("tables"),
    cpu = new Cpu({ memory: RAM, model: "skylake", executor: "evaluator" }),
    { walker } = cpu.processors[0]!.access;
  const seen: Record<string, number> = {};
  for (let round = 0; round < 120; round++) {
    const mode = round % 4,
      paging = mode !== 0,
      wide = mode >= 2,
      some = (bit: number) => (random.below(2) === 0 ? bit : 0);
    const registers = {
      cr0: (0x21 | (paging ? PG : 0) | some(WP)) >>> 0,
      cr3: random.below(32) * 0x1000,
      cr4: (mode === 1 ? some(PSE) : PAE) | some(SMEP) | some(SMAP),
      efer: (mode === 3 ? LMA : 0) | some(NXE),
      pdptes: [0, 1, 2, 3].map(() => BigInt(random.below(32) * 0x1000 + (random.below(8) === 0 ? 0 : 1))),
    };
    setUp(registers);
    for (const [name, value] of Object.entries(registers))
      if (!Array.isArray(value)) cpu.set(name.toUpperCase(), value);
    for (const [i, value] of registers.pdptes.entries()) cpu.set(`PDPTE${i}`, Long.fromString(value.toString()));
    const ram = scatter(random, wide);
    cpu.physical.ram.set(ram);
    emulated.ram = ram;
    for (let i = 0; i < 50; i++) {
      const bits = mode === 3 ? 48n : 32n,
        any = ((BigInt(random.u32()) << 32n) | BigInt(random.u32())) & ((1n << bits) - 1n),
        linear = mode === 3 ? BigInt.asIntN(48, any) : any;
      const access = random.below(3) as 0 | 1 | 2,
        user = random.below(2) === 0,
        override = random.below(3) === 0;
      const found = walker.walk(Number(linear), {
        access,
        user,
        writeProtect: (registers.cr0 & WP) !== 0,
        smap: (registers.cr4 & SMAP) !== 0 && !user && !override && access !== EXECUTE,
        smep: (registers.cr4 & SMEP) !== 0 && access === EXECUTE,
      });
      const { code } = walker,
        why = !(code & 1) ? "not present" : code & 8 ? "reserved" : "rights";
      const kind = found ? "ok" : why,
        at = BigInt(walker.page) * 4096n + (any & 0xfffn);
      const where = `round ${round}, ${linear.toString(16)}, access ${access}`;
      assert.is(
        translate(word(linear), access, user, override),
        `${kind} ${found ? at.toString(16) : code.toString(16)}`,
        where,
      );
      seen[`${mode} ${kind}`] = (seen[`${mode} ${kind}`] ?? 0) + 1;
    }
    assert.equal(Buffer.compare(cpu.physical.ram, ram), 0, `accessed and dirty flags in round ${round}`);
  }
  for (const mode of [1, 2, 3])
    for (const kind of RESULTS)
      if (mode > 1 || kind !== "reserved")
        assert.ok(seen[`${mode} ${kind}`]! > 20, `${mode} ${kind}: ${JSON.stringify(seen)}`);
});

/** A 4-level walk with these entries, in pages 1 to 4, for linear address 0. */
function tables(entries: bigint[]): void {
  emulated.ram = new Uint8Array(RAM);
  const view = new DataView(emulated.ram.buffer);
  for (const [i, entry] of entries.entries()) view.setBigUint64(0x1000 * (i + 1), entry, true);
}
const long = { cr0: (PG | 1) >>> 0, cr3: 0x1000, cr4: PAE, efer: LMA | NXE };

test("address bits beyond the processor's are reserved", () => {
  setUp({ ...long, physicalBits: 36 });
  tables([0x2003n, 0x3003n, 0x4003n, 0xf_0000_5003n]);
  assert.is(translate(0x123n, READ), "ok f00005123");
  tables([0x2003n, 0x3003n, 0x4003n, 0x10_0000_5003n]);
  assert.is(translate(0x123n, READ), "reserved 9");
  setUp({ ...long, physicalBits: 52 });
  assert.is(translate(0x123n, READ), "ok 1000005123");
  // PSE-36 with fewer bits: those that are not address bits are reserved [SDM 3A table 4-4].
  setUp({ cr0: (PG | 1) >>> 0, cr3: 0x1000, cr4: PSE, efer: 0, physicalBits: 36 });
  tables([0x1e083n]);
  assert.is(translate(0x12345n, WRITE), "ok f00012345");
  tables([0x20083n]);
  assert.is(translate(0x12345n, WRITE), "reserved b");
});

test("a table in the VMM's own memory is all zeros (R2.7)", () => {
  setUp(long);
  tables([BigInt(HIDDEN) + 3n]);
  assert.is(translate(0n, WRITE), "not present 2");
});

test.run();
