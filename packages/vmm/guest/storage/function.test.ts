import { AhciController, PciFunction } from "@castaway/devices";
import { rw } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileGuest } from "../rig/compile.test-support.ts";
import { Machine } from "../rig/machine.test-support.ts";

type Guest = {
  place(delta: bigint, bytes: bigint): void;
  mediate(device: number, abar: bigint): void;
  guard(): number;
  leave(): void;
  read(device: number, offset: number, bytes: number): number;
  write(device: number, offset: number, bytes: number, value: number): void;
  memory32(address: bigint): number;
  setMemory32(address: bigint, value: number): void;
  inPort(port: number, bytes: number): number;
  outPort(port: number, bytes: number, value: number): void;
  twice(): void;
  late(): void;
  tooMany(): void;
};
const compiled = await compileGuest("storage/function.test-entry.ts");
type MsiRegister = "MSI_ADDRESS" | "MSI_ADDRESS_HIGH" | "MSI_DATA" | "MSI_CONTROL";
const ABAR = 0xe0000000;
const [COMMAND, BAR4, BAR5, MSI] = [0x04, 0x20, 0x24, 0x80];
const ONES = 0xffffffff;

function rig() {
  const machine = new Machine(),
    ahci = new AhciController(machine.pci(4), { clock: machine.clock, drives: [null] }),
    config = ahci.pci.config as typeof ahci.pci.config & Record<MsiRegister, number>;
  machine.bus.add(4, 0, ahci.pci);
  Object.assign(config, { BAR4: 0xc041, BAR5: ABAR, COMMAND: 7 });
  ahci.pci.remap();
  const vmm = machine.load<Guest>(compiled);
  vmm.place(BigInt(machine.delta), 0x1000000n);
  vmm.mediate(4, BigInt(ABAR));
  const read = (offset: number, bytes = 4) => vmm.read(4, offset, bytes) >>> 0;
  const write = (offset: number, value: number, bytes = 4) => vmm.write(4, offset, bytes, value);
  return { machine, vmm, config, read, write, pi: () => vmm.memory32(BigInt(ABAR + 0x0c)) >>> 0 };
}
const test = suite("vmm: the disk controller's PCI function");

test("a guest that asks for sizes gets them, and the controller does not move (R5.1)", () => {
  const { config, read, write } = rig();
  for (const [bar, size, home] of [
    [BAR5, 0xfffff000, ABAR],
    [BAR4, 0xffe1, 0xc041],
  ] as const) {
    write(bar, ONES);
    assert.is(read(bar), bar === BAR4 ? (size | (read(bar) & 0xffff0000)) >>> 0 : size);
    assert.equal([config.BAR5, config.BAR4], [ABAR, 0xc041]);
    write(bar, home);
    assert.is(read(bar), home);
  }
  write(BAR5, 0xffff, 2);
  write(BAR5 + 2, 0xffff, 2);
  assert.equal([read(BAR5), read(BAR5 + 3, 1)], [0xfffff000, 0xff]);
  assert.is(config.BAR5, ABAR);
  write(0x10, ONES);
  assert.is(read(0x10), 0, "there is no BAR 0");
});

test("a guest that moves the controller is refused, and told in the log", () => {
  const { machine, config, read, write } = rig();
  write(BAR5, 0xd0000000);
  assert.equal([read(BAR5), config.BAR5], [ABAR, ABAR]);
  assert.is(machine.log, "the guest may not move the disk controller\n");
  write(COMMAND, 0, 2);
  write(BAR5 + 2, 0xd000, 2);
  assert.is(read(BAR5), 0xd0000000, "in parts it may be anything");
  write(COMMAND, 7, 2);
  assert.equal([read(BAR5), config.BAR5], [ABAR, ABAR]);
});

test("memory decoding goes off for the guest only", () => {
  const { vmm, config, read, write, pi } = rig();
  const ports = pi();
  write(COMMAND, 0, 1);
  assert.equal([read(COMMAND, 2), config.COMMAND, pi()], [0, 2, ONES]);
  vmm.setMemory32(BigInt(ABAR + 4), 0);
  write(COMMAND, 0x406, 2);
  assert.equal([read(COMMAND, 2), config.COMMAND, pi()], [0x406, 0x406, ports]);
  assert.ok(vmm.memory32(BigInt(ABAR + 4)) & 0x80000000, "what was written to GHC meanwhile is lost");
  assert.is(read(COMMAND) >>> 16, config.STATUS);
});

test("the pair of ports answers while the guest decodes ports", () => {
  const { vmm, write } = rig();
  const offset = () => vmm.inPort(0xc050, 4);
  vmm.outPort(0xc050, 4, 0x2c);
  assert.is(offset(), 0x2c);
  write(COMMAND, 2, 1);
  vmm.outPort(0xc050, 4, 0x38);
  assert.is(offset(), -1);
  write(COMMAND, 3, 1);
  assert.is(offset(), 0x2c);
});

test("messages go to interrupt controllers, nowhere else (R8.3)", () => {
  const { config, read, write } = rig();
  const address = () => [config.MSI_ADDRESS, config.MSI_ADDRESS_HIGH];
  write(MSI + 4, 0xfee01000);
  assert.equal(address(), [0xfee01000, 0]);
  write(MSI + 4, 0x02000000);
  write(MSI + 7, 0x02, 1);
  write(MSI + 8, 1);
  assert.equal(address(), [0xfee01000, 0]);
  write(MSI + 5, 0x20, 1);
  assert.is(read(MSI + 4), 0xfee02000);
  write(MSI + 12, 0x41, 2);
  write(MSI + 2, 1, 2);
  assert.equal([config.MSI_DATA, config.MSI_CONTROL & 1], [0x41, 1]);
});

