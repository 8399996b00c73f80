/**
 * A processor for tests of the system's side: descriptor tables, gates and stacks at fixed places, entered in a mode
 * and stepped with the evaluator. One step is one instruction, or one event that is taken instead.
 */
import { Clock } from "@castaway/kit";
import * as assert from "uvu/assert";
import { attachApic } from "./apic/attach.ts";
import { ApicBus } from "./apic/bus.ts";
import { MemoryAccess } from "./core/access.ts";
import { BlockCache } from "./core/blocks.ts";
import { Decoder } from "./core/decode.ts";
import { Evaluator } from "./core/evaluator.ts";
import { Fault } from "./core/exceptions.ts";
import type { Feature } from "./core/forms.ts";
import { modelNamed, withFeatures } from "./core/model.ts";
import { OpcodeMap } from "./core/opcodes.ts";
import { PhysicalMemory } from "./core/physical.ts";
import { Processor } from "./core/processor.ts";
import { resetProcessor } from "./core/reset.ts";
import { run, step } from "./core/run.ts";
import { setSegment } from "./core/segments.ts";
import { CS, GPR_NAMES, LDTR, S, SEG, SEGMENT_NAMES, SS, segment, TR } from "./core/state.ts";
import { definitions } from "./isa/index.ts";

export type Mode = "real" | "protected16" | "protected32" | "compatibility" | "long";

/** Where things are. The tables are empty until a test fills them; `gdt` below makes the usual entries. */
export const AT = {
  gdt: 0x1000,
  idt: 0x2000,
  tss: 0x3000,
  ldt: 0x3800,
  stack0: 0x8000,
  stack3: 0x9000,
  ist: 0xa000,
  code: 0x10000,
  tables: 0x40000,
};
/** Selectors of the usual GDT. */
export const SEL = {
  code32: 0x08,
  data32: 0x10,
  user32: 0x1b,
  userData: 0x23,
  code64: 0x28,
  user64: 0x3b,
  tss: 0x40,
  ldt: 0x50,
  gate: 0x60,
  conforming: 0x70,
  absentData: 0x78,
  absentCode: 0x80,
  readOnly: 0x88,
  down: 0x90,
  executeOnly: 0x98,
  code16: 0xa0,
  data16: 0xa8,
  conforming64: 0xb0,
} as const;

const map = new OpcodeMap(definitions);
const RAM = 1 << 20;
const memory = new PhysicalMemory(RAM);

export interface Rig {
  readonly cpu: Processor;
  readonly ram: DataView;
  readonly clock: Clock;
  readonly bus: ApicBus;
  /** Puts code (hexadecimal) at an address, by default where RIP is, and returns its length. */
  code(hex: string, at?: number): number;
  /** Runs so many steps. */
  step(count?: number): void;
  /** Runs one instruction that must fault, and says how: "GP(0)", "PF(2)", "UD". */
  faults(hex: string): string;
  descriptor(selector: number, base: number, limit: number, access: number): void;
  /** A gate in the IDT: `type` with P and DPL as in bits 47:40. */
  gate(vector: number, selector: number, offset: number, access: number, ist?: number): void;
  /** 32-bit words of the stack from SS:rSP on; 16-bit or 64-bit ones (low halves) as asked. */
  stack(count: number, bytes?: 2 | 4 | 8): number[];
}

/** `cpl`: 0 or 3. */
export function rig(
  mode: Mode,
  options: { cpl?: 0 | 3; add?: Feature[]; without?: Feature[]; apic?: boolean } = {},
): Rig {
  const model = withFeatures(modelNamed("skylake"), options.add ?? [], options.without ?? []),
    clock = new Clock(),
    bus = new ApicBus();
  const cpu = new Processor(0, memory, new MemoryAccess(memory, 0, new Fault()), model, {
    portRead: () => 0x12345678,
    portWrite: () => {},
    now: () => clock.now,
  });
  cpu.x = new Evaluator(cpu);
  cpu.blocks = new BlockCache(
    memory,
    new Decoder(map, (form) => form.feature === undefined || model.features.has(form.feature)),
  );
  memory.ram.fill(0);
  if (options.apic) attachApic(cpu, clock, bus, () => 0x70);
  resetProcessor(cpu);
  const ram = new DataView(memory.wasm.buffer, memory.ram.byteOffset, RAM);
  const r = tools(cpu, ram, clock, bus);
  usualTables(r, mode);
  enter(r, mode, options.cpl ?? 0);
  return r;
}

