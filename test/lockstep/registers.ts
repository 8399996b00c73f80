/** Our registers as the stub would give them, and as a stream of QEMU's holds them. */
import type { Processor } from "../../packages/cpu/src/core/processor.ts";
import type { Layout, Place } from "./layout.ts";
import { CS, DS, EFER_LMA, ES, GPR_NAMES, LDTR, S, SEG, SEGMENT_NAMES, SS, segment, TR } from "./state.ts";
import type { MigrationStream } from "./stream.ts";

/** The stub's names of what it always gives as zero, or of what no instruction reads: never compared. */
const NOT_COMPARED = new Set("cr8 ftag fiseg fioff foseg fooff fop".split(" "));
const SELECTORS = ["es", "cs", "ss", "ds", "fs", "gs"];

type Write = (p: Processor, into: Buffer, at: number) => void;
const u32 =
  (value: (p: Processor) => number): Write =>
  (p, into, at) =>
    into.writeUInt32LE(value(p) >>> 0, at);
const u64 =
  (address: number): Write =>
  (p, into, at) =>
    into.writeBigUInt64LE(p.u64(address), at);

/** How our side writes the stub's register of that name. */
function writerOf(name: string): Write | null {
  const general = GPR_NAMES.indexOf(name.toUpperCase()),
    selector = SELECTORS.indexOf(name);
  if (NOT_COMPARED.has(name)) return null;
  if (general >= 0) return (p, into, at) => into.writeBigUInt64LE(generalRegister(p, general), at);
  if (selector >= 0) return u32((p) => p.selector(selector));
  const numbered = /^(st|xmm|cr)(\d+)$/.exec(name);
  if (numbered?.[1] === "st") return (p, into, at) => writeStack(p, Number(numbered[2]), into, at);
  if (numbered?.[1] === "xmm") {
    const from = S.YMM + 32 * Number(numbered[2]);
    return (p, into, at) => into.set(p.memory.u8.subarray(from, from + 16), at);
  }
  const control: Record<string, Write> = {
    rip: u64(S.RIP),
    eflags: u32((p) => p.flags),
    fs_base: u64(segment(4) + SEG.base),
    gs_base: u64(segment(5) + SEG.base),
    k_gs_base: u64(S.KERNEL_GS_BASE),
    cr0: u64(S.CR0),
    cr2: u64(S.CR2),
    cr3: u64(S.CR3),
    cr4: u64(S.CR4),
    efer: u64(S.EFER),
    fctrl: u32((p) => p.memory.u16[S.FCW >> 1]!),
    fstat: u32((p) => p.memory.u16[S.FSW >> 1]!),
    mxcsr: u32((p) => p.u32(S.MXCSR)),
  };
  return control[name] ?? null;
}
/** The stub shows what the mode can name. */
function generalRegister(p: Processor, n: number): bigint {
  if (p.long) return p.gpr(n);
  return n < 8 ? BigInt.asUintN(32, p.gpr(n)) : 0n;
}
/** Empty registers are left as they are: what they hold is nobody's. */
function writeStack(p: Processor, n: number, into: Buffer, at: number): void {
  const top = (p.memory.u16[S.FSW >> 1]! >> 11) & 7,
    physical = (top + n) & 7,
    from = S.FPR + 16 * physical;
  if ((p.memory.u16[S.FTW >> 1]! >> physical) & 1) into.set(p.memory.u8.subarray(from, from + 10), at);
}

/** Writes our registers over a copy of QEMU's, in the stub's layout. */
export class OurRegisters {
  readonly #writers: readonly { readonly place: Place; readonly write: Write }[];

  constructor(layout: Layout) {
    this.#writers = layout.places.flatMap((place) => {
      const write = writerOf(place.name);
      return write === null ? [] : [{ place, write }];
    });
  }
  /** What QEMU's registers should be: what is not compared stays as it is in `theirs`. */
  over(theirs: Buffer, p: Processor): Buffer {
    const wanted = Buffer.from(theirs);
    for (const { place, write } of this.#writers) write(p, wanted, place.offset);
    return wanted;
  }
}

// ---- into a stream ----

/** QEMU's hflags that no post-load step recomputes, and that are not bits of EFLAGS [QEMU target/i386/cpu.h]. */
const HF = {
  CS32: 1 << 4,
  SS32: 1 << 5,
  ADDSEG: 1 << 6,
  PE: 1 << 7,
  LMA: 1 << 14,
  CS64: 1 << 15,
  OSFXSR: 1 << 22,
  SMAP: 1 << 23,
  UMIP: 1 << 27,
};
const ACCESS = { L: 0x2000, DB: 0x4000, UNUSABLE: 0x10000, DPL: 0x60 };

