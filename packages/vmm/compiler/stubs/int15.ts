/**
 * The hook of INT 15h, which hides memory from whoever asks the BIOS: copied to a page of conventional memory, which stays
 * its own, also when the hypervisor is gone. Answers come from the data behind it:
 *
 *     +0  the original vector     +4  entries     +6, +8  E801's KiB below and 64 KiB above 16 MiB     +10  88h's KiB
 *     +16 the entries of E820: base, length, type, in 20 bytes
 *
 * What tells of memory and is not answered here fails as an unknown function does; everything else is the BIOS's.
 */
import { INT15_DATA } from "../layout.ts";
import type { Piece } from "../link.ts";
import { type Assembler, Label } from "../x64/assembler.ts";
import { CC, memory, RAX, RBP, RBX, RCX, RDI, RDX, type Register, RSI, RSP } from "../x64/operands.ts";
import { SMAP } from "./bios-map.ts";
import { stub } from "./stub.ts";

const DATA = INT15_DATA & 0xffff,
  COUNT = DATA + 4,
  BELOW_16M = DATA + 6,
  ABOVE_16M = DATA + 8,
  EXTENDED = DATA + 10,
  ENTRIES = DATA + 16;
const ENTRY_BYTES = 20;
const UNSUPPORTED = 0x86;

export function int15Pieces(): Piece[] {
  return [
    stub("int15", int15, { bits: 16, runsAt: "int15Page" }),
    stub("int15End", (asm) => asm.u8(0), { kind: "data" }),
  ];
}

function int15(asm: Assembler): void {
  const [e820, e801, extended, fail, succeed] = [new Label(), new Label(), new Label(), new Label(), new Label()];
  asm.u8(0x9c); // PUSHF: the BIOS gets the flags as they were
  const ifAx = (value: number, target: Label) => asm.u8(0x3d).u16(value).jump(target, CC.E);
  const ifAh = (value: number, target: Label) => asm.u8(0x80, 0xfc, value).jump(target, CC.E);
  ifAx(0xe820, e820);
  ifAx(0xe801, e801);
  ifAh(0x88, extended);
  for (const value of [0xe881, 0xda88]) ifAx(value, fail); // the same for 32 bits, and AMI's
  for (const value of [0x8a, 0xc7]) ifAh(value, fail); // Phoenix's, and PS/2's map
  asm.u8(0x9d, 0x2e, 0xff, 0x2e).u16(DATA); // POPF; JMP FAR CS:[original]
  answerE820(asm.bind(e820), fail, succeed);
  loadWord(asm.bind(e801), RAX, BELOW_16M);
  loadWord(asm, RBX, ABOVE_16M).copy(RCX, RAX, 2).copy(RDX, RBX, 2).jump(succeed);
  loadWord(asm.bind(extended), RAX, EXTENDED).jump(succeed);
  asm.bind(fail).u8(0xb4, UNSUPPORTED); // MOV AH
  leave(asm, () => asm.u8(0x80, 0x4e, 8, 1)); // OR byte [BP + 8], 1: the caller's CF
  leave(asm.bind(succeed), () => asm.u8(0x80, 0x66, 8, 0xfe)); // AND
}
const loadWord = (asm: Assembler, to: Register, at: number) => asm.u8(0x2e, 0x8b, (to << 3) | 6).u16(at); // MOV CS:
/** BP, our PUSHF, IP, CS, then the caller's flags. */
function leave(asm: Assembler, change: () => void): void {
  asm.push(RBP).copy(RBP, RSP, 2);
  change();
  asm.pop(RBP).u8(0x83, 0xc4, 2, 0xcf); // ADD SP, 2; IRET
}

/** BX is the number of the entry, as SeaBIOS has it; callers treat it as opaque [ACPI 15.1]. */
function answerE820(asm: Assembler, fail: Label, succeed: Label): void {
  const last = new Label();
  const compareCount = () => asm.u8(0x2e, 0x3b, (RBX << 3) | 6).u16(COUNT); // CMP BX, CS:[count]
  asm.aluConstant("cmp", RDX, SMAP, 4).jump(fail, CC.NE);
  asm.aluConstant("cmp", RCX, ENTRY_BYTES, 4).jump(fail, CC.B);
  compareCount().jump(fail, CC.AE);
  asm.u8(0x1e).push(RSI).push(RDI).u8(0x0e, 0x1f, 0xfc); // PUSH DS; PUSH CS; POP DS; CLD
  asm
    .u8(0x6b, 0xc0 | (RSI << 3) | RBX, ENTRY_BYTES)
    .u8(0x81, 0xc6)
    .u16(ENTRIES); // IMUL SI, BX; ADD SI
  asm
    .u8(0xb8 | RCX)
    .u16(ENTRY_BYTES / 2)
    .u8(0xf3, 0xa5); // REP MOVSW
  asm.pop(RDI).pop(RSI).u8(0x1f); // POP DS
  asm.lea(RBX, memory(RBX, 1), 2).modRm(0x0fb7, RBX, RBX, 4); // the next one
  compareCount().jump(last, CC.B).alu("xor", RBX, RBX, 4);
  asm.bind(last).constant(RAX, SMAP).constant(RCX, ENTRY_BYTES).jump(succeed);
}
