/** FXSAVE and FXRSTOR: the 512-byte image of x87, MMX and SSE state [SDM 1 10.5, SDM 2A table 3-46]. */
import type { Decoded } from "../core/decode.ts";
import { form, type HelperBody, type Instruction, rare } from "../core/forms.ts";
import { refreshMxcsr } from "../core/modes.ts";
import type { Processor } from "../core/processor.ts";
import { S } from "../core/state.ts";
import { MXCSR_MASK } from "./sse-control.ts";

/** Offsets of quadwords in the image. The bytes from 416 on are reserved, or software's: they are neither written nor read. */
const IMAGE = 512, POINTERS = 8, CONTROL = 24, ST = 32, XMM = 160;
/** Bits of the words that exist, the bit of FCW that is always one, and what sums up unmasked exceptions in FSW. */
const FCW_BITS = 0x1f3f, FCW_ONE = 0x40, FOP_BITS = 0x7ff, FSW_SUMMARY = 0x8080;

/** Only 64-bit mode has XMM8 to XMM15. */
const vectors = (insn: Decoded): number => (insn.long ? 16 : 8);
/** With REX.W, FIP and FDP have 64 bits; else 32, and their selectors stand beside them. */
const wide = (insn: Decoded): boolean => (insn.rex & 8) !== 0;

/** The offset of the image, once it is known that it is aligned. */
function imageAt(cpu: Processor, insn: Decoded, write: boolean): bigint {
  const at = cpu.x.address(insn.operands[0]!);
  if (cpu.x.linear(at, IMAGE, write) % 16 !== 0) cpu.fault("GP", 0);
  return at;
}

const save: HelperBody = (cpu, insn) => {
  const { x, memory } = cpu, { u16 } = memory, at = imageAt(cpu, insn, true);
  x.probeWrite("operand", at, IMAGE);
  const put = (offset: number, value: bigint) =>
    x.store("operand", BigInt.asUintN(insn.addressSize, at + BigInt(offset)), 64, value);
  const fsw = u16[S.FSW >> 1]!, top = fsw >> 11 & 7;
  const pointer = (at: number, selector: number) =>
    wide(insn) ? cpu.u64(at) : BigInt(cpu.u32(at)) | BigInt(u16[selector >> 1]!) << 32n;
  put(0, BigInt(u16[S.FCW >> 1]!) | BigInt(fsw) << 16n | BigInt(u16[S.FTW >> 1]!) << 32n | BigInt(u16[S.FOP >> 1]!) << 48n);
  put(POINTERS, pointer(S.FIP, S.FCS));
  put(POINTERS + 8, pointer(S.FDP, S.FDS));
  put(CONTROL, BigInt(cpu.u32(S.MXCSR)) | BigInt(MXCSR_MASK) << 32n);
  for (let i = 0; i < 8; i++) {
    const register = S.FPR + 16 * (top + i & 7);
    put(ST + 16 * i, cpu.u64(register));
    put(ST + 16 * i + 8, cpu.u64(register + 8) & 0xffffn);
  }
  for (let i = 0; i < vectors(insn); i++) {
    put(XMM + 16 * i, cpu.u64(S.YMM + 32 * i));
    put(XMM + 16 * i + 8, cpu.u64(S.YMM + 32 * i + 8));
  }
};

const restore: HelperBody = (cpu, insn) => {
  const { x, memory } = cpu, { u16 } = memory, at = imageAt(cpu, insn, false), image: bigint[] = [];
  for (let offset = 0; offset < IMAGE; offset += 8) {
    image.push(x.load("operand", BigInt.asUintN(insn.addressSize, at + BigInt(offset)), 64));
  }
  const quad = (offset: number) => image[offset >> 3]!, field = (v: bigint, low: number) => Number(v >> BigInt(low) & 0xffffn);
  const mxcsr = Number(quad(CONTROL) & 0xffffffffn);
  if (mxcsr & ~MXCSR_MASK) cpu.fault("GP", 0);

  const fcw = field(quad(0), 0) & FCW_BITS | FCW_ONE, fsw = field(quad(0), 16) & ~FSW_SUMMARY, top = fsw >> 11 & 7;
  u16[S.FCW >> 1] = fcw;
  u16[S.FSW >> 1] = fsw | (fsw & ~fcw & 0x3f ? FSW_SUMMARY : 0);
  u16[S.FTW >> 1] = field(quad(0), 32) & 0xff;
  u16[S.FOP >> 1] = field(quad(0), 48) & FOP_BITS;
  const pointer = (at: number, selector: number, v: bigint) => {
    cpu.setU64(at, wide(insn) ? v : v & 0xffffffffn);
    u16[selector >> 1] = wide(insn) ? 0 : field(v, 32);
  };
  pointer(S.FIP, S.FCS, quad(POINTERS));
  pointer(S.FDP, S.FDS, quad(POINTERS + 8));
  cpu.setU32(S.MXCSR, mxcsr);
  refreshMxcsr(cpu);
  for (let i = 0; i < 8; i++) {
    const register = S.FPR + 16 * (top + i & 7);
    cpu.setU64(register, quad(ST + 16 * i));
    cpu.setU64(register + 8, quad(ST + 16 * i + 8) & 0xffffn);
  }
  for (let i = 0; i < vectors(insn); i++) {
    cpu.setU64(S.YMM + 32 * i, quad(XMM + 16 * i));
    cpu.setU64(S.YMM + 32 * i + 8, quad(XMM + 16 * i + 8));
  }
};

const VENDOR = { vendor: "AMD leaves FIP, FDP and FOP out unless FSW.ES is set, and has another MXCSR_MASK" };
const image = (name: string, digit: number, helper: HelperBody): Instruction[] => [false, true].map((rexW) =>
  rare(rexW ? `${name}64` : name, [form(`NP 0F AE /${digit}`, "M", { feature: "fxsr", rexW })], helper, { unit: "x87control", vectors: VENDOR }));

export const fxsave: Instruction[] = [...image("fxsave", 0, save), ...image("fxrstor", 1, restore)];
