/** Guest TypeScript as it is written, compiled by asc, in V8 and as machine code: what each export returns, and all memory. */
import { Random } from "@castaway/kit";
import { compileSources } from "@castaway/vmm/compiler";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseModule } from "../../../packages/vmm/compiler/wasm/parse.ts";
import { fakes, Io } from "./io.ts";
import { Native } from "./native.ts";
import { randomValue } from "./program.ts";

const test = suite("compiled TypeScript");

const X86 =
  "export declare function in32(port: u32): u32;\nexport declare function out32(port: u32, value: u32): void;\n";
/** What a hypervisor is made of: structures over memory, virtual methods, tables of functions, state machines, bit maps. */
const MAIN = `
import { in32, out32 } from "./x86.ts";

@unmanaged class Header { length: u16; flags: u16; address: u64; }
abstract class Mediator { count: u32 = 0; abstract onRead(port: u32): u32; }
class Counter extends Mediator { onRead(port: u32): u32 { return ++this.count + port; } }
class Gate extends Mediator { constructor(private key: u32) { super(); } onRead(port: u32): u32 { return port ^ this.key ^ this.count; } }
const mediators = new StaticArray<Mediator>(3);
mediators[0] = new Counter(); mediators[1] = new Gate(0x55aa); mediators[2] = new Counter();
type Handler = (a: u32, b: u64) => u64;
function sum(a: u32, b: u64): u64 { return b + a; }
function turn(a: u32, b: u64): u64 { return b << (a & 63) | b >> ((64 - a) & 63); }
function scale(a: u32, b: u64): u64 { return b / ((a & 0xff) + 1); }
const handlers: StaticArray<Handler> = [sum, turn, scale];
const bits = new StaticArray<u64>(64);
const text = "missing: unrestricted guest";

export function dispatch(n: u32, port: u32): u32 { return mediators[n % 3].onRead(port); }
export function handle(n: u32, a: u32, b: u64): u64 { return handlers[n % 3](a, b); }
export function mark(first: u32, count: u32): u32 {
  let changed: u32 = 0;
  for (let n = first & 4095, end = min<u32>(n + (count & 255), 4096); n < end; n++) {
    const word = bits[n >> 6], bit = <u64>1 << (n & 63);
    if (!(word & bit)) { bits[n >> 6] = word | bit; changed++; }
  }
  return changed;
}
export function free(from: u32): i32 {
  for (let n = from & 63; n < 64; n++) { const rest = ~bits[n]; if (rest != 0) return <i32>((n << 6) + <u32>ctz(rest)); }
  return -1;
}
export function hash(n: u32): u32 {
  let h: u32 = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = (h ^ <u32>text.charCodeAt(i) ^ n) * 0x01000193;
  return h;
}
export function header(at: u32, address: u64): u64 {
  const h = changetype<Header>(0x1a0000 + (at & 0xff0));
  h.length = <u16>address; h.flags |= <u16>(address >> 60); h.address = bswap(address);
  memory.copy(0x1a1003 + (at & 0xff), changetype<usize>(h), 16);
  return load<u64>(0x1a1000 + (at & 0xff)) + <u64>(<i16>h.length);
}
export function step(state: u32, event: u32): u32 {
  switch (state & 7) {
    case 0: return event & 1 ? 1 : 2;
    case 1: out32(0x510, event); return event > 100 ? 3 : 0;
    case 2: return in32(event & 0xffff) & 7;
    case 3: { let n = event; while (n >= 8) n = n / 3 + (n & 1); return n; }
    case 4: return clz(event) > 4 ? 5 : 6;
    case 5: return <u32>(<i32>event >> 29) & 7;
    default: return rotl(event, state) & 7;
  }
}
export function many(a: u32, b: u64, c: u32, d: u64, e: u32, f: u64, g: u32, h: u64, i: i32): i64 {
  return <i64>(a + c + e + g) * i + <i64>(b ^ d ^ f ^ h) % (<i64>i | 1) + <i64>popcnt(f);
}
`;
const DATA = 0x180000,
  DATA_BYTES = 0x30000;

test("400 random calls agree in result, memory and port accesses", async () => {
  const { wasm } = await compileSources({ "main.ts": MAIN, "x86.ts": X86 }, ["main.ts"]);
  const ios = [new Io(), new Io()] as const;
  let memory: WebAssembly.Memory | undefined;
  const abort = () => assert.unreachable("abort");
  const imports = { x86: fakes(ios[0], () => memory!), env: { abort } };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(wasm)), imports);
  memory = instance.exports.memory as WebAssembly.Memory;
  const native = new Native(wasm, ios[1]);
  (instance.exports._start as () => void)();
  native.call("_start", []);
  const { exports, functions } = parseModule(wasm);
  const names = [...exports.keys()].filter((name) => name !== "_start");
  assert.is(names.length, 8);
  const random = new Random(7);
  for (let n = 0; n < 400; n++) {
    const name = names[n % names.length]!;
    const { parameters, results } = functions[exports.get(name)!]!.type;
    const values = parameters.map((type) => BigInt.asUintN(type === "i32" ? 32 : 64, randomValue(random)));
    const passed = values.map((v, i) => (parameters[i] === "i32" ? Number(BigInt.asIntN(32, v)) : v));
    const expected = (instance.exports[name] as (...values: unknown[]) => number | bigint)(...passed);
    const about = `${name}(${values.join(", ")})`;
    assert.is(native.call(name, values), BigInt.asUintN(results[0] === "i64" ? 64 : 32, BigInt(expected)), about);
    assert.is(ios[0].trace, ios[1].trace, about);
    const theirs = Buffer.from(memory.buffer, DATA, DATA_BYTES);
    assert.ok(theirs.equals(native.cpu.read(DATA, DATA_BYTES)), `memory after ${about}`);
  }
  assert.ok(ios[0].count > 3, "ports are used");
});

test.run();
