/**
 * The BIOS's memory map, asked in real mode before the hypervisor is in VMX operation: `biosMemoryMap` is copied to its page
 * and called by `callRealMode`; it leaves long mode, calls INT 15h E820 until there is no more, and comes back. What it got
 * is at BIOS_MAP, unchecked.
 */
import { impossible } from "@castaway/kit";
import { CALLEE_SAVED } from "../codegen/plan.ts";
import { BIOS_MAP, BIOS_MAP_MOST, CODE32, CODE64, DATA32, REAL_MODE_PAGE } from "../layout.ts";
import type { Piece } from "../link.ts";
import { type Assembler, Label } from "../x64/assembler.ts";
import { CC, memory, RAX, RBX, RCX, RDI, RDX, RSP } from "../x64/operands.ts";
import { flatSegments, interrupt, LOW_SEGMENT, REAL_PAGE, word } from "./boot-sector.ts";
import { leaveLongMode } from "./real-mode.ts";
import { DS, ES, enterLongMode, FS, farJump, GS, loadSegments, readControl, SS, stub, writeControl } from "./stub.ts";

/** "SMAP", which the BIOS gives back [ACPI 15.1]. */
export const SMAP = 0x534d4150;
const ENTRY_BYTES = 24;
/** The entries are this far behind their number. */
const HEADER_BYTES = 16;
/** Of what is saved: CR3, RSP, IDTR. */
const SAVED_RSP = 8,
  SAVED_IDTR = 16;

export function biosMapPieces(): Piece[] {
  return [
    stub("callRealMode", callRealMode, { stackBytes: 8 * (CALLEE_SAVED.length + 2) }),
    stub("biosMemoryMap", biosMemoryMap, { runsAt: REAL_PAGE }),
    stub("biosMemoryMapEnd", (asm) => asm.u8(0), { kind: "data" }),
  ];
}

function callRealMode(asm: Assembler): void {
  asm.constant(RAX, REAL_MODE_PAGE).modRm(0xff, 4, RAX, 4); // JMP
}

function biosMemoryMap(asm: Assembler): void {
  const saved = new Label();
  for (const register of CALLEE_SAVED) asm.push(register);
  readControl(asm, 3, RAX).address(RCX, saved).store(memory(RCX), RAX, 8).store(memory(RCX, SAVED_RSP), RSP, 8);
  asm.modRm(0x0f01, 1, memory(RCX, SAVED_IDTR), 4); // SIDT
  const { tables, gdtPointer } = leaveLongMode(asm);
  ask(asm);
  comeBack(asm, gdtPointer, saved);
  tables();
  asm
    .bind(saved)
    .u64(0n)
    .u64(0n)
    .u8(...Array<number>(10).fill(0));
  if (asm.length > BIOS_MAP - REAL_MODE_PAGE - 0x40) impossible("the code ends before its results");
}

/** 16-bit code: INT 15h E820 until it says that it was the last one. Interrupts are off, unless the BIOS turns them on. */
function ask(asm: Assembler): void {
  const [again, done] = [new Label(), new Label()];
  const count = BIOS_MAP & 0xffff;
  flatSegments(asm).alu("xor", RBX, RBX, 4);
  word(asm, RAX, LOW_SEGMENT);
  for (const segment of [DS, ES]) asm.modRm(0x8e, segment, RAX, 2);
  word(asm, RDI, count + HEADER_BYTES)
    .u8(0xc7, 0x06)
    .u16(count)
    .u16(0); // MOV word [count]
  asm.bind(again).u8(0x66, 0xc7, 0x45, 20).u32(1); // MOV dword [DI + 20]: valid, if the BIOS does not write that
  asm.constant(RAX, 0xe820).constant(RCX, ENTRY_BYTES).constant(RDX, SMAP);
  asm.push(RDI).u8(0x1e, 0x06); // PUSH DS, ES
  interrupt(asm, 0x15).u8(0xfa, 0xfc, 0x07, 0x1f).pop(RDI).jump(done, CC.B); // CLI, CLD, POP ES, DS
  asm.aluConstant("cmp", RAX, SMAP, 4).jump(done, CC.NE);
  asm.aluConstant("add", RDI, ENTRY_BYTES, 2).u8(0xff, 0x06).u16(count); // INC word [count]
  asm.test(RBX, RBX, 4).jump(done, CC.E);
  asm.u8(0x83, 0x3e).u16(count).u8(BIOS_MAP_MOST).jump(again, CC.B); // CMP word [count]
  asm.bind(done);
}

/** From 16-bit code to where `callRealMode` was called. The BIOS may have loaded a GDT of its own. */
function comeBack(asm: Assembler, gdtPointer: Label, saved: Label): void {
  const [protected32, long] = [new Label(), new Label()];
  asm.u8(0x66, 0x2e, 0x0f, 0x01, 0x16).reference(gdtPointer, "absolute2"); // LGDT CS:
  readControl(asm, 0, RAX).u8(0x0c, 1); // OR AL: PE
  writeControl(asm, 0, RAX);
  asm.u8(0x66, 0xea).reference(protected32, "absolute4").u16(CODE32);

  asm.bits = 32;
  loadSegments(asm.bind(protected32), DATA32, DS, ES, SS);
  asm.u8(0xa1).reference(saved, "absolute4"); // MOV EAX: CR3
  writeControl(asm, 3, RAX);
  enterLongMode(asm);
  farJump(asm, CODE64, long);

  asm.bits = 64;
  asm.bind(long).modRm(0x0f01, 2, memory(null, 0, { symbol: "gdtPointer" }), 4); // LGDT; TR still has its TSS
  loadSegments(asm, 0, FS, GS).address(RCX, saved).load(RSP, memory(RCX, SAVED_RSP), 8);
  asm.modRm(0x0f01, 3, memory(RCX, SAVED_IDTR), 4); // LIDT
  for (const register of [...CALLEE_SAVED].reverse()) asm.pop(register);
  asm.ret();
}
