/** Every rule for controls [SDM 3C 26.2.1] and host state [SDM 3C 26.2.2 to 26.2.4] at its edge. */
import type { ControlName } from "../controls.ts";
import type { FieldName } from "../fields.ts";
import { type Case, type Change, edgeOf, LONG, PAE, REAL } from "./base.test-support.ts";

/** The first address beyond the physical-address width, and one that is not canonical with its nearest that is. */
export const BEYOND = 2 ** 40;
export const NON_CANONICAL = 0x8000_0000_0000n,
  LAST_CANONICAL = 0x7fff_ffff_ffffn;

const execution = edgeOf("26.2.1.1", LONG);
const page = (what: string, control: ControlName, field: FieldName, given: Change = {}): Case[] => {
  const on = { ...given, on: [control] };
  return [
    execution(`${what}: bits 11:0 of the address must be 0`, { [field]: 0x7800 }, { [field]: 0x7000 }, on),
    execution(
      `${what}: the address must not set bits beyond the physical-address width`,
      { [field]: BEYOND },
      { [field]: BEYOND - 0x1000 },
      on,
    ),
  ];
};
const THRESHOLD =
  "with “use TPR shadow” and without “virtualize APIC accesses”, the TPR threshold must not be greater than bits 7:4 of VTPR";
const tpr: Change = { on: ["use TPR shadow"], VIRTUAL_APIC_ADDRESS: 0x8000, memory: { 32896: 0x5f } };

const executionEdges = [
  execution(
    "reserved bits in the pin-based VM-execution controls must be set properly",
    { PIN_CONTROLS: 0x2f },
    { PIN_CONTROLS: 0x3f },
  ),
  execution(
    "reserved bits in the pin-based VM-execution controls must be set properly",
    { PIN_CONTROLS: 0xbf },
    { PIN_CONTROLS: 0x7f },
  ),
  execution(
    "reserved bits in the primary processor-based VM-execution controls must be set properly",
    { PRIMARY_CONTROLS: 0x94006170 },
    { PRIMARY_CONTROLS: 0x94006172 },
  ),
  execution(
    "reserved bits in the primary processor-based VM-execution controls must be set properly",
    { PRIMARY_CONTROLS: 0x94026172 },
    { PRIMARY_CONTROLS: 0x9401e172 },
  ),
  execution(
    "with “activate secondary controls”, reserved bits in the secondary processor-based VM-execution controls must be cleared",
    { SECONDARY_CONTROLS: 0x122 },
    { SECONDARY_CONTROLS: 0x122, off: ["activate secondary controls"] },
  ),
  execution("the CR3-target count must not be greater than 4", { CR3_TARGET_COUNT: 5 }, { CR3_TARGET_COUNT: 4 }),
  ...page("I/O bitmap A", "use I/O bitmaps", "IO_BITMAP_A"),
  ...page("I/O bitmap B", "use I/O bitmaps", "IO_BITMAP_B"),
  ...page("MSR bitmaps", "use MSR bitmaps", "MSR_BITMAPS"),
  ...page("virtual-APIC page", "use TPR shadow", "VIRTUAL_APIC_ADDRESS"),
  execution("I/O bitmap A: bits 11:0 of the address must be 0", { on: ["use I/O bitmaps"] }, {}, { IO_BITMAP_A: 1 }),
  execution("MSR bitmaps: bits 11:0 of the address must be 0", {}, { off: ["use MSR bitmaps"] }, { MSR_BITMAPS: 8 }),
  execution(
    "with “use TPR shadow”, bits 31:4 of the TPR threshold must be 0",
    { TPR_THRESHOLD: 16 },
    { TPR_THRESHOLD: 5 },
    tpr,
  ),
  execution(
    "with “use TPR shadow”, bits 31:4 of the TPR threshold must be 0",
    { on: ["use TPR shadow"] },
    {},
    { TPR_THRESHOLD: 16 },
  ),
  execution(THRESHOLD, { TPR_THRESHOLD: 6 }, { TPR_THRESHOLD: 5 }, tpr),
  execution(THRESHOLD, {}, { on: ["virtualize APIC accesses"] }, { ...tpr, TPR_THRESHOLD: 6 }),
  execution(THRESHOLD, {}, { memory: { 32896: 0x60 } }, { ...tpr, TPR_THRESHOLD: 6 }),
  execution(
    "without “NMI exiting”, “virtual NMIs” must be 0",
    { off: ["NMI exiting"] },
    { off: ["NMI exiting", "virtual NMIs"] },
  ),
  execution(
    "without “virtual NMIs”, “NMI-window exiting” must be 0",
    { off: ["virtual NMIs"] },
    {},
    { on: ["NMI-window exiting"] },
  ),
  ...page("APIC-access page", "virtualize APIC accesses", "APIC_ACCESS_ADDRESS"),
  execution("with “enable VPID”, the VPID must not be 0000H", { VPID: 0 }, { VPID: 1 }),
  execution("with “enable VPID”, the VPID must not be 0000H", {}, { off: ["enable VPID"] }, { VPID: 0 }),
  ...[1, 2, 3, 4, 5, 7].map((type) =>
    execution(
      "EPTP: the memory type (bits 2:0) must be one that IA32_VMX_EPT_VPID_CAP reports",
      { EPT_POINTER: 0x9018 + type },
      { EPT_POINTER: type === 1 ? 0x9018 : 0x901e },
    ),
  ),
  ...[2, 4].map((length) =>
    execution(
      "EPTP: bits 5:3 (one less than the page-walk length) must be 3",
      { EPT_POINTER: 0x9006 + 8 * length },
      { EPT_POINTER: 0x901e },
    ),
  ),
  ...[0x80, 0x800, BEYOND].map((bit) =>
    execution(
      "EPTP: reserved bits 11:7 and those beyond the physical-address width must be 0",
      { EPT_POINTER: 0x901e + bit },
      { EPT_POINTER: BEYOND - 0x1000 + 0x5e },
    ),
  ),
  execution(
    "EPTP: bits 5:3 (one less than the page-walk length) must be 3",
    {},
    { off: ["enable EPT"] },
    { EPT_POINTER: 0 },
  ),
  {
    ...edgeOf("26.2.1.1", REAL)(
      "with “unrestricted guest”, “enable EPT” must be 1",
      { off: ["enable EPT"] },
      { off: ["activate secondary controls"], GUEST_CR0: 0x80000031 },
    ),
  },
];

