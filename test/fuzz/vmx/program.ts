/**
 * Random virtual machines: the random program of ../program.ts becomes the guest of host.s, with random controls, tables,
 * events and mutations of its VMCS, all from a seed. Some machines have nothing but random fields.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Cpu } from "@castaway/cpu";
import type { Random } from "@castaway/kit";
import type { Processor } from "../../../packages/cpu/src/core/processor.ts";
import { S } from "../../../packages/cpu/src/core/state.ts";
import { BASES, randomValue, Subject } from "../../../packages/cpu/src/vmx/checks/base.test-support.ts";
import {
  allowed1,
  CONTROLS,
  type Control,
  type ControlName,
  type ControlWord,
  maskOf,
  required1,
} from "../../../packages/cpu/src/vmx/controls.ts";
import { ENCODINGS, F, FIELD_NAMES, type FieldName } from "../../../packages/cpu/src/vmx/fields.ts";
import { saveGuestState } from "../../../packages/cpu/src/vmx/save-guest.ts";
import { REVISION } from "../../../packages/cpu/src/vmx/vmcs.ts";
import { ROOT } from "../../../packages/cpu/src/vmx/vmx.ts";
import { root } from "../../../scripts/bundle.mjs";
import { load } from "../program.ts";

const HOST = new Uint8Array(readFileSync(join(root, "test/fuzz/vmx/host.bin")));
/** Where things are that host.s uses, and the structures of VT-x; the program has what is below 0x30000. */
const AT = {
  tables: 0x40000,
  directory: 0x44000,
  paeDirectory: 0x45000,
  pdptes: 0x46000,
  hostIdt: 0x5e000,
  host: 0x60000,
  exit: 0x60010,
  handler: 0x60ff0,
  save: 0x62000,
  cursor: 0x62040,
  pointer: 0x62060,
  fields: 0x62080,
  log: 0x64000,
  script: 0x68000,
  ept: 0x70000,
  vmcs: 0x78000,
  vmxon: 0x79000,
  msrBitmap: 0x7a000,
  ioBitmaps: 0x7b000,
  virtualApic: 0x7d000,
  apicAccess: 0x24000,
  msrAreas: 0x7e000,
  link: 0x7f000,
} as const;

/** Enough for a hundred steps or two. */
const SCRIPT_BYTES = 0x1800;

const LOGGED: readonly FieldName[] = [
  "EXIT_REASON",
  "EXIT_QUALIFICATION",
  "EXIT_INTERRUPTION_INFO",
  "EXIT_INTERRUPTION_ERROR_CODE",
  "IDT_VECTORING_INFO",
  "EXIT_INSTRUCTION_LENGTH",
  "EXIT_INSTRUCTION_INFO",
  "GUEST_LINEAR_ADDRESS",
  "GUEST_PHYSICAL_ADDRESS",
  "GUEST_RIP",
  "GUEST_RFLAGS",
  "GUEST_INTERRUPTIBILITY",
  "PREEMPTION_TIMER_VALUE",
  "INSTRUCTION_ERROR",
];
const WORDS: Record<ControlWord, FieldName> = {
  pin: "PIN_CONTROLS",
  primary: "PRIMARY_CONTROLS",
  secondary: "SECONDARY_CONTROLS",
  exit: "EXIT_CONTROLS",
  entry: "ENTRY_CONTROLS",
};
type Values = Map<FieldName, bigint>;

