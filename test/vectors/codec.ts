/**
 * Outcomes as bytes: only what differs from what a case would be if its instruction did nothing.
 *
 * A record is: vector + 1 (0: completed); for exceptions the error code, for page faults CR2; the runs of bytes in
 * which the state differs from the expected one; the runs of memory that changed. Numbers are LEB128.
 */
import { DATA } from "./environment.ts";
import { type Case, type Outcome, type Patch, STATE, viewOf } from "./layout.ts";

const PAGE_FAULT = 14;
/** Runs that are closer to each other than this become one. */
const GAP = 2;

/** The state if the instruction did nothing: RIP stays for a fault and moves behind the instruction otherwise. */
function expected(c: Case, completed: boolean): Uint8Array {
  const state = c.state.slice();
  const view = viewOf(state);
  const rip = view.getBigUint64(STATE.RIP, true);
  if (completed) view.setBigUint64(STATE.RIP, rip + BigInt(c.code.length), true);
  return state;
}

export class Writer {
  #bytes = new Uint8Array(1 << 16);
  #length = 0;

  number(value: number): void {
    for (; value >= 0x80; value = Math.floor(value / 128)) this.#byte((value % 128) | 0x80);
    this.#byte(value);
  }
  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }
  outcome(c: Case, outcome: Outcome): void {
    this.number(outcome.vector + 1);
    if (outcome.vector >= 0) this.number(outcome.error);
    if (outcome.vector === PAGE_FAULT) this.bytes(new Uint8Array(BigUint64Array.of(outcome.cr2).buffer));
    this.#state(expected(c, outcome.vector < 0), outcome.state);
    this.number(outcome.patches.length);
    let end = DATA.address;
    for (const patch of outcome.patches) {
      this.number(patch.address - end);
      this.number(patch.bytes.length);
      this.bytes(patch.bytes);
      end = patch.address + patch.bytes.length;
    }
  }
  done(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #state(before: Uint8Array, after: Uint8Array): void {
    const runs: [number, number][] = [];
    for (let at = 0; at < after.length; at++) {
      if (after[at] === before[at]) continue;
      const last = runs.at(-1);
      if (last && at - last[1] < GAP) last[1] = at + 1;
      else runs.push([at, at + 1]);
    }
    this.number(runs.length);
    let end = 0;
    for (const [from, to] of runs) {
      this.number(from - end);
      this.number(to - from);
      this.bytes(after.subarray(from, to));
      end = to;
    }
  }
  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }
  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const wider = new Uint8Array(2 * this.#bytes.length + count);
    wider.set(this.#bytes);
    this.#bytes = wider;
  }
}

export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  number(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes(1)[0]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }
  bytes(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw new Error("vectors: the data ends inside a record");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
  outcome(c: Case): Outcome {
    const vector = this.number() - 1;
    const error = vector >= 0 ? this.number() : 0;
    const cr2 = vector === PAGE_FAULT ? viewOf(this.bytes(8)).getBigUint64(0, true) : 0n;
    const state = expected(c, vector < 0);
    let at = 0;
    for (let runs = this.number(); runs > 0; runs--) {
      at += this.number();
      const run = this.bytes(this.number());
      state.set(run, at);
      at += run.length;
    }
    const patches: Patch[] = [];
    let end = DATA.address;
    for (let count = this.number(); count > 0; count--) {
      const address = end + this.number();
      const bytes = this.bytes(this.number());
      patches.push({ address, bytes });
      end = address + bytes.length;
    }
    return { state, vector, error, cr2, patches };
  }
}
