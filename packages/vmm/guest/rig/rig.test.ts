import { E1000 } from "@castaway/devices";
import { us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileGuest } from "./compile.test-support.ts";
import { Machine } from "./machine.test-support.ts";

type Guest = {
  configuration(device: number, offset: number): number;
  setConfiguration(device: number, offset: number, value: number): void;
  register(address: bigint): number;
  setRegister(address: bigint, value: number): void;
  read(address: bigint): bigint;
  write(address: bigint, value: bigint): void;
  copy(to: bigint, from: bigint, bytes: number): void;
  own(delta: bigint): number;
  time(): bigint;
  say(): void;
};

const test = suite("vmm rig");
const guest = await compileGuest("rig/rig.test-entry.ts");

test("a card is found, placed and read as on a board", () => {
  const machine = new Machine();
  machine.bus.add(3, 0, new E1000(machine.pci(3), { clock: machine.clock }).pci);
  const vmm = machine.load<Guest>(guest);
  assert.is(vmm.configuration(3, 0), 0x100e_8086);
  assert.is(vmm.configuration(4, 0) >>> 0, 0xffff_ffff);
  vmm.setConfiguration(3, 0x10, 0xe000_0000);
  assert.is(vmm.register(0xe000_0000n) >>> 0, 0xffff_ffff);
  vmm.setConfiguration(3, 4, 2);
  assert.is(vmm.register(0xe000_0000n), 0x0014_0241);
  vmm.setRegister(0xe000_0038n, 0x1234);
  assert.is(vmm.register(0xe000_0038n), 0x1234);
});

test("physical memory and the linear memory in it are one", () => {
  const machine = new Machine();
  const vmm = machine.load<Guest>(guest);
  assert.is(vmm.own(BigInt(machine.delta)), 0xcafe);
  const edge = BigInt(machine.delta - 4);
  vmm.write(edge, 0x1122_3344_5566_7788n);
  assert.is(vmm.read(edge), 0x1122_3344_5566_7788n);
  vmm.copy(0x100n, edge, 8);
  assert.equal([...machine.ram.slice(0x100, 0x108)], [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
  assert.is(new DataView(vmm.memory.buffer).getUint32(0, true), 0x1122_3344);
  assert.is(BigInt.asUintN(64, vmm.read(BigInt(machine.ram.length))), 0xffff_ffff_ffff_ffffn);
});

test("registers and memory are told apart", () => {
  const machine = new Machine();
  machine.map("memory", 0xe000_0000, 4, { read: () => 7, write: () => {} });
  const vmm = machine.load<Guest>(guest);
  assert.throws(() => vmm.read(0xe000_0000n), /phys access to registers/);
  assert.throws(() => vmm.register(0x1000n), /MMIO access to memory/);
});

test("time is the clock's, and what it logs is kept", () => {
  const machine = new Machine();
  const vmm = machine.load<Guest>(guest);
  machine.after(us(3));
  assert.is(vmm.time(), 3000n);
  vmm.say();
  assert.is(machine.log, "hi");
});

test.run();