test("a controller that the guest puts to sleep stays awake, and answers nothing, until it is woken", () => {
  const machine = new Machine(),
    registers = { PMCSR: rw(0x44, 0x8103, "PCI PM 3.2.4", { size: 2 }) },
    bars = { 5: { kind: "memory", size: 4096 } } as const,
    capabilities = [{ id: 1, at: 0x40, registers }],
    pci = new PciFunction({ vendor: 1, device: 1, classCode: 0x010601, bars, capabilities }, machine.pci(4));
  pci.attach(5, { read: () => 0x1234, write: () => {} });
  machine.bus.add(4, 0, pci);
  Object.assign(pci.config, { BAR5: ABAR, COMMAND: 7 });
  pci.remap();
  const vmm = machine.load<Guest>(compiled),
    PMCSR = () => (pci.config as unknown as { PMCSR: number }).PMCSR;
  vmm.mediate(4, BigInt(ABAR));
  vmm.write(4, 0x44, 2, 0x103);
  assert.equal([vmm.read(4, 0x44, 2), PMCSR(), vmm.memory32(BigInt(ABAR))], [0x103, 0x100, -1]);
  vmm.write(4, 0x44, 2, 0);
  assert.equal([vmm.read(4, 0x44, 2), vmm.memory32(BigInt(ABAR))], [0, 0x1234]);
  vmm.write(4, 0x44, 1, 3);
  vmm.leave();
  assert.is(PMCSR(), 3);
});

test("in the end the hardware has what the guest believes", () => {
  const { vmm, config, write } = rig();
  write(COMMAND, 1, 1);
  write(BAR5, ONES);
  vmm.leave();
  assert.equal([config.COMMAND, config.BAR5], [1, 0xfffff000]);
});

test("what cannot be registered stops with a reason", () => {
  for (const [name, text] of [
    ["twice", "a PCI function is intercepted twice"],
    ["late", "the guest runs: nothing more can be intercepted"],
    ["tooMany", "more than 16 interceptors of a kind"],
  ] as const) {
    const machine = new Machine();
    assert.throws(() => machine.load<Guest>(compiled)[name](), /unreachable/);
    assert.is(machine.log, `panic: ${text}\n`);
  }
});

// ---- fw_cfg ----

/** A fw_cfg whose DMA copies what is asked for, as QEMU's does. */
function withFwCfg() {
  const machine = new Machine();
  let high = 0;
  const seen: number[] = [];
  const view = new DataView(machine.ram.buffer);
  const swap = (value: number) => {
    const bytes = new DataView(new ArrayBuffer(4));
    bytes.setUint32(0, value, true);
    return bytes.getUint32(0);
  };
  const request = (at: number) => {
    const bytes = machine.peek(at, 16),
      read = new DataView(bytes.buffer);
    const [control, length, to] = [read.getUint32(0), read.getUint32(4), Number(read.getBigUint64(8))];
    if (control & 2) machine.dma.write(to, new Uint8Array(length).fill(0x5a));
    machine.dma.write(at, new Uint8Array(4));
  };
  machine.map("io", 0x514, 8, {
    read: (offset) => (offset === 0 ? 0x554d4551 : 0x47464320),
    write: (offset, _, value) => {
      if (offset === 0) high = swap(value);
      else {
        seen.push(high * 2 ** 32 + swap(value));
        request(seen.at(-1)!);
      }
    },
  });
  const vmm = machine.load<Guest>(compiled);
  vmm.place(BigInt(machine.delta), 0x1000000n);
  assert.ok(vmm.guard());
  const ask = (to: number, length: number, at = 0x1000) => {
    if (at + 16 < machine.delta) {
      view.setUint32(at, 0x00190002);
      view.setUint32(at + 4, length);
      view.setBigUint64(at + 8, BigInt(to));
    }
    vmm.outPort(0x514, 4, swap(Math.floor(at / 2 ** 32)));
    vmm.outPort(0x518, 4, swap(at >>> 0));
    return view.getUint32(0x1000);
  };
  return { machine, vmm, ask, seen };
}

test("a request of fw_cfg is made from the VMM's copy, and its result comes back (R8.3)", () => {
  const { machine, ask, seen } = withFwCfg();
  assert.is(ask(0x2000, 32), 0);
  assert.equal([...machine.peek(0x2000, 33)], [...new Array(32).fill(0x5a), 0]);
  assert.ok(seen[0]! >= machine.delta, "the device never reads the guest's own");
});

test("one that points into the VMM, or lies there, moves nothing", () => {
  const { machine, ask, seen } = withFwCfg();
  for (const to of [machine.delta, machine.delta - 16, machine.delta + 0xffffff]) assert.is(ask(to, 32), 1);
  assert.is(ask(machine.delta - 32, 32), 0);
  seen.length = 0;
  ask(0, 0, machine.delta + 0x800000);
  ask(0, 0, 2 ** 40);
  assert.equal(seen, []);
});

test("nobody stands between where there is no fw_cfg", () => {
  const machine = new Machine();
  assert.not(machine.load<Guest>(compiled).guard());
});

test.run();
