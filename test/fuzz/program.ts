/** Random programs for the processor: bytes, modes, tables, all from a seed. */
import type { Cpu, FlatMode } from "@castaway/cpu";
import { definitions } from "@castaway/cpu";
import type { Random } from "@castaway/kit";

export const MEMORY = 1 << 20;
const CODE = 0x8000;
const CODE_BYTES = 0x1000;
const GDT = 0x1000;
const IDT = 0x2000;
const TSS = 0x3000;
const IDLE_TSS = 0x3100;
const IDLE_TASK = 72;

const forms = definitions.flatMap((def) => def.forms.map((form) => ({ def, form })));
/** Values at which carries, signs, sizes and pages change. */
const EDGES = [
  0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
];

/** One instruction that is likely to be valid: a form's opcode with random prefixes, ModRM and immediates. */
function likely(random: Random, long: boolean): number[] {
  const { form } = forms[random.below(forms.length)]!;
  const bytes: number[] = [];
  if (random.below(8) === 0) bytes.push([0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x2e, 0x64, 0x65][random.below(8)]!);
  if (form.prefix === "66" || form.prefix === "F2" || form.prefix === "F3")
    bytes.push(Number.parseInt(form.prefix, 16));
  if (long && random.below(2) === 0) bytes.push(0x40 | random.below(16));
  if (form.map > 0) bytes.push(0x0f);
  if (form.map > 1) bytes.push(form.map === 2 ? 0x38 : 0x3a);
  bytes.push(form.byte + (form.plusR ? random.below(8) : 0));
  if (form.modrm) {
    const mod = random.below(3) === 0 ? random.below(4) : 3;
    const reg = form.digit ?? random.below(8);
    bytes.push(
      form.exact !== null ? form.exact + (form.plusI ? random.below(8) : 0) : (mod << 6) | (reg << 3) | random.below(8),
    );
  }
  for (let i = random.below(9); i > 0; i--) bytes.push(random.below(3) === 0 ? random.below(256) : random.below(4));
  return bytes;
}

function code(random: Random, long: boolean): Uint8Array {
  const bytes = new Uint8Array(CODE_BYTES);
  if (random.below(4) === 0) {
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
    return bytes;
  }
  for (let at = 0; at < bytes.length; ) {
    const insn = likely(random, long);
    bytes.set(insn.slice(0, bytes.length - at), at);
    at += insn.length;
  }
  return bytes;
}

const MODES: (FlatMode | "virtual8086")[] = ["real", "protected16", "protected32", "long", "virtual8086"];

/** Loads the program that `random` describes; the same for every processor given the same generator state. */
export function load(cpu: Cpu, random: Random): string {
  const chosen = MODES[random.below(MODES.length)]!;
  const mode = chosen === "virtual8086" ? "protected32" : chosen;
  const long = mode === "long";
  cpu.physical.ram.fill(0);
  const noise = new Uint8Array(0x8000);
  for (let i = 0; i < noise.length; i++) noise[i] = random.below(256);
  cpu.write(0x20000, noise);
  cpu.write(CODE, code(random, long));
  cpu.enter(mode, CODE);
  tables(cpu, mode, random);
  for (const name of "RAX RCX RDX RBX RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15".split(" ")) {
    cpu.set(name, pointerOrValue(random));
  }
  cpu.set("RSP", mode === "real" || mode === "protected16" ? 0x7000 : 0x28000 + random.below(64));
  if (random.below(8) === 0) cpu.set("RFLAGS", 2 | (random.below(0x1000) & 0xcd5)); // sometimes with TF: below
  if (random.below(32) === 0) cpu.set("RFLAGS", 0x102);
  if (random.below(4) === 0) cpu.set("MXCSR", random.below(0x10000));
  if (random.below(2) === 0) cpu.set("CR4", cpu.get("CR4").toNumber() | random.below(4)); // VME, PVI
  if (chosen === "virtual8086") enterVirtual8086(cpu, random);
  return chosen;
}
function enterVirtual8086(cpu: Cpu, random: Random): void {
  for (const name of ["ES", "CS", "SS", "DS", "FS", "GS"]) {
    const selector = name === "CS" || name === "SS" ? 0 : 0x2000 + random.below(0x800);
    cpu.set(`${name}.selector`, selector);
    cpu.set(`${name}.base`, selector * 16);
    cpu.set(`${name}.limit`, 0xffff);
    cpu.set(`${name}.access`, 0xf3);
  }
  cpu.set("RSP", 0x7000);
  cpu.set("RFLAGS", 0x20002 | (random.below(4) << 12) | (random.below(4) << 19)); // VM, IOPL, VIF, VIP
}
function pointerOrValue(random: Random): number {
  switch (random.below(4)) {
    case 0:
      return 0x20000 + random.below(0x8000);
    case 1:
      return EDGES[random.below(EDGES.length)]!;
    case 2:
      return random.below(0x10000);
    default:
      return -EDGES[random.below(EDGES.length)]!;
  }
}

