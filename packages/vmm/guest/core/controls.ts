/**
 * Which controls the guest runs with: as few as will do (R3.6, R3.8), fitted to what the processor demands and offers
 * [SDM 3C appendix A]; and whether it offers what is needed (R2.9, R2.13).
 */
import { rdmsr, wrmsr } from "../x86.ts";

// ---- pin-based, primary, secondary, exit, entry ----
export const PIN_PREEMPTION_TIMER: u32 = 1 << 6;
export const USE_IO_BITMAPS: u32 = 1 << 25;
export const USE_MSR_BITMAPS: u32 = 1 << 28;
export const ACTIVATE_SECONDARY: u32 = 1 << 31;
export const ENABLE_EPT: u32 = 1 << 1;
export const ENABLE_RDTSCP: u32 = 1 << 3;
export const ENABLE_VPID: u32 = 1 << 5;
export const UNRESTRICTED_GUEST: u32 = 1 << 7;
export const ENABLE_INVPCID: u32 = 1 << 12;
export const SAVE_DEBUG: u32 = 1 << 2;
export const HOST_64: u32 = 1 << 9;
export const EXIT_SAVE_PAT: u32 = 1 << 18;
export const EXIT_LOAD_PAT: u32 = 1 << 19;
export const EXIT_SAVE_EFER: u32 = 1 << 20;
export const EXIT_LOAD_EFER: u32 = 1 << 21;
export const LOAD_DEBUG: u32 = 1 << 2;
export const ENTRY_LOAD_PAT: u32 = 1 << 14;
export const ENTRY_LOAD_EFER: u32 = 1 << 15;

const FEATURE_CONTROL: u32 = 0x3a;
const LOCKED: u64 = 1;
const VMX_OUTSIDE_SMX: u64 = 4;
const VMX_BASIC: u32 = 0x480;
const TRUE_CONTROLS: u64 = 1 << 55;
export const CR0_FIXED0: u32 = 0x486;
export const CR0_FIXED1: u32 = 0x487;
export const CR4_FIXED0: u32 = 0x488;
export const CR4_FIXED1: u32 = 0x489;
const EPT_VPID_CAP: u32 = 0x48c;

/** The capability MSR of a control word: the TRUE one where there is one; secondary controls have none. */
const PIN: u32 = 0x481;
const PRIMARY: u32 = 0x482;
const EXIT: u32 = 0x483;
const ENTRY: u32 = 0x484;
const SECONDARY: u32 = 0x48b;
const TRUE_OFFSET: u32 = 0x48d - 0x481;

function capability(index: u32): u64 {
  const hasTrue = index !== SECONDARY && (rdmsr(VMX_BASIC) & TRUE_CONTROLS) !== 0;
  return rdmsr(hasTrue ? index + TRUE_OFFSET : index);
}
/** These bits, and those that must be 1; what is not offered is left out. */
function fitted(index: u32, wanted: u32): u32 {
  const allowed = capability(index);
  return (wanted | <u32>allowed) & <u32>(allowed >> 32);
}
const offers = (index: u32, bits: u32): bool => (<u32>(capability(index) >> 32) & bits) === bits;

export const pinControls = (): u32 => fitted(PIN, PIN_PREEMPTION_TIMER);
export const primaryControls = (): u32 => fitted(PRIMARY, USE_IO_BITMAPS | USE_MSR_BITMAPS | ACTIVATE_SECONDARY);
export const secondaryControls = (): u32 =>
  fitted(SECONDARY, ENABLE_EPT | ENABLE_VPID | UNRESTRICTED_GUEST | ENABLE_RDTSCP | ENABLE_INVPCID);
export const exitControls = (): u32 =>
  fitted(EXIT, HOST_64 | SAVE_DEBUG | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER);
export const entryControls = (): u32 => fitted(ENTRY, LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);

/** Bits of EPT_VPID_CAP: four levels, write-back, pages of 2 MiB and 1 GiB; INVEPT and INVVPID, of all contexts. */
const EPT_NEEDED: u64 = (1 << 6) | (1 << 14) | (1 << 16) | (1 << 17) | (1 << 20) | (1 << 26) | (1 << 32) | (1 << 42);

/** IA32_FEATURE_CONTROL of this processor is locked with VMX on, if it was open [SDM 3C 23.7]. */
export function allowVmx(): void {
  const control = rdmsr(FEATURE_CONTROL);
  if ((control & LOCKED) === 0) wrmsr(FEATURE_CONTROL, control | LOCKED | VMX_OUTSIDE_SMX);
}
/** Why this processor cannot run a guest, or an empty text. */
export function missingFeature(leaf1Ecx: u32): string {
  const VMX: u32 = 1 << 5;
  if ((leaf1Ecx & VMX) === 0) return "VT-x";
  allowVmx();
  if ((rdmsr(FEATURE_CONTROL) & VMX_OUTSIDE_SMX) === 0) return "VT-x (the firmware has switched it off)";
  if (!offers(PRIMARY, ACTIVATE_SECONDARY) || !offers(SECONDARY, ENABLE_EPT)) return "EPT";
  if (!offers(SECONDARY, UNRESTRICTED_GUEST)) return "unrestricted guest";
  if (!offers(PIN, PIN_PREEMPTION_TIMER)) return "VMX-preemption timer";
  if ((rdmsr(EPT_VPID_CAP) & EPT_NEEDED) !== EPT_NEEDED) return "EPT with large pages";
  return "";
}
