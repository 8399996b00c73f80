/** What the hypervisor needs of the processor. */
import { allocate } from "./memory.ts";
import { cpuid, rdmsr } from "./x86.ts";

const VMX: u32 = 1 << 5; // CPUID.1:ECX
const FEATURE_CONTROL: u32 = 0x3a,
  VMX_PROCBASED_CTLS: u32 = 0x482,
  VMX_PROCBASED_CTLS2: u32 = 0x48b;
const LOCKED: u64 = 1,
  VMX_ALLOWED: u64 = 1 << 2;
/** Allowed settings are in the upper half [SDM 3D A.3.2, A.3.3]. */
const SECONDARY_CONTROLS: u64 = (<u64>1) << 63;
const EPT: u64 = (<u64>1) << 33,
  UNRESTRICTED_GUEST: u64 = (<u64>1) << 39;

/** What is missing, in words; empty if nothing is. Boot only. */
export function missingFeature(): string {
  const words = allocate(16, 16);
  cpuid(1, 0, words);
  if (!(load<u32>(words + 8) & VMX)) return "VT-x";
  const control = rdmsr(FEATURE_CONTROL);
  if (control & LOCKED && !(control & VMX_ALLOWED)) return "VT-x, which the firmware has locked";
  if (!(rdmsr(VMX_PROCBASED_CTLS) & SECONDARY_CONTROLS)) return "EPT";
  const secondary = rdmsr(VMX_PROCBASED_CTLS2);
  if (!(secondary & EPT)) return "EPT";
  return secondary & UNRESTRICTED_GUEST ? "" : "unrestricted guest";
}
