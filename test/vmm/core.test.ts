/**
 * The hypervisor's core in V8, against the processor that it will run on: its VMCS passes the real checks of VM entry, and
 * the real walk of EPT goes through its tables.
 */
import { E1000 } from "@castaway/devices";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Fault } from "../../packages/cpu/src/core/exceptions.ts";
import { READ, WRITE } from "../../packages/cpu/src/core/tlb.ts";
import { CAPABILITIES } from "../../packages/cpu/src/vmx/capabilities.ts";
import { Ept } from "../../packages/cpu/src/vmx/ept.ts";
import { FIELD_NAMES, fieldWith } from "../../packages/cpu/src/vmx/fields.ts";
import { exitName } from "../../packages/cpu/src/vmx/reasons.ts";
import { type Guest as CpuGuest, guest as cpuGuest } from "../../packages/cpu/src/vmx/rig.test-support.ts";
import { compileGuest } from "../../packages/vmm/guest/rig/compile.test-support.ts";
import { Machine } from "../../packages/vmm/guest/rig/machine.test-support.ts";

type Core = {
  place(delta: bigint): void;
  missing(leaf1Ecx: number): number;
  makeEpt(top: bigint): bigint;
  setMemory(first: bigint, end: bigint): void;
  setTypesOfMtrrs(top: bigint): void;
  close(at: bigint): void;
  open(at: bigint): void;
  replace(at: bigint, to: bigint): void;
  makePortBitmap(): bigint;
  setPorts(first: number, count: number, exits: boolean): void;
  makeMsrBitmap(): bigint;
  setMsr(index: number, reads: boolean, writes: boolean): void;
  concealCard(bus: number, device: number, func: number): void;
  hiddenMemory(end: number): bigint;
  registerRead(address: bigint, bytes: number): bigint;
  registerWrite(address: bigint, bytes: number, value: bigint): void;
  hiddenPort(port: number, bytes: number): number;
  portRead(port: number, bytes: number): number;
  portWrite(port: number, bytes: number, value: number): void;
  setUp(eptPointer: bigint, segment: bigint, offset: bigint): void;
};
const compiled = await compileGuest("core/core.test-entry.ts");
const GIB = 2 ** 30;

/** The core in a machine whose processor has these model-specific registers, and a VMCS. */
function core(registers: Record<number, bigint> = {}) {
  const cpu: CpuGuest = cpuGuest(),
    { vmcs } = cpu.cpu.vmx,
    machine = new Machine();
  const capabilities = new Map(CAPABILITIES.map(({ index, value }) => [index, value(cpu.cpu.model)]));
  const others = new Map<number, bigint>(
    Object.entries({ 58: 5n, 631: 0x0007040600070406n, 3221225600: 0xd00n }).map(([i, v]) => [Number(i), v]),
  );
  for (const [index, value] of Object.entries(registers))
    (capabilities.has(Number(index)) ? capabilities : others).set(Number(index), value);
  const fieldOf = (encoding: number) => fieldWith(encoding) ?? assert.unreachable(`no field ${encoding.toString(16)}`);
  const vmm = machine.load<Core>(compiled, {
    rdmsr: (index: number) => capabilities.get(index >>> 0) ?? others.get(index >>> 0) ?? 0n,
    wrmsr: (index: number, value: bigint) => void others.set(index >>> 0, value),
    vmread: (encoding: number) => vmcs.u64(fieldOf(encoding) as number),
    vmwrite: (encoding: number, value: bigint) => vmcs.setU64(fieldOf(encoding) as number, BigInt.asUintN(64, value)),
    readCr0: () => 0x80000031n,
    readCr3: () => 0x1000n,
    readCr4: () => 0x2020n,
    str: () => 0x18,
    sgdt: () => {},
    sidt: () => {},
  });
  vmm.place(BigInt(machine.delta));
  return { cpu, vmm, machine, others };
}
const VMX = 1 << 5;

const test = suite("vmm core");

