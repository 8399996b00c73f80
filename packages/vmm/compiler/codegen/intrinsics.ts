/**
 * What guest code imports from the module "x86": each is an instruction, or a few. `guest/x86.ts` declares them, and
 * docs/vmm-compiler.md says how to add one.
 */
import { UnsupportedError } from "../errors.ts";
import type { WasmFunction } from "../wasm/module.ts";
import { CC, memory, RAX, RBX, RCX, RDI, RDX, type Register, RSP, type Size } from "../x64/operands.ts";
import { callSymbol } from "./calls.ts";
import type { Generator } from "./generator.ts";
import { ownedBy } from "./operand.ts";

export interface Intrinsic {
  /** Parameters and result, a letter each: i is i32, I is i64, v is none. */
  readonly signature: string;
  readonly emit: (g: Generator) => void;
  /** It is a call: caller-saved registers are lost. */
  readonly calls?: boolean;
}

/** Physical memory is mapped at this bit: a physical address with it set is its linear address. */
export const DIRECT_MAP_BIT = 46;

// ---- shapes ----

/** The last operands in these registers; `also` is free too. All of them are the caller's. */
function inRegisters(g: Generator, registers: readonly Register[], also: readonly Register[] = []): void {
  g.take(...registers, ...also);
  const values = g.stack.splice(g.stack.length - registers.length);
  for (const [n, register] of registers.entries()) g.ownIn(register, values[n]!);
}
/** Frees all of these but the result. */
function outOf(g: Generator, registers: readonly Register[], result?: Register, wide = false): void {
  g.free(...registers);
  if (result === undefined) return;
  g.claim(result);
  g.pushRegister(result, wide);
}

const plain = (...bytes: number[]): Intrinsic => ({ signature: "v", emit: (g) => void g.asm.u8(...bytes) });

/** One operand in any register. */
const taking = (signature: string, emit: (g: Generator, from: Register) => void): Intrinsic => ({
  signature,
  emit: (g) => {
    const v = g.pop();
    const from = g.use(v);
    emit(g, from);
    g.release(v, from);
  },
});
/** No operand, one result. */
const giving = (signature: string, emit: (g: Generator, to: Register) => void): Intrinsic => ({
  signature,
  emit: (g) => {
    const to = g.target();
    emit(g, to);
    g.pushRegister(to, signature === "I");
  },
});

/** EDX:EAX after an instruction, as an i64 in RAX. */
function joined(g: Generator, ...bytes: number[]): void {
  g.asm
    .u8(...bytes)
    .shift("shl", RDX, 32, 8)
    .alu("or", RAX, RDX, 8);
}

// ---- ports ----

function input(g: Generator, size: 1 | 2 | 4): void {
  inRegisters(g, [RDX], [RAX]);
  g.asm.u8(...(size === 2 ? [0x66] : []), size === 1 ? 0xec : 0xed);
  if (size !== 4) g.asm.modRm(size === 1 ? 0x0fb6 : 0x0fb7, RAX, RAX, 4);
  outOf(g, [RDX, RAX], RAX);
}
function output(g: Generator, size: 1 | 2 | 4): void {
  inRegisters(g, [RDX, RAX]);
  g.asm.u8(...(size === 2 ? [0x66] : []), size === 1 ? 0xee : 0xef);
  outOf(g, [RDX, RAX]);
}

// ---- physical memory ----

/** A register with the linear address of a physical one. */
function direct(g: Generator, ...avoid: Register[]): Register {
  const address = g.own(g.pop(), ...avoid);
  g.asm.modRm(0x0fba, 5, address, 8).u8(DIRECT_MAP_BIT); // BTS
  return address;
}
function physicalRead(g: Generator, size: Size): void {
  const address = direct(g);
  if (size <= 2) g.asm.modRm(size === 1 ? 0x0fb6 : 0x0fb7, address, memory(address), 4);
  else g.asm.load(address, memory(address), size);
  g.pushRegister(address, size === 8);
}
function physicalWrite(g: Generator, size: Size): void {
  const v = g.pop();
  const from = g.use(v);
  const address = direct(g, from);
  g.asm.store(memory(address), from, size);
  g.release(v, from);
  g.free(address);
}

