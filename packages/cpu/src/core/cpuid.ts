/** CPUID [SDM 2A "CPUID"]: answers from the model's data and, for a few bits, from control registers. */
import type { Feature } from "./forms.ts";
import { type Model, signature } from "./model.ts";
import { CR4_OSXSAVE, PHYSICAL_BITS } from "./paging.ts";
import type { Processor } from "./processor.ts";
import { S } from "./state.ts";

export const LINEAR_BITS = 48;
const MAX_EXTENDED = 0x80000008;

/** Where each feature is reported. */
const LEAF1_EDX: Partial<Record<Feature, number>> = {
  fpu: 0,
  vme: 1,
  de: 2,
  pse: 3,
  tsc: 4,
  msr: 5,
  pae: 6,
  mce: 7,
  cx8: 8,
  apic: 9,
  sysenter: 11,
  mtrr: 12,
  pge: 13,
  mca: 14,
  cmov: 15,
  pat: 16,
  pse36: 17,
  clflush: 19,
  mmx: 23,
  fxsr: 24,
  sse: 25,
  sse2: 26,
};
const LEAF1_ECX: Partial<Record<Feature, number>> = {
  sse3: 0,
  monitor: 3,
  vmx: 5,
  cx16: 13,
  pcid: 17,
  x2apic: 21,
  movbe: 22,
  popcnt: 23,
  tscDeadline: 24,
  xsave: 26,
  rdrand: 30,
};
const LEAF6_EAX: Partial<Record<Feature, number>> = { arat: 2 };
const LEAF7_EBX: Partial<Record<Feature, number>> = {
  fsgsbase: 0,
  tscAdjust: 1,
  smep: 7,
  erms: 9,
  invpcid: 10,
  rdseed: 18,
  smap: 20,
  clflushopt: 23,
  clwb: 24,
};
const LEAF7_ECX: Partial<Record<Feature, number>> = { umip: 2, rdpid: 22 };
const LEAF7_EDX: Partial<Record<Feature, number>> = { archCapabilities: 29 };
const EXTENDED1_EDX: Partial<Record<Feature, number>> = { syscall: 11, nx: 20, page1g: 26, rdtscp: 27, lm: 29 };
const EXTENDED1_ECX: Partial<Record<Feature, number>> = { lahf64: 0, prefetchw: 8 };
const EXTENDED7_EDX: Partial<Record<Feature, number>> = { invariantTsc: 8 };

const OSXSAVE = 1 << 27,
  HTT = 1 << 28,
  SYSCALL = 1 << 11,
  MONITOR = 1 << 3,
  APIC = 1 << 9;

/** Computed once for each model: Linux asks often. */
const known = new WeakMap<Model, Map<object, number>>();
function bitsOf(model: Model, places: Partial<Record<Feature, number>>): number {
  let words = known.get(model);
  if (words === undefined) known.set(model, (words = new Map()));
  let bits = words.get(places);
  if (bits === undefined) {
    bits = 0;
    for (const [feature, bit] of Object.entries(places)) if (model.features.has(feature as Feature)) bits |= 1 << bit!;
    words.set(places, bits);
  }
  return bits;
}

type Registers = readonly [eax: number, ebx: number, ecx: number, edx: number];
const NOTHING: Registers = [0, 0, 0, 0];

/** Four characters a register, the first lowest. */
function textWords(text: string, length: number): number[] {
  const bytes = Array.from({ length }, (_, i) => (i < text.length ? text.charCodeAt(i) : 0));
  return Array.from(
    { length: length / 4 },
    (_, i) => bytes[4 * i]! | (bytes[4 * i + 1]! << 8) | (bytes[4 * i + 2]! << 16) | (bytes[4 * i + 3]! << 24),
  );
}

/** EAX, EBX, ECX, EDX for a leaf and subleaf. Leaves that do not exist answer zeros. */
export function cpuid(cpu: Processor, leaf: number, subleaf: number): Registers {
  const { model } = cpu;
  if (leaf >= 0x80000000) return extendedLeaf(cpu, leaf);
  return leaf > model.maxLeaf ? NOTHING : basicLeaf(cpu, leaf, subleaf);
}

