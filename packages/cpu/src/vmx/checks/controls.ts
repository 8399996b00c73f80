/** Checks on VM-execution, VM-exit and VM-entry control fields [SDM 3C 26.2.1]; one that fails is VMfail 7. */
import { HARDWARE, NMI } from "../../core/events.ts";
import { HAS_ERROR_CODE, VECTORS } from "../../core/exceptions.ts";
import { CR0_PE, PHYSICAL_BITS } from "../../core/paging.ts";
import { CR3_TARGETS } from "../capabilities.ts";
import { F } from "../fields.ts";
import { HAS_CODE, isSoftware, kindOf, OTHER_EVENT, vectorOf } from "../interruption.ts";
import { group, has, type Row, section, type View } from "./view.ts";

const isPageAligned = (v: View, field: number) => (v.low(field) & 0xfff) === 0;

// ---- VM-execution controls ----

const execution = section("26.2.1.1"),
  ioBitmaps = has("use I/O bitmaps"),
  msrBitmaps = has("use MSR bitmaps"),
  tprShadow = has("use TPR shadow"),
  apicAccesses = has("virtualize APIC accesses"),
  nmiExiting = has("NMI exiting"),
  virtualNmis = has("virtual NMIs"),
  nmiWindow = has("NMI-window exiting"),
  vpid = has("enable VPID"),
  ept = has("enable EPT"),
  unrestricted = has("unrestricted guest");

/** A page that a control puts to use: its address is aligned, and within the physical-address width. */
const page = (what: string, isUsed: (v: View) => boolean, field: number): Row[] => [
  execution(`${what}: bits 11:0 of the address must be 0`, (v) => !isUsed(v) || isPageAligned(v, field)),
  execution(
    `${what}: the address must not set bits beyond the physical-address width`,
    (v) => !isUsed(v) || v.isPhysical(field),
  ),
];
/** Bits 7:4 of byte 80H of the virtual-APIC page. */
const virtualTpr = (v: View) => (v.memory(v.number(F.VIRTUAL_APIC_ADDRESS) + 0x80) >>> 4) & 15;

const executionControls = [
  execution("reserved bits in the pin-based VM-execution controls must be set properly", (v) => v.areAllowed("pin")),
  execution("reserved bits in the primary processor-based VM-execution controls must be set properly", (v) =>
    v.areAllowed("primary"),
  ),
  execution(
    "with “activate secondary controls”, reserved bits in the secondary processor-based VM-execution controls must be cleared",
    (v) => v.areAllowed("secondary"),
  ),
  execution("the CR3-target count must not be greater than 4", (v) => v.low(F.CR3_TARGET_COUNT) <= CR3_TARGETS),
];
const pages = [
  ...page("I/O bitmap A", ioBitmaps, F.IO_BITMAP_A),
  ...page("I/O bitmap B", ioBitmaps, F.IO_BITMAP_B),
  ...page("MSR bitmaps", msrBitmaps, F.MSR_BITMAPS),
  ...page("virtual-APIC page", tprShadow, F.VIRTUAL_APIC_ADDRESS),
];
const apic = [
  execution(
    "with “use TPR shadow”, bits 31:4 of the TPR threshold must be 0",
    (v) => !tprShadow(v) || v.low(F.TPR_THRESHOLD) < 16,
  ),
  execution(
    "with “use TPR shadow” and without “virtualize APIC accesses”, the TPR threshold must not be greater than bits 7:4 of VTPR",
    (v) => !tprShadow(v) || apicAccesses(v) || (v.low(F.TPR_THRESHOLD) & 15) <= virtualTpr(v),
  ),
];
const modes = [
  execution("without “NMI exiting”, “virtual NMIs” must be 0", (v) => nmiExiting(v) || !virtualNmis(v)),
  execution("without “virtual NMIs”, “NMI-window exiting” must be 0", (v) => virtualNmis(v) || !nmiWindow(v)),
  ...page("APIC-access page", apicAccesses, F.APIC_ACCESS_ADDRESS),
  execution("with “enable VPID”, the VPID must not be 0000H", (v) => !vpid(v) || v.low(F.VPID) !== 0),
  execution("EPTP: the memory type (bits 2:0) must be one that IA32_VMX_EPT_VPID_CAP reports", (v) => {
    if (!ept(v)) return true;
    const type = v.low(F.EPT_POINTER) & 7;
    return type === 0 || type === 6;
  }),
  execution(
    "EPTP: bits 5:3 (one less than the page-walk length) must be 3",
    (v) => !ept(v) || (v.low(F.EPT_POINTER) & 0x38) === 3 << 3,
  ),
  execution(
    "EPTP: reserved bits 11:7 and those beyond the physical-address width must be 0",
    (v) => !ept(v) || ((v.low(F.EPT_POINTER) & 0xf80) === 0 && v.isPhysical(F.EPT_POINTER)),
  ),
  execution("with “unrestricted guest”, “enable EPT” must be 1", (v) => !unrestricted(v) || ept(v)),
];