/** Makes the machine that `random` describes; the same for every processor given the same generator state. Says what it is. */
export function loadMachine(cpu: Cpu, random: Random): string {
  const p = cpu.processors[0]!,
    mode = load(cpu, random),
    values: Values = new Map();
  writeSensitive(cpu, random);
  const kind = ["program", "program", "program", "program", "program", "program", "base", "nothing"][random.below(8)]!;
  for (const word of Object.keys(WORDS) as ControlWord[]) values.set(WORDS[word], BigInt(required1(word, "true")));
  const calm = random.below(2) === 0;
  writeTables(cpu, calm, random);
  if (kind === "program") captureGuest(p, values, random, mode);
  else if (kind === "base") takeBase(values, random);
  else for (const name of FIELD_NAMES) values.set(name, randomValue(random));
  enterHost(cpu, values, kind !== "nothing");
  if (kind === "program") chooseControls(p, values, calm, random);
  if (kind !== "nothing" && !calm) injectEvent(values, random);
  const spoilt: Values = new Map();
  if (!calm && random.below(3) === 0)
    for (let n = 1 + random.below(3); n > 0; n--) spoilt.set(...mutation(values, random));
  for (const [name, value] of [...values, ...spoilt]) p.vmx.vmcs.setU64(F[name], BigInt.asUintN(64, value));
  writeScript(cpu, values, spoilt, calm, random);
  return `${mode}, ${kind}${calm ? ", calm" : ""}`;
}

// ---- the guest ----

/** Instructions that a hypervisor may see, or that decide what it sees next. */
const SENSITIVE: readonly string[] = `
  0fa2 f4 0f31 0f01f9 0f32 0f30 b9740100000f30 b9820000c00f32 0f33 0f01d0 0f01d1 e480 ec ed ee ef 6c 6e f36c f36f
  0f20c0 0f22c0 0f20d8 0f22d8 0f20e0 0f22e0 440f20c0 440f22c0 0f21c7 0f23fe 0f0138 0f0106 0f010e 0f0116 0f011e
  0f00c8 0f00d0 0f00d8 0f01f0 0f06 0f08 0f09 f390 0f01c8 0f01c9 0f01c1 0f01c2 0f01c3 0f78c8 0f79c8 0fc73e
  660f388206 660f388006 660f388106 fb fa fb90 8ed0 17 9c 9d cf 48cf cc cd21 f1 ce 9a00001800 ff2e ff1e cb 0f05
  0f34 0f35 0f07 cd08 0f0b 0fa1 8b06 8906 f3a4 f3ab`
  .trim()
  .split(/\s+/);
function writeSensitive(cpu: Cpu, random: Random): void {
  const gap = 4 + random.below(60);
  for (let at = 0x8000 + random.below(8); at < 0x8ff0; at += 1 + random.below(gap)) {
    const hex = SENSITIVE[random.below(SENSITIVE.length)]!;
    cpu.write(
      at,
      [...hex.matchAll(/../g)].map(([byte]) => Number.parseInt(byte, 16)),
    );
    at += hex.length / 2;
  }
}

function captureGuest(p: Processor, values: Values, random: Random, mode: string): void {
  const { vmcs } = p.vmx;
  saveGuestState(p, p.number(S.RIP), p.flags);
  for (const name of FIELD_NAMES) if (name.startsWith("GUEST_")) values.set(name, vmcs.u64(F[name]));
  const get = (name: FieldName) => values.get(name) ?? 0n,
    long = mode === "long";
  values.set("GUEST_CR0", BigInt.asUintN(32, get("GUEST_CR0")) | 0x20n);
  values.set("GUEST_CR4", get("GUEST_CR4") | 0x2000n);
  values.set("GUEST_DR7", 0x400n);
  values.set("GUEST_INTERRUPTIBILITY", 0n);
  values.set("GUEST_LDTR_ACCESS", 0x10000n);
  if ((get("GUEST_TR_ACCESS") & 0xfn) !== 0xbn) values.set("GUEST_TR_ACCESS", 0x8bn).set("GUEST_TR_LIMIT", 0x67n);
  values.set("GUEST_EFER", long ? 0xd01n : 0n);
  const paging = random.below(3);
  if (long && paging > 0) values.set("GUEST_CR3", BigInt(AT.tables));
  if (long || mode === "real" || paging === 0) return;
  values.set("GUEST_CR0", get("GUEST_CR0") | 0x80000000n);
  values
    .set("GUEST_CR3", BigInt(paging === 1 ? AT.directory : AT.pdptes))
    .set("GUEST_CR4", get("GUEST_CR4") | (paging === 1 ? 0x10n : 0x20n));
  values.set("GUEST_PDPTE0", BigInt(AT.paeDirectory | 1));
}
/** A machine that passes every check, with this memory's addresses where they matter. */
function takeBase(values: Values, random: Random): void {
  const names = Object.keys(BASES) as (keyof typeof BASES)[],
    name = names[random.below(names.length)]!,
    { vmcs } = new Subject().become(BASES[name]);
  for (const field of FIELD_NAMES) values.set(field, vmcs.u64(F[field]));
  values.set("MSR_BITMAPS", BigInt(AT.msrBitmap));
  if (name === "REAL" || random.below(4) === 0) return;
  values.set("GUEST_CR3", BigInt(AT.tables)).set("GUEST_PDPTE0", BigInt(AT.paeDirectory | 1));
  values.set("GUEST_RIP", 0x8000n).set("GUEST_RSP", 0x28000n).set("GUEST_IDTR_BASE", 0x2000n);
  values.set("GUEST_GDTR_BASE", 0x1000n);
}

