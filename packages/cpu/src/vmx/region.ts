/** VMXON and VMCS regions in memory, and what is current [SDM 3C 24.1, 24.2, 24.11]. */
import { PHYSICAL_BITS } from "../core/paging.ts";
import { PAGE } from "../core/physical.ts";
import type { Processor } from "../core/processor.ts";
import { S } from "../core/state.ts";
import { REGION, REVISION } from "./vmcs.ts";
import { NO_POINTER, OUTSIDE, ROOT } from "./vmx.ts";

const PHYSICAL_END = (1 << (PHYSICAL_BITS - 32)) * 2 ** 32;
export const isRegionAddress = (address: number): boolean => address % PAGE === 0 && address < PHYSICAL_END;
/** The region's revision, or null if it is not ours, or of a shadow VMCS. */
export function revisionAt(cpu: Processor, address: number): number | null {
  const revision = cpu.memory.read32(address + REGION.revision);
  return revision === REVISION ? revision : null;
}

/** The current VMCS goes back to its region; then there is none. */
export function writeBack(cpu: Processor): void {
  const { vmx, memory } = cpu,
    at = vmx.currentPointer;
  if (at === NO_POINTER) return;
  const words = new Uint32Array(vmx.vmcs.bytes.buffer);
  memory.write32(at + REGION.launched, vmx.launched ? 1 : 0);
  for (const [i, word] of words.entries()) memory.write32(at + REGION.fields + 4 * i, word);
  vmx.currentPointer = NO_POINTER;
}

/** VMPTRLD: nothing happens if it is the current one already. */
export function loadVmcs(cpu: Processor, address: number): void {
  const { vmx, memory } = cpu;
  if (address === vmx.currentPointer) return;
  writeBack(cpu);
  const words = new Uint32Array(vmx.vmcs.bytes.length / 4);
  for (let i = 0; i < words.length; i++) words[i] = memory.read32(address + REGION.fields + 4 * i);
  vmx.vmcs.fill(new Uint8Array(words.buffer));
  vmx.launched = memory.read32(address + REGION.launched) === 1;
  vmx.currentPointer = address;
}

/** VMCLEAR: launch state clear; if it is the current one, there is none afterwards. */
export function clearVmcs(cpu: Processor, address: number): void {
  const { vmx, memory } = cpu;
  if (address === vmx.currentPointer) writeBack(cpu);
  memory.write32(address + REGION.launched, 0);
}

/** VMXON, after its checks. */
export function enterVmx(cpu: Processor, address: number): void {
  const { vmx } = cpu;
  vmx.operation = ROOT;
  vmx.vmxonPointer = address;
  vmx.currentPointer = NO_POINTER;
  cpu.setU32(S.MONITOR_ARMED, 0);
  announce(cpu, true);
}
/** VMXOFF. INIT signals come through again. */
export function leaveVmx(cpu: Processor): void {
  const { vmx } = cpu;
  writeBack(cpu);
  vmx.operation = OUTSIDE;
  vmx.vmxonPointer = NO_POINTER;
  cpu.setU32(S.MONITOR_ARMED, 0);
  cpu.attend();
  announce(cpu, false);
}
function announce(cpu: Processor, on: boolean): void {
  const { vmxOperation } = cpu.probes;
  if (vmxOperation.active) vmxOperation.emit({ processor: cpu.id, on, time: cpu.time() });
}
