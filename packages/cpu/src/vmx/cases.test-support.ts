/**
 * What shows each control that is offered, and each exit reason that is given: a guest that comes to something else with the
 * control than without it, and one that leaves for the reason. docs/vmx.md lists them; offered.test.ts runs them.
 */
import { BY_NMI, PENDING_INIT, PENDING_NMI, PENDING_SIPI, WAIT_FOR_SIPI } from "../core/events.ts";
import { IF } from "../core/flags.ts";
import { S } from "../core/state.ts";
import { AT, pteOf, SEL } from "../system.test-support.ts";
import { type ControlName, maskOf } from "./controls.ts";
import { F } from "./fields.ts";
import { VALID, vectorOf } from "./interruption.ts";
import { EXIT, type ExitName, exitName } from "./reasons.ts";
import { type Guest, guest, HOST } from "./rig.test-support.ts";
import { NON_ROOT } from "./vmx.ts";

const RAX = 0,
  RCX = 1,
  RDX = 2;
const HANDLER = 0x28000,
  DATA = 0x20000,
  OTHER_DATA = 0x21000,
  EPT = 0x50000,
  PAGE_TABLES = 0x58000;
const NOP = "90",
  HLT = "F4",
  /** mov eax, [DATA] */
  LOAD = "8B 04 25 00 00 02 00";

/** A guest with what these cases need; every control that may be 0 is. */
export const subject = (): Guest => guest("long", { add: ["monitor", "xsave"], apic: true });

/** Enters with this code, runs steps of it, and says what came of it: "hlt", "exception 6", "VMfail 8", "handler", "goes on". */
export function outcome(r: Guest, code = NOP, steps = 1): string {
  const { cpu } = r;
  r.code(code, AT.code);
  r.set({ GUEST_RIP: AT.code });
  const error = r.enter();
  if (error !== 0) return `VMfail ${error}`;
  if (cpu.vmx.operation === NON_ROOT) r.step(steps);
  if (cpu.vmx.operation === NON_ROOT) return cpu.number(S.RIP) === HANDLER ? "handler" : "goes on";
  const { reason, interruption } = r.left;
  return reason === EXIT.exceptionOrNmi && interruption & VALID
    ? `exception ${vectorOf(interruption)}`
    : exitName(reason);
}
const hex = (value: number) => value.toString(16);

// ---- what happens to a guest ----

/** Exceptions exit, so that what is undefined is seen. */
function undefinedExits(r: Guest): void {
  r.set({ EXCEPTION_BITMAP: 0xffffffff });
}
/** The external interrupt controller asks for attention, with vector 70. */
function interrupt(r: Guest): void {
  const apic = r.cpu.apic!;
  apic.write(0xfee000f0, 4, 0x1ff);
  apic.write(0xfee00350, 4, 0x700); // LINT0: ExtINT
  apic.setLine(0, true);
}
function nmi(r: Guest): void {
  r.gate(2, SEL.code64, HANDLER, 0x8e);
  r.cpu.signal(PENDING_NMI);
}
/** Guest-physical addresses of the first 2 MiB are physical ones. */
function identity(r: Guest): void {
  for (let level = 0; level < 2; level++) r.ram.setUint32(EPT + 0x1000 * level, (EPT + 0x1000 * (level + 1)) | 7, true);
  r.ram.setUint32(EPT + 0x2000, 7 | (6 << 3) | 0x80, true);
  r.set({ EPT_POINTER: EPT | 0x1e });
}
/** A 32-bit guest; without paging, unless a CR0 is given. */
function in32Bits(r: Guest, cr0 = 0x31): void {
  const { vmcs } = r.cpu.vmx;
  r.set({ ENTRY_CONTROLS: vmcs.low(F.ENTRY_CONTROLS) & ~maskOf("IA-32e mode guest") });
  r.set({ GUEST_CR0: cr0, GUEST_CS_ACCESS: 0xc09b, GUEST_CS_SELECTOR: SEL.code32 });
}
/** After an exit by HLT. */
function halted<T>(r: Guest, look: () => T, code = HLT, steps = 1): T {
  r.with("HLT exiting");
  const came = outcome(r, code, steps);
  if (came !== "hlt") throw new Error(`the guest does not halt: ${came}`);
  return look();
}
/** In the guest. */
function inside<T>(r: Guest, look: () => T, code = NOP, steps = 1): T {
  const came = outcome(r, code, steps);
  if (came !== "goes on") throw new Error(`the guest leaves: ${came}`);
  return look();
}

// ---- controls ----

