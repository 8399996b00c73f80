import { suite } from "uvu";
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import { expect, undefinedNow } from "./rig.test-support.ts";

const test = suite("bounds, time and chance");

test("BOUND compares signed, both bounds included", () => {
  const memory = { 8192: "FE FF FF FF 05" };
  for (const RAX of [0xfffffffen, 0n, 5n]) expect("62 03", { bits: 32, RAX, RBX: 0x2000, memory }, {});
  for (const RAX of [0xfffffffdn, 6n]) expect("62 03", { bits: 32, RAX, RBX: 0x2000, memory }, { fault: "BR" });
  expect("62 07", { bits: 16, RAX: 0x8000, RBX: 0x2000, memory: { 8192: "00 80 00 80" } }, {});
  assert.ok(undefinedNow("62 C3", 32));
});

test("RDTSC is virtual time plus an offset; CR4.TSD keeps it from users", () => {
  expect("0F 31", { RAX: -1, RDX: -1, prepare: (cpu) => cpu.setU64(S.TSC_OFFSET, 0x100000000n) }, { RAX: 5000, RDX: 1 });
  const prepare: NonNullable<Parameters<typeof expect>[1]["prepare"]> = (cpu) => {
    cpu.setU64(S.CR4, 4n);
    cpu.setU64(S.TSC_OFFSET, 0n);
    cpu.setU64(S.TSC_AUX, 0x77n);
  };
  expect("0F 31", { prepare }, { RAX: 5000 });
  expect("0F 31", { prepare, cpl: 3 }, { fault: "GP(0)" });
  expect("0F 01 F9", { prepare }, { RAX: 5000, RCX: 0x77 });
  expect("F3 0F C7 F8", { prepare, RAX: -1, cpl: 3 }, { RAX: 0x77 });
  expect("0F 01 F9", { prepare, without: "rdtscp" }, { fault: "UD" });
});

test("RDRAND repeats from its seed and sets CF alone", () => {
  const prepare: NonNullable<Parameters<typeof expect>[1]["prepare"]> = (cpu) => cpu.setU64(S.RANDOM, 0n);
  const first = 0xe220a8397b1dcdafn; // SplitMix64 from 0, as published with the algorithm
  expect("48 0F C7 F0", { prepare, flags: "ZF OF" }, { RAX: first, flags: "CF" });
  expect("0F C7 F0", { prepare, RAX: -1 }, { RAX: first & 0xffffffffn, flags: "CF" });
  expect("66 0F C7 F8", { prepare, RAX: -1 }, { RAX: 0xffffffffffffcdafn, flags: "CF" });
  assert.ok(undefinedNow("F2 0F C7 F0"));
  assert.ok(undefinedNow("F3 0F C7 F0"));
});

test.run();