/** Page tables of the first MiB, EPT and bitmaps: identity, with some entries that are not. */
function writeTables(cpu: Cpu, calm: boolean, random: Random): void {
  const put = (at: number, low: number, high = 0) => cpu.write(at, bytes(low, high));
  const spoil = (at: number, entries: number) => {
    for (let n = calm ? 0 : random.below(5); n > 0; n--)
      put(
        at + 8 * random.below(entries),
        random.u32() & ~(random.below(2) * 0x7f000000),
        random.below(4) ? 0 : random.u32(),
      );
  };
  const chain = (at: number, low: number) => {
    for (let i = 0; i < 3; i++) put(at + 0x1000 * i, (at + 0x1000 * (i + 1)) | low);
  };
  const rights = () => (random.below(calm ? 200 : 16) === 0 ? random.below(8) : 7);
  chain(AT.tables, 7);
  chain(AT.ept, 7);
  for (let n = 0; n < 256; n++) {
    put(AT.tables + 0x3000 + 8 * n, (n << 12) | rights());
    put(AT.ept + 0x3000 + 8 * n, (n << 12) | 0x30 | rights(), 0);
  }
  spoil(AT.tables + 0x3000, 256);
  spoil(AT.ept + 0x3000, 256);
  if (random.below(8) === 0) put(AT.ept + 0x2000, 0xb7); // 2 MiB
  if (random.below(16) === 0) put(AT.ept + 0x1000, 0xb7); // 1 GiB
  for (let n = 0; n < 4; n++) cpu.write(AT.directory + 4 * n, bytes((n << 22) | 0xe7, 0).slice(0, 4));
  put(AT.pdptes, AT.paeDirectory | 1);
  for (let n = 0; n < 4; n++) put(AT.paeDirectory + 8 * n, (n << 21) | 0xe7);
  for (const at of [AT.msrBitmap, AT.ioBitmaps, AT.ioBitmaps + 0x1000])
    for (let n = 0; n < 64; n++) cpu.write(at + random.below(0x1000), [random.below(256)]);
  cpu.write(AT.virtualApic + 0x80, [random.below(4) === 0 ? random.below(256) : 0xf0]);
  put(AT.link, REVISION);
  const msrs = [0x10, 0x174, 0x175, 0x277, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000102, 0xc0000103, 0x1b, 0x7777];
  for (let n = 0; n < 12; n++) {
    put(AT.msrAreas + 16 * n, msrs[random.below(msrs.length)]!);
    put(AT.msrAreas + 16 * n + 8, random.below(4) === 0 ? random.u32() : 0);
  }
}
const bytes = (low: number, high: number): number[] => [...new Uint8Array(Uint32Array.of(low, high).buffer)];

