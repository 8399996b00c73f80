/** Flat modes to start programs in, without a boot loader. */
import {
  CR0_NE,
  CR0_PE,
  CR0_PG,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_PAE,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EFER_SCE,
} from "./core/paging.ts";
import type { Processor } from "./core/processor.ts";
import { CS, S, SEG, segment } from "./core/state.ts";

export type FlatMode = "real" | "protected16" | "protected32" | "long";

const ATTRIBUTES: Record<FlatMode, { code: number; data: number; limit: number }> = {
  real: { code: 0x93, data: 0x93, limit: 0xffff },
  protected16: { code: 0x9b, data: 0x93, limit: 0xffff },
  protected32: { code: 0xc09b, data: 0xc093, limit: 0xffffffff },
  long: { code: 0xa09b, data: 0xc093, limit: 0xffffffff },
};

/** Selectors are 8 for CS and 16 for the others (0 in real mode); their descriptors need not exist. */
export function enterFlatMode(cpu: Processor, mode: FlatMode): void {
  const { code, data, limit } = ATTRIBUTES[mode],
    real = mode === "real",
    long = mode === "long";
  for (let n = 0; n < 6; n++) {
    const at = segment(n);
    cpu.setU32(at + SEG.selector, real ? 0 : n === CS ? 8 : 16);
    cpu.setU32(at + SEG.access, n === CS ? code : data);
    cpu.setNumber(at + SEG.base, 0);
    cpu.setNumber(at + SEG.limit, limit);
  }
  if (long) {
    const { physical, tables } = identityTables(cpu);
    tables();
    cpu.setNumber(S.CR3, physical);
  }
  cpu.setNumber(S.CR0, (0x10 | (real ? 0 : CR0_PE | CR0_NE) | (long ? CR0_PG : 0)) >>> 0);
  cpu.setNumber(S.CR4, CR4_OSFXSR | CR4_OSXMMEXCPT | (long ? CR4_PAE : 0));
  cpu.setNumber(S.EFER, long ? EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE : 0);
  cpu.flags = 2;
  cpu.setU32(S.ACTIVITY, 0);
  cpu.access.tlb.flushAll();
  cpu.refresh();
}

/** A PML4 with one entry and a page of four 1-GiB pages, user-accessible and writable. */
function identityTables(cpu: Processor): { physical: number; tables: () => void } {
  const physical = cpu.memory.ramBytes - 0x2000,
    { memory } = cpu;
  return {
    physical,
    tables: () => {
      memory.ram.fill(0, physical, physical + 0x2000);
      memory.write32(physical, physical + 0x1000 + 7);
      for (let i = 0; i < 4; i++) memory.write32(physical + 0x1000 + 8 * i, ((i << 30) | 0x87) >>> 0);
    },
  };
}
