/**
 * From the boot loader to 64-bit code [Multiboot 3]: finds room below 4 GiB, moves the image there, and builds page tables.
 * The instruction after paging is on is fetched from the copy: equal bytes at the same linear address.
 */
import {
  CODE64,
  DATA32,
  LINEAR_BYTES,
  LOW_WINDOW,
  LOW_WINDOW_END,
  PAGE_TABLES,
  STACK_GUARD,
  STACK_TOP,
  TSS,
} from "../layout.ts";
import type { Piece } from "../link.ts";
import { type Assembler, Label } from "../x64/assembler.ts";
import { CC, memory, RAX, RBP, RBX, RCX, RDI, RDX, type Register, RSI, RSP } from "../x64/operands.ts";
import {
  DS,
  ES,
  enterLongMode,
  FLAT_CODE32,
  FLAT_CODE64,
  FLAT_DATA32,
  FS,
  farJump,
  GS,
  loadSegments,
  REAL_CODE16,
  REAL_DATA16,
  SS,
  say,
  stub,
  writeControl,
} from "./stub.ts";

const HEADER_MAGIC = 0x1badb002,
  LOADER_MAGIC = 0x2badb002,
  /** Modules at page boundaries; a memory map is wanted. */
  HEADER_FLAGS = 3;
/** Offsets in the multiboot information [Multiboot 3.3]. */
const FLAGS = 0,
  MODS_COUNT = 20,
  MODS_ADDR = 24,
  MMAP_LENGTH = 44,
  MMAP_ADDR = 48;
const HAS_MODS = 1 << 3,
  HAS_MMAP = 1 << 6;
/** Below are the image, and modules behind it. */
const LOWEST = 0x400000;
const LARGE_PAGE = 0x200000;
const PRESENT = 3,
  PRESENT_LARGE = 0x83;

export function bootPieces(): Piece[] {
  return [
    stub("multibootHeader", header, { kind: "data" }),
    stub("gdt", gdt, { kind: "data" }),
    stub("gdtPointer", (asm) => asm.u16(TSS + 15).reference("gdt", "absolute8"), { kind: "data" }),
    stub("tss", (asm) => asm.u8(...Array<number>(104).fill(0)), { kind: "data" }),
    stub("boot", boot, { bits: 32, calls: ["start"] }),
    stub("start", start, { calls: ["export:_start", "export:main"] }),
  ];
}

function header(asm: Assembler): void {
  asm
    .u32(HEADER_MAGIC)
    .u32(HEADER_FLAGS)
    .u32(-(HEADER_MAGIC + HEADER_FLAGS));
}
function gdt(asm: Assembler): void {
  for (const descriptor of [0n, FLAT_CODE64, FLAT_DATA32, FLAT_CODE32, REAL_CODE16, REAL_DATA16]) asm.u64(descriptor);
  asm.u64(0x0000890000000067n).u64(0n); // a 64-bit TSS of 104 bytes; `start` fills in where
}

/** EAX: the magic number, EBX: the information. From here on EBP is P. */
function boot(asm: Assembler): void {
  const failures: { readonly label: Label; readonly text: string }[] = [];
  const failIf = (cc: number, text: string) => {
    const label = new Label();
    failures.push({ label, text });
    asm.jump(label, cc);
  };
  asm.u8(0xfa, 0xfc).aluConstant("cmp", RAX, LOADER_MAGIC | 0, 4); // CLI, CLD
  failIf(CC.NE, "not started by a multiboot loader");
  asm.modRm(0xf7, 0, memory(RBX, FLAGS), 4).u32(HAS_MMAP);
  failIf(CC.E, "the boot loader has no memory map");
  findRoom(asm);
  asm.test(RBP, RBP, 4);
  failIf(CC.E, "no room for 16 MiB below 4 GiB");
  checkLoaded(asm, failIf);
  moveImage(asm);
  pageTables(asm);
  asm.lea(RAX, memory(RBP, PAGE_TABLES), 4);
  writeControl(asm, 3, RAX);
  enterLongMode(asm);
  asm.modRm(0x0f01, 2, memory(null, 0, { symbol: "gdtPointer" }), 4); // LGDT
  farJump(asm, CODE64, "start");
  for (const { label, text } of failures) {
    const string = new Label();
    asm.bind(label).address(RSI, string);
    say(asm, new Label(), new Label());
    asm.bind(string).u8(...new TextEncoder().encode(`castaway: ${text}\n\0`));
  }
}

/** The highest 16 MiB of RAM below 4 GiB, at a multiple of 2 MiB, in EBP; 0 if there are none. */
function findRoom(asm: Assembler): void {
  const [next, skip, below, done] = [new Label(), new Label(), new Label(), new Label()];
  asm.load(RSI, memory(RBX, MMAP_ADDR), 4).load(RDI, memory(RBX, MMAP_LENGTH), 4).alu("add", RDI, RSI, 4);
  asm.alu("xor", RBP, RBP, 4);
  // an entry: size without this word, base, length, type (1 is RAM) [Multiboot 3.3]
  asm.bind(next).alu("cmp", RSI, RDI, 4).jump(done, CC.AE);
  asm.modRm(0x83, 7, memory(RSI, 20), 4).u8(1).jump(skip, CC.NE);
  asm.load(RDX, memory(RSI, 8), 4).test(RDX, RDX, 4).jump(skip, CC.NE); // begins above 4 GiB
  asm.load(RCX, memory(RSI, 4), 4).copy(RAX, RCX, 4);
  asm.alu("add", RAX, memory(RSI, 12), 4).alu("adc", RDX, memory(RSI, 16), 4).jump(below, CC.E);
  asm.constant(RAX, 0xfffff000);
  asm.bind(below).aluConstant("sub", RAX, LINEAR_BYTES, 4).jump(skip, CC.B);
  asm.aluConstant("and", RAX, -LARGE_PAGE, 4);
  asm.alu("cmp", RAX, RCX, 4).jump(skip, CC.B);
  asm.aluConstant("cmp", RAX, LOWEST, 4).jump(skip, CC.B);
  asm.alu("cmp", RAX, RBP, 4).jump(skip, CC.BE).copy(RBP, RAX, 4);
  asm.bind(skip).alu("add", RSI, memory(RSI), 4).aluConstant("add", RSI, 4, 4).jump(next).bind(done);
}

