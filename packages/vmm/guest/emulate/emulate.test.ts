import { Random } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Case, HIDDEN, OUTCOMES, Pair, RAM, REGISTERS } from "./pair.test-support.ts";
import { anyCase, randomCase } from "./programs.test-support.ts";

const test = suite("vmm emulate");
const pair = await Pair.make();
const { emulated } = pair;
const noise = (() => {
  const random = new Random("ram");
  return Uint8Array.from({ length: RAM }, () => random.below(256));
})();

const show = (c: Case) => `${c.mode} ${c.code.map((byte) => byte.toString(16).padStart(2, "0")).join(" ")}`;

test("random instructions do what the processor does", () => {
  const random = new Random("mmio"),
    outcomes: Record<string, number> = {};
  for (let i = 0; i < 2500; i++) {
    const c = randomCase(random),
      { difference, outcome } = pair.run(c, noise);
    assert.is(difference, "", `${i}: ${show(c)}`);
    const kind = outcome.split("(")[0]!;
    outcomes[kind] = (outcomes[kind] ?? 0) + 1;
  }
  const seen = JSON.stringify(outcomes);
  assert.ok(outcomes["done"]! > 2000, seen);
  for (const vector of [13, 14, 17]) assert.ok(outcomes[`exception ${vector}`]! > 5, seen);
});

test("what it does not know it refuses, whatever the opcode", () => {
  const random = new Random("any opcode");
  for (let i = 0; i < 1000; i++) {
    const c = anyCase(random),
      { difference, outcome } = pair.run(c, noise);
    if (outcome !== "refused") assert.is(difference, "", `${i}: ${show(c)}`);
  }
});

const RAX = 0,
  RCX = 1,
  RBX = 3,
  RSP = 4,
  RSI = 6,
  RDI = 7;
/** An instruction in 64-bit mode at 1000h, with RSI at the device and RDI at 5000h, unless told otherwise. */
function long(hex: string, registers: Record<number, number | bigint> = {}, more: Partial<Case> = {}): Case {
  const all: Record<number, number | bigint> = { [RSP]: 0x8000, [RSI]: REGISTERS, [RDI]: 0x5000, ...registers };
  return {
    mode: "long",
    at: 0x1000,
    code: hex.split(" ").map((byte) => Number.parseInt(byte, 16)),
    registers: Array.from({ length: 16 }, (_, n) => BigInt(all[n] ?? 0)),
    flags: 2,
    segments: {},
    answers: [0x11223344, 0x55667788],
    exit: REGISTERS,
    ...more,
  };
}
/** Runs it; it must be as on the processor. */
function same(c: Case): { outcome: string; log: string } {
  const { difference, ...rest } = pair.run(c, noise);
  assert.is(difference, "", show(c));
  return rest;
}

test("eight bytes are two accesses, the lower half first", () => {
  assert.is(same(long("48 8b 06")).log, "read b0000000 4 11223344, read b0000004 4 55667788");
  assert.is(emulated.words[RAX]!, 0x5566778811223344n);
  assert.is(
    same(long("48 01 06", { [RAX]: 1 })).log,
    "read b0000000 4 11223344, read b0000004 4 55667788, write b0000000 4 11223345, write b0000004 4 55667788",
  );
});

test("ModRM and SIB without base: relative to RIP, absolute, or an index alone", () => {
  assert.is(same(long("67 8b 04 25 00 00 00 b0")).outcome, "done");
  assert.is(same(long("8b 04 35 00 00 00 00")).outcome, "done");
  assert.is(same(long("67 8b 05 f9 ef ff af")).outcome, "done");
});

test("an operand that is not wholly canonical is #GP or #SS, not a page fault", () => {
  assert.is(same(long("8b 06", { [RSI]: 0x7fff_ffff_fffen })).outcome, "exception 13(0)");
  assert.is(same(long("8b 04 24", { [RSP]: 0x7fff_ffff_fffen })).outcome, "exception 12(0)");
  assert.is(same(long("8b 06", { [RSI]: 0x7fff_ffff_fffcn })).outcome, "exception 14(0) at 7ffffffffffc");
});

test("EIP wraps at 4 GiB", () => {
  const segments = { CS: { base: 0x1002n, limit: 0xffffffff } };
  assert.is(same({ ...long("8b 06"), mode: "protected32", segments }).outcome, "done");
  assert.is(emulated.words[16]!, 0n);
});

test("a repeated instruction is emulated once for each exit", () => {
  same(long("f3 a5", { [RCX]: 2 })); // rep movsd
  assert.equal([...emulated.words.slice(16, 17)], [0x1000n]);
  assert.is(emulated.words[RCX]!, 1n);
  same(long("f3 a5", { [RCX]: 1 }));
  assert.is(emulated.words[16]!, 0x1002n);
});

