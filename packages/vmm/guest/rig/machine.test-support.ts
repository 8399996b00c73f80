/**
 * A machine for guest code without a CPU: physical memory, ports, MMIO, PCI and a clock, and the code itself runs in V8.
 * Devices are the real models.
 *
 *     const machine = new Machine();
 *     const card = new E1000(machine.pci(3), { clock: machine.clock, port });
 *     machine.bus.add(3, 0, card.pci);
 *     const vmm = machine.load<{ start(): void }>(guest);       // memory, exports; "_start" has run
 *     vmm.start();
 *     machine.after(us(20));
 */

import { PciBus, type PciEnv, type RegisterSpace } from "@castaway/devices";
import { Clock, type Dma, type IrqLine, mib, type Nanoseconds } from "@castaway/kit";

type Mapped = { base: number; size: number; space: RegisterSpace };

export type MachineOptions = {
  readonly clock?: Clock;
  /** Bytes of physical memory, from 0 on. 64 MiB unless given; the VMM's is among them. */
  readonly ram?: number;
  /** Where the guest's linear memory lies in it: physical = linear + delta. 32 MiB unless given. */
  readonly delta?: number;
};

/** The imports of a kind that V8 passes: 64-bit numbers are BigInts. */
type Intrinsics = Record<string, (...args: any[]) => unknown>;

/** What every guest module has beside its own exports. */
export type Loaded = { readonly memory: WebAssembly.Memory };

export class Machine {
  readonly clock: Clock;
  readonly bus: PciBus;
  readonly ram: Uint8Array;
  readonly delta: number;
  /** Levels of the wires PIRQA# to PIRQD#. */
  readonly pirq = [false, false, false, false];
  /** What the guest wrote to port E9. */
  log = "";
  readonly #memory: Mapped[] = [];
  readonly #ports: Mapped[] = [];
  /** The linear memory, over `ram` from `delta` on. */
  #linear = new Uint8Array(0);