// ---- the host ----

/** The processor as the host has it, about to run host.s; the fields that lead there. */
function enterHost(cpu: Cpu, values: Values, works: boolean): void {
  const p = cpu.processors[0]!;
  const general = ["RAX", "RCX", "RDX", "RSI"].flatMap((name) => {
    const value = cpu.get(name);
    return bytes(value.low, value.high);
  });
  cpu.enter("long", AT.host);
  cpu.write(AT.host, HOST);
  cpu.write(AT.handler, [0x48, 0xcf]); // IRETQ: NMIs, and whatever else
  for (let v = 0; v < 32; v++)
    cpu.write(AT.hostIdt + 16 * v, [
      ...bytes((8 << 16) | (AT.handler & 0xffff), (AT.handler & 0xffff0000) | 0x8e00),
      ...bytes(0, 0),
    ]);
  cpu.write(AT.save, general);
  cpu.write(AT.cursor, [...bytes(AT.script, 0), ...bytes(AT.log, 0)]);
  cpu.write(AT.pointer, bytes(AT.vmcs, 0));
  cpu.write(AT.vmcs, bytes(REVISION, 0));
  cpu.write(
    AT.fields,
    LOGGED.flatMap((name) => bytes(ENCODINGS[name], 0).slice(0, 4)),
  );
  cpu.set("CR4", cpu.get("CR4").toNumber() | 0x2000);
  cpu.set("IDTR.base", AT.hostIdt);
  cpu.set("IDTR.limit", 0x1ff);
  cpu.set("GDTR.base", 0x1000);
  cpu.set("GDTR.limit", 0x7f);
  cpu.set("RSP", 0x63ff0);
  p.vmx.operation = ROOT;
  p.vmx.vmxonPointer = AT.vmxon;
  p.vmx.currentPointer = AT.vmcs;
  p.vmx.launched = false;
  if (!works) return;
  const host: Partial<Record<FieldName, number>> = {
    HOST_CR0: cpu.get("CR0").toNumber(),
    HOST_CR3: cpu.get("CR3").toNumber(),
    HOST_CR4: cpu.get("CR4").toNumber(),
    HOST_EFER: cpu.get("EFER").toNumber(),
    HOST_CS_SELECTOR: 8,
    HOST_SS_SELECTOR: 16,
    HOST_TR_SELECTOR: 56,
    HOST_GDTR_BASE: 0x1000,
    HOST_IDTR_BASE: AT.hostIdt,
    HOST_RSP: 0x63ff0,
    HOST_RIP: AT.exit,
    VMCS_LINK_POINTER: -1,
    EPT_POINTER: AT.ept | 0x1e,
  };
  for (const [name, value] of Object.entries(host)) values.set(name as FieldName, BigInt(value));
}

// ---- controls ----

/** What each control asks for besides; checked once in this order. */
const NEEDS: readonly (readonly [control: ControlName, needs: ControlName])[] = [
  ["NMI-window exiting", "virtual NMIs"],
  ["virtual NMIs", "NMI exiting"],
  ["save VMX-preemption timer value", "activate VMX-preemption timer"],
  ["unrestricted guest", "enable EPT"],
];
/** These make a guest slow to get anywhere. */
const RARE: readonly ControlName[] = [
  "monitor trap flag",
  "interrupt-window exiting",
  "NMI-window exiting",
  "activate VMX-preemption timer",
];