test("POP to memory computes the address with the new RSP, and keeps RSP if it cannot", () => {
  same(long("8f 04 24", { [RSP]: REGISTERS })); // pop (%rsp): reads 0, writes 8
  assert.is(same(long("8f 44 24 f8", { [RSP]: REGISTERS + 16 })).log.split(", ")[2], "write b0000010 4 11223344");
  same(long("8f 06", { [RSI]: 1n << 40n }));
  assert.is(emulated.words[RSP]!, 0x8000n);
  same({ ...long("8f 46 10"), mode: "protected32" });
});

test("PUSH and POP reach the device on either side", () => {
  assert.is(same(long("ff 36")).log, "read b0000000 4 11223344, read b0000004 4 55667788");
  assert.is(same(long("ff 37", { [RSP]: REGISTERS + 0x108 })).log.split(" ")[0], "write");
  assert.is(same(long("8f 07", { [RSP]: REGISTERS + 0x108 })).log.split(" ")[0], "read");
});

test("nothing is read from the device if the destination cannot be written", () => {
  const { outcome, log } = pair.run(long("a5", { [RDI]: 1n << 40n }), noise);
  assert.is(outcome, "exception 14(2) at 10000000000");
  assert.is(log, "");
});

test("an instruction that crosses into a page that is missing is a fault of that page's fetch", () => {
  const c = long("8b 06", {}, { at: 0xfffff }); // beyond RAM nothing answers: its table is made missing instead
  const entries = new Map([
    [0x10000, 0x11003n],
    [0x11000, 0x12003n],
    [0x12000, 0x13003n],
    [0x13008, 0x1003n],
  ]);
  const crossing = { ...c, at: 0x1fff, paging: { entries, bytes: 8 as const, control: { CR3: 0x10000 } } };
  assert.is(pair.run(crossing, new Uint8Array(RAM)).outcome, "exception 14(16) at 2000");
});

const REFUSALS = ["", "unknown", "no memory", "lock", "too long", "elsewhere", "paging"];
/** Why it is refused; nothing may have changed. */
function refused(c: Case): string {
  const { outcome, log } = pair.run(c, noise);
  assert.is(outcome, "refused", show(c));
  assert.is(log, "");
  assert.equal([...emulated.words.slice(0, 16)], c.registers);
  assert.is(emulated.words[16]!, BigInt(c.at));
  return REFUSALS[emulated.exports.refusal()]!;
}
test("every refusal has its reason", () => {
  assert.is(refused(long("0f 10 06")), "unknown"); // movups
  assert.is(refused(long("0f 0b")), "unknown");
  assert.is(refused(long("8b c3")), "no memory");
  for (const hex of ["f0 8b 06", "f0 89 06", "f0 39 06", "f0 85 06", "f0 a5", "f0 0f a3 06", "f0 ff 36", "f0 8f 06"])
    assert.is(refused(long(hex)), "lock", hex);
  assert.is(refused(long(`${"66 ".repeat(14)}8b 06`)), "too long");
  assert.is(refused(long("8b 07")), "elsewhere");
  assert.is(refused(long("f3 a5")), "elsewhere"); // RCX is 0: it accesses nothing
  pair.run(long("8b 06"), noise);
  emulated.words[16] = 0x1000n;
  emulated.words[20]! |= 1n << 12n; // CR4.LA57
  assert.is(OUTCOMES[emulated.exports.emulate(BigInt(REGISTERS), 0n, -1)], "refused");
  assert.is(REFUSALS[emulated.exports.refusal()], "paging");
});

test("the VMM's own memory reads as zeros, and writes are dropped and counted (R2.7)", () => {
  const { exports } = emulated,
    dropped = exports.dropped();
  const run = (c: Case) => pair.run({ ...c, exit: HIDDEN }, noise).outcome;
  assert.is(run(long("48 8b 07", { [RAX]: -1n & 0xffffn, [RDI]: HIDDEN })), "done");
  assert.is(emulated.words[RAX]!, 0n);
  assert.is(run(long("48 89 07", { [RBX]: 1, [RDI]: HIDDEN })), "done");
  assert.is(exports.dropped() - dropped, 2n);
});

test("RF is cleared when the instruction is over, not between iterations", () => {
  const RF = 0x10000n;
  pair.run(long("8b 06", {}, { flags: 0x10002 }), noise);
  assert.is(emulated.words[17]! & RF, 0n);
  pair.run(long("f3 a5", { [RCX]: 2 }, { flags: 0x10002 }), noise);
  assert.is(emulated.words[17]! & RF, RF);
});

test.run();
