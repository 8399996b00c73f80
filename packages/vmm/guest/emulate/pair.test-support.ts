/**
 * An instruction carried out by the emulated processor, whose device answers at REGISTERS, and by the VMM's emulator in V8,
 * from the state that the processor leaves when it may not access the device. What differs is a text.
 */
import { Cpu, type FlatMode, GPR_NAMES } from "@castaway/cpu";
import Long from "long";
import { compileGuest } from "../rig/compile.test-support.ts";

export const REGISTERS = 0xb000_0000;
export const RAM = 0x20000;
/** Where processor and emulator agree that nothing is: the VMM's own page in emulate.test-entry.ts. */
export const HIDDEN = 0x70_0000;
export const SEGMENTS = ["ES", "CS", "SS", "DS", "FS", "GS"] as const;
export const OUTCOMES = ["done", "exception", "refused"] as const;

const INVALID_OPCODE = 6;
const NOT_KNOWN = -1;

/** What differs from the flat mode that the instruction runs in. */
export interface Case {
  readonly mode: FlatMode;
  /** Where the code is, by its linear address. */
  readonly at: number;
  readonly code: readonly number[];
  readonly registers: readonly bigint[];
  readonly flags: number;
  readonly segments: Readonly<Record<string, { base?: bigint; limit?: number; rights?: number }>>;
  /** Paging structures with some pages missing or restricted, as programs.test-support.ts makes them. */
  readonly paging?: Paging;
  /** What the device answers, one after the other, cut to size. */
  readonly answers: readonly number[];
  /** The exit's address, if the processor makes no access to the device. */
  readonly exit: number;
}
/** Entries by their addresses, 4 or 8 bytes wide, and the control registers that use them. */
export interface Paging {
  readonly entries: ReadonlyMap<number, bigint>;
  readonly bytes: 4 | 8;
  readonly control: Readonly<Record<string, number>>;
}
interface Result {
  readonly outcome: string;
  readonly log: string;
  readonly registers: Record<string, bigint>;
  readonly ram: Uint8Array;
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  _start?(): void;
  block(): number;
  emulate(physical: bigint, linear: bigint, access: number): number;
  refusal(): number;
  vector(): number;
  errorCode(): number;
  faultAddress(): bigint;
  dropped(): bigint;
  translate(linear: bigint, access: number, user: number, overridesSmap: number): number;
  physical(): bigint;
  walkError(): number;
}
/** A device whose registers are not remembered: it answers what it is told to, and keeps a log. */
class Device {
  answers: readonly number[] = [];
  log: string[] = [];
  #reads = 0;

