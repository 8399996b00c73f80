/** The assembler stubs on bare processors: no firmware, a boot loader of ten lines, small programs as `main`. */
import { readFileSync } from "node:fs";
import { buildVmm, type VmmImage } from "@castaway/vmm/host";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type BootOptions, bootImage, MIB } from "./image.test-support.ts";

const test = suite("VMM stubs");

const GUEST = "packages/vmm/guest";
const shared = ["x86.ts", "log.ts", "memory.ts", "panic.ts", "interrupts.ts"];
const sources = Object.fromEntries(shared.map((name) => [name, readFileSync(`${GUEST}/${name}`, "utf8")]));
const HEADER = `
import { allocate, placeMemory, physicalOf } from "./memory.ts";
import { log, logHex } from "./log.ts";
import { loadInterrupts, onInterrupt } from "./interrupts.ts";
import * as x86 from "./x86.ts";
export { onInterrupt };
`;
const begin = "export function main(information: u32, base: u32): void { placeMemory(base); loadInterrupts();";

/** More intrinsics than guest/x86.ts declares so far. */
const MORE = `
export declare function vmxon(region: u64): void;
export declare function vmEnter(registers: usize, launched: u32): u32;
export declare function addr_apStart(): usize;
export declare function addr_apStartEnd(): usize;
export declare function addr_apParameters(): usize;
`;

async function build(text: string): Promise<VmmImage> {
  const known = sources["x86.ts"]!;
  const more = MORE.split("\n").filter((line) => !known.includes(line.replace(/\(.*/, "(")));
  return await buildVmm({
    sources: { ...sources, "x86.ts": `${known}\n${more.join("\n")}`, "main.ts": HEADER + text },
  });
}

/** What the image prints until everything halts. */
const boot = (image: VmmImage, options?: BootOptions): string => bootImage(image, options).printed();

test("the boot stub takes the highest room that fits, and says what it misses", async () => {
  const image = await build(`${begin} logHex(base); log(" "); logHex(physicalOf(0x100000)); }`);
  assert.is(boot(image), "3000000 3100000");
  assert.is(
    boot(image, {
      map: [
        [MIB, 39 * MIB + 4096],
        [48 * MIB, 15 * MIB],
      ],
    }),
    "1800000 1900000",
  );
  assert.is(boot(image, { map: [[MIB, 17 * MIB]] }), "castaway: no room for 16 MiB below 4 GiB\n");
  assert.is(boot(image, { magic: 1 }), "castaway: not started by a multiboot loader\n");
});

test("page 0 is not mapped: a null pointer is a page fault, told with its address", async () => {
  const image = await build(`${begin} store<u32>(base & 8, 1); }`);
  const [, rip] = /^interrupt e error 2 rip (\w+) rsp \w+ cr2 0\n$/.exec(boot(image)) ?? [];
  assert.is(image.lineAt(Number.parseInt(rip!, 16))?.file, "main.ts");
});

test("beyond the stack is a page that is not mapped, and beyond 16 MiB nothing is", async () => {
  for (const [address, cr2] of [
    ["0x1a000", "1a000"],
    ["0x1000000", "1000000"],
  ]) {
    const image = await build(`${begin} store<u32>(${address} + (base & 8), 1); }`);
    assert.match(boot(image), new RegExp(`^interrupt e error 2 .* cr2 ${cr2}\n`));
  }
});

test("after endAllocation a new object stops at an undefined instruction", async () => {
  const image =
    await build(`class Thing { n: u32 = 7; } export let things: StaticArray<Thing> = new StaticArray<Thing>(4);
    ${begin} things[0] = new Thing(); log("one "); x86.endAllocation(); things[1] = new Thing(); log("two"); }`);
  assert.match(boot(image), /^one interrupt 6 /);
});

test("physical memory is read, written, copied and filled through the direct map", async () => {
  const image = await build(`${begin}
    x86.physWrite64(0x600000, 0x1122334455667788); x86.physWrite16(0x600002, 0xaaaa); x86.physWrite8(0x600007, 0xbb);
    x86.physCopy(0x600100, 0x600000, 8); x86.physFill(0x600101, 0xcc, 1);
    logHex(x86.physRead64(0x600100)); log(" "); logHex(x86.physRead8(0x600107)); log(" ");
    const at = allocate(8, 8); store<u64>(at, 42); logHex(x86.physRead64(physicalOf(at))); }`);
  assert.is(boot(image), "bb223344aaaacc88 bb 2a");
});

test("another processor starts in real mode and comes to apMain in long mode", async () => {
  const image = await build(`
    export function apMain(id: u32): void { log("processor "); logHex(id); log(" cr3 "); logHex(x86.readCr3()); }
    ${begin} const page: usize = 0x9e000;
    memory.copy(page, x86.addr_apStart(), x86.addr_apStartEnd() - x86.addr_apStart());
    const parameters = page + x86.addr_apParameters() - x86.addr_apStart();
    store<u64>(parameters, x86.readCr3()); store<u64>(parameters + 8, allocate(4096, 16) + 4096); store<u32>(parameters + 16, 5);
    x86.mmioWrite32(0xfee000f0, 0x1ff);
    x86.mmioWrite32(0xfee00310, 1 << 24); x86.mmioWrite32(0xfee00300, 0x4500); x86.mmioWrite32(0xfee00300, 0x469e); }`);
  assert.is(boot(image, { cpus: 2 }), "processor 5 cr3 3010000");
});

test("VM entry without a VMCS comes back as VMfailInvalid, with all registers as they were", async () => {
  const image = await build(`${begin}
    x86.wrmsr(0x3a, 5); x86.writeCr4(x86.readCr4() | 0x2000);
    const region = allocate(4096, 4096); store<u32>(region, <u32>x86.rdmsr(0x480)); x86.vmxon(physicalOf(region));
    logHex(x86.vmEnter(allocate(128, 16), 0)); log(" "); logHex(x86.vmEnter(allocate(128, 16), 1)); log(" "); logHex(base);
    x86.vmxon(physicalOf(region)); }`);
  const printed = boot(image);
  assert.match(printed, /^1 1 3000000interrupt 6 /); // VMXON in VMX operation fails
});

test.run();