const area = (section: string, what: string, address: FieldName, count: FieldName): Case[] => {
  const edge = edgeOf(section, LONG),
    align = `${what}: the lower 4 bits of the address must be 0 unless the count is 0`,
    width = `${what}: the address must not set bits beyond the physical-address width unless the count is 0`,
    last = `${what}: the address of the last byte must not set bits beyond the physical-address width unless the count is 0`;
  return [
    edge(align, { [address]: 0x9008 }, { [address]: 0x9010 }, { [count]: 1 }),
    edge(align, { [count]: 1 }, { [count]: 0 }, { [address]: 0x9008 }),
    edge(width, { [address]: BEYOND }, { [address]: BEYOND - 16 }, { [count]: 1 }),
    edge(last, { [address]: BEYOND - 16 }, { [address]: BEYOND - 32 }, { [count]: 2 }),
  ];
};
const exit = edgeOf("26.2.1.2", LONG),
  entry = edgeOf("26.2.1.3", LONG);
const exitEdges = [
  exit(
    "reserved bits in the VM-exit controls must be set properly",
    { EXIT_CONTROLS: 0x003c6ffb },
    { EXIT_CONTROLS: 0x003f6ffb },
  ),
  exit(
    "reserved bits in the VM-exit controls must be set properly",
    { EXIT_CONTROLS: 0x003f7ffb },
    { EXIT_CONTROLS: 0x003fefff },
  ),
  exit(
    "without “activate VMX-preemption timer”, “save VMX-preemption timer value” must be 0",
    {},
    { on: ["activate VMX-preemption timer"] },
    { on: ["save VMX-preemption timer value"] },
  ),
  ...area("26.2.1.2", "VM-exit MSR-store area", "EXIT_MSR_STORE_ADDRESS", "EXIT_MSR_STORE_COUNT"),
  ...area("26.2.1.2", "VM-exit MSR-load area", "EXIT_MSR_LOAD_ADDRESS", "EXIT_MSR_LOAD_COUNT"),
];

const inject = (event: number): Change => ({ ENTRY_INTERRUPTION_INFO: (event | 0x80000000) >>> 0 });
const injection = (rule: string, bad: Change, good: Change, given: Change = {}, base = LONG) =>
  edgeOf("26.2.1.3", base)(`VM-entry event injection: ${rule}`, bad, good, given);
const CODE =
  "the deliver-error-code bit must be 1 exactly for hardware exceptions with an error code, in a guest with CR0.PE or without “unrestricted guest”";
const LENGTH =
  "the instruction length must be in the range 1–15 for software interrupts and software exceptions, privileged ones too";
