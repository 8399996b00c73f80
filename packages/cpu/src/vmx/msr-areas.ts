/** The areas of model-specific registers that VM entries and exits load and store [SDM 3C 24.7.2, 24.8.2, 26.4, 27.4, 27.6]. */
import { readMsr, writeMsr } from "../core/msr.ts";
import type { Processor } from "../core/processor.ts";

const ENTRY_BYTES = 16;
/** Not in these areas: they are fields of the VMCS, or belong to system management. */
const FS_BASE = 0xc0000100,
  GS_BASE = 0xc0000101,
  SMM_MONITOR_CTL = 0x9b;
const isX2Apic = (index: number) => index >>> 8 === 8;

/** Runs an access to a register; false if it raised. */
function succeeds(cpu: Processor, access: () => void): boolean {
  try {
    access();
    return true;
  } catch (e) {
    if (e !== cpu.pendingFault) throw e;
    return false;
  }
}

/** Loads `count` registers. @returns 0, or the number of the first entry that cannot be loaded, from 1 */
export function loadMsrArea(cpu: Processor, address: number, count: number): number {
  const { memory } = cpu;
  for (let i = 0; i < count; i++) {
    const at = address + ENTRY_BYTES * i,
      index = memory.read32(at);
    const refused = memory.read32(at + 4) !== 0 || index === FS_BASE || index === GS_BASE || index === SMM_MONITOR_CTL;
    const load = () => writeMsr(cpu, index, memory.read32(at + 8), memory.read32(at + 12) | 0);
    if (refused || isX2Apic(index) || !succeeds(cpu, load)) return i + 1;
  }
  return 0;
}

/** Stores `count` registers; false if one cannot be. */
export function storeMsrArea(cpu: Processor, address: number, count: number): boolean {
  const { memory } = cpu;
  for (let i = 0; i < count; i++) {
    const at = address + ENTRY_BYTES * i,
      index = memory.read32(at);
    if (memory.read32(at + 4) !== 0 || isX2Apic(index)) return false;
    const store = () => {
      const value = readMsr(cpu, index);
      memory.write32(at + 8, Number(value & 0xffffffffn));
      memory.write32(at + 12, Number(value >> 32n));
    };
    if (!succeeds(cpu, store)) return false;
  }
  return true;
}
