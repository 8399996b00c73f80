/**
 * A machine that runs a program in 64-bit mode: by itself, or as the guest of host.s, whose VMCS fields and page tables
 * are laid out here.
 */
import { join } from "node:path";
import { Cpu, modelNamed, withFeatures } from "@castaway/cpu";
import { type ControlName, type ControlWord, controlNamed, required1 } from "../../packages/cpu/src/vmx/controls.ts";
import { ENCODINGS, type FieldName } from "../../packages/cpu/src/vmx/fields.ts";
import { root } from "../../scripts/bundle.mjs";
import { assemble } from "../assemble.ts";

const PROGRAMS = join(root, "bench/vmx/programs");
/** Memory, all of which is mapped to itself. Programs use what is below 10 MiB and above 16 MiB. */
const MEMORY = 64 << 20;
const AT = {
  program: 0x10000,
  stack: 0x80000,
  host: 0xa00000,
  vmxon: 0xa10000,
  vmcs: 0xa11000,
  ioBitmaps: 0xa14000,
  msrBitmap: 0xa16000,
  fields: 0xa20000,
  pointers: 0xa21000,
  hostStack: 0xa30000,
  ept: 0xb00000,
  tables: 0xb80000,
} as const;
/** The page that the guest's EPT leaves out, for EPT violations: below the first table of small pages that is needed. */
const HOLE = 0xfee000;

/** Where host.s goes on after an exit. */
const HANDLERS = { exit: 0x80, exitAnew: 0xc0, switching: 0x100 } as const;

export type PageSize = "4K" | "2M";
export interface GuestOptions {
  readonly vpid?: boolean;
  /** Absent: no EPT. */
  readonly ept?: PageSize;
  readonly handler?: keyof typeof HANDLERS;
}
export interface Setup {
  /** Absent: the program runs in root, outside of VMX operation. */
  readonly guest?: GuestOptions;
  /** Of the program's own page tables. Default: 1-GiB pages, as `Cpu.enter` makes them. */
  readonly pages?: PageSize;
}

const model = withFeatures(modelNamed("skylake"), ["vmx", "ept", "vpid", "unrestrictedGuest"]);
const host = assemble(join(PROGRAMS, "host.s"), AT.host);

/** A path of a program's source: those of this folder by their names alone. */
export const programAt = (name: string): Uint8Array => assemble(join(PROGRAMS, `${name}.s`), AT.program);
export const cpuProgramAt = (name: string): Uint8Array =>
  assemble(join(root, "bench/cpu/programs", `${name}.s`), AT.program);

/** Ready to run the program's first instruction, or the host's. */
export function machine(program: Uint8Array, { guest, pages }: Setup): Cpu {
  const cpu = new Cpu({ memory: MEMORY, model, ports: { read: () => 0xff, write: () => {} } });
  cpu.enter("long", guest === undefined ? AT.program : AT.host);
  cpu.set("RSP", AT.stack);
  cpu.write(AT.program, program);
  const programTables = pages === undefined ? cpu.get("CR3").toNumber() : identity(cpu, AT.tables, pages, 7, 7);
  if (guest === undefined) {
    cpu.set("CR3", programTables);
    return cpu;
  }
  cpu.write(AT.host, host);
  cpu.set("CR4", cpu.get("CR4").toNumber() | 0x2000);
  for (const [i, address] of [AT.vmxon, AT.vmcs, AT.vmcs + 0x1000].entries())
    cpu.write(AT.pointers + 8 * i, words(address));
  cpu.write(AT.ioBitmaps + 0x80 / 8, [1]); // port 80h
  if (guest.ept !== undefined) {
    identity(cpu, AT.ept, guest.ept, 7, 0x37);
    if (guest.ept === "4K") cpu.write(AT.ept + 0x10000 + 8 * (HOLE >> 12), words(0));
  }
  const list = Object.entries(fields(cpu, guest, programTables)) as [FieldName, number][];
  list.forEach(([name, value], i) => {
    cpu.write(AT.fields + 16 * i, [...words(ENCODINGS[name]), ...words(value)]);
  });
  cpu.write(AT.fields + 16 * list.length, words(-1));
  return cpu;
}
const words = (value: number): number[] => [
  ...new Uint8Array(Uint32Array.of(value >>> 0, Math.floor(value / 2 ** 32)).buffer),
];

