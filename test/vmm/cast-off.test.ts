/**
 * The hypervisor leaves a guest in every mode, at every instant, and the guest never knows: the same program ends in the same
 * registers, hidden parts of segments and memory as on a processor that was never virtualized.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Assembler, Label } from "../../packages/vmm/compiler/x64/assembler.ts";
import { CC, memory } from "../../packages/vmm/compiler/x64/operands.ts";
import * as G from "./cast-off.guests.test-support.ts";
import {
  buildHypervisor,
  differences,
  type Guest,
  type Outcome,
  REFUSALS,
  runBare,
  runCastOff,
} from "./cast-off.test-support.ts";

const image = await buildHypervisor();
const test = suite("casting off");

const { DATA64, mix } = G;
const ROUNDS = 300,
  PERIOD = 3000;
const program64 = (asm: Assembler) => mix(asm, DATA64, ROUNDS);
const program32 = (asm: Assembler, data: number) => mix(asm, data, ROUNDS);
const ticks = { [G.TICK]: (asm: Assembler) => G.tick(asm) };
const ticks32 = { [G.TICK]: (asm: Assembler) => G.tick(asm, { apic: G.APIC_32, counter: G.TICKS_32 }) };
const call = { [G.CALL]: (asm: Assembler) => G.finish(asm) };

/** Twenty times: a timer, HLT, and how often it has fired goes into a register. */
function halts(asm: Assembler): void {
  const again = new Label(),
    count = memory(null, DATA64 + 0x50);
  asm.storeConstant(count, 20, 4).bind(again);
  G.startTimer(asm, PERIOD, { once: true });
  asm
    .u8(0xfb, 0xf4, 0xfa)
    .load(1, memory(null, DATA64 + 0x40), 4)
    .alu("add", 2, 1, 8)
    .shift("rol", 2, 3, 8);
  asm.aluConstant("sub", count, 1, 4).jump(again, CC.NE);
  G.finish(asm);
}
const countInData = { [G.TICK]: (asm: Assembler) => G.tick(asm, { counter: DATA64 + 0x40 }) };
/** Of exceptions that the program causes: counts in memory, and goes on with RF set. */
function countException(asm: Assembler): void {
  const count = memory(null, DATA64 + 0x60);
  asm.push(0).load(0, count, 4).aluConstant("add", 0, 1, 4).store(count, 0, 4);
  asm.constant(0, 0x10000).modRm(0x09, 0, memory(4, 24), 8).pop(0).u8(0x48, 0xcf); // OR [RSP + 24], RAX; IRETQ
}

/** Interrupts are enabled, and none comes. */
const enabled = { RFLAGS: 0x202 };
const SELECTOR = (index: number) => index * 8 + 4;
const guests: Record<string, () => Guest> = {
  "64-bit": () => G.guest64(program64),
  "64-bit, interrupted by a timer": () =>
    G.guest64(
      (asm) => {
        G.startTimer(asm, PERIOD);
        mix(asm.u8(0xfb), DATA64, 2 * ROUNDS);
      },
      {},
      { handlers: ticks },
    ),
  "64-bit, with PCIDs": () => G.guest64(program64, { CR4: 0x206f0, CR3: 0x500003, ...enabled }),
  "64-bit, at a low address": () => G.guest64(program64, { RIP: G.LOW_CODE }),
  "64-bit, OSXSAVE": () => G.guest64(program64, { CR4: 0x406f0 }),
  "64-bit, a program at CPL 3": () =>
    G.guest64(
      (asm) => {
        G.startTimer(asm, PERIOD);
        G.enterUser(asm);
      },
      {},
      { user: G.userProgram(64, 2 * ROUNDS), handlers: { ...ticks, ...call } },
    ),
  "64-bit, a program of 32 bits": () =>
    G.guest64(
      (asm) => {
        G.startTimer(asm, PERIOD);
        G.enterUser(asm, { code: G.USER_CODE32 });
      },
      {},
      { user: G.userProgram(32, 2 * ROUNDS), handlers: { ...ticks, ...call } },
    ),
  "64-bit, halted": () => G.guest64(halts, {}, { handlers: countInData }),
  "64-bit, single steps": () =>
    G.guest64((asm) => mix(asm, DATA64, 8), { RFLAGS: 0x102 }, { handlers: { 1: countException } }),
  "64-bit, a breakpoint in the loop": () =>
    G.guest64(program64, { DR7: 0x402, DR0: G.KERNEL + 0x440020n }, { handlers: { 1: countException } }),
  "64-bit, a breakpoint on data": () =>
    G.guest64(program64, { DR7: 0xd0408, DR1: G.KERNEL + 0x450000n }, { handlers: { 1: countException } }),
  "64-bit, stale descriptors and an LDT": () =>
    G.guest64(program64, {
      ...G.segment("DS", SELECTOR(5), 0xc0f3, 0x12345000, 0xfffff),
      ...G.segment("FS", SELECTOR(1000), 0x40f3, 0x7f00_0000_1000n, 0x1234),
      ...G.segment("CS", 0x58, 0xa09f),
      ...G.segment("SS", 0xfff8, 0xc093),
      ...G.segment("LDTR", 0x50, 0x82, 0xffff_8880_1234_5000n, 0xfff),
      ...G.segment("TR", 0xff00, 0x8b, 0xffff_8880_1235_0000n, 0x67),
    }),
  "PAE paging": () => G.guest32("pae", program32, enabled),
  "32-bit paging": () => G.guest32("32", program32),
  "32-bit paging, an LDT": () =>
    G.guest32("32", program32, {
      ...G.segment("ES", SELECTOR(3), 0x40f3, 0xc0123000, 0x7ffff),
      ...G.segment("LDTR", 0x88, 0x82, 0xc0234000, 0x27),
    }),
  "virtual-8086 mode": () =>
    G.guest32(
      "32",
      (asm) => {
        G.startTimer(asm, PERIOD, { apic: G.APIC_32 });
        G.enterVirtual8086(asm);
      },
      {},
      {
        user: G.assemble(16, (asm) => mix(asm, 0, 2 * ROUNDS, () => asm.u8(0xcd, G.CALL))),
        handlers: { ...ticks32, ...call },
      },
    ),
  "protected mode without paging": () => G.guest32(null, program32),
  "protected mode without paging, another base of code": () =>
    G.guest32(null, program32, { ...G.segment("CS", 0x60, 0xc09b, 0x430000), RIP: 0x10000, ...enabled }),
  "real mode": () => G.guestReal((asm) => mix(asm, 0x100, ROUNDS)),
  "real mode, limits of 4 GiB": () => G.guestReal((asm) => mix(asm, 0x100, ROUNDS), 0xffffffff, enabled),
};