// ---- VM-exit controls, and the areas of MSRs ----

/** The first address beyond the physical-address width. */
const PHYSICAL_END = (1 << (PHYSICAL_BITS - 32)) * 2 ** 32;
/** The checks on an area of `count` entries of 16 bytes, unless it is empty. */
function msrArea(row: ReturnType<typeof section>, what: string, address: number, count: number): Row[] {
  const rule = (must: string, ok: Row["ok"]) =>
    row(`${what}: ${must} unless the count is 0`, (v) => v.low(count) === 0 || ok(v));
  return [
    rule("the lower 4 bits of the address must be 0", (v) => (v.low(address) & 15) === 0),
    rule("the address must not set bits beyond the physical-address width", (v) => v.isPhysical(address)),
    rule(
      "the address of the last byte must not set bits beyond the physical-address width",
      (v) => v.number(address) + 16 * v.low(count) <= PHYSICAL_END,
    ),
  ];
}

const exit = section("26.2.1.2"),
  timer = has("activate VMX-preemption timer"),
  saveTimer = has("save VMX-preemption timer value");
const exitControls = [
  exit("reserved bits in the VM-exit controls must be set properly", (v) => v.areAllowed("exit")),
  exit(
    "without “activate VMX-preemption timer”, “save VMX-preemption timer value” must be 0",
    (v) => timer(v) || !saveTimer(v),
  ),
  ...msrArea(exit, "VM-exit MSR-store area", F.EXIT_MSR_STORE_ADDRESS, F.EXIT_MSR_STORE_COUNT),
  ...msrArea(exit, "VM-exit MSR-load area", F.EXIT_MSR_LOAD_ADDRESS, F.EXIT_MSR_LOAD_COUNT),
];

// ---- VM-entry controls, and the event to inject ----

const entry = section("26.2.1.3");
const entryControls = [
  entry("reserved bits in the VM-entry controls must be set properly", (v) => v.areAllowed("entry")),
  ...msrArea(entry, "VM-entry MSR-load area", F.ENTRY_MSR_LOAD_ADDRESS, F.ENTRY_MSR_LOAD_COUNT),
];

/** Beside the kinds of events that events.ts knows: a reserved one, and the vector of the one that is no event. */
const RESERVED_KIND = 1,
  PENDING_MTF = 0;
/** Exceptions whose error code VM entry delivers: all but #CP, which needs CET. */
const DELIVERED_CODE = HAS_ERROR_CODE & ~(1 << VECTORS.CP);
const needsCode = (v: View, event: number) =>
  kindOf(event) === HARDWARE &&
  (DELIVERED_CODE & (1 << vectorOf(event))) !== 0 &&
  (!unrestricted(v) || (v.low(F.GUEST_CR0) & CR0_PE) !== 0);

/** A rule for valid VM-entry interruption information. */
const injected = (rule: string, ok: (event: number, v: View) => boolean): Row =>
  entry(`VM-entry event injection: ${rule}`, (v) => {
    const { event } = v;
    return event === 0 || ok(event, v);
  });
const event = [
  injected("the interruption type must not be reserved", (e) => kindOf(e) !== RESERVED_KIND),
  injected("the vector of an NMI must be 2", (e) => kindOf(e) !== NMI || vectorOf(e) === VECTORS.NMI),
  injected("the vector of a hardware exception must be at most 31", (e) => kindOf(e) !== HARDWARE || vectorOf(e) <= 31),
  injected(
    "the vector of an “other event” must be 0 (pending MTF VM exit)",
    (e) => kindOf(e) !== OTHER_EVENT || vectorOf(e) === PENDING_MTF,
  ),
  injected(
    "the deliver-error-code bit must be 1 exactly for hardware exceptions with an error code, in a guest with CR0.PE or without “unrestricted guest”",
    (e, v) => ((e & HAS_CODE) !== 0) === needsCode(v, e),
  ),
  injected("reserved bits 30:12 must be 0", (e) => (e & 0x7ffff000) === 0),
  injected(
    "bits 31:16 of the exception error code must be 0 if it is delivered",
    (e, v) => (e & HAS_CODE) === 0 || v.low(F.ENTRY_ERROR_CODE) < 0x10000,
  ),
  injected(
    "the instruction length must be in the range 1–15 for software interrupts and software exceptions, privileged ones too",
    (e, v) => {
      if (!isSoftware(e)) return true;
      const length = v.low(F.ENTRY_INSTRUCTION_LENGTH);
      return length >= 1 && length <= 15;
    },
  ),
];

export const CONTROL_GROUPS = [
  group("VM-execution controls", executionControls),
  group("pages of VM-execution controls", pages),
  group("TPR shadow", apic),
  group("NMIs, VPID and EPT", modes),
  group("VM-exit controls", exitControls),
  group("VM-entry controls", entryControls),
  group("event injection", event),
];