export interface ControlCase {
  /** Where the manual says so. */
  readonly cite: string;
  /** What is tried, for people. */
  readonly what: string;
  /** What comes of it with the control, and without. */
  readonly is1: string;
  readonly is0: string;
  readonly see: (r: Guest) => string;
}
const one = (cite: string, what: string, is1: string, is0: string, see: ControlCase["see"]): ControlCase => ({
  cite,
  what,
  is1,
  is0,
  see,
});
/** An instruction that exits with the control and is executed without. */
const instruction = (what: string, code: string, reason: ExitName, gprs: Readonly<Record<number, number>> = {}) =>
  one("25.1.3", what, reason, "goes on", (r) => {
    for (const [n, value] of Object.entries(gprs)) r.cpu.setGpr(Number(n), BigInt(value));
    return outcome(r, code);
  });

export const CONTROL_CASES: Partial<Readonly<Record<ControlName, ControlCase>>> = {
  "external-interrupt exiting": one("25.2", "an interrupt, with RFLAGS.IF 0", "externalInterrupt", "goes on", (r) => {
    interrupt(r);
    return outcome(r);
  }),
  "NMI exiting": one("25.2", "an NMI", "exception 2", "handler", (r) => {
    nmi(r);
    return outcome(r);
  }),
  "virtual NMIs": one("24.6.1", "an NMI while the guest's are blocked", "exception 2", "goes on", (r) => {
    nmi(r);
    r.with("NMI exiting").set({ GUEST_INTERRUPTIBILITY: BY_NMI });
    return outcome(r);
  }),
  "activate VMX-preemption timer": one("25.5.1", "a timer of 0", "preemptionTimer", "goes on", (r) => outcome(r)),

  "interrupt-window exiting": one("25.2", "RFLAGS.IF 1", "interruptWindow", "goes on", (r) => {
    r.set({ GUEST_RFLAGS: IF | 2 });
    return outcome(r);
  }),
  "use TSC offsetting": one("25.3", "EDX of RDTSC, with an offset of 12 * 2^32", "12", "0", (r) => {
    r.set({ TSC_OFFSET: 12 * 2 ** 32 });
    return inside(r, () => String(r.cpu.gpr(RDX)), "0F 31");
  }),
  "HLT exiting": instruction("HLT", HLT, "hlt"),
  "INVLPG exiting": instruction("INVLPG", "0F 01 38", "invlpg"),
  "MWAIT exiting": instruction("MWAIT", "0F 01 C9", "mwait"),
  "RDPMC exiting": one("25.1.3", "RDPMC; there are no counters", "rdpmc", "exception 13", (r) => {
    undefinedExits(r);
    return outcome(r, "0F 33");
  }),
  "RDTSC exiting": instruction("RDTSC", "0F 31", "rdtsc"),
  "CR3-load exiting": instruction("MOV to CR3", "0F 22 D8", "controlRegister", { [RAX]: AT.tables }),
  "CR3-store exiting": instruction("MOV from CR3", "0F 20 D8", "controlRegister"),
  "CR8-load exiting": instruction("MOV to CR8", "44 0F 22 C0", "controlRegister"),
  "CR8-store exiting": instruction("MOV from CR8", "44 0F 20 C0", "controlRegister"),
  "use TPR shadow": one("25.3", "MOV from CR8, with 50H as the virtual TPR", "5", "0", (r) => {
    r.ram.setUint32(HOST.apic + 0x80, 0x50, true);
    return inside(r, () => String(r.cpu.gpr(RAX)), "44 0F 20 C0");
  }),
  "NMI-window exiting": one("25.2", "NMIs that are not blocked", "nmiWindow", "goes on", (r) =>
    outcome(r.with("NMI exiting", "virtual NMIs")),
  ),
  "MOV-DR exiting": instruction("MOV from DR7", "0F 21 F8", "debugRegister"),
  "unconditional I/O exiting": instruction("IN", "EC", "io"),
  "use I/O bitmaps": one(
    "25.1.3",
    "IN from port 60, whose bit is set, and 61",
    "io, goes on",
    "goes on, goes on",
    (r) => {
      r.ram.setUint8(HOST.ioA + 0x60 / 8, 1);
      r.with("PAUSE exiting"); // to come back
      const first = outcome(r, "E4 60");
      return first === "io" ? `${first}, ${outcome(r, "E4 61")}` : `${first}, ${outcome(again(r), "E4 61")}`;
    },
  ),
  "monitor trap flag": one("25.5.2", "an instruction", "monitorTrapFlag", "goes on", (r) => outcome(r, "90 90", 2)),
  "use MSR bitmaps": one("25.1.3", "RDMSR, with bitmaps of 0", "goes on", "rdmsr", (r) => {
    r.cpu.setGpr(RCX, 0x10n);
    return outcome(r, "0F 32");
  }),
  "MONITOR exiting": instruction("MONITOR", "0F 01 C8", "monitor"),
  "PAUSE exiting": instruction("PAUSE", "F3 90", "pause"),
  "activate secondary controls": one("24.6.2", "WBINVD with “WBINVD exiting”", "wbinvd", "goes on", (r) => {
    r.set({ SECONDARY_CONTROLS: maskOf("WBINVD exiting") });
    return outcome(r, "0F 09");
  }),

  "virtualize APIC accesses": one("29.4", "a load from the APIC-access page", "apicAccess", "goes on", (r) => {
    r.set({ APIC_ACCESS_ADDRESS: DATA });
    return outcome(r, LOAD);
  }),
  "enable EPT": one("28.2", "a fetch, with an EPT that maps nothing", "eptViolation", "goes on", (r) => {
    r.set({ EPT_POINTER: EPT | 0x1e });
    return outcome(r);
  }),
  "descriptor-table exiting": instruction("STR", "0F 00 C8", "localDescriptorTable"),
  "enable RDTSCP": one("25.3", "RDTSCP", "goes on", "exception 6", (r) => {
    undefinedExits(r);
    return outcome(r, "0F 01 F9");
  }),
  "enable VPID": one("28.3.3.1", "a page that is mapped elsewhere while the guest is left", "old", "new", (r) => {
    r.set({ VPID: 1 });
    for (const [at, value] of [
      [DATA, 1],
      [OTHER_DATA, 2],
    ] as const)
      r.ram.setUint32(at, value, true);
    halted(r, () => {}, `${LOAD} ${HLT}`, 2);
    r.ram.setUint32(pteOf(DATA), OTHER_DATA | 7, true);
    return halted(r, () => (r.cpu.gpr(RAX) === 1n ? "old" : "new"), `${LOAD} ${HLT}`, 2);
  }),
  "WBINVD exiting": instruction("WBINVD", "0F 09", "wbinvd"),
  "unrestricted guest": one("26.3.1.1", "a guest without paging", "goes on", "entryGuestState", (r) => {
    identity(r.with("enable EPT"));
    in32Bits(r);
    return outcome(r);
  }),
  "enable INVPCID": one("25.3", "INVPCID", "goes on", "exception 6", (r) => {
    undefinedExits(r);
    r.cpu.setGpr(RCX, 2n);
    r.cpu.setGpr(RDX, BigInt(DATA));
    return outcome(r, "66 0F 38 82 0A");
  }),

  "save debug controls": one("27.3.1", "GUEST_DR7 after MOV of 500H to DR7", "500", "400", (r) => {
    r.cpu.setGpr(RAX, 0x500n);
    return halted(r, () => hex(r.cpu.vmx.vmcs.low(F.GUEST_DR7)), `0F 23 F8 ${HLT}`, 2);
  }),
  "host address-space size": one("26.2.4", "entry in IA-32e mode, and an exit", "64-bit mode", "VMfail 8", (r) => {
    const came = outcome(r.with("HLT exiting"), HLT);
    return came === "hlt" && r.cpu.long ? "64-bit mode" : came;
  }),
  "acknowledge interrupt on exit": one("27.2.2", "interruption information of an interrupt", "80000070", "0", (r) => {
    interrupt(r);
    outcome(r.with("external-interrupt exiting"));
    return hex(r.left.interruption);
  }),
  "save IA32_PAT": one("27.3.1", "GUEST_PAT, lower half", "70406", "0", (r) =>
    halted(r, () => hex(r.cpu.vmx.vmcs.low(F.GUEST_PAT))),
  ),
  "load IA32_PAT on exit": one("27.5.1", "IA32_PAT after an exit, lower half, with 6 as HOST_PAT", "6", "70406", (r) =>
    halted(r.set({ HOST_PAT: 6 }), () => hex(r.cpu.u32(S.PAT))),
  ),
  "save IA32_EFER": one("27.3.1", "GUEST_EFER", "d01", "0", (r) =>
    halted(r, () => hex(r.cpu.vmx.vmcs.low(F.GUEST_EFER))),
  ),
  "load IA32_EFER on exit": one("27.5.1", "IA32_EFER after an exit, with 501H as HOST_EFER", "501", "d01", (r) =>
    halted(r.set({ HOST_EFER: 0x501 }), () => hex(r.cpu.u32(S.EFER))),
  ),
  "save VMX-preemption timer value": one("25.5.1", "the timer, 64 ns after it began with 100", "98", "100", (r) => {
    r.with("activate VMX-preemption timer").set({ PREEMPTION_TIMER_VALUE: 100 });
    return halted(r, () => String(r.cpu.vmx.vmcs.low(F.PREEMPTION_TIMER_VALUE)), `${`${NOP} `.repeat(64)}${HLT}`, 65);
  }),

  "load debug controls": one("26.3.2.1", "DR7 in the guest, with 500H as GUEST_DR7", "500", "400", (r) =>
    inside(r.set({ GUEST_DR7: 0x500 }), () => hex(r.cpu.u32(S.DR7))),
  ),
  "IA-32e mode guest": one(
    "26.3.2.1",
    "code of 32 bits, with tables that PAE paging reads too",
    "IA-32e mode",
    "not",
    (r) => {
      r.ram.setUint32(PAGE_TABLES, (PAGE_TABLES + 0x1000) | 1, true); // a PML4 entry, or a PDPTE
      r.ram.setUint32(PAGE_TABLES + 0x1000, 0x81, true); // a page of 1 GiB or of 2 MiB
      r.set({ GUEST_CR3: PAGE_TABLES, GUEST_CS_ACCESS: 0xc09b, GUEST_CS_SELECTOR: SEL.code32 });
      return inside(r, () => (r.cpu.ia32e ? "IA-32e mode" : "not"));
    },
  ),
  "load IA32_PAT on entry": one(
    "26.3.2.1",
    "IA32_PAT in the guest, lower half, with 6 as GUEST_PAT",
    "6",
    "70406",
    (r) => inside(r.set({ GUEST_PAT: 6 }), () => hex(r.cpu.u32(S.PAT))),
  ),
  "load IA32_EFER on entry": one("26.3.2.1", "IA32_EFER in the guest, with 501H as GUEST_EFER", "501", "d01", (r) =>
    inside(r.set({ GUEST_EFER: 0x501 }), () => hex(r.cpu.u32(S.EFER))),
  ),
};
/** Comes back from a guest that goes on. */
function again(r: Guest): Guest {
  r.code("F3 90", r.cpu.number(S.RIP));
  r.step();
  return r;
}

