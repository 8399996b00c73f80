/** How a guest starts: from real mode to the first disk's boot sector, on a bare processor with a BIOS of ten instructions. */
import { Cpu } from "@castaway/cpu";
import { buildVmm } from "@castaway/vmm/host";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bytesAt } from "./image.test-support.ts";

const test = suite("VMM start");

const image = await buildVmm({ sources: { "main.ts": "export function main(information: u32, base: u32): void {}" } });
const { address, size } = image.symbol("startGuest");
const code = bytesAt(image, address, size);

const PAGE = 0x9d000,
  BIOS = 0x600;
/**
 * INT 13h: resets succeed, reads fail as often as the byte behind says.
 * CMP AH, 0; JE +7; DEC byte CS:[618]; JNS +4; CLC; RETF 2; STC; RETF 2
 */
const int13 = [0x80, 0xfc, 0, 0x74, 7, 0x2e, 0xfe, 0x0e, 0x18, 6, 0x79, 4, 0xf8, 0xca, 2, 0, 0xf9, 0xca, 2, 0];
/** INT 10h: OUT E8, AL; IRET */
const int10 = [0xe6, 0xe8, 0xcf];

interface Disk {
  readonly failures?: number;
  readonly signature?: readonly number[];
  /** Where the guest begins in the page. */
  readonly begin?: readonly [segment: number, offset: number];
}
function start({ failures = 0, signature = [0x55, 0xaa], begin = [0x9d00, 0] }: Disk = {}) {
  const printed = { e8: "", e9: "" };
  const write = (port: number, _: number, value: number) => {
    if (port === 0xe8 || port === 0xe9) printed[port === 0xe8 ? "e8" : "e9"] += String.fromCharCode(value & 0xff);
  };
  const cpu = new Cpu({ memory: "1MiB", ports: { read: () => 0xffffffff, write } });
  cpu.write(PAGE, code);
  cpu.write(BIOS, int13);
  cpu.write(BIOS + 0x18, [failures]);
  cpu.write(BIOS + 0x20, int10);
  cpu.write(4 * 0x13, [0, 6, 0, 0]);
  cpu.write(4 * 0x10, [0x20, 6, 0, 0]);
  cpu.write(0x7c00, [0xf4]); // HLT
  cpu.write(0x7dfe, signature);
  const [segment, offset] = begin;
  cpu.write(0x500, [0xea, offset & 255, offset >> 8, segment & 255, segment >> 8]);
  cpu.enter("real", 0x500);
  for (const name of ["RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP"]) cpu.set(name, 0x12345678);
  cpu.run({ instructions: 10_000, nanoseconds: 1e6 });
  return { cpu, printed };
}
const MESSAGE = "castaway: the first disk cannot be booted\n";

test("the boot sector finds the registers as a BIOS leaves them", () => {
  for (const begin of [[0x9d00, 0] as const, [0x9000, 0xd000] as const]) {
    const { cpu, printed } = start({ begin });
    assert.is(cpu.state("RIP"), 0x7c01);
    const names = ["RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP"];
    assert.equal(
      names.map((name) => cpu.state(name)),
      [0xaa55, 0, 0, 0x80, 0, 0, 0, 0x7c00],
    );
    for (const name of ["CS", "DS", "ES", "FS", "GS", "SS"]) assert.is(cpu.state(`${name}.selector`), 0, name);
    assert.ok(cpu.get("RFLAGS").low & 0x200, "interrupts are on");
    assert.equal(printed, { e8: "", e9: "" });
  }
});

test("a disk that needs a moment is tried again after a reset", () => {
  assert.is(start({ failures: 2 }).cpu.state("RIP"), 0x7c01);
});

test("a disk that cannot be read, or is not bootable, is told on the debug port and on the screen", () => {
  assert.equal(start({ failures: 3 }).printed, { e8: MESSAGE, e9: MESSAGE });
  assert.equal(start({ signature: [0x55, 0xab] }).printed, { e8: MESSAGE, e9: MESSAGE });
});

test.run();