/** A GDT with flat segments for both rings, an IDT whose gates all lead into the code, and a TSS. */
function tables(cpu: Cpu, mode: FlatMode, random: Random): void {
  const put = (address: number, ...words: number[]) => {
    cpu.write(address, new Uint8Array(Uint32Array.from(words).buffer));
  };
  const target = () => CODE + random.below(CODE_BYTES);
  if (mode === "real") {
    for (let v = 0; v < 256; v++) put(4 * v, target());
    cpu.set("IDTR.limit", 0x3ff);
    return;
  }
  const long = mode === "long";
  const wide = mode === "protected16" ? 0x000f : 0x00cf;
  const codeHigh = long ? 0x00af : wide;
  put(GDT, 0, 0);
  put(GDT + 8, 0xffff, (codeHigh << 16) | 0x9b00, 0xffff, (wide << 16) | 0x9300);
  put(GDT + 24, 0xffff, (codeHigh << 16) | 0xfb00, 0xffff, (wide << 16) | 0xf300);
  put(GDT + 40, 0xffff, 0x00009b00, 0xffff, 0x00cf9b00, (TSS << 16) | 0x67, 0x00008b00, 0, 0);
  put(GDT + IDLE_TASK, (IDLE_TSS << 16) | 0x67, 0x00008900);
  put(IDLE_TSS + 4, 0x5000, 16);
  put(
    IDLE_TSS + 0x20,
    target(),
    2 | random.below(0x40000),
    1,
    2,
    3,
    4,
    0x6800,
    6,
    7,
    8,
    16,
    8,
    16,
    [16, 16, 0, 0x58][random.below(4)]!,
    16,
    16,
  );
  cpu.set("GDTR.base", GDT);
  cpu.set("GDTR.limit", 0x7f);
  for (let v = 0; v < 256; v++) {
    const at = target();
    const access = random.below(8) === 0 ? 0xef00 : 0x8e00;
    if (!long && random.below(16) === 0) put(IDT + 8 * v, IDLE_TASK << 16, 0x8500 | (access & 0x6000));
    else if (long) put(IDT + 16 * v, (8 << 16) | (at & 0xffff), (at & 0xffff0000) | access, 0, 0);
    else
      put(
        IDT + 8 * v,
        (8 << 16) | (at & 0xffff),
        (at & 0xffff0000) | (mode === "protected16" ? access & ~0x800 : access),
      );
  }
  cpu.set("IDTR.base", IDT);
  cpu.set("IDTR.limit", long ? 0xfff : 0x7ff);
  put(TSS, 0, 0x6000, long ? 0 : 16);
  cpu.set("TR.selector", 56);
  cpu.set("TR.base", TSS);
  cpu.set("TR.limit", 0x67);
  cpu.set("TR.access", 0x8b);
}
