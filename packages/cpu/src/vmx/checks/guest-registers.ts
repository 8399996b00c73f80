/**
 * Checks on guest control registers, debug registers and MSRs, on descriptor-table registers, and on RIP and RFLAGS
 * [SDM 3C 26.3.1.1, 26.3.1.3, 26.3.1.4]. CR0.CD and CR0.NW are never checked, since VM entries do not change them.
 */
import { EXTERNAL } from "../../core/events.ts";
import { AC, ID, IF, IOPL, NT, RF, TF, VIF, VIP, VM } from "../../core/flags.ts";
import { L_BIT } from "../../core/modes.ts";
import { isLegalPat } from "../../core/msr.ts";
import { CR0_PE, CR0_PG, CR4_PAE, CR4_PCIDE, EFER_LMA, EFER_LME } from "../../core/paging.ts";
import { DEBUGCTL_BITS } from "../capabilities.ts";
import { F } from "../fields.ts";
import { kindOf } from "../interruption.ts";
import { isLegalCr0, isLegalCr4, isLegalEfer } from "./registers.ts";
import { group, has, type Row, section, type View } from "./view.ts";

const unrestricted = has("unrestricted guest"),
  ia32e = has("IA-32e mode guest"),
  loadDebug = has("load debug controls"),
  loadPat = has("load IA32_PAT on entry"),
  loadEfer = has("load IA32_EFER on entry");

const isPaging = (v: View) => (v.low(F.GUEST_CR0) & CR0_PG) !== 0;
const isProtected = (v: View) => (v.low(F.GUEST_CR0) & CR0_PE) !== 0;

const register = section("26.3.1.1");
const controlRegisters = [
  register(
    "CR0 must not set any bit to a value not supported in VMX operation; PE and PG may be 0 with “unrestricted guest”",
    (v) => isLegalCr0(v, F.GUEST_CR0, unrestricted(v) ? CR0_PE | CR0_PG : 0),
  ),
  register("if CR0.PG is 1, CR0.PE must be 1", (v) => !isPaging(v) || isProtected(v)),
  register("CR4 must not set any bit to a value not supported in VMX operation", (v) => isLegalCr4(v, F.GUEST_CR4)),
  register("with “IA-32e mode guest”, CR0.PG must be 1", (v) => !ia32e(v) || isPaging(v)),
  register("with “IA-32e mode guest”, CR4.PAE must be 1", (v) => !ia32e(v) || (v.low(F.GUEST_CR4) & CR4_PAE) !== 0),
  register(
    "without “IA-32e mode guest”, CR4.PCIDE must be 0",
    (v) => ia32e(v) || (v.low(F.GUEST_CR4) & CR4_PCIDE) === 0,
  ),
];
/** CR3 has a group of its own: it changes more often than the others. */
const cr3 = [register("CR3 must not set bits beyond the physical-address width", (v) => v.isPhysical(F.GUEST_CR3))];
const debugRegisters = [
  register(
    "with “load debug controls”, reserved bits of IA32_DEBUGCTL must be 0",
    (v) => !loadDebug(v) || (v.high(F.GUEST_DEBUGCTL) === 0 && (v.low(F.GUEST_DEBUGCTL) & ~DEBUGCTL_BITS) === 0),
  ),
  register(
    "with “load debug controls”, bits 63:32 of DR7 must be 0",
    (v) => !loadDebug(v) || v.high(F.GUEST_DR7) === 0,
  ),
];
const msrs = [
  register("IA32_SYSENTER_ESP must be canonical", (v) => v.isCanonical(F.GUEST_SYSENTER_ESP)),
  register("IA32_SYSENTER_EIP must be canonical", (v) => v.isCanonical(F.GUEST_SYSENTER_EIP)),
  register(
    "with “load IA32_PAT”, each byte of IA32_PAT must be 0, 1, 4, 5, 6 or 7",
    (v) => !loadPat(v) || isLegalPat(v.low(F.GUEST_PAT), v.high(F.GUEST_PAT)),
  ),
  register(
    "with “load IA32_EFER”, reserved bits of IA32_EFER must be 0",
    (v) => !loadEfer(v) || isLegalEfer(v, F.GUEST_EFER),
  ),
  register(
    "with “load IA32_EFER”, LMA must equal “IA-32e mode guest”",
    (v) => !loadEfer(v) || ((v.low(F.GUEST_EFER) & EFER_LMA) !== 0) === ia32e(v),
  ),
  register("with “load IA32_EFER”, LME must equal LMA if CR0.PG is 1", (v) => {
    if (!loadEfer(v) || !isPaging(v)) return true;
    const efer = v.low(F.GUEST_EFER);
    return ((efer & EFER_LMA) !== 0) === ((efer & EFER_LME) !== 0);
  }),
];

const table = section("26.3.1.3");
const tableRegister = (name: string, base: number, limit: number): Row[] => [
  table(`${name}: the base address must be canonical`, (v) => v.isCanonical(base)),
  table(`${name}: bits 31:16 of the limit must be 0`, (v) => v.low(limit) < 0x10000),
];
const tables = [
  ...tableRegister("GDTR", F.GUEST_GDTR_BASE, F.GUEST_GDTR_LIMIT),
  ...tableRegister("IDTR", F.GUEST_IDTR_BASE, F.GUEST_IDTR_LIMIT),
];

const pointer = section("26.3.1.4"),
  is64Bit = (v: View) => ia32e(v) && (v.low(F.GUEST_CS_ACCESS) & L_BIT) !== 0;
const rip = [
  pointer(
    "bits 63:32 of RIP must be 0 without “IA-32e mode guest” or if CS.L is 0",
    (v) => is64Bit(v) || v.high(F.GUEST_RIP) === 0,
  ),
  // Identical, not canonical: bit 47 is not among them. The fetch faults instead.
  pointer("bits 63:48 of RIP must be identical with “IA-32e mode guest” if CS.L is 1", (v) => {
    if (!is64Bit(v)) return true;
    const top = v.high(F.GUEST_RIP) >>> 16;
    return top === 0 || top === 0xffff;
  }),
];
/** Flags that may be 1, beside those without a meaning here. */
const SYSTEM_FLAGS = 2 | TF | IF | IOPL | NT | RF | VM | AC | VIF | VIP | ID;
const flags = [
  pointer("reserved bits 31:22, 15, 5 and 3 of RFLAGS must be 0", (v) => (v.systemFlags & ~SYSTEM_FLAGS) === 0),
  pointer("reserved bit 1 of RFLAGS must be 1", (v) => (v.systemFlags & 2) !== 0),
  pointer("RFLAGS.VM must be 0 with “IA-32e mode guest”", (v) => !v.virtual8086 || !ia32e(v)),
  pointer("RFLAGS.VM must be 0 if CR0.PE is 0", (v) => !v.virtual8086 || isProtected(v)),
  pointer(
    "RFLAGS.IF must be 1 if an external interrupt is injected",
    (v) => v.event === 0 || kindOf(v.event) !== EXTERNAL || (v.systemFlags & IF) !== 0,
  ),
];
const flagsTop = [pointer("reserved bits 63:32 of RFLAGS must be 0", (v) => v.high(F.GUEST_RFLAGS) === 0)];

export const REGISTER_GROUPS = [
  group("guest control registers", controlRegisters),
  group("guest CR3", cr3),
  group("guest debug registers", debugRegisters),
  group("guest MSRs", msrs),
];
export const TABLE_GROUPS = [group("guest descriptor tables", tables)];
export const POINTER_GROUPS = [
  group("guest RIP", rip),
  group("guest RFLAGS", flags),
  group("upper half of guest RFLAGS", flagsTop),
];
