import { test } from "uvu";
import * as assert from "uvu/assert";
import { count } from "../rom.test-support.ts";
import { Client } from "./stub.test-support.ts";

test("help lists every command, and so does one that is not there", () => {
  const gdb = new Client(count);
  for (const name of ["info", "inspect", "disassemble", "translate", "physical", "screen", "digest", "reset"]) {
    assert.match(gdb.monitor("help"), new RegExp(`^${name}`, "m"));
  }
  assert.is(gdb.monitor(""), gdb.monitor("help"));
  assert.match(gdb.monitor("frobnicate"), /no command "frobnicate"\nhelp/);
  assert.match(gdb.monitor("in"), /may be: info, inspect/);
});

test("info: time and processors", async () => {
  const gdb = new Client(count, { cpus: 2 });
  await gdb.go("s");
  const [time, first, second] = gdb.monitor("info").split("\n");
  assert.match(time!, /^0\.00000\d+ s of virtual time, 1 instructions$/);
  assert.is(first, "cpu 0 running, real mode, ring 0, at f000:0 (linear f0000)");
  assert.match(second!, /^cpu 1 waiting for SIPI/);
});

test("inspect: a part by its path, or in words what is wrong", () => {
  const gdb = new Client(count);
  assert.is(gdb.monitor("inspect cpu0.CS.base"), "0xffff0000\n");
  assert.match(gdb.monitor("inspect pics"), /master:[\s\S]*imr: 0/);
  assert.match(gdb.monitor("inspect"), /cpu0 clock memory/);
  assert.match(gdb.monitor("inspect nonsense"), /one of: cpu0/);
});

test("disassemble: in the processor's own mode", async () => {
  const gdb = new Client(count);
  assert.match(gdb.monitor("disassemble fffffff0 1"), /^fffffff0 {2}ea000000f0 +jmp 0xf000:0x0\n$/);
  await gdb.go("s");
  assert.match(gdb.monitor("disassemble"), /^f0000 {2}6640 +inc eax\nf0002 {2}ebfc +jmp 0x0\n/);
  gdb.cpu.enter("long", 0x1000);
  gdb.cpu.write(0x1000, [0x48, 0x89, 0xd8]);
  assert.match(gdb.monitor("dis 0x1000 1"), /^1000 {2}4889d8 +mov rax,rbx\n$/);
  assert.match(gdb.monitor("dis ffff880000000000"), /^ffff880000000000 {2}not mapped\n$/);
  assert.match(gdb.monitor("dis xyz"), /usage: monitor disassemble/);
});

test("translate and physical", () => {
  const gdb = new Client(count);
  assert.is(gdb.monitor("translate f0000"), "000f0000\n");
  assert.match(gdb.monitor("translate"), /usage/);
  assert.match(gdb.monitor("physical f0000 4"), /^000f0000 {2}66 40 eb fc +f@\.\.\n$/);
  for (const bad of ["physical", "physical x", "physical 0 0", "physical 0 1001", "physical ffffffffffffffff"])
    assert.match(gdb.monitor(bad), /usage/);
});

test("reset, power, digest, screen", async () => {
  const gdb = new Client(count);
  await gdb.go("s");
  assert.is(gdb.monitor("digest"), `${gdb.machine.digest()}\n`);
  assert.match(gdb.monitor("screen"), /no text/);
  assert.match(gdb.monitor("power"), /pressed/);
  assert.match(gdb.monitor("reset"), /reset/);
  assert.is(gdb.cpu.get("RIP").toNumber(), 0xfff0);
});

test.run();
