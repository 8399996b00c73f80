/**
 * Random modules: every opcode of the subset, addresses that wrap, calls by name and by pointer, loops that end. They
 * never trap by accident: addresses stay in memory, and divisors are not zero.
 */
import type { Random } from "@castaway/kit";
import type { ValueType } from "../../../packages/vmm/compiler/wasm/opcodes.ts";
import { type Bytes, encodeModule, i32, i64, op, type Signature, TYPE_CODES, unsigned } from "./encode.ts";

/** What is compared, from here on, so many bytes. */
export const DATA = 0x20000,
  DATA_BYTES = 0x12000;
export const PAGES = 4;

/** The intrinsics that a program uses; V8 gets fakes of them. */
// biome-ignore format: a table
export const IMPORTS: readonly (Signature & { readonly name: string })[] = [
  { name: "in8", parameters: ["i32"], result: "i32" }, { name: "in16", parameters: ["i32"], result: "i32" },
  { name: "in32", parameters: ["i32"], result: "i32" }, { name: "out8", parameters: ["i32", "i32"], result: null },
  { name: "out16", parameters: ["i32", "i32"], result: null }, { name: "out32", parameters: ["i32", "i32"], result: null },
  { name: "xchg32", parameters: ["i32", "i32"], result: "i32" }, { name: "xchg64", parameters: ["i32", "i64"], result: "i64" },
  { name: "xadd32", parameters: ["i32", "i32"], result: "i32" }, { name: "xadd64", parameters: ["i32", "i64"], result: "i64" },
  { name: "cmpxchg32", parameters: ["i32", "i32", "i32"], result: "i32" },
  { name: "cmpxchg64", parameters: ["i32", "i64", "i64"], result: "i64" },
];
/** How many of the first parameters are ports or addresses. */
const isPort = (name: string) => /^(in|out)/.test(name);

const EDGES = [
  0n,
  1n,
  -1n,
  2n,
  7n,
  31n,
  32n,
  63n,
  127n,
  128n,
  255n,
  256n,
  0x7fffffffn,
  -0x80000000n,
  0xffffffffn,
  1n << 63n,
];
const GLOBALS: readonly ValueType[] = ["i32", "i64", "i32"];
const BINARY = "add sub mul and or xor add sub".split(" ");
const SHIFTS = "shl shr_s shr_u rotl rotr".split(" ");
const COMPARISONS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split(" ");
const LOADS = {
  i32: "load load8_s load8_u load16_s load16_u".split(" "),
  i64: "load load8_s load8_u load16_s load16_u load32_s load32_u".split(" "),
};
const STORES = { i32: "store store8 store16".split(" "), i64: "store store8 store16 store32".split(" ") };

export interface Program {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly functions: readonly (Signature & { readonly index: number })[];
}

export function randomProgram(random: Random): Program {
  const pick = <T>(items: readonly T[]): T => items[random.below(items.length)]!;
  const type = () => pick(["i32", "i64"] as const);
  const signatures: Signature[] = Array.from({ length: 3 + random.below(4) }, () => ({
    parameters: Array.from({ length: random.below(10) }, type),
    result: random.below(8) === 0 ? null : type(),
  }));
  const functions = signatures.map((signature, n) => {
    const writer = new FunctionWriter(random, signatures, n);
    const code = writer.body();
    return { ...signature, locals: writer.locals.slice(signature.parameters.length), code };
  });
  const bytes = encodeModule({
    imports: IMPORTS,
    functions,
    globals: GLOBALS,
    table: signatures.map((_, n) => IMPORTS.length + n),
    data: [{ address: DATA, bytes: Array.from({ length: 256 }, () => random.below(256)) }],
    pages: PAGES,
  });
  return { bytes, functions: signatures.map((signature, n) => ({ ...signature, index: IMPORTS.length + n })) };
}