function hiddenFlags(p: Processor): number {
  const [cr0, cr4] = [p.u32(S.CR0), p.u32(S.CR4)],
    lma = (p.u32(S.EFER) & EFER_LMA) !== 0,
    cs64 = lma && (p.segmentAccess(CS) & ACCESS.L) !== 0,
    pe = (cr0 & 1) !== 0,
    cs32 = cs64 || (p.segmentAccess(CS) & ACCESS.DB) !== 0,
    based = [DS, ES, SS].some((n) => p.u64(segment(n) + SEG.base) !== 0n);
  let flags = (p.cpl & 3) | ((cr0 & 0xe) << 8); // MP, EM, TS
  if (cs32) flags |= HF.CS32;
  if (cs64 || p.segmentAccess(SS) & ACCESS.DB) flags |= HF.SS32;
  if (!cs64 && (!pe || !cs32 || based)) flags |= HF.ADDSEG;
  if (pe) flags |= HF.PE;
  if (lma) flags |= HF.LMA;
  if (cs64) flags |= HF.CS64;
  if (cr4 & (1 << 9)) flags |= HF.OSFXSR;
  if (cr4 & (1 << 21)) flags |= HF.SMAP;
  if (cr4 & (1 << 11)) flags |= HF.UMIP;
  return flags;
}

/** Attributes of a segment register where QEMU keeps them: as in the second word of a descriptor. */
export function descriptorFlags(p: Processor, n: number): number {
  const access = p.segmentAccess(n);
  if (access & ACCESS.UNUSABLE) return n === SS ? p.cpl << 13 : 0;
  return (access & 0xf0ff) << 8;
}

export function patchProcessor(stream: MigrationStream, p: Processor): void {
  const cpu = stream.device("cpu");
  for (let n = 0; n < 16; n++) {
    cpu.set(`env.regs.${n}`, p.gpr(n));
    for (let half = 0; half < 2; half++)
      cpu.set(`env.xmm_regs[0].${n}._q_ZMMReg[${half}]`, p.u64(S.YMM + 32 * n + 8 * half));
  }
  SEGMENT_NAMES.forEach((_, n) => {
    const path = n === LDTR ? "env.ldt" : n === TR ? "env.tr" : `env.segs.${n}`;
    cpu.set(`${path}.selector`, p.selector(n));
    cpu.set(`${path}.base`, p.u64(segment(n) + SEG.base));
    cpu.set(`${path}.limit`, p.u64(segment(n) + SEG.limit));
    cpu.set(`${path}.flags`, descriptorFlags(p, n));
  });
  for (let n = 0; n < 8; n++) {
    const from = S.FPR + 16 * n;
    cpu.setBytes(`env.fpregs.${n}`, 0, p.memory.u8.slice(from, from + 8).reverse());
    cpu.setBytes(`env.fpregs.${n}`, 8, p.memory.u8.slice(from + 8, from + 10).reverse());
  }
  for (let n = 0; n < 4; n++) cpu.set(`env.dr.${n}`, p.u64(S.DR0 + 8 * n));
  for (const [path, value] of [
    ["env.eip", p.u64(S.RIP)],
    ["env.eflags", BigInt(p.flags)],
    ["env.hflags", BigInt(hiddenFlags(p))],
    ["env.fpuc", BigInt(p.memory.u16[S.FCW >> 1]!)],
    ["env.fpus_vmstate", BigInt(p.memory.u16[S.FSW >> 1]!)],
    ["env.fptag_vmstate", BigInt(p.memory.u16[S.FTW >> 1]!)],
    ["env.gdt.base", p.u64(S.GDTR_BASE)],
    ["env.gdt.limit", p.u64(S.GDTR_LIMIT)],
    ["env.idt.base", p.u64(S.IDTR_BASE)],
    ["env.idt.limit", p.u64(S.IDTR_LIMIT)],
    ["env.sysenter_cs", p.u64(S.SYSENTER_CS)],
    ["env.sysenter_esp", p.u64(S.SYSENTER_ESP)],
    ["env.sysenter_eip", p.u64(S.SYSENTER_EIP)],
    ["env.cr[0]", p.u64(S.CR0)],
    ["env.cr[2]", p.u64(S.CR2)],
    ["env.cr[3]", p.u64(S.CR3)],
    ["env.cr[4]", p.u64(S.CR4)],
    ["env.dr.6", p.u64(S.DR6)],
    ["env.dr.7", p.u64(S.DR7)],
    ["env.mxcsr", BigInt(p.u32(S.MXCSR))],
    ["env.efer", p.u64(S.EFER)],
    ["env.star", p.u64(S.STAR)],
    ["env.lstar", p.u64(S.LSTAR)],
    ["env.cstar", p.u64(S.CSTAR)],
    ["env.fmask", p.u64(S.FMASK)],
    ["env.kernelgsbase", p.u64(S.KERNEL_GS_BASE)],
    ["env.pat", p.u64(S.PAT)],
    ["env.tsc_aux", p.u64(S.TSC_AUX)],
  ] as const)
    cpu.set(path, value);
}
