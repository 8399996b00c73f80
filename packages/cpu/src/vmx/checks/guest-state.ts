/** Checks on guest non-register state and on the PDPTEs of PAE paging [SDM 3C 26.3.1.5, 26.3.1.6]. */
import { isLegalPdpte } from "../../core/control.ts";
import {
  BY_MOV_SS,
  BY_NMI,
  BY_STI,
  EXTERNAL,
  HALTED,
  HARDWARE,
  NMI,
  RUNNING,
  SHUTDOWN,
  WAIT_FOR_SIPI,
} from "../../core/events.ts";
import { VECTORS } from "../../core/exceptions.ts";
import { IF, TF } from "../../core/flags.ts";
import { dplOf } from "../../core/modes.ts";
import { CR0_PG, CR4_PAE } from "../../core/paging.ts";
import { DEBUGCTL_BTF } from "../capabilities.ts";
import { F } from "../fields.ts";
import { kindOf, OTHER_EVENT, vectorOf } from "../interruption.ts";
import { REVISION } from "../vmcs.ts";
import { group, has, type Row, section, type View } from "./view.ts";

/** Exit qualifications of entries that fail for guest state [SDM 3C 26.8]. */
const PDPTE_LOADING = 2,
  NMI_BLOCKED_BY_STI = 3,
  LINK_POINTER = 4;

const rule = section("26.3.1.5"),
  virtualNmis = has("virtual NMIs");

// ---- activity and interruptibility ----

/** Bits of the interruptibility state that this processor never has. */
const BY_SMI = 4,
  ENCLAVE = 16;
const activity = (v: View) => v.low(F.GUEST_ACTIVITY);
const blocked = (v: View, by: number) => (v.low(F.GUEST_INTERRUPTIBILITY) & by) !== 0;
const injects = (v: View, type: number) => v.event !== 0 && kindOf(v.event) === type;
const isException = (event: number, vector: number) => kindOf(event) === HARDWARE && vectorOf(event) === vector;

const wakesHlt = (event: number) =>
  kindOf(event) === EXTERNAL ||
  kindOf(event) === NMI ||
  kindOf(event) === OTHER_EVENT ||
  isException(event, VECTORS.DB) ||
  isException(event, VECTORS.MC);
const wakesShutdown = (event: number) => kindOf(event) === NMI || isException(event, VECTORS.MC);

const activityRows = [
  rule("the activity state must be in the range 0–3 and supported", (v) => activity(v) <= WAIT_FOR_SIPI),
  rule(
    "the activity state must not be HLT if the DPL of SS is not 0",
    (v) => activity(v) !== HALTED || dplOf(v.low(F.GUEST_SS_ACCESS)) === 0,
  ),
  rule(
    "the activity state must be active if there is blocking by STI or by MOV SS",
    (v) => activity(v) === RUNNING || !blocked(v, BY_STI | BY_MOV_SS),
  ),
  rule(
    "in the HLT state only external interrupts, NMIs, #DB, #MC and pending MTF VM exits may be injected",
    (v) => activity(v) !== HALTED || v.event === 0 || wakesHlt(v.event),
  ),
  rule(
    "in the shutdown state only NMIs and #MC may be injected",
    (v) => activity(v) !== SHUTDOWN || v.event === 0 || wakesShutdown(v.event),
  ),
  rule("in the wait-for-SIPI state nothing may be injected", (v) => activity(v) !== WAIT_FOR_SIPI || v.event === 0),
];
const interruptibilityRows = [
  rule("reserved bits 31:5 of the interruptibility state must be 0", (v) => v.low(F.GUEST_INTERRUPTIBILITY) < 32),
  rule("there must not be blocking both by STI and by MOV SS", (v) => !blocked(v, BY_STI) || !blocked(v, BY_MOV_SS)),
  rule("there must be no blocking by STI if RFLAGS.IF is 0", (v) => !blocked(v, BY_STI) || (v.systemFlags & IF) !== 0),
  rule(
    "there must be no blocking by STI or by MOV SS if an external interrupt is injected",
    (v) => !injects(v, EXTERNAL) || !blocked(v, BY_STI | BY_MOV_SS),
  ),
  rule("there must be no blocking by MOV SS if an NMI is injected", (v) => !injects(v, NMI) || !blocked(v, BY_MOV_SS)),
  rule("there must be no blocking by SMI outside of SMM", (v) => !blocked(v, BY_SMI)),
  rule(
    "there must be no blocking by STI if an NMI is injected",
    (v) => !injects(v, NMI) || !blocked(v, BY_STI),
    NMI_BLOCKED_BY_STI,
  ),
  rule(
    "there must be no blocking by NMI if an NMI is injected with “virtual NMIs”",
    (v) => !injects(v, NMI) || !virtualNmis(v) || !blocked(v, BY_NMI),
  ),
  rule("enclave interruption must be 0, since there is no SGX", (v) => !blocked(v, ENCLAVE)),
];

