/** One random program in V8 and on our processor: results, memory and port accesses are equal. */
import { Random } from "@castaway/kit";
import { fakes, Io } from "./io.ts";
import { Native, type Outcome } from "./native.ts";
import { DATA, DATA_BYTES, type Program, randomProgram, randomValue } from "./program.ts";

export interface Comparison {
  /** What differs, or null. */
  readonly difference: string | null;
  readonly calls: number;
  readonly functions: number;
  readonly codeBytes: number;
  readonly instructions: number;
}

const CALLS = 8;

export async function compareProgram(seed: number, mutate?: (code: Uint8Array) => void): Promise<Comparison> {
  const random = new Random(seed);
  const program = randomProgram(random);
  return await compare(program, random, mutate);
}

async function compare(program: Program, random: Random, mutate?: (code: Uint8Array) => void): Promise<Comparison> {
  const ios = [new Io(), new Io()] as const;
  let memory: WebAssembly.Memory | undefined;
  const imports = { x86: fakes(ios[0], () => memory!) };
  const instance = await WebAssembly.instantiate(new WebAssembly.Module(program.bytes), imports);
  memory = instance.exports.memory as WebAssembly.Memory;
  const native = new Native(program.bytes, ios[1], mutate);
  let calls = 0;
  let difference: string | null = null;
  while (calls < CALLS && difference === null) {
    const { index, parameters, result } = program.functions[random.below(program.functions.length)]!;
    const values = parameters.map((type) => BigInt.asUintN(type === "i32" ? 32 : 64, randomValue(random)));
    const passed = values.map((value, n) => (parameters[n] === "i32" ? Number(BigInt.asIntN(32, value)) : value));
    const expected = inV8(() => (instance.exports[`f${index}`] as (...values: any[]) => any)(...passed));
    const got = native.call(`f${index}`, values);
    calls++;
    if (got === "endless") break; // too many rounds to wait for
    const told = `f${index}(${values.map((v) => v.toString(16)).join(", ")})`;
    if (result !== null && expected !== "trap" ? got !== expected : (got === "trap") !== (expected === "trap"))
      difference = `${told}: ${show(got)} instead of ${show(expected)}`;
    else if (expected === "trap")
      break; // memory is not compared after a trap
    else
      difference = sameData(memory, native) ?? (ios[0].trace === ios[1].trace ? null : "the ports were used otherwise");
    if (difference !== null && !difference.startsWith(told)) difference = `after ${told}: ${difference}`;
  }
  const { codeBytes, instructions } = native;
  return { difference, calls, functions: program.functions.length, codeBytes, instructions };
}

function inV8(call: () => number | bigint | undefined): Outcome {
  try {
    const result = call();
    return BigInt.asUintN(typeof result === "bigint" ? 64 : 32, BigInt(result ?? 0));
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return "trap";
    throw error;
  }
}

function sameData(memory: WebAssembly.Memory, { cpu }: Native): string | null {
  const expected = new Uint8Array(memory.buffer, DATA, DATA_BYTES);
  const got = cpu.read(DATA, DATA_BYTES);
  const at = expected.findIndex((byte, n) => byte !== got[n]);
  return at < 0
    ? null
    : `byte ${(DATA + at).toString(16)} is ${got[at]!.toString(16)} instead of ${expected[at]!.toString(16)}`;
}

const show = (outcome: Outcome) => (typeof outcome === "bigint" ? outcome.toString(16) : outcome);