/** A guest that has loaded neither LDTR nor TR has reset's values there; a processor that was virtualized cannot. */
const isReset = (line: string) => /^(LDTR\.(limit|access)|TR\.selector) /.test(line);
const describe = (refusals: readonly number[]) =>
  refusals.map((count, n) => (count > 0 ? `${REFUSALS[n]} ${count}` : "")).join(" ");

const outcomes = new Map<string, [Guest, Outcome]>();
function bare(name: string): [Guest, Outcome] {
  let known = outcomes.get(name);
  if (known === undefined) {
    const guest = guests[name]!();
    known = [guest, runBare(guest)];
    outcomes.set(name, known);
  }
  return known;
}
function check(name: string, cut: number): void {
  const [guest, wanted] = bare(name),
    got = runCastOff(image, guest, cut);
  const wrong = differences(wanted, got, guest).filter((line) => !(guest.registers.CR0 === 0x10 && isReset(line)));
  assert.equal(wrong, [], `${name}, cut at ${cut}: ${describe(got.refusals)}`);
  assert.not(got.isVirtualized || got.isLocked, `${name}, cut at ${cut}: ${describe(got.refusals)}`);
  const isPaged = BigInt(guest.registers.CR0!) >= 0x80000000n;
  if (isPaged) assert.equal(got.cached, [], `${name}, cut at ${cut}`);
  assert.ok(got.exits < 100, `${name}: ${got.exits} exits`);
}

for (const name of Object.keys(guests))
  test(`${name}: all goes on as if nothing had been there`, () => check(name, 40));

test("at whatever instant: a kernel that is interrupted, a program, a 32-bit kernel", () => {
  for (const name of ["64-bit, interrupted by a timer", "64-bit, a program at CPL 3", "PAE paging"])
    for (let cut = 3; cut < 170; cut += 41) check(name, cut);
});

test("where the way out lies in two pages, of tables that differ at every level", () => {
  const guest = G.guest64((asm) => mix(asm.constant(1, 5), DATA64, ROUNDS), { RIP: G.BORDER }),
    got = runCastOff(image, guest, 0);
  assert.equal([got.exits, got.isVirtualized], [1, false]);
  assert.equal(differences(runBare(guest), got, guest), []);
});

test("an NMI that comes on the way waits for the guest's handler", () => {
  const nmi = (asm: Assembler) => {
    const count = memory(null, DATA64 + 0x70);
    asm.push(0).load(0, count, 4).aluConstant("add", 0, 1, 4).store(count, 0, 4).pop(0).u8(0x48, 0xcf);
  };
  const program = (asm: Assembler) => {
    G.startTimer(asm, PERIOD);
    mix(asm.u8(0xfb), DATA64, 2 * ROUNDS);
  };
  const guest = G.guest64(program, {}, { handlers: { ...ticks, 2: nmi } }),
    wanted = runBare(guest),
    got = runCastOff(image, guest, 40, { nmi: true });
  assert.not(got.isVirtualized);
  assert.equal(differences(wanted, got, guest), ["the byte at 450070 is 1, not 0"]);
});

test("tables of PAE paging that were changed without being loaded: the guest is left when they are again what is in use", () => {
  const entry = memory(null, G.TABLES_32 + 16);
  const program = (asm: Assembler, data: number) => {
    asm.storeConstant(entry, 2, 4);
    mix(asm, data, ROUNDS, () => mix(asm.storeConstant(entry, 0, 4), data, ROUNDS));
  };
  const guest = G.guest32("pae", program),
    got = runCastOff(image, guest, 40);
  assert.equal(differences(runBare(guest), got, guest), []);
  assert.not(got.isVirtualized);
  assert.ok(got.refusals[REFUSALS.indexOf("mode")]! > 0, describe(got.refusals));
});

test("the last processor erases the hypervisor, but for page tables and the ways out", () => {
  for (const name of ["64-bit", "real mode"]) {
    const [guest, wanted] = bare(name),
      { remains, ...got } = runCastOff(image, guest, 40, { last: true });
    assert.equal(
      differences(wanted, got, guest).filter((line) => !isReset(line)),
      [],
    );
    const tables = (page: number) => page >= 0x10 && page < 0x19,
      waysOut = remains.filter((page) => !tables(page));
    assert.ok(waysOut.length > 0 && waysOut.length <= 10, `${waysOut}`);
    assert.ok(waysOut.at(-1)! - waysOut[0]! < 10, `${waysOut}`);
  }
  const { remains } = runCastOff(image, bare("64-bit")[0], 40);
  assert.ok(remains.length > 30);
});

test.run();