// ---- VT-x: failure stops at a known address ----

const failure = (g: Generator) => g.trapIf(CC.BE); // VMfailInvalid is CF, VMfailValid is ZF [SDM 3C 31.2]

/** The operand is a physical address, in memory. */
const vmxPointer = (opcode: number, extension: number, prefix = 0): Intrinsic =>
  taking("Iv", (g, from) => {
    g.asm.push(from).modRm(opcode, extension, memory(RSP), 4, { prefix }).lea(RSP, memory(RSP, 8), 8);
    failure(g);
  });
function vmread(g: Generator): void {
  const v = g.pop();
  const field = g.use(v);
  const to = g.allocate(field);
  g.asm.modRm(0x0f78, field, to, 4);
  failure(g);
  g.release(v, field);
  g.pushRegister(to, true);
}
/** Two operands in any registers. */
function both(g: Generator, emit: (first: Register, second: Register) => void): void {
  const [second, first] = [g.pop(), g.pop()];
  const b = g.use(second, ...ownedBy(first));
  const a = g.use(first, b);
  emit(a, b);
  g.release(second, b);
  g.release(first, a);
}
function vmwrite(g: Generator): void {
  both(g, (field, value) => void g.asm.modRm(0x0f79, field, value, 4));
  failure(g);
}
function vmxoff(g: Generator): void {
  g.asm.u8(0x0f, 0x01, 0xc4);
  failure(g);
}
const invalidate = (opcode: number): Intrinsic => ({
  signature: "iiv",
  emit: (g) => {
    both(g, (type, descriptor) => void g.asm.modRm(opcode, type, memory(descriptor), 4, { prefix: 0x66 }));
    failure(g);
  },
});

// ---- other processors ----

/** An operation with memory and a register, which receives what was in memory. */
function exchange(g: Generator, size: 4 | 8, bytes: readonly number[], opcode: number): void {
  const value = g.pop();
  const register = g.own(value);
  const address = g.pop();
  const at = g.use(address, register);
  g.asm.u8(...bytes).modRm(opcode, register, memory(at), size);
  g.release(address, at);
  g.pushRegister(register, size === 8);
}
function compareExchange(g: Generator, size: 4 | 8): void {
  g.take(RAX);
  const register = g.own(g.pop());
  g.ownIn(RAX, g.pop());
  const address = g.pop();
  const at = g.use(address, register);
  g.asm.u8(0xf0).modRm(0x0fb1, register, memory(at), size); // LOCK CMPXCHG
  // a 32-bit comparison that succeeds may leave the upper half of RAX alone
  if (size === 4) g.asm.load(RAX, RAX, 4);
  g.free(register);
  g.release(address, at);
  g.pushRegister(RAX, size === 8);
}

// ---- the processor ----

/** Four words at a linear address: EAX, EBX, ECX, EDX. */
function cpuid(g: Generator): void {
  g.take(RAX, RCX, RDX);
  const to = g.own(g.pop());
  g.ownIn(RCX, g.pop());
  g.ownIn(RAX, g.pop());
  g.asm.push(RBX).u8(0x0f, 0xa2);
  for (const [n, register] of [RAX, RBX, RCX, RDX].entries()) g.asm.store(memory(to, 4 * n), register, 4);
  g.asm.pop(RBX);
  g.free(RAX, RCX, RDX, to);
}
function writeMsr(g: Generator, ...bytes: number[]): void {
  inRegisters(g, [RCX, RAX], [RDX]);
  g.asm
    .copy(RDX, RAX)
    .shift("shr", RDX, 32, 8)
    .u8(...bytes);
  outOf(g, [RCX, RAX, RDX]);
}
function readMsr(g: Generator, ...bytes: number[]): void {
  inRegisters(g, [RCX], [RAX, RDX]);
  joined(g, ...bytes);
  outOf(g, [RCX, RAX, RDX], RAX, true);
}
function readTsc(g: Generator): void {
  g.take(RAX, RDX);
  joined(g, 0x0f, 0x31);
  outOf(g, [RAX, RDX], RAX, true);
}
/** An instruction with a memory operand at a linear address. */
const at = (opcode: number, extension: number): Intrinsic =>
  taking("iv", (g, from) => void g.asm.modRm(opcode, extension, memory(from), 4));
