import Long from "long";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../machine.ts";
import { count, withRom } from "../rom.test-support.ts";
import { DESCRIPTION } from "./description.ts";
import { fromHex, toHex } from "./packets.ts";
import { modeName, nextInstruction, REGISTERS, readRegister, writeRegister } from "./registers.ts";

const rig = () => new Machine(withRom(count)).board.cpu;
const number = (name: string) => REGISTERS.findIndex((register) => register.name === name);
type Cpu = ReturnType<typeof rig>;
const read = (cpu: Cpu, name: string) => toHex(readRegister(cpu, 0, number(name))!.reverse()).replace(/^0+(?=.)/, "");
const write = (cpu: Cpu, name: string, value: string) => {
  const bytes = 2 * REGISTERS[number(name)]!.bytes;
  return writeRegister(cpu, 0, number(name), fromHex(value.padStart(bytes, "0"))!.reverse());
};

test("numbers are those that gdb has for x86-64 without a description", () => {
  const numbers = { rax: 0, rbx: 1, rcx: 2, rsp: 7, r15: 15, rip: 16, eflags: 17, cs: 18, gs: 23, st0: 24, fctrl: 32 };
  for (const [name, n] of Object.entries({ ...numbers, xmm0: 40, mxcsr: 56, fs_base: 57 })) assert.is(number(name), n);
});

test("the description names every register with its size, in order", () => {
  const rows = [...DESCRIPTION.matchAll(/<reg name="(\w+)" bitsize="(\d+)"/g)].map(([, name, bits]) => [name, bits]);
  assert.equal(
    rows,
    REGISTERS.map(({ name, bytes }) => [name, String(8 * bytes)]),
  );
  const types = new Set(REGISTERS.map(({ type }) => type));
  for (const type of ["i386_eflags", "vec128", "i386_mxcsr", "cr0", "cr4", "efer"]) {
    assert.ok(types.has(type) && DESCRIPTION.includes(`id="${type}"`), type);
  }
});

test("rip is linear in every mode, ip is the offset", () => {
  const cpu = rig();
  assert.is(modeName(cpu, 0), "real mode");
  assert.equal([read(cpu, "rip"), read(cpu, "ip"), read(cpu, "cs")], ["fffffff0", "fff0", "f000"]);
  assert.is(nextInstruction(cpu, 0), 0xfffffff0);
  cpu.enter("long", 0x1000);
  assert.is(modeName(cpu, 0), "64-bit mode");
  cpu.set("RIP", Long.fromString("ffffffff81000000", true, 16));
  assert.is(read(cpu, "rip"), "ffffffff81000000");
  assert.is(nextInstruction(cpu, 0), -0x7f000000);
  cpu.enter("protected32", 0x2000);
  assert.is(modeName(cpu, 0), "32-bit protected mode");
  assert.is(read(cpu, "rip"), "2000");
});

test("rip is written as a linear address, within CS", () => {
  const cpu = rig();
  assert.ok(write(cpu, "rip", "ffff1234"));
  assert.equal([read(cpu, "rip"), read(cpu, "ip")], ["ffff1234", "1234"]);
  assert.not.ok(write(cpu, "rip", "7c00"));
  assert.not.ok(write(cpu, "rip", "1ffff1234"));
  cpu.enter("long", 0);
  assert.ok(write(cpu, "rip", "ffffffff81000000"));
  assert.not.ok(write(cpu, "rip", "800000000000"));
  assert.is(read(cpu, "rip"), "ffffffff81000000");
});

test("a selector in real mode takes its base along; in protected mode only the guest can load one", () => {
  const cpu = rig();
  assert.ok(write(cpu, "ds", "1234"));
  assert.equal([read(cpu, "ds"), read(cpu, "ds_base")], ["1234", "12340"]);
  assert.not.ok(write(cpu, "ds", "12345"));
  cpu.enter("protected32", 0);
  assert.not.ok(write(cpu, "ds", "1234"));
  assert.ok(write(cpu, "ds", read(cpu, "ds")));
});

test("eflags: what does not exist stays away, and VM is a mode", () => {
  const cpu = rig();
  assert.ok(write(cpu, "eflags", "ffc08a55"));
  assert.is(read(cpu, "eflags"), "a57");
  assert.not.ok(write(cpu, "eflags", "20002"));
});

test("st0 is the top of the stack, wherever that is; tags are the full ones", () => {
  const cpu = rig();
  cpu.set("FSW", 5 << 11);
  cpu.set("FTW", 0b01100000);
  const one = "3fff8000000000000000";
  assert.ok(write(cpu, "st0", one));
  assert.is(toHex(cpu.bytes("R5").subarray(0, 10).reverse()), one);
  assert.is(read(cpu, "st0"), one);
  assert.is(read(cpu, "ftag"), "d3ff"); // R5 valid, R6 zero, all others empty
  assert.ok(write(cpu, "st1", "7fff8000000000000000"));
  assert.is(read(cpu, "ftag"), "e3ff"); // R6 special
  assert.ok(write(cpu, "ftag", "ffff"));
  assert.is(cpu.state("FTW"), 0);
});

test("fstat's summaries follow from what is pending and not masked", () => {
  const cpu = rig();
  assert.ok(write(cpu, "fctrl", "37f"));
  assert.ok(write(cpu, "fstat", "1"));
  assert.is(read(cpu, "fstat"), "1");
  assert.ok(write(cpu, "fctrl", "fffffffe"));
  assert.equal([read(cpu, "fctrl"), read(cpu, "fstat")], ["1f7e", "8081"]);
});

test("xmm, mxcsr and the bases of FS and GS", () => {
  const cpu = rig();
  const value = "112233445566778899aabbccddeeff00";
  assert.ok(write(cpu, "xmm15", value));
  assert.is(read(cpu, "xmm15"), value);
  assert.ok(write(cpu, "mxcsr", "ffff1f80"));
  assert.is(read(cpu, "mxcsr"), "1f80");
  cpu.enter("long", 0);
  assert.ok(write(cpu, "fs_base", "ffff888000000000"));
  assert.not.ok(write(cpu, "fs_base", "8000000000000000"));
  assert.is(read(cpu, "fs_base"), "ffff888000000000");
});

test("system registers are shown, and only the guest changes them", () => {
  const cpu = rig();
  cpu.enter("long", 0);
  cpu.processors[0]!.apic!.setTaskPriority(0x50);
  assert.equal([read(cpu, "cr8"), read(cpu, "efer")], ["5", read(cpu, "efer")]);
  assert.ok((Number.parseInt(read(cpu, "efer"), 16) & 0x500) === 0x500);
  for (const name of ["cr0", "cr3", "cr4", "cr8", "efer", "lstar", "dr7"]) {
    assert.not.ok(write(cpu, name, "123"), name);
    assert.ok(write(cpu, name, read(cpu, name)), name);
  }
});

test("every register can be read in every mode, and there are no others", () => {
  const cpu = rig();
  for (const mode of ["real", "protected32", "long"] as const) {
    if (mode !== "real") cpu.enter(mode, 0);
    for (const [n, { bytes }] of REGISTERS.entries()) assert.is(readRegister(cpu, 0, n)!.length, bytes);
  }
  assert.is(readRegister(cpu, 0, REGISTERS.length), null);
  assert.not.ok(writeRegister(cpu, 0, REGISTERS.length, new Uint8Array(8)));
  assert.not.ok(writeRegister(cpu, 0, 0, new Uint8Array(7)));
});

test.run();