function chooseControls(p: Processor, values: Values, calm: boolean, random: Random): void {
  const on = new Set<ControlName>([
    "host address-space size",
    "load IA32_EFER on exit",
    "load IA32_EFER on entry",
    "save IA32_EFER",
  ]);
  const cr0 = values.get("GUEST_CR0")!;
  for (const { name } of CONTROLS as readonly Control[]) {
    const each = name as ControlName;
    if (RARE.includes(each) ? random.below(calm ? 16 : 6) === 0 : random.below(4) === 0) on.add(each);
  }
  if (random.below(4) > 0) on.add("use MSR bitmaps").add("use I/O bitmaps");
  if (random.below(3) > 0) on.add("enable EPT");
  on.add("activate secondary controls").delete("IA-32e mode guest");
  if (values.get("GUEST_EFER")! & 0x400n) on.add("IA-32e mode guest");
  else if (!(cr0 & 0x80000000n)) on.add("unrestricted guest");
  for (const [control, needs] of NEEDS) {
    if (control === "unrestricted guest" ? on.has(control) : on.has(control) && random.below(32) > 0) on.add(needs);
  }
  for (const { name, word } of CONTROLS as readonly Control[]) {
    const bit = BigInt(maskOf(name as ControlName) >>> 0);
    if (on.has(name as ControlName) && BigInt(allowed1(word, p.model)) & bit)
      values.set(WORDS[word], values.get(WORDS[word])! | bit);
  }
  const some = (name: FieldName, value: () => number) => {
    values.set(name, BigInt(value()));
  };
  const seldom = (value: () => number) => () => (random.below(4) === 0 ? value() : 0);
  some("VPID", () => 1 + random.below(3));
  some("MSR_BITMAPS", () => AT.msrBitmap);
  some("IO_BITMAP_A", () => AT.ioBitmaps);
  some("IO_BITMAP_B", () => AT.ioBitmaps + 0x1000);
  some("VIRTUAL_APIC_ADDRESS", () => AT.virtualApic);
  some("APIC_ACCESS_ADDRESS", () => AT.apicAccess);
  some("EPT_POINTER", () => AT.ept | 0x1e | (random.below(2) << 6));
  some("PREEMPTION_TIMER_VALUE", () => random.below(1 << (4 + random.below(12))));
  some(
    "EXCEPTION_BITMAP",
    () => [-1 >>> 0, (-1 >>> 0) ^ (random.u32() & random.u32()), random.u32(), 0x40000][random.below(4)]!,
  );
  some(
    "PAGE_FAULT_MASK",
    seldom(() => random.below(32)),
  );
  some(
    "PAGE_FAULT_MATCH",
    seldom(() => random.below(32)),
  );
  some(
    "CR0_MASK",
    seldom(() => random.u32()),
  );
  some(
    "CR0_SHADOW",
    seldom(() => random.u32()),
  );
  some(
    "CR4_MASK",
    seldom(() => random.u32()),
  );
  some(
    "CR4_SHADOW",
    seldom(() => random.u32()),
  );
  some(
    "CR3_TARGET_COUNT",
    seldom(() => random.below(5)),
  );
  some("TSC_OFFSET", () => random.u32());
  some("TPR_THRESHOLD", () => (random.below(8) === 0 ? random.below(16) : 0));
  some("EXIT_MSR_STORE_ADDRESS", () => AT.msrAreas);
  some("EXIT_MSR_LOAD_ADDRESS", () => AT.msrAreas + 64);
  some("ENTRY_MSR_LOAD_ADDRESS", () => AT.msrAreas + 128);
  some("ENTRY_MSR_LOAD_COUNT", () => (random.below(16) === 0 ? 1 : 0));
  some("EXIT_MSR_LOAD_COUNT", () => (random.below(64) === 0 ? 1 : 0));
  some("EXIT_MSR_STORE_COUNT", () => (random.below(32) === 0 ? 1 : 0));
  some("HOST_PAT", () => 0x00070406);
  some("GUEST_PAT", () => 0x00070406);
  some("GUEST_ACTIVITY", () => (random.below(16) === 0 ? random.below(5) : 0));
  some("GUEST_INTERRUPTIBILITY", () => (random.below(8) === 0 ? [1, 2, 8, random.below(16)][random.below(4)]! : 0));
  some("GUEST_PENDING_DEBUG", () => (random.below(16) === 0 ? [1, 0x1001, 0x4000, 0x5002][random.below(4)]! : 0));
}

