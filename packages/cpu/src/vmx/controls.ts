/**
 * Every VM-execution, VM-exit and VM-entry control of the manual [SDM 3C 24.6, 24.7, 24.8]: where its bit is, and
 * whether this processor offers it. The capability MSRs, the checks of VM entry and docs/vmx.md follow from this table.
 */
import type { Feature } from "../core/forms.ts";
import type { Model } from "../core/model.ts";

/** The five words of controls. */
export type ControlWord = "pin" | "primary" | "secondary" | "exit" | "entry";

export interface Control {
  readonly word: ControlWord;
  readonly bit: number;
  /** The manual's name, in quotation marks there. Where VM exit and entry use one name it says which is meant. */
  readonly name: string;
  /** Offered: always, or with a feature of the model. A string that starts with "later" says why it is not. */
  readonly offered: "yes" | Feature | `later: ${string}`;
}

const control = <N extends string>(word: ControlWord, bit: number, name: N, offered: Control["offered"] = "yes") => ({
  word,
  bit,
  name,
  offered,
});

export const CONTROLS = [
  control("pin", 0, "external-interrupt exiting"),
  control("pin", 3, "NMI exiting"),
  control("pin", 5, "virtual NMIs"),
  control("pin", 6, "activate VMX-preemption timer"),
  control("pin", 7, "process posted interrupts", "later: with virtual-interrupt delivery"),

  control("primary", 2, "interrupt-window exiting"),
  control("primary", 3, "use TSC offsetting"),
  control("primary", 7, "HLT exiting"),
  control("primary", 9, "INVLPG exiting"),
  control("primary", 10, "MWAIT exiting"),
  control("primary", 11, "RDPMC exiting"),
  control("primary", 12, "RDTSC exiting"),
  control("primary", 15, "CR3-load exiting"),
  control("primary", 16, "CR3-store exiting"),
  control("primary", 17, "activate tertiary controls", "later: no tertiary control is offered"),
  control("primary", 19, "CR8-load exiting"),
  control("primary", 20, "CR8-store exiting"),
  control("primary", 21, "use TPR shadow"),
  control("primary", 22, "NMI-window exiting"),
  control("primary", 23, "MOV-DR exiting"),
  control("primary", 24, "unconditional I/O exiting"),
  control("primary", 25, "use I/O bitmaps"),
  control("primary", 27, "monitor trap flag"),
  control("primary", 28, "use MSR bitmaps"),
  control("primary", 29, "MONITOR exiting"),
  control("primary", 30, "PAUSE exiting"),
  control("primary", 31, "activate secondary controls"),

  control("secondary", 0, "virtualize APIC accesses"),
  control("secondary", 1, "enable EPT", "ept"),
  control("secondary", 2, "descriptor-table exiting"),
  control("secondary", 3, "enable RDTSCP", "rdtscp"),
  control("secondary", 4, "virtualize x2APIC mode", "later: with APIC-register virtualization"),
  control("secondary", 5, "enable VPID", "vpid"),
  control("secondary", 6, "WBINVD exiting"),
  control("secondary", 7, "unrestricted guest", "unrestrictedGuest"),
  control("secondary", 8, "APIC-register virtualization", "later: with virtual-interrupt delivery"),
  control("secondary", 9, "virtual-interrupt delivery", "later: APICv as a whole"),
  control("secondary", 10, "PAUSE-loop exiting", "later: spin loops give up their turn by themselves"),
  control("secondary", 11, "RDRAND exiting", "later: nobody asked for it"),
  control("secondary", 12, "enable INVPCID", "invpcid"),
  control("secondary", 13, "enable VM functions", "later: VMFUNC"),
  control("secondary", 14, "VMCS shadowing", "later: shadow VMCS"),
  control("secondary", 15, "enable ENCLS exiting", "later: there is no SGX"),
  control("secondary", 16, "RDSEED exiting", "later: nobody asked for it"),
  control("secondary", 17, "enable PML", "later: page-modification log"),
  control("secondary", 18, "EPT-violation #VE", "later: virtualization exceptions"),
  control("secondary", 19, "conceal VMX from PT", "later: there is no processor trace"),
  control("secondary", 20, "enable XSAVES/XRSTORS", "later: there is no XSAVES"),
  control("secondary", 22, "mode-based execute control for EPT", "later: MBEC"),
  control("secondary", 23, "sub-page write permissions for EPT", "later: SPP"),
  control("secondary", 24, "Intel PT uses guest physical addresses", "later: there is no processor trace"),
  control("secondary", 25, "use TSC scaling", "later: TSC scaling"),
  control("secondary", 26, "enable user wait and pause", "later: there is no TPAUSE"),
  control("secondary", 27, "enable PCONFIG", "later: there is no PCONFIG"),
  control("secondary", 28, "enable ENCLV exiting", "later: there is no SGX"),

  control("exit", 2, "save debug controls"),
  control("exit", 9, "host address-space size", "lm"),
  control("exit", 12, "load IA32_PERF_GLOBAL_CTRL on exit", "later: there are no performance counters"),
  control("exit", 15, "acknowledge interrupt on exit"),
  control("exit", 18, "save IA32_PAT", "pat"),
  control("exit", 19, "load IA32_PAT on exit", "pat"),
  control("exit", 20, "save IA32_EFER", "lm"),
  control("exit", 21, "load IA32_EFER on exit", "lm"),
  control("exit", 22, "save VMX-preemption timer value"),
  control("exit", 23, "clear IA32_BNDCFGS", "later: there is no MPX"),
  control("exit", 24, "conceal VMX from PT on exit", "later: there is no processor trace"),
  control("exit", 25, "clear IA32_RTIT_CTL", "later: there is no processor trace"),
  control("exit", 28, "load CET state on exit", "later: there is no CET"),
  control("exit", 29, "load PKRS on exit", "later: there is no PKS"),

  control("entry", 2, "load debug controls"),
  control("entry", 9, "IA-32e mode guest", "lm"),
  control("entry", 10, "entry to SMM", "later: system-management mode"),
  control("entry", 11, "deactivate dual-monitor treatment", "later: system-management mode"),
  control("entry", 13, "load IA32_PERF_GLOBAL_CTRL on entry", "later: there are no performance counters"),
  control("entry", 14, "load IA32_PAT on entry", "pat"),
  control("entry", 15, "load IA32_EFER on entry", "lm"),
  control("entry", 16, "load IA32_BNDCFGS", "later: there is no MPX"),
  control("entry", 17, "conceal VMX from PT on entry", "later: there is no processor trace"),
  control("entry", 18, "load IA32_RTIT_CTL", "later: there is no processor trace"),
  control("entry", 20, "load CET state on entry", "later: there is no CET"),
  control("entry", 22, "load PKRS on entry", "later: there is no PKS"),
] as const satisfies readonly Control[];
export type ControlName = (typeof CONTROLS)[number]["name"];