const entryEdges = [
  ...[0x400, 0x800, 0x2000, 0x10000, 0x20000, 0x80000000].map((bit) =>
    entry(
      "reserved bits in the VM-entry controls must be set properly",
      { ENTRY_CONTROLS: 0xd3ff + bit },
      { ENTRY_CONTROLS: 0xd3ff },
    ),
  ),
  entry(
    "reserved bits in the VM-entry controls must be set properly",
    { ENTRY_CONTROLS: 0xc3ff },
    { ENTRY_CONTROLS: 0xd3ff },
  ),
  ...area("26.2.1.3", "VM-entry MSR-load area", "ENTRY_MSR_LOAD_ADDRESS", "ENTRY_MSR_LOAD_COUNT"),
  injection("the interruption type must not be reserved", inject(0x120), inject(0x020)),
  injection("the interruption type must not be reserved", inject(0x120), { ENTRY_INTERRUPTION_INFO: 0x120 }),
  injection("the vector of an NMI must be 2", inject(0x203), inject(0x202)),
  injection("the vector of a hardware exception must be at most 31", inject(0x320), inject(0x31f)),
  injection("the vector of an “other event” must be 0 (pending MTF VM exit)", inject(0x701), inject(0x700)),
  ...[8, 10, 11, 12, 13, 14, 17].map((vector) => injection(CODE, inject(0x300 + vector), inject(0xb00 + vector))),
  ...[0, 7, 9, 15, 16, 18, 21, 31].map((vector) => injection(CODE, inject(0xb00 + vector), inject(0x300 + vector))),
  injection(CODE, inject(0x820), inject(0x020)),
  injection(CODE, inject(0xb0d), inject(0x30d), {}, REAL),
  injection(CODE, { GUEST_CR0: 0x31 }, { GUEST_CR0: 0x30 }, inject(0x30d), REAL),
  ...[0x1000, 0x40000000].map((bit) => injection("reserved bits 30:12 must be 0", inject(0x020 + bit), inject(0x020))),
  injection(
    "bits 31:16 of the exception error code must be 0 if it is delivered",
    { ENTRY_ERROR_CODE: 0x10000 },
    { ENTRY_ERROR_CODE: 0xffff },
    inject(0xb0d),
  ),
  injection("bits 31:16 of the exception error code must be 0 if it is delivered", inject(0xb0d), inject(0x306), {
    ENTRY_ERROR_CODE: 0x10000,
  }),
  ...[0x480, 0x501, 0x603].flatMap((event) => [
    injection(LENGTH, { ENTRY_INSTRUCTION_LENGTH: 0 }, { ENTRY_INSTRUCTION_LENGTH: 1 }, inject(event)),
    injection(LENGTH, { ENTRY_INSTRUCTION_LENGTH: 16 }, { ENTRY_INSTRUCTION_LENGTH: 15 }, inject(event)),
  ]),
  injection(LENGTH, inject(0x480), inject(0x301), { ENTRY_INSTRUCTION_LENGTH: 0 }),
];
export const CONTROL_EDGES: readonly Case[] = [...executionEdges, ...exitEdges, ...entryEdges];

// ---- host state ----