// ---- events, mutations ----

const WITH_CODE = [8, 10, 11, 12, 13, 14, 17];
/** Half of all entries inject something, which is mostly well-formed. */
function injectEvent(values: Values, random: Random): void {
  const kind = [0, 2, 3, 3, 3, 4, 5, 6, 7][random.below(9)]!,
    vector = kind === 2 ? 2 : kind === 3 ? random.below(32) : kind === 7 ? 0 : random.below(kind === 6 ? 5 : 256);
  const code = kind === 3 && WITH_CODE.includes(vector) && random.below(8) > 0 ? 0x800 : 0;
  const valid = random.below(2) === 0 ? 0x80000000 : 0;
  values.set("ENTRY_INTERRUPTION_INFO", BigInt((valid | code | (kind << 8) | vector) >>> 0));
  values.set("ENTRY_ERROR_CODE", BigInt(random.below(0x100)));
  values.set("ENTRY_INSTRUCTION_LENGTH", BigInt(random.below(8) === 0 ? random.below(17) : 1 + random.below(3)));
}
/** Another value for some field. */
function mutation(values: Values, random: Random): [name: FieldName, value: bigint] {
  const name = FIELD_NAMES[random.below(FIELD_NAMES.length)]!;
  return [
    name,
    random.below(2) === 0 ? randomValue(random) : (values.get(name) ?? 0n) ^ (1n << BigInt(random.below(64))),
  ];
}

/**
 * What the host does at each exit: mostly on behind the instruction, sometimes with other fields or without translations.
 * `spoilt`: fields whose values are not those of the machine, which may keep it from running; they come right again.
 */
function writeScript(cpu: Cpu, values: Values, spoilt: Values, calm: boolean, random: Random): void {
  const script: number[] = [];
  for (let step = 0; script.length < SCRIPT_BYTES; step++) {
    const changed: Values = new Map();
    if (step > 0 && random.below(2) === 0) {
      for (const name of spoilt.keys()) changed.set(name, values.get(name) ?? 0n);
      spoilt.clear();
    }
    if (random.below(calm ? 12 : 3) === 0) {
      injectEvent(values, random);
      for (const name of EVENT) changed.set(name, values.get(name)!);
    }
    if (random.below(4) === 0) changed.set("GUEST_RIP", BigInt(0x8000 + random.below(0x1000)));
    if (random.below(8) === 0) changed.set("GUEST_ACTIVITY", 0n).set("GUEST_INTERRUPTIBILITY", 0n);
    if (random.below(8) === 0) changed.set("VPID", BigInt(1 + random.below(3)));
    if (random.below(calm ? 48 : 12) === 0) {
      const [name, value] = mutation(values, random);
      changed.set(name, value);
      spoilt.set(name, value);
    }
    script.push(...bytes(changed.size, stepFlags(random)));
    for (const [name, value] of changed) script.push(...bytes(ENCODINGS[name], 0), ...words(value));
  }
  cpu.write(AT.script, [...script, ...bytes(-1, 0)]);
}
const EVENT = ["ENTRY_INTERRUPTION_INFO", "ENTRY_ERROR_CODE", "ENTRY_INSTRUCTION_LENGTH"] as const;
/** On behind the instruction; INVEPT; INVVPID; VMCLEAR and VMPTRLD. */
const stepFlags = (random: Random): number =>
  (random.below(4) > 0 ? 1 : 0) |
  (random.below(8) === 0 ? 2 : 0) |
  (random.below(8) === 0 ? 4 : 0) |
  (random.below(16) === 0 ? 8 : 0);
const words = (value: bigint) => bytes(Number(value & 0xffffffffn), Number((value >> 32n) & 0xffffffffn));
