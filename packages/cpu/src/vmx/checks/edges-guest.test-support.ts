/** Every rule for guest state [SDM 3C 26.3.1] at its edge. */
import type { FieldName } from "../fields.ts";
import { REVISION } from "../vmcs.ts";
import { type Case, type Change, edgeOf, LONG, PAE, REAL, VIRTUAL_8086 } from "./base.test-support.ts";
import { BEYOND, LAST_CANONICAL, NON_CANONICAL } from "./edges-controls.test-support.ts";

const canonical = (section: string, rule: string, field: FieldName, given: Change = {}): Case[] => [
  edgeOf(section, LONG)(rule, { [field]: NON_CANONICAL }, { [field]: LAST_CANONICAL }, given),
  edgeOf(section, LONG)(rule, { [field]: 0xffff_7fff_ffff_ffffn }, { [field]: 0xffff_8000_0000_0000n }, given),
];
const inject = (event: number): Change => ({ ENTRY_INTERRUPTION_INFO: (event | 0x80000000) >>> 0 });

// ---- control registers, debug registers, MSRs ----

const CR0 =
  "CR0 must not set any bit to a value not supported in VMX operation; PE and PG may be 0 with “unrestricted guest”";
const CR4 = "CR4 must not set any bit to a value not supported in VMX operation";
const PAT = "with “load IA32_PAT”, each byte of IA32_PAT must be 0, 1, 4, 5, 6 or 7";
const long = edgeOf("26.3.1.1", LONG),
  pae = edgeOf("26.3.1.1", PAE),
  real = edgeOf("26.3.1.1", REAL);
const registerEdges = [
  ...[1, 0x20, 0x80000000].map((bit) => pae(CR0, { GUEST_CR0: 0x80000021 - bit }, { GUEST_CR0: 0x80000021 })),
  long(CR0, { GUEST_CR0: 0x1_80000021 }, { GUEST_CR0: 0xe0000021 }),
  real(CR0, { GUEST_CR0: 0 }, { GUEST_CR0: 0x20 }),
  real("if CR0.PG is 1, CR0.PE must be 1", { GUEST_CR0: 0x80000020 }, { GUEST_CR0: 0x80000021 }),
  long(CR4, { GUEST_CR4: 0x20 }, { GUEST_CR4: 0x2020 }),
  long(CR4, { GUEST_CR4: 0x402020 }, { GUEST_CR4: 0x322020 }),
  long(CR4, { GUEST_CR4: 0x1_00002020 }, { GUEST_CR4: 0x2020 }),
  long(
    "with “IA-32e mode guest”, CR0.PG must be 1",
    { GUEST_CR0: 0x21 },
    { GUEST_CR0: 0x80000021 },
    { on: ["unrestricted guest"] },
  ),
  long("with “IA-32e mode guest”, CR4.PAE must be 1", { GUEST_CR4: 0x2000 }, { GUEST_CR4: 0x2020 }),
  pae("without “IA-32e mode guest”, CR4.PCIDE must be 0", { GUEST_CR4: 0x22020 }, { GUEST_CR4: 0x2020 }),
  long("CR3 must not set bits beyond the physical-address width", { GUEST_CR3: BEYOND }, { GUEST_CR3: BEYOND - 1 }),
  long("CR3 must not set bits beyond the physical-address width", { GUEST_CR3: 1n << 63n }, { GUEST_CR3: 0 }),
  long(
    "with “load debug controls”, reserved bits of IA32_DEBUGCTL must be 0",
    { GUEST_DEBUGCTL: 1 },
    { GUEST_DEBUGCTL: 0 },
  ),
  long("with “load debug controls”, reserved bits of IA32_DEBUGCTL must be 0", { GUEST_DEBUGCTL: 2 ** 32 }, {}),
  long(
    "with “load debug controls”, reserved bits of IA32_DEBUGCTL must be 0",
    {},
    { off: ["load debug controls"] },
    { GUEST_DEBUGCTL: 4 },
  ),
  long("with “load debug controls”, bits 63:32 of DR7 must be 0", { GUEST_DR7: 2 ** 32 }, { GUEST_DR7: 2 ** 32 - 1 }),
  long(
    "with “load debug controls”, bits 63:32 of DR7 must be 0",
    {},
    { off: ["load debug controls"] },
    { GUEST_DR7: 2 ** 32 },
  ),
  ...canonical("26.3.1.1", "IA32_SYSENTER_ESP must be canonical", "GUEST_SYSENTER_ESP"),
  ...canonical("26.3.1.1", "IA32_SYSENTER_EIP must be canonical", "GUEST_SYSENTER_EIP"),
  ...[2, 3, 8].map((type) => long(PAT, { GUEST_PAT: BigInt(type) << 32n }, { GUEST_PAT: 0x0706050401000000n })),
  long(PAT, {}, { off: ["load IA32_PAT on entry"] }, { GUEST_PAT: 2 }),
  long("with “load IA32_EFER”, reserved bits of IA32_EFER must be 0", { GUEST_EFER: 0x502 }, { GUEST_EFER: 0xd01 }),
  long(
    "with “load IA32_EFER”, reserved bits of IA32_EFER must be 0",
    {},
    { off: ["load IA32_EFER on entry"] },
    { GUEST_EFER: 0x502 },
  ),
  long("with “load IA32_EFER”, LMA must equal “IA-32e mode guest”", { GUEST_EFER: 0x100 }, { GUEST_EFER: 0x500 }),
  pae("with “load IA32_EFER”, LMA must equal “IA-32e mode guest”", { GUEST_EFER: 0x500 }, { GUEST_EFER: 0 }),
  long("with “load IA32_EFER”, LME must equal LMA if CR0.PG is 1", { GUEST_EFER: 0x400 }, { GUEST_EFER: 0x500 }),
  real(
    "with “load IA32_EFER”, LME must equal LMA if CR0.PG is 1",
    { GUEST_CR0: 0x80000021 },
    { GUEST_CR0: 0x21 },
    { GUEST_EFER: 0x100 },
  ),
];