/**
 * Tables that map the first gibibyte, as far as there is memory, to itself: a page of level 4, 3 and 2 each, and from
 * 64 KiB on those of level 1. Paging structures and those of EPT differ in their entries' low bits only.
 */
function identity(cpu: Cpu, at: number, size: PageSize, table: number, leaf: number): number {
  const put = (address: number, value: number) => cpu.write(address, words(value));
  put(at, (at + 0x1000) | table);
  put(at + 0x1000, (at + 0x2000) | table);
  for (let n = 0; n < MEMORY / 0x200000; n++) {
    put(at + 0x2000 + 8 * n, size === "2M" ? (n * 0x200000) | leaf | 0x80 : (at + 0x10000 + 0x1000 * n) | table);
  }
  for (let n = 0; size === "4K" && n < MEMORY / 0x1000; n++) put(at + 0x10000 + 8 * n, (n * 0x1000) | leaf);
  return at;
}

/** The guest is the program in the state in which it would run by itself. */
function fields(cpu: Cpu, guest: GuestOptions, tables: number): Partial<Record<FieldName, number>> {
  const controls = words1(guest),
    cr0 = cpu.get("CR0").toNumber(),
    cr4 = cpu.get("CR4").toNumber(),
    efer = cpu.get("EFER").toNumber();
  const all: Partial<Record<FieldName, number>> = {
    PIN_CONTROLS: controls.pin,
    PRIMARY_CONTROLS: controls.primary,
    SECONDARY_CONTROLS: controls.secondary,
    EXIT_CONTROLS: controls.exit,
    ENTRY_CONTROLS: controls.entry,
    VPID: 1,
    EPT_POINTER: AT.ept | 0x1e,
    IO_BITMAP_A: AT.ioBitmaps,
    IO_BITMAP_B: AT.ioBitmaps + 0x1000,
    MSR_BITMAPS: AT.msrBitmap,
    VMCS_LINK_POINTER: -1,
    HOST_CR0: cr0,
    HOST_CR3: cpu.get("CR3").toNumber(),
    HOST_CR4: cr4,
    HOST_EFER: efer,
    HOST_CS_SELECTOR: 8,
    HOST_TR_SELECTOR: 0x40,
    HOST_RIP: AT.host + HANDLERS[guest.handler ?? "exit"],
    HOST_RSP: AT.hostStack,
    GUEST_CR0: cr0,
    GUEST_CR3: tables,
    GUEST_CR4: cr4,
    GUEST_EFER: efer,
    GUEST_DR7: 0x400,
    GUEST_CS_SELECTOR: 8,
    GUEST_CS_LIMIT: 0xffffffff,
    GUEST_CS_ACCESS: 0xa09b,
    GUEST_LDTR_ACCESS: 0x10000,
    GUEST_TR_SELECTOR: 0x40,
    GUEST_TR_LIMIT: 0x67,
    GUEST_TR_ACCESS: 0x8b,
    GUEST_RIP: AT.program,
    GUEST_RSP: AT.stack,
    GUEST_RFLAGS: 2,
  };
  for (const name of ["ES", "SS", "DS", "FS", "GS"] as const) {
    all[`HOST_${name}_SELECTOR`] = 16;
    all[`GUEST_${name}_SELECTOR`] = 16;
    all[`GUEST_${name}_LIMIT`] = 0xffffffff;
    all[`GUEST_${name}_ACCESS`] = 0xc093;
  }
  return all;
}
function words1({ vpid, ept }: GuestOptions): Record<ControlWord, number> {
  const names: ControlName[] = [
    "use I/O bitmaps",
    "use MSR bitmaps",
    "activate secondary controls",
    "host address-space size",
    "load IA32_EFER on exit",
    "save IA32_EFER",
    "IA-32e mode guest",
    "load IA32_EFER on entry",
  ];
  if (vpid === true) names.push("enable VPID");
  if (ept !== undefined) names.push("enable EPT");
  const word = (which: ControlWord) =>
    names
      .map(controlNamed)
      .filter((control) => control.word === which)
      .reduce((bits, { bit }) => bits | (1 << bit), required1(which, "true")) >>> 0;
  return {
    pin: word("pin"),
    primary: word("primary"),
    secondary: word("secondary"),
    exit: word("exit"),
    entry: word("entry"),
  };
}