test("what a processor lacks is named, and VT-x that the firmware left open is locked on (R2.9, R2.13)", () => {
  const { vmm, others } = core({ 58: 0n });
  assert.is(vmm.missing(VMX), 0);
  assert.is(others.get(0x3a), 5n);
  assert.ok(core().vmm.missing(0) > 0, "no VMX");
  assert.ok(core({ 58: 1n }).vmm.missing(VMX) > 0, "locked without VMX");
  const secondary = (bits: bigint) => core({ 1163: bits << 32n });
  assert.is(secondary(0x10aan).vmm.missing(VMX), 0);
  assert.ok(secondary(0x10a8n).vmm.missing(VMX) > 0, "no EPT");
  assert.ok(secondary(0x102an).vmm.missing(VMX) > 0, "no unrestricted guest");
  assert.ok(core({ 1164: 0n }).vmm.missing(VMX) > 0, "EPT without large pages");
});

test("the VMCS of a guest at its boot sector passes every check of VM entry (R2.11 to R2.14)", () => {
  const { cpu, vmm } = core(),
    { entryChecks, vmx } = cpu.cpu;
  vmm.makePortBitmap();
  vmm.makeMsrBitmap();
  vmx.vmcs.fill(new Uint8Array(vmx.vmcs.bytes.length));
  vmm.setUp(vmm.makeEpt(BigInt(4 * GIB)), 0n, 0x7c00n);
  for (const check of ["controls", "host", "guest"] as const) assert.is(entryChecks[check]()?.rule, undefined, check);
});

test("an application processor that a SIPI starts at 9A00:0 passes them too (R2.16)", () => {
  const { cpu, vmm } = core();
  vmm.makePortBitmap();
  vmm.makeMsrBitmap();
  vmm.setUp(vmm.makeEpt(BigInt(4 * GIB)), 0x9a00n, 0n);
  assert.is(cpu.cpu.entryChecks.controls() ?? cpu.cpu.entryChecks.host() ?? cpu.cpu.entryChecks.guest(), null);
  assert.is(cpu.cpu.vmx.vmcs.number(FIELD_NAMES.indexOf("GUEST_CS_BASE")), 0x9a000);
});

/** Walks the tables as the processor does: the page, or the exit's name and qualification. */
function walker({ cpu, machine }: ReturnType<typeof core>, pointer: bigint) {
  const view = (at: number) => new DataView(machine.peek(at, 4).buffer).getUint32(0, true);
  const { vmx } = cpu.cpu,
    ept = new Ept({ read32: view, write32: () => {}, hostOf: () => 0, u32: new Uint32Array(0) } as never, vmx);
  ept.load(Number(pointer & 0xffffffffn), Number(pointer >> 32n));
  return (at: number, access: typeof READ | typeof WRITE = READ): string => {
    if (ept.final(at, access)) return (ept.page * 4096).toString(16);
    ept.leave(null, new Fault());
    return `${exitName(vmx.exit.reason)} ${vmx.exit.qualificationLow}`;
  };
}

test("EPT is identity; a page that is closed exits, and another one can stand in its place (R4.1, R4.3, R4.4)", () => {
  const r = core(),
    pointer = r.vmm.makeEpt(BigInt(8 * GIB)),
    walk = walker(r, pointer);
  r.vmm.setMemory(0n, 0x9fc00n);
  r.vmm.setMemory(0x100000n, 0x10000000n);
  for (const at of [0, 0x9f000, 0xa0000, 0x200000, 0xfee00000, 7 * GIB + 0x12345000])
    assert.is(walk(at), at.toString(16));
  r.vmm.close(0xfebf1000n);
  assert.equal([walk(0xfebf0000), walk(0xfebf1000), walk(0xfebf2000)], ["febf0000", "eptViolation 1", "febf2000"]);
  r.vmm.open(0xfebf1000n);
  assert.is(walk(0xfebf1000, WRITE), "febf1000");
  r.vmm.replace(0xf000000n, 0x5000n);
  assert.equal([walk(0xf000000), walk(0xf000000, WRITE), walk(0xf001000)], ["5000", "eptViolation 42", "f001000"]);
});