function tools(cpu: Processor, ram: DataView, clock: Clock, bus: ApicBus): Rig {
  const stepper = {
    name: "evaluator" as const,
    run: (q: Processor) => {
      step(q);
      q.memory.i32[S.BUDGET >> 2] = 0;
    },
  };
  const r: Rig = {
    cpu,
    ram,
    clock,
    bus,
    code(hex, at = linearIP(cpu)) {
      const bytes = hex.split(" ").map((b) => Number.parseInt(b, 16));
      bytes.forEach((b, i) => {
        ram.setUint8(at + i, b);
      });
      cpu.blocks.clear();
      return bytes.length;
    },
    step(count = 1) {
      for (let i = 0; i < count; i++) run(cpu, stepper, 1);
    },
    faults(hex) {
      r.code(hex);
      let seen = "no fault";
      const insn = new Decoder(
        map,
        (form) => form.feature === undefined || cpu.model.features.has(form.feature),
      ).decode(memory.u8, memory.ram.byteOffset + linearIP(cpu), memory.ram.byteOffset + linearIP(cpu) + 15, {
        bits: cpu.long ? 64 : cpu.segmentAccess(CS) & 0x4000 ? 32 : 16,
        real: !cpu.protectedMode,
      })!;
      const ip = cpu.number(S.RIP);
      try {
        cpu.x.run(insn, ip, ip + insn.length);
      } catch (e) {
        if (e !== cpu.pendingFault) throw e;
        seen = faultName(cpu);
      }
      return seen;
    },
    descriptor(selector, base, limit, access) {
      writeDescriptor(ram, AT.gdt + (selector & 0xfff8), base, limit, access);
    },
    gate(vector, selector, offset, access, ist = 0) {
      const size = cpu.ia32e ? 16 : 8,
        at = AT.idt + vector * size;
      ram.setUint32(at, (offset & 0xffff) | (selector << 16), true);
      ram.setUint32(at + 4, (offset & 0xffff0000) | (access << 8) | ist, true);
      if (size === 16) {
        ram.setUint32(at + 8, 0, true);
        ram.setUint32(at + 12, 0, true);
      }
    },
    stack(count, bytes = 4) {
      const base = cpu.long ? 0 : cpu.number(segment(SS) + SEG.base),
        top = cpu.long ? cpu.number(S.GPR + 32) : cpu.gpr32(4) & cpu.u32(S.STACK_MASK);
      return Array.from({ length: count }, (_, i) =>
        bytes === 2 ? ram.getUint16(base + top + 2 * i, true) : ram.getUint32(base + top + bytes * i, true),
      );
    },
  };
  return r;
}
const NAMES: Record<number, string> = {
  0: "DE",
  1: "DB",
  3: "BP",
  4: "OF",
  5: "BR",
  6: "UD",
  7: "NM",
  8: "DF",
  10: "TS",
  11: "NP",
  12: "SS",
  13: "GP",
  14: "PF",
  17: "AC",
  256: "STOP",
};
const WITH_CODE = [8, 10, 11, 12, 13, 14, 17];
/** "GP(5b)": the fault in `pendingFault`; error codes in hexadecimal. */
export function faultName(cpu: Processor): string {
  const { vector, code } = cpu.pendingFault;
  return NAMES[vector] + (WITH_CODE.includes(vector) ? `(${code.toString(16)})` : "");
}
const linearIP = (cpu: Processor) => (cpu.long ? 0 : cpu.number(segment(CS) + SEG.base)) + cpu.number(S.RIP);

export function writeDescriptor(ram: DataView, at: number, base: number, limit: number, access: number): void {
  const scaled = access & 0x8000 ? limit >>> 12 : limit;
  ram.setUint32(at, (scaled & 0xffff) | ((base & 0xffff) << 16), true);
  ram.setUint32(
    at + 4,
    ((base >>> 16) & 0xff) | (base & 0xff000000) | ((access & 0xf0ff) << 8) | (scaled & 0xf0000),
    true,
  );
}

