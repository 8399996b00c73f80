/**
 * A guest for tests: the usual processor (system.test-support.ts) in VMX root operation, with a VMCS whose guest is in the
 * state that the processor had. The host's code is elsewhere, so that an exit is seen by where the processor is.
 */
import type { Feature } from "../core/forms.ts";
import { S } from "../core/state.ts";
import { AT, type Mode, type Rig, rig } from "../system.test-support.ts";
import { type ControlName, controlNamed, required1 } from "./controls.ts";
import { enter } from "./entry.ts";
import { F, type FieldName } from "./fields.ts";
import { VALID } from "./interruption.ts";
import { saveGuestState } from "./save-guest.ts";
import { NON_ROOT, ROOT } from "./vmx.ts";

/** Where things of the host are. */
export const HOST = {
  code: 0x30000,
  stack: 0x31000,
  vmxon: 0x32000,
  vmcs: 0x33000,
  msrBitmap: 0x34000,
  ioA: 0x35000,
  ioB: 0x36000,
  apic: 0x37000,
  areas: 0x38000,
};

const WORDS = {
  pin: F.PIN_CONTROLS,
  primary: F.PRIMARY_CONTROLS,
  secondary: F.SECONDARY_CONTROLS,
  exit: F.EXIT_CONTROLS,
  entry: F.ENTRY_CONTROLS,
} as const;

/** What an exit says. */
export interface Left {
  readonly reason: number;
  readonly qualification: number;
  readonly length: number;
  readonly info: number;
  readonly interruption: number;
  readonly code: number;
  readonly vectoring: number;
  readonly ip: number;
}

export interface Guest extends Rig {
  /** Sets fields of the VMCS. */
  set(fields: Partial<Record<FieldName, number>>): Guest;
  /** Sets controls to 1, and with them "activate secondary controls". */
  with(...names: ControlName[]): Guest;
  /** Enters the guest; the VM-instruction error, or 0. */
  enter(): number;
  /** Puts code at RIP, enters, and runs so many steps. What the exit says, or null if the guest goes on. */
  run(hex: string, steps?: number): Left | null;
  /** What the VMCS says of the last exit. */
  readonly left: Left;
}

const ADD: Feature[] = ["vmx", "ept", "vpid", "unrestrictedGuest"];

/** A guest in 64-bit mode at CPL 0, or in the mode that is asked for. */
export function guest(mode: Mode = "long", options: Parameters<typeof rig>[1] = {}): Guest {
  const base = rig(mode, { ...options, add: [...ADD, ...(options.add ?? [])] }),
    { cpu } = base,
    { vmx } = cpu,
    { vmcs } = vmx;
  let refused = "";
  cpu.probes.vmRefused.on(({ rule, cite }) => {
    refused = `${rule} (${cite})`;
  });
  cpu.setNumber(S.CR0, (cpu.u32(S.CR0) | 0x20) >>> 0);
  cpu.setNumber(S.CR4, cpu.u32(S.CR4) | 0x2000);
  cpu.refresh();
  vmx.operation = ROOT;
  vmx.vmxonPointer = HOST.vmxon;
  vmx.currentPointer = HOST.vmcs;
  for (const word of ["pin", "primary", "secondary", "exit", "entry"] as const)
    vmcs.set32(WORDS[word], required1(word, "true"));
  const r: Guest = Object.assign(base, {
    set(fields: Partial<Record<FieldName, number>>) {
      for (const [name, value] of Object.entries(fields)) vmcs.setNumber(F[name as FieldName], value);
      return r;
    },
    with(...names: ControlName[]) {
      for (const name of names) {
        const { word, bit } = controlNamed(name);
        vmcs.set32(WORDS[word], (vmcs.low(WORDS[word]) | (1 << bit)) >>> 0);
        if (word === "secondary") r.with("activate secondary controls");
      }
      return r;
    },
    enter() {
      const error = enter(cpu, !vmx.launched);
      cpu.jumped = false;
      return error;
    },
    run(hex: string, steps = 1) {
      r.code(hex, vmcs.number(F.GUEST_CS_BASE) + vmcs.number(F.GUEST_RIP));
      const error = r.enter();
      if (refused !== "") throw new Error(`VM entry refused: ${refused}`);
      if (error !== 0) throw new Error(`VM entry: error ${error}`);
      if (vmx.operation === NON_ROOT) r.step(steps);
      return vmx.operation === NON_ROOT ? null : r.left;
    },
  }) as Guest;
  Object.defineProperty(r, "left", { get: () => leftOf(r) });
  if (mode === "long") r.with("IA-32e mode guest", "host address-space size");
  hostState(r);
  guestState(r);
  return r;
}

function leftOf({
  cpu: {
    vmx: { vmcs },
  },
}: Guest): Left {
  return {
    reason: vmcs.low(F.EXIT_REASON),
    qualification: vmcs.number(F.EXIT_QUALIFICATION),
    length: vmcs.low(F.EXIT_INSTRUCTION_LENGTH),
    info: vmcs.low(F.EXIT_INSTRUCTION_INFO),
    interruption: vmcs.low(F.EXIT_INTERRUPTION_INFO),
    code: vmcs.low(F.EXIT_INTERRUPTION_ERROR_CODE),
    vectoring: vmcs.low(F.IDT_VECTORING_INFO),
    ip: vmcs.number(F.GUEST_RIP),
  };
}

/** The host is the processor as it is: same tables, same mode, other code and stack. */
function hostState(r: Guest): void {
  const { cpu } = r;
  r.set({
    HOST_CR0: cpu.u32(S.CR0),
    HOST_CR3: cpu.number(S.CR3),
    HOST_CR4: cpu.u32(S.CR4),
    HOST_CS_SELECTOR: cpu.long ? 0x28 : 0x08,
    HOST_SS_SELECTOR: 0x10,
    HOST_DS_SELECTOR: 0x10,
    HOST_ES_SELECTOR: 0x10,
    HOST_TR_SELECTOR: 0x40,
    HOST_TR_BASE: AT.tss,
    HOST_GDTR_BASE: AT.gdt,
    HOST_IDTR_BASE: AT.idt,
    HOST_RIP: HOST.code,
    HOST_RSP: HOST.stack,
  });
}
/** The guest is the processor as it is. */
function guestState(r: Guest): void {
  const { cpu } = r;
  saveGuestState(cpu, cpu.number(S.RIP), cpu.flags);
  r.set({
    VMCS_LINK_POINTER: -1,
    GUEST_DR7: 0x400,
    GUEST_INTERRUPTIBILITY: 0,
    MSR_BITMAPS: HOST.msrBitmap,
    IO_BITMAP_A: HOST.ioA,
    IO_BITMAP_B: HOST.ioB,
    VIRTUAL_APIC_ADDRESS: HOST.apic,
  });
}
/** Interruption information of an event. */
export const event = (kind: number, vector: number, hasCode = false): number =>
  (VALID | (hasCode ? 0x800 : 0) | (kind << 8) | vector) >>> 0;
