/** A unit on which x87 tests run single instructions in the evaluator: stack and status word in a form that reads well. */
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import { DATA, type Rig, rig } from "./vector.test-support.ts";
import { x87Instructions } from "./x87.ts";

export { DATA };
export const ONE = 0x3fff_8000_0000_0000_0000n, INDEFINITE = 0xffff_c000_0000_0000_0000n;
const SIGN = 1n << 79n;
/** Small integers as 80-bit numbers. */
export function real(n: number): bigint {
  if (n === 0) return 0n;
  const magnitude = BigInt(Math.abs(n)), width = magnitude.toString(2).length;
  return (n < 0 ? SIGN : 0n) | BigInt(16383 + width - 1) << 64n | magnitude << BigInt(64 - width);
}

/** What is so before an instruction. The stack from ST(0) on; what is absent, or null, is empty. TOP is 4. */
export interface Before {
  readonly st?: readonly (bigint | null)[];
  readonly fcw?: number;
  /** Besides TOP. */
  readonly fsw?: string;
  /** At DS:RSI. */
  readonly memory?: bigint;
}
/** What is so after it; what is absent stays. `fsw` has the names of bits, and of TOP where it is not 4. */
export interface After {
  readonly st?: readonly (bigint | null)[];
  readonly fsw?: string;
  readonly memory?: bigint;
  readonly fault?: string;
}

const BITS = "IE DE ZE OE UE PE SF ES C0 C1 C2 TOP . . C3 B".split(" ");
const status = (names: string): number => names.split(" ").filter(Boolean).reduce((bits, name) => {
  assert.ok(BITS.includes(name), name);
  return bits | 1 << BITS.indexOf(name);
}, 0);
function statusNames(fsw: number): string {
  const top = fsw >> 11 & 7, names = BITS.filter((name, n) => !/TOP|\./.test(name) && fsw & 1 << n);
  return (top === 4 ? names : [...names, `TOP=${top}`]).join(" ");
}

/** One for all tests: memory takes its time to make. */
const shared: Rig = rig(x87Instructions);

export class X87 {
  readonly rig = shared;
  constructor() {
    shared.mode(64);
    for (const at of [S.FOP, S.FCS, S.FDS]) this.u16[at >> 1] = 0;
    for (const at of [S.FIP, S.FDP]) shared.cpu.setU64(at, 0n);
  }
  get u16(): Uint16Array { return this.rig.cpu.memory.u16; }
  /** A field of two bytes. */
  word(at: number): number { return this.u16[at >> 1]!; }

  set({ st = [], fcw = 0x37f, fsw = "", memory = 0n }: Before): void {
    const { rig, u16 } = this;
    u16[S.FCW >> 1] = fcw;
    u16[S.FSW >> 1] = 4 << 11 | status(fsw);
    u16[S.FTW >> 1] = 0;
    for (let i = 0; i < 8; i++) {
      rig.setFpr((4 + i) & 7, st[i] ?? 0n);
      if (st[i] !== null && i < st.length) u16[S.FTW >> 1]! |= 1 << ((4 + i) & 7);
    }
    rig.cpu.setGpr(6, BigInt(DATA));
    rig.ram.fill(0);
    rig.poke(DATA, 16, memory);
  }
  /** The stack from ST(0) to the last register that is not empty. */
  get st(): (bigint | null)[] {
    const top = this.word(S.FSW) >> 11, tags = this.word(S.FTW);
    const all = Array.from({ length: 8 }, (_, i) => (tags >> ((top + i) & 7) & 1 ? this.rig.fpr((top + i) & 7) : null));
    while (all.at(-1) === null) all.pop();
    return all;
  }
  get status(): string { return statusNames(this.word(S.FSW)); }
  step(code: string): string { return this.rig.step(code.split(" ").map((byte) => Number.parseInt(byte, 16))) ?? ""; }
}
/** Runs an instruction, and compares the stack, FSW and memory with what is expected. */
export function expect(code: string, before: Before, after: After): void {
  const unit = new X87();
  unit.set(before);
  const was = unit.status, fault = unit.step(code), hex = (values: readonly (bigint | null)[]) => values.map((v) => (v === null ? "empty" : v.toString(16).padStart(20, "0"))).join(" ");
  const got = { fault, fsw: unit.status, st: hex(unit.st), memory: unit.rig.peek(DATA, 16).toString(16) };
  const wanted = { fault: after.fault ?? "", fsw: after.fsw ?? was, st: hex(after.st ?? before.st ?? []), memory: (after.memory ?? before.memory ?? 0n).toString(16) };
  assert.equal(got, wanted, code);
}
