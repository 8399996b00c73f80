/**
 * The registers as gdb knows them, in the order of its numbers: the same in every mode, as gdb is told once what it
 * talks to. Values are unsigned.
 *
 * `rip` is the linear address of the next instruction, in real mode and with a based CS too: breakpoints and memory are
 * linear, and gdb compares them with it. The offset in CS is `ip`.
 */
import type { Cpu } from "@castaway/cpu";
import Long from "long";

/** A register of one processor. */
export interface Register {
  readonly name: string;
  readonly feature: "core" | "sse" | "segments" | "system";
  readonly bytes: number;
  /** gdb's type, and the group in which `info registers` shows it; "": the one of its type. */
  readonly type: string;
  readonly group: "" | "float" | "vector" | "system";
  read(cpu: Cpu, id: number): bigint;
  /** False if it cannot be written, or not to this value. */
  write(cpu: Cpu, id: number, value: bigint): boolean;
}

const LMA = 0x400,
  PE = 1,
  VM = 0x20000,
  L_BIT = 0x2000;

const unsigned = (value: Long): bigint => (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
const long = (value: bigint): Long => Long.fromBits(Number(value & 0xffffffffn) | 0, Number(value >> 32n) | 0, true);
const get = (cpu: Cpu, id: number, name: string): bigint => unsigned(cpu.get(name, id));
const set = (cpu: Cpu, id: number, name: string, value: bigint): true => {
  cpu.set(name, long(value), id);
  return true;
};
const isCanonical = (value: bigint) => BigInt.asUintN(64, BigInt.asIntN(48, value)) === value;
const fromLittleEndian = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

export const isLong = (cpu: Cpu, id: number): boolean =>
  (cpu.state("EFER", id) & LMA) !== 0 && (cpu.state("CS.access", id) & L_BIT) !== 0;
const isIa32e = (cpu: Cpu, id: number) => (cpu.state("EFER", id) & LMA) !== 0;
/** Real-address and virtual-8086 mode: a segment's base follows from its selector. */
const isReal = (cpu: Cpu, id: number) =>
  (cpu.state("CR0", id) & PE) === 0 || (get(cpu, id, "RFLAGS") & BigInt(VM)) !== 0n;

/** Where CS begins: 0 in 64-bit mode. */
export const codeBase = (cpu: Cpu, id: number): bigint => (isLong(cpu, id) ? 0n : get(cpu, id, "CS.base"));
const linearIp = (cpu: Cpu, id: number): bigint =>
  isLong(cpu, id) ? get(cpu, id, "RIP") : (codeBase(cpu, id) + get(cpu, id, "RIP")) & 0xffffffffn;
/** The linear address of the next instruction, as addresses are in `Cpu`: those of the upper half are negative. */
export const nextInstruction = (cpu: Cpu, id: number): number => Number(BigInt.asIntN(64, linearIp(cpu, id)));

/** What the processor is in, for people. */
export function modeName(cpu: Cpu, id: number): string {
  if ((cpu.state("CR0", id) & PE) === 0) return "real mode";
  if (isReal(cpu, id)) return "virtual-8086 mode";
  if (isLong(cpu, id)) return "64-bit mode";
  const bits = (cpu.state("mode", id) & 3) === 0 ? "16-bit" : "32-bit";
  return `${bits} ${isIa32e(cpu, id) ? "compatibility" : "protected"} mode`;
}

type Access = Pick<Register, "read" | "write">;
type Rest = Partial<Pick<Register, "group">> & Partial<Access>;
function register(feature: Register["feature"], name: string, bytes: number, type: string, rest: Rest): Register {
  return { name, feature, bytes, type, group: "", read: () => 0n, write: () => false, ...rest };
}

// ---- general registers ----

const general = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split(" ").map((name) =>
  register("core", name, 8, name === "rsp" || name === "rbp" ? "data_ptr" : "int64", {
    read: (cpu, id) => get(cpu, id, name.toUpperCase()),
    write: (cpu, id, value) => set(cpu, id, name.toUpperCase(), value),
  }),
);
const rip: Access = {
  read: linearIp,
  write(cpu, id, value) {
    if (isLong(cpu, id)) return isCanonical(value) && set(cpu, id, "RIP", value);
    const offset = (value - codeBase(cpu, id)) & 0xffffffffn;
    return value < 2n ** 32n && offset <= get(cpu, id, "CS.limit") && set(cpu, id, "RIP", offset);
  },
};
/** VM is a mode, and not to be switched by hand. */
const eflags: Access = {
  read: (cpu, id) => get(cpu, id, "RFLAGS"),
  write(cpu, id, value) {
    const old = get(cpu, id, "RFLAGS"),
      vm = BigInt(VM);
    return ((value ^ old) & vm) === 0n && set(cpu, id, "RFLAGS", value);
  },
};
/** In protected mode a selector stands for a descriptor, which only the guest can load. */
const selector = (name: string): Access => ({
  read: (cpu, id) => get(cpu, id, `${name}.selector`),
  write: (cpu, id, value) =>
    isReal(cpu, id) &&
    value <= 0xffffn &&
    set(cpu, id, `${name}.selector`, value) &&
    set(cpu, id, `${name}.base`, value << 4n),
});

// ---- x87 ----

const top = (cpu: Cpu, id: number) => (cpu.state("FSW", id) >> 11) & 7;
const st = (i: number): Access => ({
  read: (cpu, id) => fromLittleEndian(cpu.bytes(`R${(top(cpu, id) + i) & 7}`, id).subarray(0, 10)),
  write(cpu, id, value) {
    cpu.setBytes(`R${(top(cpu, id) + i) & 7}`, littleEndian(value, 16), id);
    return true;
  },
});
/** A register of at most 32 bits of whose value only `mask` exists. */
const field = (name: string, mask: number, after: (cpu: Cpu, id: number) => void = () => {}): Access => ({
  read: (cpu, id) => get(cpu, id, name) & 0xffffffffn,
  write(cpu, id, value) {
    set(cpu, id, name, value & BigInt(mask));
    after(cpu, id);
    return true;
  },
});
/** ES and B say whether an exception is pending that is not masked [SDM 1 8.1.3.3]; bit 6 of FCW reads as one. */
function summarize(cpu: Cpu, id: number): void {
  const control = cpu.state("FCW", id) | 0x40,
    status = cpu.state("FSW", id);
  cpu.set("FCW", control, id);
  cpu.set("FSW", (status & 0x7f7f) | (status & ~control & 0x3f ? 0x8080 : 0), id);
}
/** The full tag word [SDM 1 8.1.7]: two bits a physical register, of which the processor keeps only "empty". */
const tags: Access = {
  read(cpu, id) {
    let word = 0;
    for (let i = 0; i < 8; i++) word |= tagOf(cpu, id, i) << (2 * i);
    return BigInt(word);
  },
  write(cpu, id, value) {
    let full = 0;
    for (let i = 0; i < 8; i++) if (((Number(value & 0xffffn) >> (2 * i)) & 3) !== 3) full |= 1 << i;
    return set(cpu, id, "FTW", BigInt(full));
  },
};
function tagOf(cpu: Cpu, id: number, n: number): number {
  const [VALID, ZERO, SPECIAL, EMPTY] = [0, 1, 2, 3];
  if (((cpu.state("FTW", id) >> n) & 1) === 0) return EMPTY;
  const value = fromLittleEndian(cpu.bytes(`R${n}`, id).subarray(0, 10)),
    exponent = (value >> 64n) & 0x7fffn,
    significand = value & (2n ** 64n - 1n);
  if (exponent === 0n) return significand === 0n ? ZERO : SPECIAL;
  return exponent === 0x7fffn || significand >> 63n === 0n ? SPECIAL : VALID;
}

// ---- SSE ----

const xmm = (n: number): Access => ({
  read: (cpu, id) => fromLittleEndian(cpu.bytes(`YMM${n}`, id).subarray(0, 16)),
  write(cpu, id, value) {
    cpu.setBytes(`YMM${n}`, littleEndian(value, 16), id);
    return true;
  },
});

// ---- segment bases and system registers ----

const base = (field: string): Access => ({
  read: (cpu, id) => get(cpu, id, field),
  write: (cpu, id, value) => (isIa32e(cpu, id) ? isCanonical(value) : value < 2n ** 32n) && set(cpu, id, field, value),
});
const readOnly = (field: string): Pick<Access, "read"> => ({ read: (cpu, id) => get(cpu, id, field) });
/** Those that gdb has no use for itself: `info registers system`, `print $lstar`. */
const system = (name: string, field: string, bytes = 8): Register =>
  register("system", name, bytes, `int${8 * bytes}`, { group: "system", ...readOnly(field) });
const control = (name: string, type = "int64"): Register =>
  register("system", name, 8, type, readOnly(name.toUpperCase()));

const float = { group: "float" } as const;

/** Every register: its place in this list is its number. */
export const REGISTERS: readonly Register[] = [
  ...general,
  register("core", "rip", 8, "code_ptr", rip),
  register("core", "eflags", 4, "i386_eflags", eflags),
  ...["cs", "ss", "ds", "es", "fs", "gs"].map((name) =>
    register("core", name, 4, "int32", selector(name.toUpperCase())),
  ),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => register("core", `st${i}`, 10, "i387_ext", st(i))),
  register("core", "fctrl", 4, "int", { ...float, ...field("FCW", 0x1f7f, summarize) }),
  register("core", "fstat", 4, "int", { ...float, ...field("FSW", 0x7f7f, summarize) }),
  register("core", "ftag", 4, "int", { ...float, ...tags }),
  register("core", "fiseg", 4, "int", { ...float, ...field("FCS", 0xffff) }),
  register("core", "fioff", 4, "int", { ...float, ...field("FIP", 0xffffffff) }),
  register("core", "foseg", 4, "int", { ...float, ...field("FDS", 0xffff) }),
  register("core", "fooff", 4, "int", { ...float, ...field("FDP", 0xffffffff) }),
  register("core", "fop", 4, "int", { ...float, ...field("FOP", 0x7ff) }),
  ...Array.from({ length: 16 }, (_, n) => register("sse", `xmm${n}`, 16, "vec128", xmm(n))),
  register("sse", "mxcsr", 4, "i386_mxcsr", { group: "vector", ...field("MXCSR", 0xffff) }),
  register("segments", "fs_base", 8, "int", base("FS.base")),
  register("segments", "gs_base", 8, "int", base("GS.base")),
  register("system", "k_gs_base", 8, "int64", base("KERNEL_GS_BASE")),
  control("cr0", "cr0"),
  control("cr2"),
  control("cr3"),
  control("cr4", "cr4"),
  register("system", "cr8", 8, "int64", {
    read: (cpu, id) => BigInt((cpu.processors[id]?.apic?.taskPriority ?? 0) >> 4),
  }),
  control("efer", "efer"),
  system("ip", "RIP"),
  ...["cs", "ss", "ds", "es"].map((name) => system(`${name}_base`, `${name.toUpperCase()}.base`)),
  system("ldtr", "LDTR.selector", 4),
  system("ldtr_base", "LDTR.base"),
  system("tr", "TR.selector", 4),
  system("tr_base", "TR.base"),
  system("gdtr_base", "GDTR.base"),
  system("gdtr_limit", "GDTR.limit"),
  system("idtr_base", "IDTR.base"),
  system("idtr_limit", "IDTR.limit"),
  system("xcr0", "XCR0"),
  ...["star", "lstar", "cstar", "fmask", "sysenter_cs", "sysenter_esp", "sysenter_eip", "apic_base", "pat"].map(
    (name) => system(name, name.toUpperCase()),
  ),
  ...[0, 1, 2, 3, 6, 7].map((n) => system(`dr${n}`, `DR${n}`)),
];

export function littleEndian(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, rest = value; i < length; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}
/** A register's bytes, in the target's order; null if there is no such register. */
export function readRegister(cpu: Cpu, id: number, number: number): Uint8Array | null {
  const register = REGISTERS[number];
  return register === undefined ? null : littleEndian(register.read(cpu, id), register.bytes);
}
/** False if there is no such register, or it cannot be this. To write what it is already is always fine. */
export function writeRegister(cpu: Cpu, id: number, number: number, bytes: Uint8Array): boolean {
  const register = REGISTERS[number];
  if (register === undefined || bytes.length !== register.bytes) return false;
  const value = fromLittleEndian(bytes);
  return value === register.read(cpu, id) || register.write(cpu, id, value);
}