// ---- segment registers ----

const section = "26.3.1.2";
const on = (base: Change) => edgeOf(section, base);
/** The base, limit and access rights of every register but CS in the virtual-8086 machine. */
const virtual8086Edges = (["CS", "SS", "DS", "ES", "FS", "GS"] as const).flatMap((name): Case[] => {
  const edge = (what: string, bad: Change, good: Change) =>
    on(VIRTUAL_8086)(`${name}: in a virtual-8086 guest ${what}`, bad, good);
  const [selector, base, limit, access] = [
    `GUEST_${name}_SELECTOR`,
    `GUEST_${name}_BASE`,
    `GUEST_${name}_LIMIT`,
    `GUEST_${name}_ACCESS`,
  ] as const;
  return [
    edge("the base must be the selector shifted left 4 bits", { [base]: 0x20010 }, { [base]: 0x20000 }),
    edge("the limit must be 0000FFFFH", { [limit]: 0xfffe }, { [limit]: 0xffff }),
    edge("the limit must be 0000FFFFH", { [limit]: 0x1ffff }, {}),
    ...[0x93, 0xf2, 0xf7, 0xfb, 0x10f3, 0x40f3, 0x100f3].map((rights) =>
      edge("the access rights must be 000000F3H", { [access]: rights }, { [access]: 0xf3 }),
    ),
  ].map((c) => ({ ...c, given: { [selector]: 0x2000, [base]: 0x20000 } }));
});

/** P, reserved bits, G and S of a register, given legal rights with S and a limit of FFFFFFFF that needs G. */
function commonEdges(name: string, subject: string, base: Change, rights: number): Case[] {
  const access = `GUEST_${name}_ACCESS` as FieldName,
    limit = `GUEST_${name}_LIMIT` as FieldName,
    byte = (rights & ~0x8000) >>> 0;
  const edge = (what: string, bad: Change, good: Change) => on(base)(`${subject} ${what}`, bad, good);
  const small = (value: number): Change => ({ [limit]: value });
  return [
    edge("P (bit 7 of the access rights) must be 1", { [access]: rights & ~0x80 }, { [access]: rights }),
    ...[0x100, 0x800].map((bit) =>
      edge("bits 11:8 of the access rights must be 0", { [access]: rights + bit }, { [access]: rights + 0x1000 }),
    ),
    edge(
      "G must be 0 if any of bits 11:0 of the limit is 0",
      { ...small(0xffffe), [access]: byte | 0x8000 },
      { ...small(0xffffe), [access]: byte },
    ),
    edge(
      "G must be 0 if any of bits 11:0 of the limit is 0",
      { ...small(0xff7ff), [access]: byte | 0x8000 },
      { ...small(0xfffff), [access]: byte | 0x8000 },
    ),
    edge(
      "G must be 1 if any of bits 31:20 of the limit is 1",
      { ...small(0x1fffff), [access]: byte },
      { ...small(0xfffff), [access]: byte },
    ),
    edge(
      "G must be 1 if any of bits 31:20 of the limit is 1",
      { ...small(0xffffffff), [access]: byte },
      { ...small(0xffffffff), [access]: byte | 0x8000 },
    ),
    ...[0x20000, 0x80000000].map((bit) =>
      edge("bits 31:17 of the access rights must be 0", { [access]: rights + bit }, { [access]: rights }),
    ),
  ];
}
/** A rule for usable registers does not apply to one that is not. */
const unusable = (name: string, c: Case): Case => ({
  ...c,
  good: { ...c.bad, [`GUEST_${name}_ACCESS`]: 0x10000 },
});