export const randomValue = (random: Random): bigint =>
  random.below(2) === 0
    ? EDGES[random.below(EDGES.length)]!
    : ((BigInt(random.u32()) << 32n) | BigInt(random.u32())) >> BigInt(random.below(64));

class FunctionWriter {
  readonly locals: ValueType[];
  readonly #random: Random;
  readonly #signatures: readonly Signature[];
  readonly #own: number;
  /** Locals that expressions may use; loop counters come after them. */
  readonly #free: number;
  #budget: number;
  #calls = 0;
  /** Open blocks around the code that is being written: what a branch to each carries; null if nobody may branch to it. */
  readonly #blocks: (ValueType | "nothing" | null)[] = [];

  constructor(random: Random, signatures: readonly Signature[], own: number) {
    this.#random = random;
    this.#signatures = signatures;
    this.#own = own;
    this.#budget = 50 + this.#below(150);
    const more = Array.from({ length: this.#below(12) }, () => this.#pick(["i32", "i64"] as const));
    this.locals = [...signatures[own]!.parameters, ...more];
    this.#free = this.locals.length;
  }

  body(): Bytes {
    const code: number[] = [];
    for (let n = 3 + this.#below(5); n > 0; n--) code.push(...this.#statement(4));
    const { result } = this.#signatures[this.#own]!;
    return result === null ? code : [...code, ...this.#value(result, 4)];
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }
  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)]!;
  }
  #local(type: ValueType): number | null {
    const fit = this.locals.flatMap((local, n) => (local === type && n < this.#free ? [n] : []));
    return fit.length === 0 ? null : this.#pick(fit);
  }
  #constant(type: ValueType): Bytes {
    const value = randomValue(this.#random);
    return type === "i32" ? i32(value) : i64(value);
  }

  // ---- expressions ----

  #value(type: ValueType, depth: number): Bytes {
    this.#budget--;
    const local = this.#local(type);
    if (depth <= 0 || this.#budget < 0)
      return local !== null && this.#below(3) > 0 ? op("local.get", local) : this.#constant(type);
    return this.#pick(this.#kinds)(type, depth - 1);
  }

  readonly #kinds: readonly ((type: ValueType, depth: number) => Bytes)[] = [
    (type) => this.#constant(type),
    (type) => this.#value(type, 0),
    (type) => this.#value(type, 0),
    (type, depth) => {
      const local = this.#local(type);
      const value = this.#value(type, depth);
      return local === null ? value : [...value, ...op("local.tee", local)];
    },
    (type, depth) => this.#binary(type, depth),
    (type, depth) => this.#binary(type, depth),
    (type, depth) => this.#binary(type, depth),
    (type, depth) => [
      ...this.#value(type, depth),
      ...(this.#below(2) === 0 ? this.#constant(type) : this.#value(type, depth)),
      ...op(`${type}.${this.#pick(SHIFTS)}`),
    ],
    (type, depth) => this.#division(type, depth),
    (type, depth) => [
      ...this.#value(type, depth),
      ...op(`${type}.${this.#pick(["clz", "ctz", "popcnt", "extend8_s", "extend16_s"])}`),
    ],
    (type, depth) => this.#conversion(type, depth),
    (type, depth) => this.#comparison(type, depth),
    (type, depth) => [
      ...this.#value(type, depth),
      ...this.#value(type, depth),
      ...this.#condition(depth),
      ...op("select"),
    ],
    (type, depth) => [
      ...this.#condition(depth),
      ...this.#block("if", type, () => [
        ...this.#statements(depth - 1),
        ...this.#value(type, depth),
        ...op("else"),
        ...this.#statements(depth - 1),
        ...this.#value(type, depth),
      ]),
    ],
    (type, depth) =>
      this.#block("block", type, () => [
        ...this.#statements(depth - 1),
        ...this.#value(type, depth),
        ...this.#condition(depth),
        ...op("br_if", 0),
        ...op("drop"),
        ...this.#value(type, depth),
      ]),
    (type, depth) => [...this.#address(depth), ...op(`${type}.${this.#pick(LOADS[type])}`, 0, this.#offset())],
    (type, depth) => this.#overwritten(type, depth),
    (type, depth) => this.#call(type, depth),
    (type, depth) => this.#intrinsic(type, depth),
    (type) => {
      const globals = GLOBALS.flatMap((global, n) => (global === type ? [n] : []));
      return op("global.get", this.#pick(globals));
    },
  ];

  #binary(type: ValueType, depth: number): Bytes {
    return [...this.#value(type, depth), ...this.#value(type, depth), ...op(`${type}.${this.#pick(BINARY)}`)];
  }
  /** By a number from 1 to 127, or by -1 where the quotient always fits. */
  #division(type: ValueType, depth: number): Bytes {
    const small = [
      ...this.#value(type, depth),
      ...this.#literal(type, 126n),
      ...op(`${type}.and`),
      ...this.#literal(type, 1n),
    ];
    const by = this.#below(4) === 0 ? this.#literal(type, -1n) : [...small, ...op(`${type}.or`)];
    const operation = by.length < 14 && this.#below(2) === 0 ? "rem_s" : this.#pick(["div_u", "rem_u", "rem_s"]);
    const dividend = this.#value(type, depth);
    if (this.#below(3) > 0) return [...dividend, ...by, ...op(`${type}.${operation}`)];
    return [...dividend, ...small, ...op(`${type}.or`), ...op(`${type}.div_s`)];
  }
  #literal(type: ValueType, value: bigint): Bytes {
    return type === "i32" ? i32(value) : i64(value);
  }
  /** The old value of a local that is set, or that one arm of an `if` sets, while it is waiting on the stack. */
  #overwritten(type: ValueType, depth: number): Bytes {
    const local = this.#local(type);
    if (local === null) return this.#binary(type, depth);
    const arm = () => [
      ...this.#value(type, depth),
      ...(this.#below(2) === 0 ? op("local.set", local) : op("drop")),
      ...this.#value(type, depth),
    ];
    if (this.#below(3) === 0) {
      const set = [...this.#value(type, depth), ...op("local.set", local)];
      return [...op("local.get", local), ...set, ...this.#value(type, depth), ...op(`${type}.${this.#pick(BINARY)}`)];
    }
    const chosen = this.#block("if", type, () => [...arm(), ...op("else"), ...arm()]);
    return [...op("local.get", local), ...this.#condition(depth), ...chosen, ...op(`${type}.${this.#pick(BINARY)}`)];
  }
  #conversion(type: ValueType, depth: number): Bytes {
    const wrapped = () => [...this.#value("i64", depth), ...op("i32.wrap_i64")];
    if (type === "i32") return wrapped();
    if (this.#below(3) === 0) return [...wrapped(), ...op("i64.extend_i32_u")];
    const from = this.#pick(["i64.extend_i32_s", "i64.extend_i32_u", "i64.extend32_s"]);
    return [...this.#value(from === "i64.extend32_s" ? "i64" : "i32", depth), ...op(from)];
  }
  #comparison(type: ValueType, depth: number): Bytes {
    const condition = this.#condition(depth);
    return type === "i32" ? condition : [...condition, ...op("i64.extend_i32_u")];
  }
  #condition(depth: number): Bytes {
    const type = this.#pick(["i32", "i64"] as const);
    const kind = this.#below(5);
    if (kind === 0) return this.#value("i32", depth);
    if (kind === 1) return [...this.#value(type, depth), ...op(`${type}.eqz`)];
    if (kind === 2) {
      const masked = [...this.#value(type, depth), ...this.#value(type, 0), ...op(`${type}.and`)];
      return type === "i32" && this.#below(2) === 0 ? masked : [...masked, ...op(`${type}.eqz`)];
    }
    const right = this.#below(2) === 0 ? this.#constant(type) : this.#value(type, depth);
    const swap = this.#below(4) === 0;
    const left = this.#value(type, depth);
    return [...(swap ? [...right, ...left] : [...left, ...right]), ...op(`${type}.${this.#pick(COMPARISONS)}`)];
  }

  /** Somewhere in the data, in the ways that compilers write addresses; the third and the fifth wrap at 2^32. */
  #address(depth: number): Bytes {
    const masked = (mask: number) => [...this.#value("i32", depth), ...i32(mask), ...op("i32.and")];
    const below = () => [...this.#value("i32", depth), ...i32(-0x8000), ...op("i32.or")]; // -32768 to -1
    const plus = (bytes: Bytes, value: number) => [...bytes, ...i32(value), ...op("i32.add")];
    switch (this.#below(7)) {
      case 0:
        return [...masked(0xfff8), ...i32(DATA), ...op("i32.or")];
      case 1:
        return plus(masked(0xfff8), DATA);
      case 2:
        return plus(below(), DATA + 0x8000);
      case 3:
        return plus([...masked(0x1fff), ...i32(3), ...op("i32.shl")], DATA);
      case 4:
        return [...below(), ...plus(masked(0x7ff8), DATA + 0x8000), ...op("i32.add")];
      case 5:
        return [...plus(masked(0x3fff), DATA), ...masked(0x1fff), ...i32(2), ...op("i32.shl"), ...op("i32.add")];
      default:
        return [...masked(0x7fff), ...i32(-DATA), ...op("i32.sub")];
    }
  }
  #offset(): number {
    return this.#below(3) === 0 ? 0 : this.#below(512);
  }

  #arguments(parameters: readonly ValueType[], depth: number): Bytes {
    return parameters.flatMap((type) => this.#value(type, depth));
  }
  #call(type: ValueType, depth: number): Bytes {
    const fit = this.#signatures.flatMap(({ result }, n) => (n < this.#own && result === type ? [n] : []));
    if (fit.length === 0 || this.#calls > 4) return this.#binary(type, depth);
    this.#calls++;
    const n = this.#pick(fit);
    const values = this.#arguments(this.#signatures[n]!.parameters, depth - 1);
    const index = IMPORTS.length + n;
    if (this.#below(3) > 0) return [...values, ...op("call", index)];
    // the index is computed: the function's number, added to what is zero
    const pointer = [
      ...this.#value("i32", depth),
      ...i32(0),
      ...op("i32.and"),
      ...i32(this.#slot(n)),
      ...op("i32.add"),
    ];
    return [...values, ...pointer, ...op("call_indirect", index, 0)];
  }
  /** A place in the table: now and then another function's, or none; the call then traps, unless the types are equal. */
  #slot(n: number): number {
    if (this.#below(25) > 0) return n;
    return this.#below(3) === 0 ? this.#signatures.length + this.#below(5) : this.#below(this.#own);
  }
  #intrinsic(type: ValueType | null, depth: number): Bytes {
    const fit = IMPORTS.flatMap(({ result }, n) => (result === type ? [n] : []));
    const index = this.#pick(fit);
    const { name, parameters } = IMPORTS[index]!;
    const first = isPort(name)
      ? [...this.#value("i32", depth), ...i32(0xffff), ...op("i32.and")]
      : this.#address(depth);
    return [...first, ...this.#arguments(parameters.slice(1), depth), ...op("call", index)];
  }

  // ---- statements ----

  #statements(depth: number): Bytes {
    if (depth < 0) return [];
    return Array.from({ length: this.#below(3) }, () => this.#statement(depth)).flat();
  }

  #statement(depth: number): Bytes {
    this.#budget -= 2;
    if (this.#budget < 0) return op("nop");
    return this.#pick(this.#sentences)(depth);
  }

  readonly #sentences: readonly ((depth: number) => Bytes)[] = [
    (depth) => this.#set(depth),
    (depth) => this.#set(depth),
    (depth) => this.#set(depth),
    (depth) => this.#store(depth),
    (depth) => this.#store(depth),
    (depth) => [
      ...this.#condition(depth),
      ...this.#block("if", "nothing", () => [
        ...this.#statements(depth - 1),
        ...(this.#below(2) === 0 ? [] : [...op("else"), ...this.#statements(depth - 1)]),
      ]),
    ],
    (depth) => this.#loop(depth),
    (depth) =>
      this.#block("block", "nothing", () => [
        ...this.#statements(depth - 1),
        ...this.#condition(depth),
        ...op("br_if", this.#branchable()),
        ...this.#statements(depth - 1),
        ...(this.#below(3) > 0 ? [] : op("br", this.#branchable())),
      ]),
    (depth) => this.#switch(depth),
    (depth) => this.#early(depth),
    (depth) => {
      const n = this.#below(GLOBALS.length);
      return [...this.#value(GLOBALS[n]!, depth), ...op("global.set", n)];
    },
    () => {
      const place = () => i32(DATA + this.#below(4096));
      return [...place(), ...place(), ...i32(this.#below(300)), ...op("memory.copy", 0, 0)];
    },
    (depth) => [
      ...i32(DATA + this.#below(4096)),
      ...this.#value("i32", depth),
      ...i32(this.#below(300)),
      ...op("memory.fill", 0),
    ],
    (depth) => this.#intrinsic(null, depth),
    (depth) => [...this.#value(this.#pick(["i32", "i64"]), depth), ...op("drop")],
  ];

  #set(depth: number): Bytes {
    const type = this.#pick(["i32", "i64"] as const);
    const local = this.#local(type);
    return local === null ? op("nop") : [...this.#value(type, depth), ...op("local.set", local)];
  }
  #store(depth: number): Bytes {
    const type = this.#pick(["i32", "i64"] as const);
    const name = `${type}.${this.#pick(STORES[type])}`;
    return [...this.#address(depth), ...this.#value(type, depth), ...op(name, 0, this.#offset())];
  }
  #block(name: "block" | "if" | "loop", result: ValueType | "nothing", inside: () => Bytes): Bytes {
    this.#blocks.push(name === "loop" ? null : result);
    const code = [...op(name), result === "nothing" ? 0x40 : TYPE_CODES[result], ...inside(), ...op("end")];
    this.#blocks.pop();
    return code;
  }
  /** The depth of a block around that carries nothing; the innermost is one. */
  #branchable(): number {
    const { length } = this.#blocks;
    return this.#pick(this.#blocks.flatMap((carried, n) => (carried === "nothing" ? [length - 1 - n] : [])));
  }
  #loop(depth: number): Bytes {
    const counter = this.locals.push("i32") - 1;
    const again = [...op("local.get", counter), ...i32(1), ...op("i32.add"), ...op("local.tee", counter)];
    return [
      ...i32(0),
      ...op("local.set", counter),
      ...this.#block("loop", "nothing", () => [
        ...this.#statements(depth - 1),
        ...again,
        ...i32(1 + this.#below(5)),
        ...op("i32.lt_u"),
        ...op("br_if", 0),
      ]),
    ];
  }
  #switch(depth: number): Bytes {
    const table = () => [
      ...this.#value("i32", depth),
      ...(this.#below(2) === 0 ? [...i32(3), ...op("i32.and")] : []),
      ...op("br_table"),
      ...unsigned(3),
      ...[0, 1, 2, this.#below(3)],
    ];
    const one = (inside: () => Bytes) => this.#block("block", "nothing", inside);
    return one(() => [
      ...one(() => [...one(table), ...this.#statements(depth - 1), ...(this.#below(2) === 0 ? op("br", 1) : [])]),
      ...this.#statements(depth - 1),
    ]);
  }
  #early(depth: number): Bytes {
    const { result } = this.#signatures[this.#own]!;
    const leave = () => [...(result === null ? [] : this.#value(result, depth)), ...op("return")];
    return [...this.#condition(depth), ...this.#block("if", "nothing", leave)];
  }
}
