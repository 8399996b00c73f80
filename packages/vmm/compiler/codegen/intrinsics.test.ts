/** The encodings of intrinsics, as the manuals give them: what cannot be run without a whole machine. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Instruction, WasmFunction, WasmModule } from "../wasm/module.ts";
import type { ValueType } from "../wasm/opcodes.ts";
import { compileFunction } from "./function.ts";
import { x86 } from "./intrinsics.ts";

const test = suite("intrinsics");

const types = (letters: string): ValueType[] => [...letters].map((letter) => (letter === "I" ? "i64" : "i32"));

/** The code of a function that passes its parameters on, in hexadecimal. */
function code(name: string): string {
  const { signature } = x86.get(name)!;
  const [parameters, results] = [types(signature.slice(0, -1)), types(signature.slice(-1).replace("v", ""))];
  const type = { parameters, results };
  const imported: WasmFunction = {
    index: 0,
    name: `x86.${name}`,
    type,
    imported: { module: "x86", name },
    locals: [],
    body: [],
  };
  const instruction = (name: string, operand = 0): Instruction => ({ name, operand, at: 0, wide: 0n });
  const body = [...parameters.map((_, n) => instruction("local.get", n)), instruction("call", 0), instruction("end")];
  const caller: WasmFunction = { index: 1, name: "caller", type, locals: [...parameters], body };
  const functions = [imported, caller];
  const module: WasmModule = {
    types: [type],
    functions,
    globals: [],
    table: [],
    data: [],
    exports: new Map(),
    memoryPages: 1,
  };
  return Buffer.from(compileFunction(module, caller).code.bytes).toString("hex");
}

const jbeToUd2 = /76(..)c3(0f0b)$/;

// biome-ignore format: a table
const encodings: Record<string, RegExp> = {
  vmread: /^0f78f876..c30f0b$/,           // VMREAD RAX, RDI
  vmwrite: /^0f79fe76..c30f0b$/,          // VMWRITE RDI, RSI
  vmxon: /^57f30fc73424488d6424087601c30f0b$/, // PUSH RDI; VMXON [RSP]; LEA RSP; JBE
  vmclear: /^57660fc73424488d642408/,
  vmptrld: /^570fc73424488d642408/,
  vmxoff: /^0f01c47601c30f0b$/,
  invept: /^660f38803e7601c30f0b$/,       // INVEPT RDI, [RSI]
  invvpid: /^660f38813e/,
  rdmsr: /^8bcf0f3248c1e220480bc2c3$/,
  wrmsr: /^8bcf488bc6488bd048c1ea200f30c3$/,
  rdtsc: /^0f3148c1e220480bc2c3$/,
  readCr0: /^0f20c0c3$/, readCr4: /^0f20e0c3$/, writeCr3: /^0f22dfc3$/, writeCr4: /^0f22e7c3$/,
  lidt: /^0f011fc3$/, lgdt: /^0f0117c3$/, sgdt: /^0f0107c3$/, invlpg: /^0f013fc3$/, ltr: /^0f00dfc3$/, str: /^0f00c8c3$/,
  physRead32: /^488bc7480fbae82e8b00c3$/, // MOV RAX, RDI; BTS RAX, 46; MOV EAX, [RAX]
  physWrite8: /^488bc7480fbae82e408830c3$/, // SIL
  pause: /^f390c3$/, hlt: /^f4c3$/, cli: /^fac3$/, sti: /^fbc3$/, wbinvd: /^0f09c3$/, mfence: /^0faef0c3$/,
  xsetbv: /0f01d1c3$/,
};

for (const [name, pattern] of Object.entries(encodings)) {
  test(name, () => {
    assert.match(code(name), pattern);
  });
}

test("every failure of VT-x goes to an undefined instruction of its own", () => {
  for (const name of ["vmread", "vmwrite", "vmxon", "vmclear", "vmptrld", "vmxoff", "invept", "invvpid"]) {
    const [, distance] = jbeToUd2.exec(code(name))!;
    assert.is(distance, "01", name); // over RET
  }
});

test("guest/x86.ts declares intrinsics as they are", () => {
  const text = readFileSync("packages/vmm/guest/x86.ts", "utf8");
  const declared = [...text.matchAll(/^export declare function (\w+)\(([^)]*)\): (\w+);/gm)];
  assert.ok(declared.length > 40);
  const letter = (type: string) => (type === "void" ? "v" : type === "u64" || type === "i64" ? "I" : "i");
  for (const [, name, parameters, result] of declared) {
    const signature = [...parameters!.matchAll(/: (\w+)/g)].map(([, type]) => letter(type!)).join("") + letter(result!);
    if (!name!.startsWith("addr_")) assert.is(x86.get(name!)?.signature, signature, name);
  }
});

test("all intrinsics compile", () => {
  for (const name of x86.keys()) code(name);
});

test.run();