const codeEdges = [
  on(LONG)("CS: bits 63:32 of the base must be 0", { GUEST_CS_BASE: 2 ** 32 }, { GUEST_CS_BASE: 2 ** 32 - 1 }),
  ...[0, 1, 2, 3, 7, 8, 10, 12, 14].map((type) =>
    on(PAE)(
      "CS: the type must be 9, 11, 13 or 15, or 3 with “unrestricted guest”",
      { GUEST_CS_ACCESS: 0xc090 + type },
      { GUEST_CS_ACCESS: 0xc090 + (type < 8 ? 9 : type + 1) },
    ),
  ),
  on(REAL)(
    "CS: the type must be 9, 11, 13 or 15, or 3 with “unrestricted guest”",
    { GUEST_CS_ACCESS: 0x92 },
    { GUEST_CS_ACCESS: 0x93 },
  ),
  on(LONG)("CS: S (bit 4 of the access rights) must be 1", { GUEST_CS_ACCESS: 0xa08b }, { GUEST_CS_ACCESS: 0xa09b }),
  on(REAL)("CS: DPL must be 0 if the type is 3", { GUEST_CS_ACCESS: 0xb3 }, { GUEST_CS_ACCESS: 0x93 }),
  ...[9, 11].flatMap((type) => [
    on(LONG)(
      "CS: DPL must equal the DPL of SS if the type is 9 or 11",
      { GUEST_CS_ACCESS: 0xa0b0 + type },
      { GUEST_CS_ACCESS: 0xa090 + type },
    ),
  ]),
  ...[13, 15].flatMap((type) => [
    on(LONG)(
      "CS: DPL must not be greater than the DPL of SS if the type is 13 or 15",
      { GUEST_CS_ACCESS: 0xa0b0 + type },
      { GUEST_CS_ACCESS: 0xa090 + type },
    ),
    on(LONG)(
      "CS: DPL must not be greater than the DPL of SS if the type is 13 or 15",
      { GUEST_CS_ACCESS: 0xa0f0 + type },
      { GUEST_CS_ACCESS: 0xa0b0 + type },
      { GUEST_CS_SELECTOR: 0x12, GUEST_SS_SELECTOR: 0x1a, GUEST_SS_ACCESS: 0xc0d3 },
    ),
  ]),
  ...commonEdges("CS", "CS:", PAE, 0xc09b),
  on(LONG)(
    "CS: D/B must be 0 with “IA-32e mode guest” if L is 1",
    { GUEST_CS_ACCESS: 0xe09b },
    { GUEST_CS_ACCESS: 0xa09b },
  ),
  on(LONG)(
    "CS: D/B must be 0 with “IA-32e mode guest” if L is 1",
    { GUEST_CS_ACCESS: 0xe09b },
    {
      GUEST_CS_ACCESS: 0xc09b,
      GUEST_RIP: 0,
    },
  ),
];

