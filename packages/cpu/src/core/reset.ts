/** Power-up, INIT and start-up [SDM 3A 9.1, table 9-1]. */
import { APIC_BSP, APIC_DEFAULT, APIC_ENABLED, followApicBase } from "./apic-base.ts";
import { armBreakpoints, DR6_FIXED, DR7_FIXED } from "./debug.ts";
import { RUNNING, setActivity, WAIT_FOR_SIPI } from "./events.ts";
import { signature } from "./model.ts";
import { refreshModes } from "./modes.ts";
import type { Processor } from "./processor.ts";
import { setSegment } from "./segments.ts";
import { CS, GS, LDTR, RDX, S, TR, WINDOW, WINDOW_BYTES } from "./state.ts";

const CR0_AT_RESET = 0x60000010,
  CR0_CACHE = 0x60000000;

/** Power-up: every register as the manual says, or zero. Processor 0 is the bootstrap processor. */
export function resetProcessor(cpu: Processor): void {
  const { memory } = cpu,
    budget = cpu.u32(S.BUDGET),
    random = cpu.u64(S.RANDOM); // neither is the processor's own
  memory.u8.fill(0, WINDOW, WINDOW + WINDOW_BYTES);
  cpu.setU32(S.BUDGET, budget);
  cpu.setU64(S.RANDOM, random);
  cpu.setU32(S.CR0, CR0_AT_RESET);
  cpu.setU32(S.APIC_BASE, APIC_DEFAULT | APIC_ENABLED | (cpu.id === 0 ? APIC_BSP : 0));
  cpu.setU64(S.PAT, 0x0007040600070406n);
  cpu.setU32(S.MISC_ENABLE, 0x1801); // fast strings; neither BTS nor PEBS
  cpu.setU32(S.XCR0, 1);
  cpu.setU32(S.MXCSR, 0x1f80);
  memory.u16[S.FCW >> 1] = 0x40;
  memory.u16[S.FTW >> 1] = 0xff; // every register holds +0
  cpu.signals = 0;
  cpu.vmx.reset();
  cpu.apic?.reset();
  followApicBase(cpu);
  initialise(cpu);
  setActivity(cpu, cpu.id === 0 ? RUNNING : WAIT_FOR_SIPI);
}

/** INIT: as power-up, but caches, floating point, MTRRs, the time-stamp counter and most MSRs stay [SDM 3A 8.4.2, 9.1]. */
export function enterInit(cpu: Processor): void {
  cpu.apic?.init();
  initialise(cpu);
  setActivity(cpu, cpu.u32(S.APIC_BASE) & APIC_BSP ? RUNNING : WAIT_FOR_SIPI);
}

function initialise(cpu: Processor): void {
  const {
    memory: { u8, u32 },
  } = cpu;
  u8.fill(0, S.GPR, S.GPR + 16 * 8);
  cpu.setGpr32(RDX, signature(cpu.model));
  cpu.flags = 2;
  for (let n = 0; n <= GS; n++) setSegment(cpu, n, 0, 0x93, 0, 0xffff);
  setSegment(cpu, CS, 0xf000, 0x93, 0xffff0000, 0xffff);
  setSegment(cpu, LDTR, 0, 0x82, 0, 0xffff);
  setSegment(cpu, TR, 0, 0x8b, 0, 0xffff);
  for (const at of [S.GDTR_BASE, S.IDTR_BASE, S.CR2, S.CR3, S.CR4, S.EFER, S.DR0, S.DR0 + 8, S.DR0 + 16, S.DR0 + 24])
    cpu.setNumber(at, 0);
  cpu.setNumber(S.GDTR_LIMIT, 0xffff);
  cpu.setNumber(S.IDTR_LIMIT, 0xffff);
  cpu.setNumber(S.CR0, (cpu.u32(S.CR0) & CR0_CACHE) | (CR0_AT_RESET & ~CR0_CACHE));
  cpu.setNumber(S.DR6, DR6_FIXED);
  cpu.setNumber(S.DR7, DR7_FIXED);
  cpu.setNumber(S.RIP, 0xfff0);
  for (const at of [S.INTERRUPTIBILITY, S.PENDING_DEBUG, S.PENDING, S.MONITOR_ARMED, S.MID_REPEAT]) u32[at >> 2] = 0;
  cpu.shadowEnd = cpu.resumeEnd = cpu.vectoring = cpu.debugBits = 0;
  cpu.stepTrap = false;
  cpu.translation.stop();
  cpu.access.tlb.reset();
  refreshModes(cpu);
  armBreakpoints(cpu);
}

/** SIPI: real mode at the page that its vector names [SDM 3A 8.4.3]. */
export function startUp(cpu: Processor): void {
  const vector = cpu.u32(S.SIPI_VECTOR);
  cpu.setU32(S.PENDING, 0);
  setSegment(cpu, CS, vector << 8, 0x93, vector << 12, 0xffff);
  cpu.setNumber(S.RIP, 0);
  setActivity(cpu, RUNNING);
  refreshModes(cpu);
}
