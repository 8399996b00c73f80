/**
 * Back to real mode, for good: copied to its page in the low window and jumped to, it leaves long mode and boots the first
 * disk as the BIOS would have done. To hand over elsewhere, write a stub of the same kind: `leaveLongMode` is the way down.
 */
import { CODE16, CODE32, DATA16 } from "../layout.ts";
import type { Piece } from "../link.ts";
import { type Assembler, Label } from "../x64/assembler.ts";
import { RAX, RCX, RDX } from "../x64/operands.ts";
import { bootFirstDisk, LOW_SEGMENT, REAL_PAGE } from "./boot-sector.ts";
import {
  DS,
  ES,
  FLAT_CODE32,
  FLAT_CODE64,
  FLAT_DATA32,
  FS,
  farJump,
  GS,
  loadSegments,
  REAL_CODE16,
  REAL_DATA16,
  readControl,
  SS,
  stub,
  writeControl,
} from "./stub.ts";

export function realModePieces(): Piece[] {
  return [stub("bootDisk", bootDisk, { runsAt: REAL_PAGE }), stub("bootDiskEnd", (asm) => asm.u8(0), { kind: "data" })];
}

function bootDisk(asm: Assembler): void {
  const { tables } = leaveLongMode(asm);
  bootFirstDisk(asm);
  tables();
}

/**
 * From 64-bit code to real mode with interrupts off, in a page where linear and physical addresses are equal.
 * @returns what writes the tables that it needs, to be called after the code; and their GDT's pseudo-descriptor
 */
export function leaveLongMode(asm: Assembler): { tables(): void; readonly gdtPointer: Label } {
  const [gdt, gdtPointer, ivtPointer] = [new Label(), new Label(), new Label()];
  const [protected32, protected16, real] = [new Label(), new Label(), new Label()];
  asm.u8(0xfa, 0x0f, 0x01, 0x14, 0x25).reference(gdtPointer, "absolute4"); // CLI; LGDT
  asm.u8(0x6a, CODE32, 0x68).reference(protected32, "absolute4").u8(0x48, 0xcb); // PUSH CS, EIP; RETFQ

  asm.bits = 32;
  asm.bind(protected32);
  readControl(asm, 0, RAX).aluConstant("and", RAX, 0x7fffffff, 4); // paging off: long mode is left [SDM 3A 10.8.5.4]
  writeControl(asm, 0, RAX);
  asm.constant(RCX, 0xc0000080).alu("xor", RAX, RAX, 4).alu("xor", RDX, RDX, 4).u8(0x0f, 0x30); // EFER
  writeControl(asm, 3, RAX);
  writeControl(asm, 4, RAX);
  loadSegments(asm, DATA16, DS, ES, FS, GS, SS); // limits that real mode keeps [SDM 3A 10.9.2]
  farJump(asm, CODE16, protected16, LOW_SEGMENT << 4);

  asm.bits = 16;
  asm.bind(protected16).u8(0x2e, 0x0f, 0x01, 0x1e).reference(ivtPointer, "absolute2"); // LIDT CS:
  readControl(asm, 0, RAX).u8(0x24, 0xfe); // AND AL: PE off
  writeControl(asm, 0, RAX);
  farJump(asm, LOW_SEGMENT, real).bind(real);
  const tables = () => {
    asm.bind(gdtPointer).u16(0x2f).reference(gdt, "absolute8");
    asm.bind(ivtPointer).u16(0x3ff).u32(0);
    asm.bind(gdt).u64(0n);
    const low = BigInt(LOW_SEGMENT) << 20n; // the base, for 16-bit offsets
    for (const descriptor of [FLAT_CODE64, FLAT_DATA32, FLAT_CODE32, REAL_CODE16 | low, REAL_DATA16])
      asm.u64(descriptor);
  };
  return { tables, gdtPointer };
}
