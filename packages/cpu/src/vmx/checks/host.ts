/**
 * Checks on the host-state area [SDM 3C 26.2.2 to 26.2.4]; one that fails is VMfail 8. CR0.CD and CR0.NW are never
 * checked, since VM exits do not change them.
 */
import { isLegalPat } from "../../core/msr.ts";
import { CR4_PAE, CR4_PCIDE, EFER_LMA, EFER_LME } from "../../core/paging.ts";
import { F } from "../fields.ts";
import { isLegalCr0, isLegalCr4, isLegalEfer } from "./registers.ts";
import { group, has, type Row, section } from "./view.ts";

const hostIs64 = has("host address-space size"),
  guestIsIa32e = has("IA-32e mode guest"),
  loadPat = has("load IA32_PAT on exit"),
  loadEfer = has("load IA32_EFER on exit");

const LME_AND_LMA = EFER_LME | EFER_LMA;
const register = section("26.2.2");
const registers = [
  register("CR0 must not set any bit to a value not supported in VMX operation", (v) => isLegalCr0(v, F.HOST_CR0)),
  register("CR4 must not set any bit to a value not supported in VMX operation", (v) => isLegalCr4(v, F.HOST_CR4)),
  register("CR3 must not set bits beyond the physical-address width", (v) => v.isPhysical(F.HOST_CR3)),
  register("IA32_SYSENTER_ESP must be canonical", (v) => v.isCanonical(F.HOST_SYSENTER_ESP)),
  register("IA32_SYSENTER_EIP must be canonical", (v) => v.isCanonical(F.HOST_SYSENTER_EIP)),
  register(
    "with “load IA32_PAT”, each byte of IA32_PAT must be 0, 1, 4, 5, 6 or 7",
    (v) => !loadPat(v) || isLegalPat(v.low(F.HOST_PAT), v.high(F.HOST_PAT)),
  ),
  register(
    "with “load IA32_EFER”, reserved bits of IA32_EFER must be 0",
    (v) => !loadEfer(v) || isLegalEfer(v, F.HOST_EFER),
  ),
  register(
    "with “load IA32_EFER”, LMA and LME must each equal “host address-space size”",
    (v) => !loadEfer(v) || (v.low(F.HOST_EFER) & LME_AND_LMA) === (hostIs64(v) ? LME_AND_LMA : 0),
  ),
];

const segment = section("26.2.3");
const selector = (name: string, field: number): Row =>
  segment(`${name}: RPL (bits 1:0) and TI (bit 2) of the selector must be 0`, (v) => (v.low(field) & 7) === 0);
const canonicalBase = (name: string, field: number): Row =>
  segment(`${name}: the base address must be canonical`, (v) => v.isCanonical(field));
const segments = [
  selector("CS", F.HOST_CS_SELECTOR),
  selector("SS", F.HOST_SS_SELECTOR),
  selector("DS", F.HOST_DS_SELECTOR),
  selector("ES", F.HOST_ES_SELECTOR),
  selector("FS", F.HOST_FS_SELECTOR),
  selector("GS", F.HOST_GS_SELECTOR),
  selector("TR", F.HOST_TR_SELECTOR),
  segment("the selector of CS must not be 0000H", (v) => v.low(F.HOST_CS_SELECTOR) !== 0),
  segment("the selector of TR must not be 0000H", (v) => v.low(F.HOST_TR_SELECTOR) !== 0),
  segment(
    "the selector of SS must not be 0000H without “host address-space size”",
    (v) => hostIs64(v) || v.low(F.HOST_SS_SELECTOR) !== 0,
  ),
  canonicalBase("FS", F.HOST_FS_BASE),
  canonicalBase("GS", F.HOST_GS_BASE),
  canonicalBase("GDTR", F.HOST_GDTR_BASE),
  canonicalBase("IDTR", F.HOST_IDTR_BASE),
  canonicalBase("TR", F.HOST_TR_BASE),
];

const size = section("26.2.4");
const addressSpace = [
  size("outside IA-32e mode, “IA-32e mode guest” must be 0", (v) => v.launcherIa32e || !guestIsIa32e(v)),
  size("outside IA-32e mode, “host address-space size” must be 0", (v) => v.launcherIa32e || !hostIs64(v)),
  size("in IA-32e mode, “host address-space size” must be 1", (v) => !v.launcherIa32e || hostIs64(v)),
  size(
    "without “host address-space size”, CR4.PCIDE must be 0",
    (v) => hostIs64(v) || !(v.low(F.HOST_CR4) & CR4_PCIDE),
  ),
  size(
    "without “host address-space size”, bits 63:32 of RIP must be 0",
    (v) => hostIs64(v) || v.high(F.HOST_RIP) === 0,
  ),
  size("with “host address-space size”, CR4.PAE must be 1", (v) => !hostIs64(v) || (v.low(F.HOST_CR4) & CR4_PAE) !== 0),
  size("with “host address-space size”, RIP must be canonical", (v) => !hostIs64(v) || v.isCanonical(F.HOST_RIP)),
];

export const HOST_GROUPS = [
  group("host registers", registers),
  group("host segments", segments),
  group("host address-space size", addressSpace),
];