/** A 32-bit host, entering a 32-bit guest. */
const HOST32: Change = {
  ...PAE,
  off: ["host address-space size"],
  ia32e: false,
  HOST_EFER: 0x800,
  HOST_SS_SELECTOR: 0x18,
  HOST_RIP: 0x1000,
};
const host = edgeOf("26.2.2", LONG);
const hostCanonical = (field: FieldName, section: string, rule: string): Case[] => [
  edgeOf(section, LONG)(rule, { [field]: NON_CANONICAL }, { [field]: LAST_CANONICAL }),
  edgeOf(section, LONG)(rule, { [field]: 0xffff_7fff_ffff_ffffn }, { [field]: 0xffff_8000_0000_0000n }),
];
const PAT = "with “load IA32_PAT”, each byte of IA32_PAT must be 0, 1, 4, 5, 6 or 7";
const hostRegisters = [
  ...[1, 0x20, 0x80000000].map((bit) =>
    host(
      "CR0 must not set any bit to a value not supported in VMX operation",
      { HOST_CR0: 0x80000021 - bit },
      { HOST_CR0: 0x80000021 },
    ),
  ),
  host(
    "CR0 must not set any bit to a value not supported in VMX operation",
    { HOST_CR0: 0x1_80000021 },
    { HOST_CR0: 0xffffffff },
  ),
  host("CR4 must not set any bit to a value not supported in VMX operation", { HOST_CR4: 0x20 }, { HOST_CR4: 0x2020 }),
  host(
    "CR4 must not set any bit to a value not supported in VMX operation",
    { HOST_CR4: 0x402020 },
    { HOST_CR4: 0x332020 },
  ),
  host(
    "CR4 must not set any bit to a value not supported in VMX operation",
    { HOST_CR4: 0x1_00002020 },
    { HOST_CR4: 0x2020 },
  ),
  host("CR3 must not set bits beyond the physical-address width", { HOST_CR3: BEYOND }, { HOST_CR3: BEYOND - 1 }),
  host("CR3 must not set bits beyond the physical-address width", { HOST_CR3: 1n << 63n }, { HOST_CR3: 0 }),
  ...hostCanonical("HOST_SYSENTER_ESP", "26.2.2", "IA32_SYSENTER_ESP must be canonical"),
  ...hostCanonical("HOST_SYSENTER_EIP", "26.2.2", "IA32_SYSENTER_EIP must be canonical"),
  ...[2, 3, 8, 0x80].flatMap((type) => [
    host(PAT, { HOST_PAT: type }, { HOST_PAT: 1 }),
    host(PAT, { HOST_PAT: BigInt(type) << 56n }, { HOST_PAT: 0x0706050401000000n }),
  ]),
  host(PAT, {}, { off: ["load IA32_PAT on exit"] }, { HOST_PAT: 2 }),
  host("with “load IA32_EFER”, reserved bits of IA32_EFER must be 0", { HOST_EFER: 0x1d01 }, { HOST_EFER: 0x500 }),
  host("with “load IA32_EFER”, reserved bits of IA32_EFER must be 0", { HOST_EFER: 2n ** 32n + 0x500n }, {}),
  host(
    "with “load IA32_EFER”, reserved bits of IA32_EFER must be 0",
    {},
    { off: ["load IA32_EFER on exit"] },
    { HOST_EFER: 2 },
  ),
  ...[0x100, 0x400, 0].map((efer) =>
    host(
      "with “load IA32_EFER”, LMA and LME must each equal “host address-space size”",
      { HOST_EFER: efer },
      { HOST_EFER: 0x500 },
    ),
  ),
  edgeOf("26.2.2", HOST32)(
    "with “load IA32_EFER”, LMA and LME must each equal “host address-space size”",
    { HOST_EFER: 0x100 },
    { HOST_EFER: 0 },
  ),
];

const segment = edgeOf("26.2.3", LONG);
const hostSegments = [
  ...(["CS", "SS", "DS", "ES", "FS", "GS", "TR"] as const).flatMap((name) =>
    [1, 2, 4].map((bit) =>
      segment(
        `${name}: RPL (bits 1:0) and TI (bit 2) of the selector must be 0`,
        { [`HOST_${name}_SELECTOR`]: 8 + bit },
        { [`HOST_${name}_SELECTOR`]: 8 },
      ),
    ),
  ),
  segment("the selector of CS must not be 0000H", { HOST_CS_SELECTOR: 0 }, { HOST_CS_SELECTOR: 8 }),
  segment("the selector of TR must not be 0000H", { HOST_TR_SELECTOR: 0 }, { HOST_TR_SELECTOR: 8 }),
  edgeOf("26.2.3", HOST32)(
    "the selector of SS must not be 0000H without “host address-space size”",
    { HOST_SS_SELECTOR: 0 },
    { HOST_SS_SELECTOR: 8 },
  ),
  ...(["FS", "GS", "GDTR", "IDTR", "TR"] as const).flatMap((name) =>
    hostCanonical(`HOST_${name}_BASE`, "26.2.3", `${name}: the base address must be canonical`),
  ),
];

const size = edgeOf("26.2.4", LONG),
  size32 = edgeOf("26.2.4", HOST32);
const hostSize = [
  size32("outside IA-32e mode, “IA-32e mode guest” must be 0", { on: ["IA-32e mode guest"] }, {}),
  size("outside IA-32e mode, “IA-32e mode guest” must be 0", { ia32e: false }, { ia32e: true }),
  size32(
    "outside IA-32e mode, “host address-space size” must be 0",
    { on: ["host address-space size"], HOST_EFER: 0xd00 },
    {},
  ),
  size32("in IA-32e mode, “host address-space size” must be 1", { ia32e: true }, { ia32e: false }),
  size32("without “host address-space size”, CR4.PCIDE must be 0", { HOST_CR4: 0x22020 }, { HOST_CR4: 0x2020 }),
  size32(
    "without “host address-space size”, bits 63:32 of RIP must be 0",
    { HOST_RIP: 2 ** 32 },
    { HOST_RIP: 2 ** 32 - 1 },
  ),
  size("with “host address-space size”, CR4.PAE must be 1", { HOST_CR4: 0x2000 }, { HOST_CR4: 0x2020 }),
  ...hostCanonical("HOST_RIP", "26.2.4", "with “host address-space size”, RIP must be canonical"),
];
export const HOST_EDGES: readonly Case[] = [...hostRegisters, ...hostSegments, ...hostSize];