  begin(answers: readonly number[]): void {
    this.answers = answers;
    this.log = [];
    this.#reads = 0;
  }
  read(address: number, bytes: number): number {
    const value = (this.answers[this.#reads++ % this.answers.length]! & (0xffffffff >>> (32 - 8 * bytes))) >>> 0;
    this.log.push(`read ${address.toString(16)} ${bytes} ${value.toString(16)}`);
    return value;
  }
  write(address: number, bytes: number, value: number): void {
    this.log.push(`write ${address.toString(16)} ${bytes} ${(value >>> 0).toString(16)}`);
  }
}

export const word = (value: number | bigint) => BigInt.asUintN(64, BigInt(value));
const long = (value: bigint) => Long.fromBits(Number(value & 0xffffffffn), Number(value >> 32n), true);
const bigint = (value: Long) => (BigInt(value.getHighBitsUnsigned()) << 32n) | BigInt(value.getLowBitsUnsigned());

/** The emulator's code in V8, with physical memory and a device. */
export class Emulated {
  readonly exports: Exports;
  readonly device = new Device();
  ram: Uint8Array = new Uint8Array(RAM);
  #block: number;

  constructor(guest: WebAssembly.Module) {
    const known: Record<string, (...args: any[]) => unknown> = {
      registerRead: (address: bigint, bytes: number) => this.device.read(Number(address), bytes) | 0,
      registerWrite: (address: bigint, bytes: number, value: number) =>
        this.device.write(Number(address), bytes, value),
      physRead8: (address: bigint) => Number(this.#read(address, 1)),
      physRead16: (address: bigint) => Number(this.#read(address, 2)),
      physRead32: (address: bigint) => Number(this.#read(address, 4)),
      physRead64: (address: bigint) => this.#read(address, 8),
      physWrite8: (address: bigint, value: number) => this.#write(address, 1, value),
      physWrite16: (address: bigint, value: number) => this.#write(address, 2, value),
      physWrite32: (address: bigint, value: number) => this.#write(address, 4, value),
    };
    const imports: Record<string, Record<string, any>> = {};
    for (const { module, name } of WebAssembly.Module.imports(guest)) {
      (imports[module] ??= {})[name] =
        known[name] ??
        (() => {
          throw new Error(`${name} was called`);
        });
    }
    this.exports = new WebAssembly.Instance(guest, imports).exports as unknown as Exports;
    this.exports._start?.();
    this.#block = this.exports.block();
  }
  /** Beyond memory all bits are ones, and writes are lost, as for the processor. */
  #read(address: bigint, bytes: number): bigint {
    let value = 0n;
    const at = Number(BigInt.asUintN(64, address));
    for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.ram[at + i] ?? 0xff);
    return value;
  }
  #write(address: bigint, bytes: number, value: number): void {
    const at = Number(BigInt.asUintN(64, address));
    for (let i = 0; i < bytes; i++) if (at + i < this.ram.length) this.ram[at + i] = value >>> (8 * i);
  }
  /** The block of words of emulate.test-entry.ts. */
  get words(): BigUint64Array {
    return new BigUint64Array(this.exports.memory.buffer, this.#block, 64);
  }
}

/** A second translation as EPT makes it, one to one, that refuses the device's pages and remembers where. */
class Hole {
  page = 0;
  readonly steps = 0;
  exit = -1;
  /** As the emulator calls it: 0 for reads, 1 for writes. */
  access = 0;

  structure(address: number): boolean {
    this.page = Math.floor(address / 4096);
    return true;
  }
  markStructure(): boolean {
    return true;
  }
  final(address: number, access = 0): boolean {
    if (address >= REGISTERS && address < REGISTERS + 0x2000) {
      this.exit = address;
      this.access = access;
    } else this.structure(address);
    return this.exit < 0;
  }
  leave(): void {}
  observer(): Hole {
    return this;
  }
}

export class Pair {
  readonly cpu = new Cpu({ memory: RAM, executor: "evaluator", model: "skylake" });
  readonly emulated: Emulated;
  readonly #device = new Device();
  #fault: string | null = null;
  #access = NOT_KNOWN;

  static async make(): Promise<Pair> {
    return new Pair(await compileGuest("emulate/emulate.test-entry.ts"));
  }
  constructor(guest: WebAssembly.Module) {
    this.emulated = new Emulated(guest);
    this.cpu.mapDevice(REGISTERS, 0x2000, this.#device);
    const [processor] = this.cpu.processors,
      { x } = processor!,
      run = x.run.bind(x);
    x.run = (insn, ip, next) => {
      try {
        run(insn, ip, next);
      } catch (e) {
        if (processor!.access.nested !== null) return; // where it would exit is known, and the rest not asked for
        const { vector, code, addressLow, addressHigh } = processor!.pendingFault;
        this.#fault = `exception ${vector}(${code})`;
        if (vector === 14) this.#fault += ` at ${((BigInt(addressHigh) << 32n) | BigInt(addressLow)).toString(16)}`;
        throw e;
      }
    };
  }

  /** Differences; "" if there is none. `outcome` says what the emulator did, `log` what it accessed. */
  run(c: Case, ram: Uint8Array): { difference: string; outcome: string; log: string } {
    const at = this.#exit(c, ram);
    this.#prepare(c, ram);
    const wanted = this.#processor(c),
      got = this.#emulator(c, at < 0 ? c.exit : at, NOT_KNOWN);
    const difference = differences(wanted, got) || (at < 0 ? "" : this.#knowing(c, ram, at, wanted));
    return { difference, outcome: got.outcome, log: got.log };
  }
  /** The same, when it is known what the processor has translated: in the flat modes every address is its own. */
  #knowing(c: Case, ram: Uint8Array, at: number, wanted: Result): string {
    if (c.paging !== undefined || wanted.outcome !== "done") return "";
    const { ram: after, ...rest } = wanted;
    const kept = { ...rest, ram: after.slice() };
    this.#exit(c, ram);
    return differences(kept, this.#emulator(c, at, this.#access));
  }
  /** The physical address of the access that is refused; -1: there is none. The emulator is given what is so then. */
  #exit(c: Case, ram: Uint8Array): number {
    const { cpu } = this,
      { access } = cpu.processors[0]!,
      hole = new Hole();
    this.#prepare(c, ram);
    this.#copyState();
    access.nested = hole;
    cpu.run({ stepping: 0 });
    access.nested = null;
    this.#access = hole.access;
    if (hole.exit >= 0) this.emulated.ram = cpu.physical.ram.slice();
    return hole.exit;
  }
  #prepare(c: Case, ram: Uint8Array): void {
    const { cpu } = this;
    cpu.physical.ram.set(ram);
    cpu.blocks.clear();
    cpu.enter(c.mode, 0);
    if (c.paging !== undefined) this.#page(c.paging);
    for (const [name, { base, limit, rights }] of Object.entries(c.segments)) {
      if (base !== undefined) cpu.set(`${name}.base`, long(base));
      if (limit !== undefined) cpu.set(`${name}.limit`, limit);
      if (rights !== undefined) cpu.set(`${name}.access`, rights);
    }
    for (const [n, name] of GPR_NAMES.entries()) cpu.set(name, long(c.registers[n]!));
    cpu.set("RFLAGS", c.flags);
    const cs = c.mode === "long" ? 0n : bigint(cpu.get("CS.base"));
    cpu.set("RIP", long(c.mode === "long" ? BigInt(c.at) : BigInt.asUintN(32, BigInt(c.at) - cs)));
    cpu.physical.ram.set(c.code, c.at);
  }
  #page({ entries, bytes, control }: Paging): void {
    const { cpu } = this,
      { ram } = cpu.physical,
      view = new DataView(ram.buffer, ram.byteOffset, ram.length);
    for (const [at, entry] of entries)
      if (bytes === 8) view.setBigUint64(at, entry, true);
      else view.setUint32(at, Number(entry), true);
    for (const [name, value] of Object.entries(control)) cpu.set(name, value);
  }
  /** Gives the emulator what the processor has. */
  #copyState(): void {
    const { cpu } = this,
      { words } = this.emulated;
    const get = (name: string) => bigint(cpu.get(name));
    for (const [n, name] of [...GPR_NAMES, "RIP", "RFLAGS", "CR0", "CR3", "CR4", "EFER"].entries())
      words[n] = get(name);
    for (let n = 0; n < 4; n++) words[22 + n] = get(`PDPTE${n}`);
    words[26] = 40n;
    for (const [n, name] of SEGMENTS.entries())
      for (const [i, part] of ["base", "limit", "access"].entries()) words[27 + 3 * n + i] = get(`${name}.${part}`);
    this.emulated.ram = cpu.physical.ram.slice();
  }
  #processor(c: Case): Result {
    const { cpu } = this;
    this.#fault = null;
    this.#device.begin(c.answers);
    cpu.run({ stepping: 0 });
    const names = [...GPR_NAMES, "RIP", "RFLAGS"];
    return {
      outcome: this.#fault ?? (this.#device.log.length === 0 ? "refused" : "done"),
      log: this.#device.log.join(", "),
      registers: Object.fromEntries(names.map((name) => [name, bigint(cpu.get(name))])),
      ram: cpu.physical.ram,
    };
  }
  #emulator(c: Case, exit: number, access: number): Result {
    const { exports, device, words } = this.emulated;
    device.begin(c.answers);
    let outcome: string = OUTCOMES[exports.emulate(BigInt(exit), BigInt(exit), access)]!;
    if (outcome === "exception") {
      outcome += ` ${exports.vector()}(${exports.errorCode()})`;
      if (exports.vector() === 14) outcome += ` at ${word(exports.faultAddress()).toString(16)}`;
    }
    return {
      outcome,
      log: device.log.join(", "),
      registers: Object.fromEntries([...GPR_NAMES, "RIP", "RFLAGS"].map((name, n) => [name, words[n]!])),
      ram: this.emulated.ram,
    };
  }
}

function differences(wanted: Result, got: Result): string {
  if (got.outcome === "refused" && wanted.outcome.startsWith(`exception ${INVALID_OPCODE}(`)) return "";
  if (wanted.outcome !== got.outcome) return `${got.outcome}, not ${wanted.outcome}`;
  if (got.outcome !== "done") return "";
  const wrong = Object.keys(wanted.registers)
    .filter((name) => wanted.registers[name] !== got.registers[name])
    .map((name) => `${name} is ${got.registers[name]!.toString(16)}, not ${wanted.registers[name]!.toString(16)}`);
  if (wanted.log !== got.log) wrong.push(`accesses are "${got.log}", not "${wanted.log}"`);
  if (Buffer.compare(wanted.ram, got.ram) !== 0) {
    const at = wanted.ram.findIndex((byte, i) => byte !== got.ram[i]);
    wrong.push(`the byte at ${at.toString(16)} is ${got.ram[at]}, not ${wanted.ram[at]}`);
  }
  return wrong.join("; ");
}
