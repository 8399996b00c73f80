/**
 * From real mode to the boot sector of the first disk, as a BIOS goes there: `bootFirstDisk` is the code that everything
 * ends with which boots the disk, with the hypervisor and without; `startGuest` is that alone, copied to its page, where
 * a guest begins in real mode.
 */
import { REAL_MODE_PAGE } from "../layout.ts";
import type { Piece } from "../link.ts";
import { type Assembler, Label } from "../x64/assembler.ts";
import { CC, RAX, RBP, RBX, RCX, RDI, RDX, type Register, RSI, RSP } from "../x64/operands.ts";
import { DS, ES, FS, farJump, GS, SS, stub } from "./stub.ts";

/** The symbol for the page that code runs in. */
export const REAL_PAGE = "realModePage";
/** A segment from which 16-bit offsets are the low 16 bits of addresses. */
export const LOW_SEGMENT = (REAL_MODE_PAGE >> 4) & 0xf000;
const BOOT_SECTOR = 0x7c00,
  FIRST_DISK = 0x80;
/** What the BIOS leaves in AX for the boot sector, and what the sector ends with. */
const SIGNATURE = 0xaa55;
/** How often a sector is read, with a reset of the drive in between: a drive may be spinning up. */
const TRIES = 3;

export function startGuestPieces(): Piece[] {
  return [
    stub("startGuest", startGuest, { bits: 16, runsAt: REAL_PAGE }),
    stub("startGuestEnd", (asm) => asm.u8(0), { kind: "data" }),
  ];
}

/** Entered at its first byte, by whatever segment. */
function startGuest(asm: Assembler): void {
  const begin = new Label();
  asm.u8(0xfa, 0xfc); // CLI, CLD
  bootFirstDisk(farJump(asm, LOW_SEGMENT, begin).bind(begin));
}

export const word = (asm: Assembler, register: Register, value: number) => asm.u8(0xb8 | register).u16(value);
export const interrupt = (asm: Assembler, vector: number) => asm.u8(0xcd, vector);

/** Clears DS, ES, SS, and sets a stack below the place of boot sectors. AX is 0 then. */
export function flatSegments(asm: Assembler, ...more: number[]): Assembler {
  asm.alu("xor", RAX, RAX, 2);
  for (const segment of [DS, ES, ...more, SS]) asm.modRm(0x8e, segment, RAX, 2);
  return word(asm, RSP, BOOT_SECTOR); // no interrupt comes between SS and SP [SDM 3A 6.8.3]
}

/** 16-bit code in segment LOW_SEGMENT. If there is nothing to boot, it says so on the debug port and the screen, and stops. */
export function bootFirstDisk(asm: Assembler): void {
  const [again, check, failed] = [new Label(), new Label(), new Label()];
  flatSegments(asm, FS, GS).u8(0xfb); // STI
  word(asm, RBP, TRIES);
  word(asm.bind(again), RAX, 0x0201); // INT 13h: read one sector
  word(asm, RCX, 1); // of cylinder 0, from sector 1 on
  word(asm, RDX, FIRST_DISK); // of head 0
  word(asm, RBX, BOOT_SECTOR);
  interrupt(asm, 0x13).jump(check, CC.AE);
  word(asm, RAX, 0); // reset
  word(asm, RDX, FIRST_DISK);
  interrupt(asm, 0x13).aluConstant("sub", RBP, 1, 2).jump(again, CC.NE).jump(failed);
  asm
    .bind(check)
    .u8(0x81, 0x3e)
    .u16(BOOT_SECTOR + 510)
    .u16(SIGNATURE)
    .jump(failed, CC.NE); // CMP word [7DFE]
  for (const register of [RBX, RCX, RBP, RSI, RDI]) asm.alu("xor", register, register, 4);
  asm.constant(RDX, FIRST_DISK).constant(RAX, SIGNATURE);
  asm.u8(0xfb, 0xea).u16(BOOT_SECTOR).u16(0); // STI: a BIOS may return with interrupts off; JMP 0:7C00
  complain(asm.bind(failed), "castaway: the first disk cannot be booted\n");
}

/** Prints a text that stands in this segment, and stops. */
function complain(asm: Assembler, text: string): void {
  const [next, end, string] = [new Label(), new Label(), new Label()];
  asm.u8(0xfc, 0xb8 | RSI).reference(string, "absolute2"); // CLD
  asm.bind(next).u8(0x2e, 0xac).test(RAX, RAX, 1).jump(end, CC.E); // LODSB CS:
  asm.u8(0xe6, 0xe9, 0xb4, 0x0e).push(RSI); // OUT E9; MOV AH
  word(asm, RBX, 7); // page 0, grey
  interrupt(asm, 0x10).pop(RSI).jump(next);
  asm.bind(end).u8(0xf4).jump(end);
  asm.bind(string).u8(...new TextEncoder().encode(`${text}\0`));
}
