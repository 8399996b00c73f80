/**
 * The start of another processor: SIPI begins in this page, in real mode. Guest code copies `apStart` to its page in the
 * low window, fills in `apParameters` there, and sends SIPI; `apMain(id: u32)`, which the module exports, is called on the
 * stack that was given.
 */
import { CODE32, CODE64, DATA32 } from "../layout.ts";
import type { Piece } from "../link.ts";
import { type Assembler, Label } from "../x64/assembler.ts";
import { memory, RAX, RDI, RSP } from "../x64/operands.ts";
import { LOW_SEGMENT } from "./boot-sector.ts";
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
  readControl,
  SS,
  stub,
  writeControl,
} from "./stub.ts";

const PAGE = "apStartPage";

/** @param handled the module exports `apMain` */
export function apStartPieces(handled: boolean): Piece[] {
  const calls = handled ? ["export:apMain"] : [];
  return [
    stub("apStart", (asm) => apStart(asm, handled), { bits: 16, runsAt: PAGE, calls }),
    stub("apStartEnd", (asm) => asm.u8(0), { kind: "data" }),
  ];
}

function apStart(asm: Assembler, handled: boolean): void {
  const [low, protected32, long, stop] = [new Label(), new Label(), new Label(), new Label()];
  const [gdt, gdtPointer, parameters] = [new Label(), new Label(), new Label()];
  asm.u8(0xfa, 0xfc); // CLI, CLD
  farJump(asm, LOW_SEGMENT, low).bind(low);
  asm.u8(0x66, 0x2e, 0x0f, 0x01, 0x16).reference(gdtPointer, "absolute2"); // LGDT CS:
  readControl(asm, 0, RAX).u8(0x0c, 1); // OR AL: PE
  writeControl(asm, 0, RAX);
  asm.u8(0x66, 0xea).reference(protected32, "absolute4").u16(CODE32);

  asm.bits = 32;
  loadSegments(asm.bind(protected32), DATA32, DS, ES, SS);
  asm.u8(0xa1).reference(parameters, "absolute4"); // MOV EAX: CR3
  writeControl(asm, 3, RAX);
  enterLongMode(asm);
  farJump(asm, CODE64, long);

  asm.bits = 64;
  loadSegments(asm.bind(long), 0, FS, GS);
  asm.address(RAX, parameters).load(RSP, memory(RAX, 8), 8).load(RDI, memory(RAX, 16), 4);
  if (handled) asm.address(RAX, "export:apMain").modRm(0xff, 2, RAX, 4);
  asm.bind(stop).u8(0xfa, 0xf4).jump(stop);
  asm.bind(gdtPointer).u16(0x1f).reference(gdt, "absolute4");
  asm.bind(gdt).u64(0n).u64(FLAT_CODE64).u64(FLAT_DATA32).u64(FLAT_CODE32);
  asm.bind(parameters).symbol("apParameters").u64(0n).u64(0n).u32(0); // CR3, RSP, id
}