// ---- exit reasons ----

export interface ReasonCase {
  readonly cite: string;
  readonly what: string;
  /** Makes the guest, and returns its code, and how many steps of it. */
  readonly prepare: (r: Guest) => string | readonly [code: string, steps: number];
}
const left = (cite: string, what: string, prepare: ReasonCase["prepare"]): ReasonCase => ({ cite, what, prepare });
/** An instruction, with controls that make it exit, or always. */
const by = (what: string, code: string, ...controls: ControlName[]) =>
  left(controls.length === 0 ? "25.1.2" : "25.1.3", what, (r) => {
    r.with(...controls);
    return code;
  });

export const REASON_CASES: Readonly<Record<ExitName, ReasonCase>> = {
  exceptionOrNmi: left("25.2", "UD2, with its bit in the exception bitmap", (r) => {
    r.set({ EXCEPTION_BITMAP: 1 << 6 });
    return "0F 0B";
  }),
  externalInterrupt: left("25.2", "an interrupt", (r) => {
    interrupt(r.with("external-interrupt exiting"));
    return NOP;
  }),
  tripleFault: left("25.2", "UD2, with an IDT of nothing", () => "0F 0B"),
  init: left("25.2", "INIT", (r) => {
    r.cpu.signal(PENDING_INIT);
    return NOP;
  }),
  sipi: left("25.2", "SIPI while the guest waits for one", (r) => {
    r.set({ GUEST_ACTIVITY: WAIT_FOR_SIPI });
    r.cpu.signal(PENDING_SIPI, 0x3c);
    return NOP;
  }),
  interruptWindow: left("25.2", "RFLAGS.IF 1", (r) => {
    r.with("interrupt-window exiting").set({ GUEST_RFLAGS: IF | 2 });
    return NOP;
  }),
  nmiWindow: left("25.2", "NMIs that are not blocked", (r) => {
    r.with("NMI exiting", "virtual NMIs", "NMI-window exiting");
    return NOP;
  }),
  taskSwitch: left("25.4.2", "JMP to a TSS", (r) => {
    identity(r.with("enable EPT", "unrestricted guest"));
    in32Bits(r);
    return `EA 00 00 00 00 ${hex(SEL.tss)} 00`;
  }),
  cpuid: by("CPUID", "0F A2"),
  hlt: by("HLT", HLT, "HLT exiting"),
  invd: by("INVD", "0F 08"),
  invlpg: by("INVLPG", "0F 01 38", "INVLPG exiting"),
  rdpmc: by("RDPMC", "0F 33", "RDPMC exiting"),
  rdtsc: by("RDTSC", "0F 31", "RDTSC exiting"),
  vmcall: by("VMCALL", "0F 01 C1"),
  vmclear: by("VMCLEAR", "66 0F C7 30"),
  vmlaunch: by("VMLAUNCH", "0F 01 C2"),
  vmptrld: by("VMPTRLD", "0F C7 30"),
  vmptrst: by("VMPTRST", "0F C7 38"),
  vmread: by("VMREAD", "0F 78 C0"),
  vmresume: by("VMRESUME", "0F 01 C3"),
  vmwrite: by("VMWRITE", "0F 79 C0"),
  vmxoff: by("VMXOFF", "0F 01 C4"),
  vmxon: by("VMXON", "F3 0F C7 30"),
  controlRegister: by("MOV from CR3", "0F 20 D8", "CR3-store exiting"),
  debugRegister: by("MOV from DR7", "0F 21 F8", "MOV-DR exiting"),
  io: by("IN", "EC", "unconditional I/O exiting"),
  rdmsr: by("RDMSR", "0F 32"),
  wrmsr: by("WRMSR", "0F 30"),
  entryGuestState: left("26.8", "RFLAGS with bit 1 clear", (r) => {
    r.set({ GUEST_RFLAGS: 0 });
    return NOP;
  }),
  entryMsrLoading: left("26.8", "an entry that loads IA32_FS_BASE from the MSR area", (r) => {
    r.ram.setUint32(HOST.areas, 0xc0000100, true);
    r.set({ ENTRY_MSR_LOAD_COUNT: 1, ENTRY_MSR_LOAD_ADDRESS: HOST.areas });
    return NOP;
  }),
  mwait: by("MWAIT", "0F 01 C9", "MWAIT exiting"),
  monitorTrapFlag: left("25.5.2", "an instruction", (r) => {
    r.with("monitor trap flag");
    return ["90 90", 2];
  }),
  monitor: by("MONITOR", "0F 01 C8", "MONITOR exiting"),
  pause: by("PAUSE", "F3 90", "PAUSE exiting"),
  tprBelowThreshold: left("29.1.2", "MOV of 0 to CR8, with a threshold of 1", (r) => {
    r.ram.setUint32(HOST.apic + 0x80, 0x10, true);
    r.with("use TPR shadow").set({ TPR_THRESHOLD: 1 });
    return ["44 0F 22 C0 90", 2];
  }),
  apicAccess: left("29.4", "a load from the APIC-access page", (r) => {
    r.with("virtualize APIC accesses").set({ APIC_ACCESS_ADDRESS: DATA });
    return LOAD;
  }),
  descriptorTable: by("SGDT", "0F 01 00", "descriptor-table exiting"),
  localDescriptorTable: by("STR", "0F 00 C8", "descriptor-table exiting"),
  eptViolation: left("28.2.3.2", "a fetch, with an EPT that maps nothing", (r) => {
    r.with("enable EPT").set({ EPT_POINTER: EPT | 0x1e });
    return NOP;
  }),
  eptMisconfiguration: left("28.2.3.1", "an EPT entry that may be written and not read", (r) => {
    r.ram.setUint32(EPT, 2, true);
    r.with("enable EPT").set({ EPT_POINTER: EPT | 0x1e });
    return NOP;
  }),
  invept: by("INVEPT", "66 0F 38 80 08"),
  rdtscp: by("RDTSCP", "0F 01 F9", "enable RDTSCP", "RDTSC exiting"),
  preemptionTimer: left("25.5.1", "a timer of 0", (r) => {
    r.with("activate VMX-preemption timer");
    return NOP;
  }),
  invvpid: by("INVVPID", "66 0F 38 81 08"),
  wbinvd: by("WBINVD", "0F 09", "WBINVD exiting"),
  xsetbv: left("25.1.2", "XSETBV, with CR4.OSXSAVE", (r) => {
    r.set({ GUEST_CR4: r.cpu.vmx.vmcs.low(F.GUEST_CR4) | (1 << 18) });
    return "0F 01 D1";
  }),
  invpcid: by("INVPCID", "66 0F 38 82 0A", "enable INVPCID", "INVLPG exiting"),
};