/** Continues at a linear address, with an argument in RDI; never comes back. */
function jump(g: Generator): void {
  g.take(RDI, RAX);
  g.ownIn(RDI, g.pop());
  g.ownIn(RAX, g.pop());
  g.asm.modRm(0xff, 4, RAX, 4);
  g.free(RDI, RAX);
}
/** A stub or helper with the System V convention. */
const stub = (signature: string, symbol: string): Intrinsic => ({
  signature,
  calls: true,
  emit: (g) =>
    callSymbol(
      g,
      symbol,
      signature.length - 1,
      signature.endsWith("v") ? null : signature.endsWith("I") ? "i64" : "i32",
    ),
});

function* intrinsics(): Iterable<[string, Intrinsic]> {
  for (const bits of [8, 16, 32] as const) {
    const size = (bits / 8) as 1 | 2 | 4;
    yield [`in${bits}`, { signature: "ii", emit: (g) => input(g, size) }];
    yield [`out${bits}`, { signature: "iiv", emit: (g) => output(g, size) }];
  }
  for (const bits of [8, 16, 32, 64] as const) {
    const size = (bits / 8) as Size;
    const letter = bits === 64 ? "I" : "i";
    for (const kind of ["phys", "mmio"]) {
      yield [`${kind}Read${bits}`, { signature: `I${letter}`, emit: (g) => physicalRead(g, size) }];
      yield [`${kind}Write${bits}`, { signature: `I${letter}v`, emit: (g) => physicalWrite(g, size) }];
    }
  }
  yield ["physCopy", stub("IIiv", "physCopy")];
  yield ["physFill", stub("Iiiv", "physFill")];
  yield ["vmEnter", stub("iii", "vmEnter")];
  yield ["callRealMode", stub("v", "callRealMode")];
  yield ["vmread", { signature: "iI", emit: vmread }];
  yield ["vmwrite", { signature: "iIv", emit: vmwrite }];
  yield ["vmxon", vmxPointer(0x0fc7, 6, 0xf3)];
  yield ["vmclear", vmxPointer(0x0fc7, 6, 0x66)];
  yield ["vmptrld", vmxPointer(0x0fc7, 6)];
  yield ["vmxoff", { signature: "v", emit: vmxoff }];
  yield ["invept", invalidate(0x0f3880)];
  yield ["invvpid", invalidate(0x0f3881)];
  for (const bits of [32, 64] as const) {
    const size = (bits / 8) as 4 | 8;
    const letter = bits === 64 ? "I" : "i";
    yield [`xchg${bits}`, { signature: `i${letter}${letter}`, emit: (g) => exchange(g, size, [], 0x87) }];
    yield [`xadd${bits}`, { signature: `i${letter}${letter}`, emit: (g) => exchange(g, size, [0xf0], 0x0fc1) }];
    yield [`cmpxchg${bits}`, { signature: `i${letter}${letter}${letter}`, emit: (g) => compareExchange(g, size) }];
  }
  yield ["cpuid", { signature: "iiiv", emit: cpuid }];
  yield ["rdmsr", { signature: "iI", emit: (g) => readMsr(g, 0x0f, 0x32) }];
  yield ["wrmsr", { signature: "iIv", emit: (g) => writeMsr(g, 0x0f, 0x30) }];
  yield ["xgetbv", { signature: "iI", emit: (g) => readMsr(g, 0x0f, 0x01, 0xd0) }];
  yield ["xsetbv", { signature: "iIv", emit: (g) => writeMsr(g, 0x0f, 0x01, 0xd1) }];
  yield ["rdtsc", { signature: "I", emit: readTsc }];
  for (const n of [0, 2, 3, 4]) {
    yield [`readCr${n}`, giving("I", (g, to) => void g.asm.modRm(0x0f20, n, to, 4))];
    yield [`writeCr${n}`, taking("Iv", (g, from) => void g.asm.modRm(0x0f22, n, from, 4))];
  }
  for (const n of [0, 1, 2, 3, 6, 7]) {
    yield [`readDr${n}`, giving("I", (g, to) => void g.asm.modRm(0x0f21, n, to, 4))];
    yield [`writeDr${n}`, taking("Iv", (g, from) => void g.asm.modRm(0x0f23, n, from, 4))];
  }
  for (const [n, name] of ["Es", "Cs", "Ss", "Ds", "Fs", "Gs"].entries()) {
    yield [`read${name}`, giving("i", (g, to) => void g.asm.modRm(0x8c, n, to, 4))];
    if (name !== "Cs") yield [`write${name}`, taking("iv", (g, from) => void g.asm.modRm(0x8e, n, from, 4))];
  }
  yield ["str", giving("i", (g, to) => void g.asm.modRm(0x0f00, 1, to, 4))];
  yield ["sldt", giving("i", (g, to) => void g.asm.modRm(0x0f00, 0, to, 4))];
  yield ["ltr", taking("iv", (g, from) => void g.asm.modRm(0x0f00, 3, from, 4))];
  yield ["lldt", taking("iv", (g, from) => void g.asm.modRm(0x0f00, 2, from, 4))];
  yield ["readFlags", giving("I", (g, to) => void g.asm.u8(0x9c).pop(to))];
  yield ["sgdt", at(0x0f01, 0)];
  yield ["sidt", at(0x0f01, 1)];
  yield ["lgdt", at(0x0f01, 2)];
  yield ["lidt", at(0x0f01, 3)];
  yield ["invlpg", at(0x0f01, 7)];
  yield ["pause", plain(0xf3, 0x90)];
  yield ["hlt", plain(0xf4)];
  yield ["cli", plain(0xfa)];
  yield ["sti", plain(0xfb)];
  yield ["wbinvd", plain(0x0f, 0x09)];
  yield ["mfence", plain(0x0f, 0xae, 0xf0)];
  yield ["int3", plain(0xcc)];
  yield ["jump", { signature: "iiv", emit: jump, calls: true }];
  yield [
    "endAllocation",
    { signature: "v", emit: (g) => void g.asm.storeConstant(memory(null, 0, { symbol: "memoryPages" }), 0, 4) },
  ];
}
export const x86: ReadonlyMap<string, Intrinsic> = new Map(intrinsics());

