/**
 * Register maps: a device's registers as one checked table. The table decides which bits a guest can write and how,
 * what accesses of other sizes and across registers do, reset values, names, and the shape of the saved state; the
 * device only says what happens after a write.
 *
 *     export const PORT = registers({
 *       CLB: rw(0x00, 0xfffffc00, "AHCI 3.3.1"),
 *       IS: w1c(0x10, 0xffffffff, "AHCI 3.3.5"),
 *       SIG: ro(0x24, 0x00000101, "AHCI 3.3.9"),
 *       CI: w1s(0x38, 0xffffffff, "AHCI 3.3.14"),
 *     });
 *     const regs = PORT.file({ CI: () => start(), IS: () => drive() });
 *     regs.write(0x38, 4, 1);       // the guest's door: masked, and CI's hook runs
 *     regs.CI &= ~1;                // the device's door: every bit, and no hook
 *
 * All is little-endian, as on every bus of a PC.
 */
import { hex, ones } from "./bits.ts";
import { assert } from "./errors.ts";
import { record, type Shape, u8, u16, u32 } from "./state.ts";

/** How many bytes a register or an access has. */
export type Width = 1 | 2 | 4;

/** One row of a register map. Bits that neither `rw`, `w1c` nor `w1s` names ignore what the guest writes. */
export type Register = {
  /** Of its first byte, from the start of the map. */
  readonly offset: number;
  readonly size: Width;
  /** Its value after power-on and reset. */
  readonly reset: number;
  /** Bits that take the written value. */
  readonly rw: number;
  /** Bits that a written 1 clears. */
  readonly w1c: number;
  /** Bits that a written 1 sets; only the device clears them. */
  readonly w1s: number;
  /** Reads as 0 unless a hook says otherwise. */
  readonly hidden: boolean;
  /** The place in the specification that this row follows: `"AHCI 3.3.7"`. */
  readonly cite: string;
};

/** What most registers leave out: 4 bytes, 0 after reset. */
type Options = { size?: Width; reset?: number };

/** A register of several kinds of bits: `bits(0x06, { rw: 0x0400, w1c: 0xf900 }, "PCI 6.2.3", { size: 2 })`. */
export function bits(
  offset: number,
  kinds: { rw?: number; w1c?: number; w1s?: number },
  cite: string,
  { size = 4, reset = 0 }: Options = {},
): Register {
  const { rw = 0, w1c = 0, w1s = 0 } = kinds;
  return { offset, size, reset, rw, w1c, w1s, hidden: false, cite };
}

/** A register whose bits in `mask` the guest reads and writes. */
export const rw = (offset: number, mask: number, cite: string, options?: Options): Register =>
  bits(offset, { rw: mask }, cite, options);

/** A register whose bits in `mask` the guest clears by writing 1: what happened, acknowledged. */
export const w1c = (offset: number, mask: number, cite: string, options?: Options): Register =>
  bits(offset, { w1c: mask }, cite, options);

/** A register whose bits in `mask` the guest sets by writing 1 and cannot clear: what it asks for. */
export const w1s = (offset: number, mask: number, cite: string, options?: Options): Register =>
  bits(offset, { w1s: mask }, cite, options);

/** A register that the guest cannot write, of the given value until the device changes it. */
export const ro = (offset: number, value: number, cite: string, options?: { size?: Width }): Register =>
  bits(offset, {}, cite, { ...options, reset: value });

/** A register whose bits in `mask` the guest writes but reads as 0: a command. */
export const wo = (offset: number, mask: number, cite: string, options?: Options): Register => ({
  ...bits(offset, { rw: mask }, cite, options),
  hidden: true,
});

/**
 * What a device does when the guest accesses a register. A plain function is a `write`.
 *
 * `write` runs after the register has changed; it is given what the guest wrote (bytes that the access did not cover
 * are 0) and the value before. `read` gives the value that the guest sees, in place of the stored one: a counter, or a
 * register that reading clears.
 */
export type Hook =
  | ((written: number, before: number) => void)
  | { read?: () => number; write?: (written: number, before: number) => void };

/** An access to bytes where the map has no register; `value` is what was written, undefined on a read. */
export type Unclaimed = { offset: number; size: Width; value: number | undefined };

export type FileOptions = {
  /** What a byte without a register reads as: 0 unless given. */
  hole?: number;
  /** Told of every access that touches a byte without a register. */
  unclaimed?: (access: Unclaimed) => void;
};