/** A page's memory type, and whether it is a large one. */
function typeOf({ machine }: ReturnType<typeof core>, pointer: bigint, at: number): [type: number, large: boolean] {
  let entry = pointer;
  for (const shift of [39, 30, 21, 12]) {
    const index = Math.floor(at / 2 ** shift) % 512,
      table = Number(entry & 0xffffffffff000n);
    entry = new DataView(machine.peek(table + 8 * index, 8).buffer).getBigUint64(0, true);
    if ((entry & 0x80n) !== 0n) return [Number(entry >> 3n) & 7, true];
  }
  return [Number(entry >> 3n) & 7, false];
}

test("EPT has the memory types of the MTRRs (SDM 3A 11.11)", () => {
  const range = (n: number, base: number, type: number, size: number) => ({
    [0x200 + 2 * n]: BigInt(base) | BigInt(type),
    [0x201 + 2 * n]: (0x10000000000n - BigInt(size)) | 0x800n,
  });
  const r = core({
    254: 0x508n,
    767: 0xc00n,
    ...range(0, 0, 6, 2 * GIB),
    ...range(1, 0x40000000, 0, 0x200000), // uncacheable wins
    ...range(2, 0x40200000, 4, 0x200000), // write-through before write-back
    ...range(3, 0x40400000, 1, 0x200000), // write-combining and write-back: undefined
    ...range(4, 0x40600000, 0, 0x10000), // a part of a large page
    ...range(5, 4 * GIB, 6, GIB),
    592: 0x0606060606060606n,
    600: 0x0006060606060606n, // 80000 on, by 16 KiB
    617: 0x0505050505050505n, // C8000 on, by 4 KiB
  });
  const pointer = r.vmm.makeEpt(BigInt(8 * GIB));
  r.vmm.setTypesOfMtrrs(BigInt(8 * GIB));
  const types = (...all: number[]) => all.map((at) => typeOf(r, pointer, at)[0]);
  assert.equal(types(0, 0x7f000, 0x9b000, 0x9c000, 0xc7000, 0xc8000, 0xcf000, 0xd0000), [6, 6, 6, 0, 0, 5, 5, 0]);
  assert.equal(types(0x100000, 0x200000, 0x3fe00000, 2 * GIB - 4096, 2 * GIB), [6, 6, 6, 6, 0]);
  assert.equal(types(0x40000000, 0x40200000, 0x40400000, 0x40600000, 0x40800000), [0, 4, 0, 0, 6]);
  assert.equal(types(4 * GIB, 5 * GIB), [6, 0]);
  assert.equal(typeOf(r, pointer, 0x200000), [6, true]);

  const off = core({ 254: 0x508n, 767: 6n }),
    tables = off.vmm.makeEpt(BigInt(4 * GIB));
  off.vmm.setTypesOfMtrrs(BigInt(4 * GIB));
  assert.equal(typeOf(off, tables, 0x200000), [0, true], "MTRRs are off: nothing is cacheable");
});

test("RAM is write-back, everything else uncacheable, to the page in the first 2 MiB", () => {
  const r = core(),
    pointer = r.vmm.makeEpt(BigInt(4 * GIB));
  r.vmm.setMemory(0n, 0x9fc00n);
  r.vmm.setMemory(0x100000n, 0x7fe0000n);
  const read = (at: bigint) => new DataView(r.machine.peek(Number(at), 8).buffer).getBigUint64(0, true);
  const table = (entry: bigint) => entry & 0xffffffffff000n;
  const directory = table(read(table(read(pointer & ~0xfffn)))),
    small = table(read(directory)),
    type = (entry: bigint) => Number(entry >> 3n) & 7;
  const typesOf = (pages: number[]) => pages.map((page) => type(read(small + BigInt(8 * page))));
  assert.equal(typesOf([0, 0x9e, 0x9f, 0xa0, 0xff, 0x100, 0x1ff]), [6, 6, 0, 0, 0, 6, 6]);
  assert.equal(
    [1, 0x3e, 0x3f, 0x40].map((n) => type(read(directory + BigInt(8 * n)))),
    [6, 6, 0, 0],
  );
});