const user: Change = {
  GUEST_CS_SELECTOR: 0x13,
  GUEST_CS_ACCESS: 0xa0fb,
  GUEST_SS_SELECTOR: 0x1b,
  GUEST_SS_ACCESS: 0xc0f3,
};
const stackEdges = [
  on(LONG)(
    "SS: the RPL of the selector must equal that of CS without “unrestricted guest”",
    { GUEST_CS_SELECTOR: 0x11 },
    { GUEST_CS_SELECTOR: 0x10 },
  ),
  on(LONG)(
    "SS: the RPL of the selector must equal that of CS without “unrestricted guest”",
    {},
    { on: ["unrestricted guest"] },
    { GUEST_CS_SELECTOR: 0x13 },
  ),
  ...[0, 1, 2, 4, 5, 6, 9, 11, 15].map((type) =>
    on(LONG)(
      "SS: if usable, the type must be 3 or 7",
      { GUEST_SS_ACCESS: 0xc090 + type },
      { GUEST_SS_ACCESS: type < 4 ? 0xc093 : 0xc097 },
    ),
  ),
  unusable("SS", on(LONG)("SS: if usable, the type must be 3 or 7", { GUEST_SS_ACCESS: 0xc090 }, {})),
  on(LONG)(
    "SS: DPL must equal the RPL of the selector without “unrestricted guest”",
    { GUEST_CS_SELECTOR: 0x10, GUEST_SS_SELECTOR: 0x18 },
    {},
    user,
  ),
  on(LONG)(
    "SS: DPL must equal the RPL of the selector without “unrestricted guest”",
    { off: ["unrestricted guest"] },
    {},
    { ...user, on: ["unrestricted guest"], GUEST_CS_SELECTOR: 0x10, GUEST_SS_SELECTOR: 0x18 },
  ),
  edgeOf(section, REAL)(
    "SS: DPL must be 0 if the type of CS is 3",
    { GUEST_SS_ACCESS: 0xb3 },
    { GUEST_SS_ACCESS: 0x93 },
    { GUEST_CS_ACCESS: 0x93 },
  ),
  edgeOf(section, REAL)(
    "SS: DPL must be 0 if CR0.PE is 0",
    { GUEST_CR0: 0x20 },
    { GUEST_CR0: 0x21 },
    { GUEST_SS_ACCESS: 0xf3, GUEST_CS_ACCESS: 0xfb },
  ),
];

const dataEdges = (["DS", "ES", "FS", "GS"] as const).flatMap((name): Case[] => {
  const access = `GUEST_${name}_ACCESS` as const,
    selector = `GUEST_${name}_SELECTOR` as const;
  const accessed = `${name}: if usable, bit 0 of the type must be 1 (accessed)`,
    readable = `${name}: if usable, a code segment must be readable`,
    dpl = `${name}: if usable, DPL must not be less than the RPL of the selector, with types 0–11 and without “unrestricted guest”`;
  return [
    ...[0, 2, 4, 6, 10, 14].map((type) => on(LONG)(accessed, { [access]: 0xc090 + type }, { [access]: 0xc091 + type })),
    unusable(name, on(LONG)(accessed, { [access]: 0xc092 }, {})),
    ...[9, 13].map((type) => on(LONG)(readable, { [access]: 0xc090 + type }, { [access]: 0xc092 + type })),
    on(LONG)(dpl, { [access]: 0xc0d3 }, { [access]: 0xc0f3 }, { [selector]: 0x1b }),
    on(LONG)(dpl, { [access]: 0xc09b }, { [access]: 0xc09f }, { [selector]: 0x19 }),
    on(LONG)(dpl, {}, { on: ["unrestricted guest"] }, { [selector]: 0x19 }),
    unusable(name, on(LONG)(dpl, { [selector]: 0x1b }, {})),
  ];
});
const usableEdges = (["SS", "DS", "ES", "FS", "GS"] as const).flatMap((name): Case[] => {
  const access = `GUEST_${name}_ACCESS` as const,
    s = on(LONG)(
      `${name}: if usable, S (bit 4 of the access rights) must be 1`,
      { [access]: 0xc083 },
      { [access]: 0xc093 },
    );
  const common = commonEdges(name, `${name}: if usable,`, LONG, 0xc093);
  return [s, ...common, ...[s, ...common].map((c) => unusable(name, c))];
});
const baseEdges = [
  ...(["SS", "DS", "ES"] as const).flatMap((name) => {
    const edge = on(LONG)(
      `${name}: if usable, bits 63:32 of the base must be 0`,
      { [`GUEST_${name}_BASE`]: 2 ** 32 },
      { [`GUEST_${name}_BASE`]: 2 ** 32 - 1 },
    );
    return [edge, unusable(name, edge)];
  }),
  ...(["FS", "GS"] as const).flatMap((name) =>
    canonical(section, `${name}: the base must be canonical`, `GUEST_${name}_BASE`),
  ),
];