/** The registers' stored values by name; as properties of a file, the device's door. Values are unsigned. */
export type RegisterValues<N extends string> = { [name in N]: number };

/** One device's registers: {@link RegisterFile}, and each register as a property. */
export type Registers<N extends string> = RegisterFile<N> & RegisterValues<N>;

/**
 * Checks a register map; a mistake in it is an {@link InternalError} that names the rows.
 * Names are the specification's and start with a capital letter.
 */
export function registers<N extends string>(rows: Record<N, Register>): RegisterMap<N> {
  return new RegisterMap(rows);
}

/** A checked register map. Made by {@link registers}. */
export class RegisterMap<N extends string> {
  /** The registers' names in the order of their offsets. */
  readonly names: readonly N[];
  /** The rows, in the same order. */
  readonly rows: readonly Register[];
  /** The place of each register in that order. */
  readonly at: { readonly [name in N]: number };
  /** The shape of what a file of this map saves. */
  readonly state: Shape<RegisterValues<N>>;
  /** For every byte the index of its row, or -1. */
  readonly #owner: Int16Array;
  readonly #File: new (
    hooks: Hooks<N>,
    options: FileOptions,
  ) => Registers<N>;

  constructor(table: Record<N, Register>) {
    const names = Object.keys(table) as N[];
    this.names = names.sort((a, b) => table[a].offset - table[b].offset);
    this.rows = this.names.map((name) => table[name]);
    this.at = Object.fromEntries(this.names.map((name, index) => [name, index])) as { [name in N]: number };
    for (const [index, row] of this.rows.entries()) checkRow(this.names[index], row);
    this.#owner = new Int16Array(Math.max(0, ...this.rows.map(({ offset, size }) => offset + size))).fill(-1);
    for (const [index, { offset, size }] of this.rows.entries()) {
      for (let at = offset; at < offset + size; at++) {
        const other = this.names[this.#owner[at]];
        assert(other === undefined, "two registers never share a byte", { at, register: this.names[index], other });
        this.#owner[at] = index;
      }
    }
    const shapes = { 1: u8, 2: u16, 4: u32 };
    const fields = this.names.map((name) => [name, shapes[table[name].size]]);
    this.state = record(Object.fromEntries(fields)) as unknown as Shape<RegisterValues<N>>;
    this.#File = fileClass(this);
  }

  /** The index in {@link names} and {@link rows} of the register that holds the byte at `offset`, or -1. */
  indexAt(offset: number): number {
    return offset >= 0 && offset < this.#owner.length ? this.#owner[offset] : -1;
  }

  /** The name of the register that holds the byte at `offset`, for traces: `"CI"`, `"CI+2"`, or `"0x7c"`. */
  nameAt(offset: number): string {
    const index = this.indexAt(offset);
    if (index < 0) return `0x${hex(offset)}`;
    const within = offset - this.rows[index].offset;
    return within === 0 ? this.names[index] : `${this.names[index]}+${within}`;
  }

  /** A device's registers of this map, as after reset. */
  file(hooks: Hooks<N> = {}, options: FileOptions = {}): Registers<N> {
    return new this.#File(hooks, options);
  }
}

type Hooks<N extends string> = { readonly [name in N]?: Hook };

function checkRow(name: string, { offset, size, reset, rw, w1c, w1s }: Register): void {
  const state = { register: name, offset, size };
  assert(/^[A-Z]\w*$/.test(name), "a register's name is the specification's, and starts with a capital letter", state);
  assert(Number.isInteger(offset) && offset >= 0 && offset < 0x10_0000, "offsets lie below 1 MiB", state);
  for (const mask of [reset, rw, w1c, w1s]) {
    const fits = Number.isInteger(mask) && mask >= 0 && mask <= ones(8 * size);
    assert(fits, "a register's masks and reset value fit its size", { ...state, mask });
  }
  const overlap = (rw & w1c) | (rw & w1s) | (w1c & w1s);
  assert(overlap === 0, "a bit is of one kind", { ...state, bits: overlap >>> 0 });
}

/** The registers of one device. Made by {@link RegisterMap.file}. */
export class RegisterFile<N extends string> {
  readonly map: RegisterMap<N>;
  /**
   * The stored values at their places, {@link RegisterMap.at}: what a device looks at many times a frame it reads here, since
   * engines find a property of one of many kinds of file slowly.
   */
  readonly values: Uint32Array;
  readonly #reads: ((() => number) | undefined)[];
  readonly #writes: (((written: number, before: number) => void) | undefined)[];
  readonly #hole: number;
  readonly #unclaimed: ((access: Unclaimed) => void) | undefined;