function usualTables(r: Rig, mode: Mode): void {
  const long = mode === "long" || mode === "compatibility",
    all = 0xffffffff;
  const entries: [number, number, number, number][] = [
    [SEL.code32, 0, all, 0xc09b],
    [SEL.data32, 0, all, 0xc093],
    [SEL.user32, 0, all, 0xc0fb],
    [SEL.userData, 0, all, 0xc0f3],
    [SEL.code64, 0, all, 0xa09b],
    [SEL.user64, 0, all, 0xa0fb],
    [SEL.tss, AT.tss, 0x67, 0x89],
    [SEL.ldt, AT.ldt, 0x1f, 0x82],
    [SEL.conforming, 0, all, 0xc09f],
    [SEL.absentData, 0, all, 0xc013],
    [SEL.absentCode, 0, all, 0xc01b],
    [SEL.readOnly, 0, all, 0xc091],
    [SEL.down, 0, 0xfff, 0x4097],
    [SEL.executeOnly, 0, all, 0xc099],
    [SEL.code16, AT.code, 0xffff, 0x9b],
    [SEL.data16, 0, 0xffff, 0x93],
    [SEL.conforming64, 0, all, 0xa09f],
  ];
  for (const [selector, base, limit, access] of entries) r.descriptor(selector, base, limit, access);
  if (long) {
    for (const [n, at] of [
      [0, AT.stack0],
      [4, AT.ist],
    ] as const)
      r.ram.setUint32(AT.tss + 4 + 8 * n, at, true);
  } else {
    r.ram.setUint32(AT.tss + 4, AT.stack0, true);
    r.ram.setUint32(AT.tss + 8, SEL.data32, true);
  }
}

/** Loads the registers as a kernel would have. In IA-32e mode the first MiB is mapped to itself with 4 KiB pages for all. */
function enter(r: Rig, mode: Mode, cpl: 0 | 3): void {
  const { cpu } = r,
    real = mode === "real",
    long = mode === "long" || mode === "compatibility",
    all = 0xffffffff;
  const wide = mode !== "protected16" && !real,
    dpl = cpl << 5;
  const code = mode === "long" ? 0xa09b : wide ? 0xc09b : 0x9b,
    data = wide ? 0xc093 : 0x93,
    limit = wide ? all : 0xffff;
  for (let n = 0; n < 6; n++) setSegment(cpu, n, real ? 0 : cpl ? SEL.userData : SEL.data32, data | dpl, 0, limit);
  const name = mode === "long" ? (cpl ? SEL.user64 : SEL.code64) : wide ? (cpl ? SEL.user32 : SEL.code32) : SEL.code16;
  setSegment(cpu, CS, real ? AT.code >> 4 : name, code | dpl, real || !wide ? AT.code : 0, limit);
  setSegment(cpu, TR, SEL.tss, 0x8b, AT.tss, 0x67);
  setSegment(cpu, LDTR, 0, 0x10000, 0, 0);
  cpu.setNumber(S.GDTR_BASE, AT.gdt);
  cpu.setNumber(S.GDTR_LIMIT, 0xff);
  cpu.setNumber(S.IDTR_BASE, real ? 0 : AT.idt);
  cpu.setNumber(S.IDTR_LIMIT, real ? 0x3ff : 0xfff);
  cpu.setNumber(S.CR0, real ? 0x10 : long ? 0x80000031 : 0x31);
  cpu.setNumber(S.CR4, long ? 0x220 : 0x200);
  cpu.setNumber(S.EFER, long ? 0xd01 : 0);
  if (long) identity(r);
  cpu.setNumber(S.RIP, wide ? AT.code : 0);
  cpu.setNumber(S.GPR + 8 * 4, cpl ? AT.stack3 : AT.stack0);
  cpu.flags = 2;
  cpu.setU32(S.ACTIVITY, 0);
  cpu.access.tlb.flushAll();
  cpu.refresh();
}
function identity(r: Rig): void {
  const { ram, cpu } = r,
    t = AT.tables;
  for (let i = 0; i < 3; i++) ram.setUint32(t + 0x1000 * i, (t + 0x1000 * (i + 1)) | 7, true);
  for (let page = 0; page < RAM >> 12; page++) ram.setUint32(t + 0x3000 + 8 * page, (page << 12) | 7, true);
  cpu.setNumber(S.CR3, t);
}
/** Address of the page-table entry that maps a linear address of the first MiB. */
export const pteOf = (linear: number) => AT.tables + 0x3000 + 8 * (linear >> 12);

/** Registers by name: general ones, RIP, RFLAGS, selectors (`CS`), `CPL`; 64-bit values must be exact in a number. */
export function is(r: Rig, expected: Record<string, number>): void {
  for (const [name, value] of Object.entries(expected))
    assert.is(get(r.cpu, name).toString(16), value.toString(16), name);
}
export function get(cpu: Processor, name: string): number {
  if (name === "RFLAGS") return cpu.flags;
  if (name === "RIP") return cpu.number(S.RIP);
  if (name === "CPL") return cpu.cpl;
  const general = GPR_NAMES.indexOf(name);
  return general >= 0
    ? cpu.number(S.GPR + 8 * general)
    : cpu.selector((SEGMENT_NAMES as readonly string[]).indexOf(name));
}