const TASK_TYPE = "TR: the type must be 11, or 3 without “IA-32e mode guest”";
const USABLE_LDTR: Change = { GUEST_LDTR_LIMIT: 0xffff, GUEST_LDTR_ACCESS: 0x82 };
const systemEdges = [
  on(LONG)("TR: TI (bit 2 of the selector) must be 0", { GUEST_TR_SELECTOR: 0x44 }, { GUEST_TR_SELECTOR: 0x43 }),
  ...canonical(section, "TR: the base must be canonical", "GUEST_TR_BASE"),
  on(LONG)(TASK_TYPE, { GUEST_TR_ACCESS: 0x83 }, { GUEST_TR_ACCESS: 0x8b }),
  on(PAE)(TASK_TYPE, { GUEST_TR_ACCESS: 0x89 }, { GUEST_TR_ACCESS: 0x83 }),
  on(PAE)(TASK_TYPE, { GUEST_TR_ACCESS: 0x82 }, { GUEST_TR_ACCESS: 0x8b }),
  on(LONG)("TR: S (bit 4 of the access rights) must be 0", { GUEST_TR_ACCESS: 0x9b }, { GUEST_TR_ACCESS: 0x8b }),
  ...commonEdges("TR", "TR:", LONG, 0x8b),
  on(LONG)("TR: the register must be usable", { GUEST_TR_ACCESS: 0x1008b }, { GUEST_TR_ACCESS: 0x8b }),
  on(LONG)(
    "LDTR: if usable, TI (bit 2 of the selector) must be 0",
    { GUEST_LDTR_SELECTOR: 4 },
    { GUEST_LDTR_SELECTOR: 0xfffb },
    USABLE_LDTR,
  ),
  ...canonical(section, "LDTR: if usable, the base must be canonical", "GUEST_LDTR_BASE", USABLE_LDTR),
  ...[0, 1, 3, 9, 11].map((type) =>
    on(LONG)("LDTR: if usable, the type must be 2", { GUEST_LDTR_ACCESS: 0x80 + type }, { GUEST_LDTR_ACCESS: 0x82 }),
  ),
  on(LONG)(
    "LDTR: if usable, S (bit 4 of the access rights) must be 0",
    { GUEST_LDTR_ACCESS: 0x92 },
    { GUEST_LDTR_ACCESS: 0x82 },
  ),
  ...commonEdges("LDTR", "LDTR: if usable,", LONG, 0x82).map((c) => ({ ...c, given: USABLE_LDTR })),
];

const segmentEdges: readonly Case[] = [
  ...virtual8086Edges,
  ...codeEdges,
  ...stackEdges,
  ...dataEdges,
  ...usableEdges,
  ...baseEdges,
  ...systemEdges,
  on(VIRTUAL_8086)("SS: in a virtual-8086 guest the access rights must be 000000F3H", { GUEST_SS_ACCESS: 0x10000 }, {}),
];

// ---- descriptor tables, RIP and RFLAGS ----

const tableEdges = (["GDTR", "IDTR"] as const).flatMap((name) => [
  ...canonical("26.3.1.3", `${name}: the base address must be canonical`, `GUEST_${name}_BASE`),
  edgeOf("26.3.1.3", LONG)(
    `${name}: bits 31:16 of the limit must be 0`,
    { [`GUEST_${name}_LIMIT`]: 0x10000 },
    { [`GUEST_${name}_LIMIT`]: 0xffff },
  ),
]);
const pointer = (base: Change) => edgeOf("26.3.1.4", base);
const UPPER_RIP = "bits 63:32 of RIP must be 0 without “IA-32e mode guest” or if CS.L is 0",
  TOP_RIP = "bits 63:48 of RIP must be identical with “IA-32e mode guest” if CS.L is 1",
  RESERVED = "reserved bits 31:22, 15, 5 and 3 of RFLAGS must be 0";