  /** Not for use outside: see {@link RegisterMap.file}. */
  constructor(map: RegisterMap<N>, hooks: Hooks<N>, { hole = 0, unclaimed }: FileOptions) {
    this.map = map;
    this.values = new Uint32Array(map.names.length);
    const all = map.names.map((name): Hook => hooks[name] ?? {});
    this.#reads = all.map((hook) => (typeof hook === "function" ? undefined : hook.read));
    this.#writes = all.map((hook) => (typeof hook === "function" ? hook : hook.write));
    this.#hole = hole & 0xff;
    this.#unclaimed = unclaimed;
    this.reset();
  }

  /**
   * The guest reads `size` bytes at `offset`, in one or several registers, or in parts of them. Hooks run once for
   * every register that is touched, in the order of offsets. Accesses of 8 bytes are two of 4.
   */
  read(offset: number, size: Width): number {
    let value = 0;
    let holes = false;
    for (let done = 0; done < size; ) {
      const index = this.map.indexAt(offset + done);
      if (index < 0) {
        holes = true;
        value |= this.#hole << (8 * done++);
        continue;
      }
      const row = this.map.rows[index];
      const skip = offset + done - row.offset;
      const count = Math.min(row.size - skip, size - done);
      const hook = this.#reads[index];
      const whole = hook ? hook() : row.hidden ? 0 : this.values[index];
      value |= ((whole >>> (8 * skip)) & ones(8 * count)) << (8 * done);
      done += count;
    }
    if (holes && this.#unclaimed) this.#unclaimed({ offset, size, value: undefined });
    return value >>> 0;
  }

  /** The guest writes the low `size` bytes of `value` at `offset`; otherwise as {@link read}. */
  write(offset: number, size: Width, value: number): void {
    let holes = false;
    for (let done = 0; done < size; ) {
      const index = this.map.indexAt(offset + done);
      if (index < 0) {
        holes = true;
        done++;
        continue;
      }
      const row = this.map.rows[index];
      const skip = offset + done - row.offset;
      const count = Math.min(row.size - skip, size - done);
      const covered = ones(8 * count) << (8 * skip);
      const written = (((value >>> (8 * done)) << (8 * skip)) & covered) >>> 0;
      const before = this.values[index];
      const kept = before & ~(row.rw & covered) & ~(row.w1c & written);
      this.values[index] = kept | (row.rw & written) | (row.w1s & written);
      this.#writes[index]?.(written, before);
      done += count;
    }
    if (holes && this.#unclaimed) this.#unclaimed({ offset, size, value: (value & ones(8 * size)) >>> 0 });
  }

  /** Every register gets its reset value; no hook runs. */
  reset(): void {
    for (const [index, { reset }] of this.map.rows.entries()) this.values[index] = reset;
  }

  /** The stored values by name. Runs no hook, so it is also the way to inspect a device. */
  save(): RegisterValues<N> {
    const entries = this.map.names.map((name, index) => [name, this.values[index]]);
    return Object.fromEntries(entries) as RegisterValues<N>;
  }

  /** Takes over saved values; no hook runs, so the device recomputes its lines afterwards. */
  restore(state: RegisterValues<N>): void {
    this.map.state.check(state, "");
    for (const [index, name] of this.map.names.entries()) this.values[index] = state[name];
  }

  /** Gives `prototype` a property for every register of `map`. The prototype, so that access stays a plain load. */
  static addProperties<N extends string>(map: RegisterMap<N>, prototype: RegisterFile<N>): void {
    for (const [index, name] of map.names.entries()) {
      const mask = ones(8 * map.rows[index].size);
      Object.defineProperty(prototype, name, {
        get(this: RegisterFile<N>) {
          return this.values[index];
        },
        set(this: RegisterFile<N>, value: number) {
          this.values[index] = value & mask;
        },
      });
    }
  }
}

/** A class of its own for a map's files, so that all files of one map share their properties. */
function fileClass<N extends string>(map: RegisterMap<N>): new (hooks: Hooks<N>, options: FileOptions) => Registers<N> {
  class File extends RegisterFile<N> {
    constructor(hooks: Hooks<N>, options: FileOptions) {
      super(map, hooks, options);
    }
  }
  RegisterFile.addProperties(map, File.prototype);
  return File as unknown as new (
    hooks: Hooks<N>,
    options: FileOptions,
  ) => Registers<N>;
}
