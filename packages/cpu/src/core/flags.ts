/**
 * RFLAGS, of which the six arithmetic flags are kept lazily as two words:
 *
 * - `lazy.result`: a sign-extended result. ZF = it is zero; SF = its sign, corrected; PF = parity of its low byte, corrected.
 * - `lazy.aux`: bit 1 is CF; bit 1 xor bit 0 is OF; bit 3 is AF; bits 15:8 are XORed onto the low byte for PF; bit 16
 *   onto the sign for SF.
 *
 * Any combination of flags has such a form, and an addition's carry vector gives CF, OF and AF with two shifts.
 */
import type { PhysicalMemory } from "./physical.ts";
import { S } from "./state.ts";

export const CF = 1,
  PF = 4,
  AF = 0x10,
  ZF = 0x40,
  SF = 0x80,
  TF = 0x100,
  IF = 0x200,
  DF = 0x400,
  OF = 0x800,
  IOPL = 0x3000,
  NT = 0x4000,
  RF = 0x10000,
  VM = 0x20000,
  AC = 0x40000,
  VIF = 0x80000,
  VIP = 0x100000,
  ID = 0x200000;
export const ARITHMETIC = CF | PF | AF | ZF | SF | OF;
/** Every flag that exists; the others read as zero, bit 1 as one. */
export const ALL = ARITHMETIC | TF | IF | DF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;

/** RFLAGS of the running processor as one number. */
export function readFlags(memory: PhysicalMemory): number {
  const { i32, u32 } = memory,
    low = i32[S.LAZY_RESULT >> 2]!,
    high = i32[(S.LAZY_RESULT >> 2) + 1]!,
    aux = i32[S.LAZY_AUX >> 2]!;
  let parity = (low ^ (aux >> 8)) & 0xff;
  parity ^= parity >> 4;
  const pf = (0x9669 >> (parity & 15)) & 1;
  const cf = (aux >> 1) & 1,
    of = ((aux >> 1) ^ aux) & 1,
    sf = (high >>> 31) ^ ((aux >> 16) & 1);
  const zf = (low | high) === 0 ? 1 : 0;
  return (u32[S.FLAGS >> 2]! | 2 | cf | (pf << 2) | (((aux >> 3) & 1) << 4) | (zf << 6) | (sf << 7) | (of << 11)) >>> 0;
}

/** Sets every flag, arithmetic and system. */
export function writeFlags(memory: PhysicalMemory, flags: number): void {
  const { i32 } = memory;
  i32[S.FLAGS >> 2] = (flags & ALL & ~ARITHMETIC) | 2;
  i32[(S.FLAGS >> 2) + 1] = 0;
  const zf = (flags >> 6) & 1,
    pf = (flags >> 2) & 1,
    sf = (flags >> 7) & 1,
    cf = flags & 1,
    of = (flags >> 11) & 1;
  const result = zf ^ 1;
  i32[S.LAZY_RESULT >> 2] = result;
  i32[(S.LAZY_RESULT >> 2) + 1] = 0;
  i32[S.LAZY_AUX >> 2] = (cf << 1) | (cf ^ of) | (((flags >> 4) & 1) << 3) | ((pf ^ 1 ^ result) << 8) | (sf << 16);
  i32[(S.LAZY_AUX >> 2) + 1] = 0;
}