const pointerEdges = [
  pointer(PAE)(UPPER_RIP, { GUEST_RIP: 2 ** 32 }, { GUEST_RIP: 2 ** 32 - 1 }),
  pointer(LONG)(UPPER_RIP, { GUEST_RIP: 2 ** 32 }, { GUEST_RIP: 0 }, { GUEST_CS_ACCESS: 0xc09b }),
  pointer(LONG)(TOP_RIP, { GUEST_RIP: 2n ** 48n }, { GUEST_RIP: 2n ** 48n - 1n }),
  pointer(LONG)(TOP_RIP, { GUEST_RIP: 0xfffe_8000_0000_0000n }, { GUEST_RIP: 0xffff_0000_0000_0000n }),
  ...[8, 0x20, 0x8000, 0x400000, 0x80000000].map((bit) =>
    pointer(LONG)(RESERVED, { GUEST_RFLAGS: 2 + bit }, { GUEST_RFLAGS: 0x1d7fd7 }),
  ),
  pointer(LONG)("reserved bits 63:32 of RFLAGS must be 0", { GUEST_RFLAGS: 2 ** 32 + 2 }, { GUEST_RFLAGS: 0x200002 }),
  pointer(LONG)("reserved bit 1 of RFLAGS must be 1", { GUEST_RFLAGS: 0x200 }, { GUEST_RFLAGS: 0x202 }),
  pointer(VIRTUAL_8086)(
    "RFLAGS.VM must be 0 with “IA-32e mode guest”",
    { on: ["IA-32e mode guest"], GUEST_EFER: 0xd00 },
    {},
  ),
  pointer(VIRTUAL_8086)(
    "RFLAGS.VM must be 0 if CR0.PE is 0",
    { GUEST_CR0: 0x20 },
    { GUEST_CR0: 0x80000021 },
    { on: ["unrestricted guest"] },
  ),
  pointer(LONG)(
    "RFLAGS.IF must be 1 if an external interrupt is injected",
    { GUEST_RFLAGS: 2 },
    { GUEST_RFLAGS: 0x202 },
    inject(0x020),
  ),
  pointer(LONG)("RFLAGS.IF must be 1 if an external interrupt is injected", inject(0x020), inject(0x202), {
    GUEST_RFLAGS: 2,
  }),
];

// ---- non-register state ----

const state = edgeOf("26.3.1.5", LONG);
const HLT_EVENTS = "in the HLT state only external interrupts, NMIs, #DB, #MC and pending MTF VM exits may be injected";
const SHUTDOWN_EVENTS = "in the shutdown state only NMIs and #MC may be injected";
const activityEdges = [
  state("the activity state must be in the range 0–3 and supported", { GUEST_ACTIVITY: 4 }, { GUEST_ACTIVITY: 3 }),
  state(
    "the activity state must not be HLT if the DPL of SS is not 0",
    { GUEST_ACTIVITY: 1 },
    { GUEST_ACTIVITY: 0 },
    user,
  ),
  ...[1, 2, 3].flatMap((activity) =>
    [1, 2].map((blocking) =>
      state(
        "the activity state must be active if there is blocking by STI or by MOV SS",
        { GUEST_ACTIVITY: activity, GUEST_INTERRUPTIBILITY: blocking },
        { GUEST_ACTIVITY: activity, GUEST_INTERRUPTIBILITY: 8 },
      ),
    ),
  ),
  ...[0x300, 0x306, 0xb11].map((event) => state(HLT_EVENTS, inject(event), inject(0x301), { GUEST_ACTIVITY: 1 })),
  ...[0x480, 0x501, 0x603].map((event) =>
    state(HLT_EVENTS, inject(event), inject(0x312), { GUEST_ACTIVITY: 1, ENTRY_INSTRUCTION_LENGTH: 1 }),
  ),
  state(HLT_EVENTS, inject(0xb0e), inject(0x020), { GUEST_ACTIVITY: 1 }),
  state(HLT_EVENTS, inject(0xb0e), inject(0x202), { GUEST_ACTIVITY: 1 }),
  state(HLT_EVENTS, inject(0xb0e), inject(0x700), { GUEST_ACTIVITY: 1 }),
  ...[0x020, 0x301, 0x700].flatMap((event) =>
    [0x202, 0x312].map((legal) => state(SHUTDOWN_EVENTS, inject(event), inject(legal), { GUEST_ACTIVITY: 2 })),
  ),
  ...[0x020, 0x202, 0x312, 0x700].map((event) =>
    state(
      "in the wait-for-SIPI state nothing may be injected",
      inject(event),
      { ENTRY_INTERRUPTION_INFO: event },
      { GUEST_ACTIVITY: 3 },
    ),
  ),
];
const NMI_BY_STI = "there must be no blocking by STI if an NMI is injected";
const interruptibilityEdges = [
  ...[0x20, 0x80000000].map((bit) =>
    state(
      "reserved bits 31:5 of the interruptibility state must be 0",
      { GUEST_INTERRUPTIBILITY: bit },
      { GUEST_INTERRUPTIBILITY: 8 },
    ),
  ),
  state(
    "there must not be blocking both by STI and by MOV SS",
    { GUEST_INTERRUPTIBILITY: 3 },
    { GUEST_INTERRUPTIBILITY: 1 },
  ),
  state(
    "there must be no blocking by STI if RFLAGS.IF is 0",
    { GUEST_INTERRUPTIBILITY: 1 },
    { GUEST_INTERRUPTIBILITY: 2 },
    { GUEST_RFLAGS: 2 },
  ),
  ...[1, 2].map((by) =>
    state(
      "there must be no blocking by STI or by MOV SS if an external interrupt is injected",
      { GUEST_INTERRUPTIBILITY: by },
      { GUEST_INTERRUPTIBILITY: 8 },
      inject(0x020),
    ),
  ),
  state(
    "there must be no blocking by MOV SS if an NMI is injected",
    { GUEST_INTERRUPTIBILITY: 2 },
    { GUEST_INTERRUPTIBILITY: 0 },
    inject(0x202),
  ),
  state("there must be no blocking by SMI outside of SMM", { GUEST_INTERRUPTIBILITY: 4 }, {}),
  state(NMI_BY_STI, { GUEST_INTERRUPTIBILITY: 1 }, { GUEST_INTERRUPTIBILITY: 0 }, inject(0x202), 3),
  state(NMI_BY_STI, inject(0x202), inject(0x306), { GUEST_INTERRUPTIBILITY: 1 }, 3),
  state(
    "there must be no blocking by NMI if an NMI is injected with “virtual NMIs”",
    {},
    { off: ["virtual NMIs"] },
    { ...inject(0x202), GUEST_INTERRUPTIBILITY: 8 },
  ),
  state("enclave interruption must be 0, since there is no SGX", { GUEST_INTERRUPTIBILITY: 0x10 }, {}),
];

