/** Guests of all modes for the test of casting off: their registers, tables, and a program that mixes all of them up. */

import { link } from "../../packages/vmm/compiler/link.ts";
import { Assembler, type CodeBits, Label } from "../../packages/vmm/compiler/x64/assembler.ts";
import { CC, memory, type Size } from "../../packages/vmm/compiler/x64/operands.ts";
import type { Guest } from "./cast-off.test-support.ts";

type Memory = [address: number, bytes: Uint8Array | readonly number[]][];
export const WRITABLE = 3,
  READ_ONLY = 1,
  USER = 7;
/** Physical pages. */
const CODE = 0x440000,
  DATA = 0x450000,
  GDT = 0x460000,
  IDT = 0x470000,
  TSS = 0x480000,
  STACK = 0x490000,
  USER_PAGE = 0x4a0000,
  TABLES = 0x500000;
/** Linear: the user's code, data behind it; and where a kernel has the local APIC, relative to its base. */
const USER_AT = 0x400000,
  APIC_AT = 0x4f0000;
/** Linear: the kernel's code once more, where tables of all levels but the last begin; the page before it is mapped too. */
export const BORDER = 0x8000_0000_0000 / 4,
  LOW_CODE = CODE;

/** The bytes of a program at an address. */
export function assemble(bits: CodeBits, write: (asm: Assembler) => void): Uint8Array {
  const asm = new Assembler(bits);
  write(asm);
  const code = asm.finish("guest");
  return link([{ symbol: "guest", name: "guest", kind: "code", code, stackBytes: 0, calls: new Set() }], 0).bytes;
}

// ---- tables ----

export type Paging = "4-level" | "pae" | "32";
export class PageTables {
  readonly kind: Paging;
  readonly #memory = new DataView(new ArrayBuffer(0x40000));
  #next = 1;
  constructor(kind: Paging) {
    this.kind = kind;
  }