/** Where AssemblyScript goes when something is wrong: it never comes back. */
const abort: Intrinsic = {
  signature: "iiiiv",
  emit: (g) => {
    for (const v of g.stack.splice(g.stack.length - 4)) g.drop(v);
    g.asm.undefined();
  },
};

function known(module: string, name: string): Intrinsic | undefined {
  if (module === "env" && name === "abort") return abort;
  if (module !== "x86") return undefined;
  const symbol = /^addr_(\w+)$/.exec(name)?.[1];
  return symbol === undefined ? x86.get(name) : giving("i", (g, to) => void g.asm.address(to, symbol));
}

const letter = (type: string) => (type === "i64" ? "I" : "i");

/** @throws {UnsupportedError} if nothing of that name and type can be imported */
export function intrinsicOf({ imported, type, name, index }: WasmFunction): Intrinsic {
  const intrinsic = imported && known(imported.module, imported.name);
  if (intrinsic === undefined) throw new UnsupportedError(`the import ${name} is unknown`, 0, index);
  const declared = [...type.parameters, ...type.results].map(letter).join("") + (type.results.length === 0 ? "v" : "");
  if (declared !== intrinsic.signature)
    throw new UnsupportedError(
      `the import ${name} is declared as ${declared}, but is ${intrinsic.signature}`,
      0,
      index,
    );
  return intrinsic;
}