  constructor({ clock = new Clock(), ram = mib(64), delta = mib(32) }: MachineOptions = {}) {
    this.clock = clock;
    this.ram = new Uint8Array(ram);
    this.delta = delta;
    const [a, b, c, d] = this.pirq.map((_, i): IrqLine => ({ set: (high) => void (this.pirq[i] = high) }));
    this.bus = new PciBus({ pirq: [a, b, c, d] });
    this.map("io", 0xcf8, 8, this.bus.ports);
    const log = { read: () => 0xe9, write: (_: number, __: number, byte: number) => this.#append(byte) };
    this.map("io", 0xe9, 1, log);
  }

  /** What a PCI card in slot `device` is given; its interrupt pin is INTA#. */
  pci(device: number): PciEnv {
    return {
      mapper: {
        map: (kind, base, size, space) => this.map(kind, base, size, space),
        unmap: (kind, base, size, space) => this.unmap(kind, base, size, space),
      },
      intx: this.bus.intx(device, 1),
      dma: this.dma,
    };
  }

  /** Puts registers into the memory or port space. The latest of several at one address answers. */
  map(kind: "memory" | "io", base: number, size: number, space: RegisterSpace): void {
    (kind === "memory" ? this.#memory : this.#ports).unshift({ base, size, space });
  }
  unmap(kind: "memory" | "io", base: number, size: number, space: RegisterSpace): void {
    const all = kind === "memory" ? this.#memory : this.#ports;
    const at = all.findIndex((one) => one.base === base && one.size === size && one.space === space);
    if (at >= 0) all.splice(at, 1);
  }

  /**
   * Makes an instance of a guest module and runs its top-level code. Intrinsics that the machine has not, such as
   * `vmread`, are given by `more`; one that nobody gives throws when it is called.
   */
  load<E extends object>(guest: WebAssembly.Module, more: Intrinsics = {}): E & Loaded {
    const imports: Record<string, Intrinsics> = { x86: {}, env: { abort: (...args: number[]) => this.#abort(args) } };
    const known: Intrinsics = { ...this.#intrinsics(), ...more };
    for (const { module, name } of WebAssembly.Module.imports(guest)) {
      const missing = () => {
        throw new Error(`the rig has no intrinsic ${module}.${name}`);
      };
      if (module !== "env") (imports[module] ??= {})[name] = known[name] ?? missing;
    }
    const exports = new WebAssembly.Instance(guest, imports).exports as unknown as E & Loaded & { _start?(): void };
    this.#linear = new Uint8Array(exports.memory.buffer);
    if (this.delta + this.#linear.length > this.ram.length) throw new Error("the linear memory is beyond the RAM");
    exports._start?.();
    return exports;
  }

  /** Lets time pass. */
  after(time: Nanoseconds): void {
    this.clock.advanceTo(this.clock.now + time);
  }

  /** All of physical memory, the VMM's included; as `Dma` says, nothing answers beyond. */
  readonly dma: Dma = {
    read: (address, into) => {
      for (let done = 0; done < into.length; ) {
        const { bytes, at, room } = this.#place(address + done);
        const count = Math.min(room, into.length - done);
        if (bytes === undefined) into.fill(0xff, done, done + count);
        else into.set(bytes.subarray(at, at + count), done);
        done += count;
      }
    },
    write: (address, from) => {
      for (let done = 0; done < from.length; ) {
        const { bytes, at, room } = this.#place(address + done);
        const count = Math.min(room, from.length - done);
        bytes?.set(from.subarray(done, done + count), at);
        done += count;
      }
    },
  };

  /** `count` bytes of physical memory, copied. */
  peek(address: number, count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    this.dma.read(address, bytes);
    return bytes;
  }

  /** Which array holds an address, where, and how many bytes follow in it. */
  #place(address: number): { bytes: Uint8Array | undefined; at: number; room: number } {
    const end = this.delta + this.#linear.length;
    if (address >= this.ram.length) return { bytes: undefined, at: 0, room: Number.POSITIVE_INFINITY };
    if (address < this.delta) return { bytes: this.ram, at: address, room: this.delta - address };
    if (address < end) return { bytes: this.#linear, at: address - this.delta, room: end - address };
    return { bytes: this.ram, at: address, room: this.ram.length - address };
  }

  #intrinsics(): Intrinsics {
    const dma = this.dma;
    const cell = new DataView(new ArrayBuffer(8));
    const cellBytes = new Uint8Array(cell.buffer);
    const read = (address: bigint, bytes: number): DataView => {
      dma.read(this.#ramAddress(address), cellBytes.subarray(0, bytes));
      return cell;
    };
    const write = (address: bigint, bytes: number) => {
      dma.write(this.#ramAddress(address), cellBytes.subarray(0, bytes));
    };
    const copy = (to: bigint, from: bigint, count: number) => {
      dma.write(this.#ramAddress(to), this.peek(this.#ramAddress(from), count >>> 0));
    };
    const all: Intrinsics = {
      physRead64: (address: bigint) => read(address, 8).getBigUint64(0, true),
      physWrite64: (address: bigint, value: bigint) => {
        cell.setBigUint64(0, BigInt.asUintN(64, value), true);
        write(address, 8);
      },
      physCopy: copy,
      physFill: (to: bigint, value: number, count: number) =>
        dma.write(this.#ramAddress(to), new Uint8Array(count >>> 0).fill(value)),
      rdtsc: () => BigInt(this.clock.now),
      pause: () => this.after(100),
    };
    for (const bits of [8, 16, 32]) {
      const bytes = bits / 8;
      all[`physRead${bits}`] = (address: bigint) => {
        cell.setUint32(0, 0);
        return read(address, bytes).getUint32(0, true);
      };
      all[`physWrite${bits}`] = (address: bigint, value: number) => {
        cell.setUint32(0, value, true);
        write(address, bytes);
      };
      all[`mmioRead${bits}`] = (address: bigint) => this.#read(this.#memory, this.#mmioAddress(address), bytes);
      all[`mmioWrite${bits}`] = (address: bigint, value: number) =>
        this.#write(this.#memory, this.#mmioAddress(address), bytes, value);
      all[`in${bits}`] = (port: number) => this.#read(this.#ports, port, bytes);
      all[`out${bits}`] = (port: number, value: number) => this.#write(this.#ports, port, bytes, value);
    }
    return all;
  }

  /** Memory is not reached by MMIO accesses, nor registers by others: caching makes a difference on a real machine. */
  #ramAddress(address: bigint): number {
    const at = Number(BigInt.asUintN(64, address));
    if (find(this.#memory, at, 1)) throw new Error(`phys access to registers at ${at.toString(16)}`);
    return at;
  }
  #mmioAddress(address: bigint): number {
    const at = Number(BigInt.asUintN(64, address));
    if (at < this.ram.length) throw new Error(`MMIO access to memory at ${at.toString(16)}`);
    return at;
  }

  #read(all: readonly Mapped[], at: number, bytes: number): number {
    const found = find(all, at, bytes);
    return found ? found.space.read(at - found.base, bytes) : 0xffff_ffff >>> (32 - 8 * bytes);
  }
  #write(all: readonly Mapped[], at: number, bytes: number, value: number): void {
    const found = find(all, at, bytes);
    found?.space.write(at - found.base, bytes, (value & (0xffff_ffff >>> (32 - 8 * bytes))) >>> 0);
  }

  #append(byte: number): void {
    this.log += String.fromCharCode(byte);
  }

  /** AssemblyScript's own stop: message, file (both UTF-16 with the length in bytes before), line, column. */
  #abort([message, file, line, column]: number[]): never {
    throw new Error(`abort: ${this.#text(message)} at ${this.#text(file)}:${line}:${column}`);
  }
  #text(at: number): string {
    if (at === 0) return "";
    const view = new DataView(this.#linear.buffer);
    const units = view.getUint32(at - 4, true) / 2;
    return Array.from({ length: units }, (_, i) => String.fromCharCode(view.getUint16(at + 2 * i, true))).join("");
  }
}

const find = (all: readonly Mapped[], at: number, bytes: number): Mapped | undefined =>
  all.find(({ base, size }) => at >= base && at + bytes <= base + size);