  /** Offset of the table that an entry points to. */
  #below(table: number, index: number, bytes: number, flags: number): number {
    const at = table + bytes * index;
    if (this.#memory.getUint32(at, true) === 0)
      this.#memory.setUint32(at, TABLES + 0x1000 * this.#next++ + flags, true);
    return (this.#memory.getUint32(at, true) & ~0xfff) - TABLES;
  }
  map(linear: bigint, physical: number, flags: number): this {
    const index = (shift: number, bits: number) => Number((linear >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n));
    if (this.kind === "32") {
      const table = this.#below(0, index(22, 10), 4, USER);
      this.#memory.setUint32(table + 4 * index(12, 10), physical | flags, true);
      return this;
    }
    const pdpt = this.kind === "pae" ? 0 : this.#below(0, index(39, 9), 8, USER);
    const directory = this.#below(pdpt, index(30, this.kind === "pae" ? 2 : 9), 8, this.kind === "pae" ? 1 : USER);
    const table = this.#below(directory, index(21, 9), 8, USER);
    this.#memory.setUint32(table + 8 * index(12, 9), physical | flags, true);
    return this;
  }
  /** The first entries, which PAE paging holds in registers. */
  get pdptes(): Record<string, number> {
    return Object.fromEntries([0, 1, 2, 3].map((n) => [`PDPTE${n}`, this.#memory.getUint32(8 * n, true)]));
  }
  get memory(): Memory[number] {
    return [TABLES, new Uint8Array(this.#memory.buffer).slice(0, this.#next * 0x1000)];
  }
}

export const segment = (
  name: string,
  selector: number,
  access: number,
  base: bigint | number = 0,
  limit = 0xffffffff,
) => ({
  [`${name}.selector`]: selector,
  [`${name}.access`]: access,
  [`${name}.base`]: base,
  [`${name}.limit`]: limit,
});
export const NULL = 0x10000;

// ---- the program ----

/** All registers, memory, stack and flags go into each other, so many rounds; then OUT to F4. @param data disp of 32 bytes */
export function mix(asm: Assembler, data: number, rounds: number, end = () => finish(asm)): void {
  const size: Size = asm.bits === 64 ? 8 : 4,
    again = new Label(),
    at = (offset: number) => memory(null, (data + offset) | 0);
  const registers = asm.bits === 64 ? [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] : [0, 1, 2, 3, 5, 6, 7];
  asm.storeConstant(at(0), rounds, 4).bind(again);
  for (const [n, register] of registers.entries()) {
    const next = registers[(n + 1) % registers.length]!;
    asm.alu(n % 3 === 0 ? "adc" : n % 3 === 1 ? "xor" : "sub", register, next, size);
    if (n % 4 === 2) asm.shift("rol", register, 5 + n, size);
  }
  const [a, b] = [registers.at(-1)!, registers.at(-2)!];
  asm.store(at(8), a, size).alu("add", b, at(8), size).push(a).pop(b).u8(0x9c).pop(a); // PUSHF
  asm.alu("add", a, at(16), size).store(at(16), a, size).alu("add", 0, b, size);
  if (asm.bits === 64) asm.copy(9, 1).copy(2, 5, 4);
  else asm.copy(5, 1, 4);
  asm.alu("add", registers[1]!, at(16), size);
  asm.aluConstant("sub", at(0), 1, 4).jump(again, CC.NE);
  end();
}
/** The end: OUT, and a loop that runs until the machine stops. */
export function finish(asm: Assembler): void {
  const stop = new Label();
  asm.u8(0xfa, 0xe6, 0xf4).bind(stop).jump(stop);
}

const someRegisters = (): Record<string, bigint> =>
  Object.fromEntries(
    "RAX RCX RDX RBX RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15"
      .split(" ")
      .map((name, n) => [name, BigInt.asUintN(64, 0x9e3779b97f4a7c15n * BigInt(n + 3))]),
  );
const LIVE = {
  CR2: 0x1234_5678_9000n,
  KERNEL_GS_BASE: 0xffff_8880_0765_0000n,
  STAR: 0x23_0010_0000_0000n,
  LSTAR: 0xffff_ffff_8040_0800n,
  FMASK: 0x47700,
};

// ---- 64-bit ----

export const KERNEL = 0xffff_ffff_8000_0000n;
const kernel = (physical: number) => KERNEL + BigInt(physical);

/** Selectors of the 64-bit guest, by the places that their descriptors have. */
const CODE64 = 0x10,
  DATA64_SELECTOR = 0x18,
  USER_DATA = 0x2b,
  USER_CODE = 0x33,
  USER_CODE32 = 0x23;
const APIC = 0xfee00000;
export const TICK = 0x30,
  CALL = 0x80;

export interface Kernel {
  /** At CPL 3. */
  readonly user?: Uint8Array;
  /** By vector. */
  readonly handlers?: Readonly<Record<number, (asm: Assembler) => void>>;
}
function words(...values: bigint[]): number[] {
  return values.flatMap((value) => Array.from({ length: 8 }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn)));
}
const word = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
const gdt64 = words(
  0n,
  0n,
  0x00af9b000000ffffn,
  0x00cf93000000ffffn,
  0x00cffb000000ffffn,
  0x00cff3000000ffffn,
  0x00affb000000ffffn,
);

/** A 64-bit kernel as Linux is: the GDT is mapped read-only, DS is null, GS has a base, the TSS is busy. */
export function guest64(
  write: (asm: Assembler) => void,
  more: Record<string, bigint | number> = {},
  { user, handlers = {} }: Kernel = {},
): Guest {
  const tables = new PageTables("4-level")
    .map(kernel(CODE), CODE, READ_ONLY)
    .map(kernel(CODE + 0x1000), CODE + 0x1000, READ_ONLY)
    .map(kernel(DATA), DATA, WRITABLE)
    .map(kernel(GDT), GDT, READ_ONLY)
    .map(kernel(IDT), IDT, READ_ONLY)
    .map(kernel(TSS), TSS, WRITABLE)
    .map(kernel(STACK), STACK, WRITABLE)
    .map(kernel(APIC_AT), APIC, WRITABLE)
    .map(BigInt(USER_AT), USER_PAGE, USER)
    .map(BigInt(USER_AT + 0x1000), USER_PAGE + 0x1000, USER)
    .map(BigInt(CODE), CODE, READ_ONLY)
    .map(BigInt(BORDER - 0x1000), CODE + 0x1000, READ_ONLY)
    .map(BigInt(BORDER), CODE, READ_ONLY);
  const code = new Uint8Array(0x2000),
    idt = new DataView(new ArrayBuffer(0x1000));
  code.set(assemble(64, write));
  for (const [n, [vector, handler]] of Object.entries(handlers).entries()) {
    const at = 0x1000 + 0x100 * n,
      to = kernel(CODE + at);
    code.set(assemble(64, handler), at);
    const gate = (to & 0xffffn) | (BigInt(CODE64) << 16n) | (0xee00n << 32n) | (((to >> 16n) & 0xffffn) << 48n);
    idt.setBigUint64(16 * Number(vector), gate, true);
    idt.setBigUint64(16 * Number(vector) + 8, to >> 32n, true);
  }
  return {
    scratch: [STACK],
    memory: [
      tables.memory,
      [CODE, code],
      [GDT, gdt64],
      [IDT, new Uint8Array(idt.buffer)],
      [TSS, [0, 0, 0, 0, ...words(kernel(STACK + 0xff0))]],
      [USER_PAGE, user ?? []],
    ],
    registers: {
      ...someRegisters(),
      ...LIVE,
      RIP: kernel(CODE),
      RSP: kernel(STACK + 0x800),
      RFLAGS: 0x40ad7 & ~0x200,
      CR0: 0x80050033,
      CR3: TABLES,
      CR4: 0x6f0,
      EFER: 0xd01,
      PAT: 0x0407050600070106n,
      SYSENTER_CS: 0x10,
      SYSENTER_ESP: 0xffff_fe00_0000_1200n,
      SYSENTER_EIP: kernel(CODE + 0x900),
      "GDTR.base": kernel(GDT),
      "GDTR.limit": 0x7f,
      "IDTR.base": kernel(IDT),
      "IDTR.limit": 0xfff,
      DR7: 0x400,
      ...segment("CS", CODE64, 0xa09b),
      ...segment("SS", DATA64_SELECTOR, 0xc093),
      ...segment("DS", 0, NULL, 0, 0),
      ...segment("ES", 0, NULL, 0, 0),
      ...segment("FS", 0, NULL, 0x7f12_3456_7000n, 0),
      ...segment("GS", 0, NULL, 0xffff_8880_0760_0000n, 0),
      ...segment("LDTR", 0, NULL, 0, 0),
      ...segment("TR", 0x40, 0x8b, kernel(TSS), 0x206f),
      ...more,
    },
  };
}
/** Displacement of the data page in programs of `guest64`. */
export const DATA64 = Number(BigInt.asIntN(32, kernel(DATA)));
/** A word in the scratch page. */
const TICKS64 = Number(BigInt.asIntN(32, kernel(STACK)));
const APIC64 = Number(BigInt.asIntN(32, kernel(APIC_AT)));

/** The local APIC's timer: every so many nanoseconds, or once. */
export function startTimer(asm: Assembler, nanoseconds: number, { apic = APIC64, once = false } = {}): void {
  const set = (register: number, value: number) => asm.storeConstant(memory(null, (apic + register) | 0), value, 4);
  set(0xf0, 0x1ff);
  set(0x3e0, 0xb); // counts at the bus's frequency
  set(0x320, TICK | (once ? 0 : 0x20000));
  set(0x380, nanoseconds);
}
/** A handler that counts, says that it is over, and returns. */
export function tick(asm: Assembler, { apic = APIC64, counter = TICKS64 } = {}): void {
  const narrow = asm.bits === 32;
  if (narrow) asm.u8(0x1e, 0x6a, 0x68, 0x1f); // DS, which virtual-8086 mode leaves null
  asm.push(0).constant(0, 1).alu("add", 0, memory(null, counter), 4).store(memory(null, counter), 0, 4);
  asm.storeConstant(memory(null, (apic + 0xb0) | 0), 0, 4).pop(0);
  asm.u8(narrow ? 0x1f : 0x48, 0xcf);
}
/** IRETQ to the user's page. */
export function enterUser(asm: Assembler, { code = USER_CODE, flags = 0x202 } = {}): void {
  const push = (value: number) => asm.u8(0x68).u32(value);
  push(USER_DATA);
  push(USER_AT + 0x1ff0);
  push(flags);
  push(code);
  push(USER_AT);
  asm.u8(0x48, 0xcf);
}
/** A program of the user's: mixes and calls the kernel. */
export const userProgram = (bits: 32 | 64, rounds: number) =>
  assemble(bits, (asm) => {
    if (bits === 32) asm.u8(0x6a, USER_DATA, 0x1f); // PUSH; POP DS
    mix(asm, USER_AT + 0x1000, rounds, () => asm.u8(0xcd, CALL));
  });
export { USER_CODE32 };

// ---- 32-bit ----

export const KERNEL_32 = 0xc000_0000;

/** A 32-bit kernel at 3 GiB, or without paging where it lies. */
export function guest32(
  paging: "32" | "pae" | null,
  write: (asm: Assembler, data: number) => void,
  more: Record<string, bigint | number> = {},
  { user, handlers = {} }: Kernel = {},
): Guest {
  const base = paging === null ? 0 : KERNEL_32,
    tables = new PageTables(paging ?? "32").map(0x10000n, USER_PAGE, USER).map(0x11000n, USER_PAGE + 0x1000, USER);
  const code = new Uint8Array(0x2000),
    idt = new DataView(new ArrayBuffer(0x800));
  code.set(assemble(32, (asm) => write(asm, base + DATA)));
  for (const [n, [vector, handler]] of Object.entries(handlers).entries()) {
    const at = 0x1000 + 0x100 * n,
      to = base + CODE + at;
    code.set(assemble(32, handler), at);
    idt.setUint32(8 * Number(vector), (0x60 << 16) | (to & 0xffff), true);
    idt.setUint32(8 * Number(vector) + 4, (to & 0xffff0000) | 0xee00, true);
  }
  for (const [page, flags] of [
    [CODE, READ_ONLY],
    [CODE + 0x1000, READ_ONLY],
    [DATA, WRITABLE],
    [GDT, READ_ONLY],
    [IDT, READ_ONLY],
    [TSS, WRITABLE],
    [STACK, WRITABLE],
  ] as const)
    tables.map(BigInt(base + page), page, flags);
  if (paging !== null) tables.map(BigInt(base + APIC_AT), APIC, WRITABLE).map(BigInt(base + TABLES), TABLES, WRITABLE);
  const flat = (name: string, selector: number) => segment(name, selector, 0xc093);
  return {
    scratch: [STACK],
    memory: [
      tables.memory,
      [CODE, code],
      [GDT + 0x60, words(0x00cf9b000000ffffn, 0x00cf93000000ffffn, 0x00cffb000000ffffn, 0x00cff3000000ffffn)],
      [IDT, new Uint8Array(idt.buffer)],
      [TSS, [...word(0), ...word(base + STACK + 0xff0), ...word(0x68)]],
      [USER_PAGE, user ?? []],
    ],
    registers: {
      ...someRegisters(),
      ...LIVE,
      RIP: base + CODE,
      RSP: base + STACK + 0x800,
      RFLAGS: 0x40ad7 & ~0x200,
      CR0: paging === null ? 0x50033 : 0x80050033,
      CR3: paging === null ? 0x3000 : TABLES,
      CR4: paging === "pae" ? 0x6f0 : 0x6d0,
      EFER: paging === "pae" ? 0x800 : 0,
      PAT: 0x0407050600070106n,
      SYSENTER_CS: 0x60,
      SYSENTER_ESP: 0xc0001200,
      SYSENTER_EIP: base + CODE + 0x900,
      "GDTR.base": base + GDT,
      "GDTR.limit": 0xff,
      "IDTR.base": base + IDT,
      "IDTR.limit": 0x7ff,
      DR7: 0x400,
      ...segment("CS", 0x60, 0xc09b),
      ...flat("SS", 0x68),
      ...segment("DS", 0x7b, 0xc0f3),
      ...segment("ES", 0x7b, 0xc0f3),
      ...segment("FS", 0xd8, 0x8093, base + 0x123000, 0xfffff),
      ...segment("GS", 0xe0, 0x4091, base + TSS, 0x18),
      ...segment("LDTR", 0, NULL, 0, 0),
      ...segment("TR", 0x80, 0x8b, base + TSS, 0x206b),
      ...(paging === "pae" ? tables.pdptes : {}),
      ...more,
    },
  };
}

/** The first entries of its tables. */
export const TABLES_32 = (KERNEL_32 + TABLES) | 0;
export const APIC_32 = (KERNEL_32 + APIC_AT) | 0,
  TICKS_32 = (KERNEL_32 + STACK) | 0;
/** IRETD to virtual-8086 mode: 1000:0000, stack at 1100:0FF0, data at 1100. */
export function enterVirtual8086(asm: Assembler): void {
  for (const value of [0x1100, 0x1100, 0x1100, 0x1100, 0x1100, 0xff0, 0x23202, 0x1000, 0]) asm.u8(0x68).u32(value);
  asm.u8(0xcf);
}

// ---- real mode ----

/** Code at 2000:0100, data at 3000, a stack at 4000; limits as said (more than FFFF: "unreal"). */
export function guestReal(
  write: (asm: Assembler) => void,
  limit = 0xffff,
  more: Record<string, bigint | number> = {},
): Guest {
  const paragraph = (name: string, selector: number, size = limit) =>
    segment(name, selector, size > 0xffff ? 0x8093 : 0x93, selector * 16, size);
  return {
    memory: [[0x20100, assemble(16, write)]],
    registers: {
      ...someRegisters(),
      RIP: 0x100,
      RSP: 0xfff0,
      RFLAGS: 0x46,
      CR0: 0x10,
      CR3: 0,
      CR4: 0,
      EFER: 0,
      PAT: 0x0007040600070406n,
      "GDTR.base": 0x61234,
      "GDTR.limit": 0x37,
      "IDTR.base": 0,
      "IDTR.limit": 0x3ff,
      DR7: 0x400,
      ...segment("CS", 0x2000, 0x9b, 0x20000, 0xffff),
      ...segment("SS", 0x4000, 0x93, 0x40000, 0xffff),
      ...paragraph("DS", 0x3000),
      ...paragraph("ES", 0x3001),
      ...paragraph("FS", 0xffff),
      ...paragraph("GS", 0),
      ...segment("LDTR", 0, 0x82, 0, 0xffff),
      ...segment("TR", 0, 0x8b, 0, 0xffff),
      ...more,
    },
  };
}