const RESERVED_PENDING = "bits 11:4, 13, 15 and 63:17 of the pending debug exceptions must be 0",
  STEP = "with blocking by STI or MOV SS, or in HLT, BS must be 1 if RFLAGS.TF is 1 and IA32_DEBUGCTL.BTF is 0",
  NO_STEP = "with blocking by STI or MOV SS, or in HLT, BS must be 0 if RFLAGS.TF is 0 or IA32_DEBUGCTL.BTF is 1";
const heldBack: Change[] = [{ GUEST_INTERRUPTIBILITY: 1 }, { GUEST_INTERRUPTIBILITY: 2 }, { GUEST_ACTIVITY: 1 }];
/** The field may hold any value where entry does not load it. */
const anyDebug = (given: Change): Change => ({ ...given, off: ["load debug controls"] });
const pendingEdges = [
  ...[0x10, 0x800, 0x2000, 0x8000, 0x20000, 0x80000000, 2 ** 32].map((bit) =>
    state(RESERVED_PENDING, { GUEST_PENDING_DEBUG: bit }, { GUEST_PENDING_DEBUG: 0x500f }),
  ),
  ...heldBack.flatMap((given) => [
    state(STEP, { GUEST_RFLAGS: 0x302 }, { GUEST_RFLAGS: 0x302, GUEST_PENDING_DEBUG: 0x4000 }, given),
    state(STEP, { GUEST_RFLAGS: 0x302 }, { GUEST_RFLAGS: 0x302, GUEST_DEBUGCTL: 2 }, anyDebug(given)),
    state(NO_STEP, { GUEST_PENDING_DEBUG: 0x4000 }, { GUEST_PENDING_DEBUG: 0x1000 }, given),
    state(
      NO_STEP,
      { GUEST_DEBUGCTL: 2 },
      { GUEST_DEBUGCTL: 1 },
      { ...anyDebug(given), GUEST_RFLAGS: 0x302, GUEST_PENDING_DEBUG: 0x4000 },
    ),
  ]),
  state(STEP, { GUEST_RFLAGS: 0x302, GUEST_ACTIVITY: 1 }, { GUEST_RFLAGS: 0x302 }),
  state(
    "RTM (bit 16) must be 0, since there is no RTM",
    { GUEST_PENDING_DEBUG: 0x11000 },
    { GUEST_PENDING_DEBUG: 0x1000 },
  ),
];