// ---- pending debug exceptions ----

const BS = 0x4000,
  /** Bits 11:4, 13, 15 and 31:17. */
  PENDING_RESERVED = 0xfffeaff0,
  RTM = 0x10000;
/** Blocked, or halted: a single-step trap must be pending exactly if the guest single-steps. */
const isHeldBack = (v: View) => blocked(v, BY_STI | BY_MOV_SS) || activity(v) === HALTED;
const singleSteps = (v: View) => (v.systemFlags & TF) !== 0 && (v.low(F.GUEST_DEBUGCTL) & DEBUGCTL_BTF) === 0;
const hasPendingStep = (v: View) => (v.low(F.GUEST_PENDING_DEBUG) & BS) !== 0;
const pendingDebug = [
  rule(
    "bits 11:4, 13, 15 and 63:17 of the pending debug exceptions must be 0",
    (v) => (v.low(F.GUEST_PENDING_DEBUG) & PENDING_RESERVED) === 0 && v.high(F.GUEST_PENDING_DEBUG) === 0,
  ),
  rule(
    "with blocking by STI or MOV SS, or in HLT, BS must be 1 if RFLAGS.TF is 1 and IA32_DEBUGCTL.BTF is 0",
    (v) => !isHeldBack(v) || !singleSteps(v) || hasPendingStep(v),
  ),
  rule(
    "with blocking by STI or MOV SS, or in HLT, BS must be 0 if RFLAGS.TF is 0 or IA32_DEBUGCTL.BTF is 1",
    (v) => !isHeldBack(v) || singleSteps(v) || !hasPendingStep(v),
  ),
  rule("RTM (bit 16) must be 0, since there is no RTM", (v) => (v.low(F.GUEST_PENDING_DEBUG) & RTM) === 0),
];

// ---- VMCS link pointer ----

const linked = (what: string, ok: Row["ok"]): Row =>
  rule(
    `the VMCS link pointer, unless FFFFFFFF_FFFFFFFFH: ${what}`,
    (v) => (v.low(LINK) === 0xffffffff && v.high(LINK) === 0xffffffff) || ok(v),
    LINK_POINTER,
  );
const LINK = F.VMCS_LINK_POINTER;
const linkPointer = [
  linked("bits 11:0 must be 0", (v) => (v.low(LINK) & 0xfff) === 0),
  linked("bits beyond the physical-address width must be 0", (v) => v.isPhysical(LINK)),
  // Bit 31 there must equal “VMCS shadowing”, which is not offered.
  linked(
    "the 4 bytes that it refers to must hold the VMCS revision identifier, with bit 31 clear",
    (v) => v.memory(v.number(LINK)) === REVISION,
  ),
  linked("it must not be the current VMCS pointer", (v) => v.number(LINK) !== v.currentPointer),
];

// ---- PDPTEs ----

const ept = has("enable EPT"),
  ia32e = has("IA-32e mode guest");
const usesPae = (v: View) => !ia32e(v) && (v.low(F.GUEST_CR0) & CR0_PG) !== 0 && (v.low(F.GUEST_CR4) & CR4_PAE) !== 0;
const PDPTES = [F.GUEST_PDPTE0, F.GUEST_PDPTE1, F.GUEST_PDPTE2, F.GUEST_PDPTE3];
const areLegalFields = (v: View) => {
  for (const field of PDPTES) if (!isLegalPdpte(v.low(field), v.high(field))) return false;
  return true;
};
const areLegalInMemory = (v: View) => {
  const table = (v.low(F.GUEST_CR3) & ~31) >>> 0;
  for (let at = table; at < table + 32; at += 8) if (!isLegalPdpte(v.memory(at), v.memory(at + 4))) return false;
  return true;
};
const pdpte = section("26.3.1.6");
const pdptes = [
  pdpte(
    "PAE paging with “enable EPT”: reserved bits in the PDPTE fields must be 0",
    (v) => !usesPae(v) || !ept(v) || areLegalFields(v),
    PDPTE_LOADING,
  ),
  pdpte(
    "PAE paging without “enable EPT”: reserved bits in the PDPTEs that CR3 refers to must be 0",
    (v) => !usesPae(v) || ept(v) || areLegalInMemory(v),
    PDPTE_LOADING,
  ),
];

export const STATE_GROUPS = [
  group("guest activity state", activityRows),
  group("guest interruptibility state", interruptibilityRows),
  group("guest pending debug exceptions", pendingDebug),
  group("VMCS link pointer", linkPointer),
  group("guest PDPTEs", pdptes),
];