function basicLeaf(cpu: Processor, leaf: number, subleaf: number): Registers {
  const { model } = cpu;
  switch (leaf) {
    case 0: {
      const [b, d, c] = textWords(model.vendor, 12);
      return [model.maxLeaf, b!, c!, d!];
    }
    case 1:
      return leaf1(cpu);
    case 2:
      return [0x55035a01, 0x00f0b2ff, 0, 0x00ca0000]; // TLB descriptors; FF: caches are in leaf 4
    case 4:
      return cacheLeaf(cpu, subleaf);
    case 6:
      return [bitsOf(model, LEAF6_EAX), 0, 0, 0];
    case 7:
      return subleaf === 0
        ? [0, bitsOf(model, LEAF7_EBX), bitsOf(model, LEAF7_ECX), bitsOf(model, LEAF7_EDX)]
        : NOTHING;
    case 11:
      return topologyLeaf(cpu, subleaf);
    default:
      return NOTHING;
  }
}

function leaf1(cpu: Processor): Registers {
  const { model, processors } = cpu;
  const ecx = bitsOf(model, LEAF1_ECX) | (cpu.u32(S.CR4) & CR4_OSXSAVE ? OSXSAVE : 0);
  let edx = bitsOf(model, LEAF1_EDX) | (processors > 1 ? HTT : 0);
  if (!(cpu.u32(S.APIC_BASE) & 0x800)) edx &= ~APIC; // switched off in IA32_APIC_BASE [SDM 3A 10.4.3]
  const monitor = cpu.u32(S.MISC_ENABLE) & (1 << 18) ? MONITOR : 0,
    line = 8; // CLFLUSH line in units of 8 bytes
  return [signature(model), (line << 8) | (processors << 16) | (cpu.id << 24), (ecx & ~MONITOR) | (ecx & monitor), edx];
}

/** Deterministic cache parameters [SDM 2A table 3-8, leaf 4]: 32 KiB + 32 KiB, 256 KiB, 8 MiB shared. */
function cacheLeaf(cpu: Processor, subleaf: number): Registers {
  const cores = cpu.processors > 1 ? coreMask(cpu.processors) : 0;
  const cache = (type: number, level: number, ways: number, sets: number, sharing: number): Registers => [
    type | (level << 5) | (1 << 8) | (sharing << 14) | (cores << 26),
    63 | ((ways - 1) << 22),
    sets - 1,
    0,
  ];
  switch (subleaf) {
    case 0:
      return cache(1, 1, 8, 64, 0);
    case 1:
      return cache(2, 1, 4, 128, 0);
    case 2:
      return cache(3, 2, 8, 512, 0);
    case 3:
      return cache(3, 3, 16, 8192, cores);
    default:
      return NOTHING;
  }
}
/** Smallest 2ⁿ − 1 that numbers so many processors. */
const coreMask = (processors: number) => (1 << (32 - Math.clz32(processors - 1))) - 1;

/** One thread per core, all cores in one package [SDM 2A table 3-8, leaf 0B]. */
function topologyLeaf(cpu: Processor, subleaf: number): Registers {
  const bits = cpu.processors > 1 ? 32 - Math.clz32(cpu.processors - 1) : 0,
    thread = 1,
    core = 2;
  if (subleaf === 0) return [0, 1, thread << 8, cpu.id];
  if (subleaf === 1) return [bits, cpu.processors, (core << 8) | 1, cpu.id];
  return [0, 0, subleaf & 0xff, cpu.id];
}

function extendedLeaf(cpu: Processor, leaf: number): Registers {
  const { model } = cpu;
  switch (leaf) {
    case 0x80000000:
      return [MAX_EXTENDED | 0, 0, 0, 0];
    case 0x80000001: {
      const edx = bitsOf(model, EXTENDED1_EDX);
      return [0, 0, bitsOf(model, EXTENDED1_ECX), cpu.long ? edx : edx & ~SYSCALL]; // SYSCALL is reported in 64-bit mode only
    }
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      const from = (leaf - 0x80000002) * 4,
        [a, b, c, d] = textWords(model.brand, 48).slice(from, from + 4);
      return [a!, b!, c!, d!];
    }
    case 0x80000006:
      return [0, 0, 64 | (6 << 12) | (256 << 16), 0]; // L2: 64-byte lines, 8 ways, 256 KiB
    case 0x80000007:
      return [0, 0, 0, bitsOf(model, EXTENDED7_EDX)];
    case 0x80000008:
      return [PHYSICAL_BITS | (LINEAR_BITS << 8), 0, 0, 0];
    default:
      return NOTHING;
  }
}