const byName = new Map<string, Control>(CONTROLS.map((c) => [c.name, c]));
/** The control of that name. */
export const controlNamed = (name: ControlName): Control => byName.get(name)!;
/** Its bit as a mask; signed for bit 31. */
export const maskOf = (name: ControlName): number => 1 << controlNamed(name).bit;

/** Reserved bits that are 1, and may be 0 only as the TRUE capability MSRs say [SDM 3C appendix A.2]. */
export const DEFAULT1: Readonly<Record<ControlWord, number>> = {
  pin: 0x16,
  primary: 0x0401e172,
  secondary: 0,
  exit: 0x00036dff,
  entry: 0x000011ff,
};
/** Of those, the ones that may be 0 [SDM 3C appendix A.3.2, A.4, A.5]: CR3 exiting, and loading and saving debug controls. */
const FREED: Readonly<Record<ControlWord, number>> = {
  pin: 0,
  primary: maskOf("CR3-load exiting") | maskOf("CR3-store exiting"),
  secondary: 0,
  exit: maskOf("save debug controls"),
  entry: maskOf("load debug controls"),
};

export const isOffered = ({ offered }: Control, model: Model): boolean =>
  offered === "yes" || (!offered.startsWith("later") && model.features.has(offered as Feature));

/** The bits of a word that may be 1. */
export const allowed1 = (word: ControlWord, model: Model): number =>
  (CONTROLS as readonly Control[]).reduce(
    (bits, c) => (c.word === word && isOffered(c, model) ? bits | (1 << c.bit) : bits),
    DEFAULT1[word],
  ) >>> 0;
/** The bits of a word that must be 1: by the TRUE MSRs, or by the older ones. */
export const required1 = (word: ControlWord, how: "true" | "default"): number =>
  (how === "default" ? DEFAULT1[word] : DEFAULT1[word] & ~FREED[word]) >>> 0;