/** The information, and what the loader put behind the image, must not lie in the room that was found. */
function checkLoaded(asm: Assembler, failIf: (cc: number, text: string) => void): void {
  const [next, done] = [new Label(), new Label()];
  const text = "the boot loader's data is where the VMM is to be";
  asm.alu("cmp", RBX, RBP, 4);
  failIf(CC.AE, text);
  asm.modRm(0xf7, 0, memory(RBX, FLAGS), 4).u32(HAS_MODS).jump(done, CC.E);
  asm.load(RSI, memory(RBX, MODS_ADDR), 4).load(RCX, memory(RBX, MODS_COUNT), 4);
  asm.bind(next).aluConstant("sub", RCX, 1, 4).jump(done, CC.B);
  asm.alu("cmp", RBP, memory(RSI, 4), 4); // its end
  failIf(CC.B, text);
  asm.aluConstant("add", RSI, 16, 4).jump(next).bind(done);
}

function moveImage(asm: Assembler): void {
  const REP_STOSD = [0xf3, 0xab],
    REP_MOVSD = [0xf3, 0xa5];
  asm
    .copy(RDI, RBP, 4)
    .alu("xor", RAX, RAX, 4)
    .constant(RCX, LINEAR_BYTES / 4)
    .u8(...REP_STOSD);
  for (const part of ["text", "data"]) {
    asm.address(RSI, `${part}Start`).lea(RDI, memory(RBP), 4).alu("add", RDI, RSI, 4);
    asm.address(RCX, `${part}Words`).u8(...REP_MOVSD);
  }
}

/**
 * Nine pages: PML4; PDPT, PD and PT of linear memory; PDPT and four PDs of the first 4 GiB of physical memory, which are
 * mapped at 1 << 46. The guest's code maps what is above.
 */
function pageTables(asm: Assembler): void {
  const page = (n: number) => PAGE_TABLES + 0x1000 * n;
  const entry = (at: number, target: number) =>
    asm.lea(RAX, memory(RBP, target | PRESENT), 4).store(memory(RBP, at), RAX, 4);
  entry(page(0), page(1));
  entry(page(0) + 8 * 128, page(4));
  entry(page(1), page(2));
  entry(page(2), page(3));
  for (let n = 0; n < 4; n++) entry(page(4) + 8 * n, page(5 + n));
  asm.lea(RAX, memory(RBP, LARGE_PAGE | PRESENT_LARGE), 4);
  fill(asm, page(2), 1, LINEAR_BYTES / LARGE_PAGE, LARGE_PAGE);
  asm.lea(RAX, memory(RBP, 0x1000 | PRESENT), 4);
  fill(asm, page(3), 1, 512, 0x1000);
  asm.constant(RAX, LOW_WINDOW | PRESENT);
  fill(asm, page(3), LOW_WINDOW >> 12, LOW_WINDOW_END >> 12, 0x1000);
  asm.storeConstant(memory(RBP, page(3) + 8 * (STACK_GUARD >> 12)), 0, 4);
  asm.constant(RAX, PRESENT_LARGE);
  fill(asm, page(5), 0, 2048, LARGE_PAGE);
}
/** Entries `first` to `end` - 1 of a table, the first of them EAX, each `step` more than the one before. */
function fill(asm: Assembler, table: number, first: number, end: number, step: number): void {
  const again = new Label();
  asm.constant(RCX, first).bind(again);
  asm.store(memory(RBP, table, { index: RCX, scale: 8 }), RAX, 4).aluConstant("add", RAX, step, 4);
  asm.aluConstant("add", RCX, 1, 4).aluConstant("cmp", RCX, end, 4).jump(again, CC.B);
}

/** 64-bit code, at its place. */
function start(asm: Assembler): void {
  const stop = new Label();
  loadSegments(asm, DATA32, DS, ES, SS);
  loadSegments(asm, 0, FS, GS).constant(RSP, STACK_TOP);
  taskState(asm, RAX);
  for (const what of ["export:_start", "main"]) {
    if (what === "main") asm.copy(RDI, RBX, 4).copy(RSI, RBP, 4).call("export:main");
    else asm.call(what);
  }
  asm.bind(stop).u8(0xfa, 0xf4).jump(stop);
}
/** Writes the TSS's address into its descriptor and loads TR. */
function taskState(asm: Assembler, scratch: Register): void {
  const field = (at: number) => memory(null, TSS + at, { symbol: "gdt" });
  asm.address(scratch, "tss").store(field(2), scratch, 2).shift("shr", scratch, 16, 4);
  asm.store(field(4), scratch, 1).shift("shr", scratch, 8, 4).store(field(7), scratch, 1);
  asm.constant(scratch, TSS).modRm(0x0f00, 3, scratch, 4);
}