const link = (what: string, bad: Change, good: Change, given: Change = {}) =>
  state(`the VMCS link pointer, unless FFFFFFFF_FFFFFFFFH: ${what}`, bad, good, given, 4);
const HOLDS = "the 4 bytes that it refers to must hold the VMCS revision identifier, with bit 31 clear";
const linked: Change = { memory: { 32768: REVISION, 20480: REVISION, [BEYOND - 0x1000]: REVISION } };
const linkEdges = [
  link("bits 11:0 must be 0", { VMCS_LINK_POINTER: 0x8004 }, { VMCS_LINK_POINTER: 0x8000 }, linked),
  link("bits 11:0 must be 0", { VMCS_LINK_POINTER: -2 }, { VMCS_LINK_POINTER: -1 }),
  link("bits 11:0 must be 0", { VMCS_LINK_POINTER: 0xffffffff }, {}),
  link(
    "bits beyond the physical-address width must be 0",
    { VMCS_LINK_POINTER: BEYOND },
    { VMCS_LINK_POINTER: BEYOND - 0x1000 },
    linked,
  ),
  link(HOLDS, { memory: { 32768: REVISION + 1 } }, { memory: { 32768: REVISION } }, { VMCS_LINK_POINTER: 0x8000 }),
  link(
    HOLDS,
    { memory: { 32768: (REVISION | 0x80000000) >>> 0 } },
    { memory: { 32768: REVISION } },
    { VMCS_LINK_POINTER: 0x8000 },
  ),
  link(
    "it must not be the current VMCS pointer",
    { current: 0x8000 },
    { current: 0x5000 },
    { ...linked, VMCS_LINK_POINTER: 0x8000 },
  ),
];

const pdpte = edgeOf("26.3.1.6", PAE);
const PDPTE_FIELDS = "PAE paging with “enable EPT”: reserved bits in the PDPTE fields must be 0",
  PDPTE_MEMORY = "PAE paging without “enable EPT”: reserved bits in the PDPTEs that CR3 refers to must be 0";
const pdpteEdges = [
  ...(["GUEST_PDPTE0", "GUEST_PDPTE1", "GUEST_PDPTE2", "GUEST_PDPTE3"] as const).flatMap((field) =>
    [2, 4, 0x20, 0x100, BEYOND, 2n ** 63n].map((bit) =>
      pdpte(
        PDPTE_FIELDS,
        { [field]: 1n + BigInt(bit) },
        { [field]: bit === 2 ? BigInt(BEYOND) - 0x1000n + 0xe19n : BigInt(bit) },
        {},
        2,
      ),
    ),
  ),
  pdpte(PDPTE_FIELDS, { GUEST_CR4: 0x2020 }, { GUEST_CR4: 0x2000 }, { GUEST_PDPTE3: 3 }, 2),
  pdpte(PDPTE_FIELDS, {}, { off: ["enable EPT"] }, { GUEST_PDPTE3: 3 }, 2),
  ...[0, 1, 2, 3].flatMap((n) => [
    pdpte(
      PDPTE_MEMORY,
      { memory: { [0xabcde0 + 8 * n]: 3 } },
      { memory: { [0xabcde0 + 8 * n]: 2 } },
      { GUEST_CR3: 0xabcdff, off: ["enable EPT"] },
      2,
    ),
    pdpte(
      PDPTE_MEMORY,
      { memory: { [0xabcde0 + 8 * n]: 1, [0xabcde4 + 8 * n]: 0x100 } },
      { memory: { [0xabcde0 + 8 * n]: 1, [0xabcde4 + 8 * n]: 0xff } },
      { GUEST_CR3: 0xabcdff, off: ["enable EPT"] },
      2,
    ),
  ]),
  edgeOf("26.3.1.6", REAL)(
    PDPTE_FIELDS,
    { GUEST_CR0: 0x80000021 },
    { GUEST_CR0: 0x21 },
    { GUEST_CR4: 0x2020, GUEST_PDPTE0: 3 },
    2,
  ),
];

export const GUEST_EDGES: readonly Case[] = [
  ...registerEdges,
  ...segmentEdges,
  ...tableEdges,
  ...pointerEdges,
  ...activityEdges,
  ...interruptibilityEdges,
  ...pendingEdges,
  ...linkEdges,
  ...pdpteEdges,
];