test("the bitmaps say which ports and registers exit (SDM 3C 24.6.4, 24.6.9)", () => {
  const { vmm, machine } = core(),
    ports = Number(vmm.makePortBitmap()),
    msrs = Number(vmm.makeMsrBitmap());
  vmm.setPorts(0xcf8, 8, true);
  vmm.setPorts(0xcfa, 1, false);
  vmm.setPorts(0xffff, 1, true);
  assert.is(machine.peek(ports + 0xcf8 / 8, 1)[0], 0xfb);
  assert.is(machine.peek(ports + 0x1fff, 1)[0], 0x80);
  vmm.setMsr(0x3a, true, false);
  vmm.setMsr(0xc0000080, false, true);
  assert.equal([machine.peek(msrs + 7, 1)[0], machine.peek(msrs + 2048 + 7, 1)[0]], [4, 0]);
  assert.equal([machine.peek(msrs + 1024 + 16, 1)[0], machine.peek(msrs + 3072 + 16, 1)[0]], [0, 1]);
});
test("the network card is not there for the guest: configuration, registers in memory and ports; all else is (R10.2)", () => {
  const { vmm, machine } = core();
  const cards = [3, 5].map((slot) => new E1000(machine.pci(slot), { clock: machine.clock }));
  for (const [n, card] of cards.entries()) {
    machine.bus.add(n === 0 ? 3 : 5, 0, card.pci);
    card.pci.config.BAR0 = 0xe0000000 + n * 0x100000;
    card.pci.config.BAR1 = 0xc001 + n * 0x100;
    card.pci.config.COMMAND = 7;
    card.pci.remap();
  }
  vmm.concealCard(0, 5, 0);
  const { config } = cards[1]!.pci;
  assert.equal([config.BAR0, config.BAR1, config.COMMAND, config.ROM & 1], [0xe0100000, 0xc101, 7, 0]);
  assert.equal([vmm.hiddenMemory(0), vmm.hiddenMemory(1)], [0xe0100000n, 0xe0120000n]);
  assert.equal(
    [1, 2, 4, 8].map((bytes) => BigInt.asUintN(64, vmm.registerRead(0xe0100008n, bytes))),
    [0xffn, 0xffffn, 0xffffffffn, 0xffffffffffffffffn],
  );
  vmm.registerWrite(0xe0100038n, 4, 0x1234n);
  assert.equal([vmm.hiddenPort(0xc108, 2), vmm.hiddenPort(0xc140, 2)], [0xffff, 0]);
  const at = (device: number, offset: number) => 0x80000000 + device * 0x800 + offset;
  const read = (address: number, port = 0xcfc, bytes = 4) => {
    vmm.portWrite(0xcf8, 4, address);
    assert.is(vmm.portRead(0xcf8, 4) >>> 0, address);
    return vmm.portRead(port, bytes) >>> 0;
  };
  assert.is(read(at(3, 0)), 0x100e8086);
  assert.equal([read(at(5, 0)), read(at(5, 0), 0xcfe, 2), read(at(5, 8), 0xcff, 1)], [0xffffffff, 0xffff, 0xff]);
  assert.is(read(at(5, 0) - 0x80000000), 0xffffffff, "not enabled");
  vmm.portWrite(0xcf8, 4, at(5, 4));
  vmm.portWrite(0xcfc, 2, 0);
  assert.is(config.COMMAND, 7);
  vmm.portWrite(0xcf8, 4, at(3, 4));
  vmm.portWrite(0xcfc, 2, 3);
  assert.is(read(at(3, 4), 0xcfc, 2), 3);
});
test("no access gets past the mediated ports by reaching into them from beside (PCI 3.2.2.3.2)", () => {
  const { vmm, machine } = core();
  const card = new E1000(machine.pci(5), { clock: machine.clock });
  machine.bus.add(5, 0, card.pci);
  vmm.concealCard(0, 5, 0);
  vmm.portWrite(0xcf8, 4, 0x80002804);
  for (const [port, bytes] of [
    [0xcfa, 4],
    [0xcfb, 2],
    [0xcfd, 4],
  ] as const) {
    vmm.portWrite(port, bytes, 0xffffffff);
    assert.is(card.pci.config.COMMAND, 0, port.toString(16));
    const inside = Math.min(port + bytes, 0xd00) - Math.max(port, 0xcfc);
    const ones = vmm.portRead(port, bytes) >>> (8 * Math.max(0, 0xcfc - port));
    assert.is(ones & (2 ** (8 * inside) - 1), 2 ** (8 * inside) - 1);
  }
});
test.run();
