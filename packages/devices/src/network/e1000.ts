/**
 * Intel's 82540EM gigabit network card, the "e1000", on the PCI bus: 8086:100e, its registers in BAR 0, and in BAR 1 the
 * pair of ports that reaches them where memory cannot be used. [8254x] = see registers.ts.
 *
 *     const nic = new E1000(env, { clock, port: fabric.port(), mac: "52:54:00:12:34:56", rom });
 *     bus.add(3, 0, nic.pci);
 */
import {
  alignUp,
  type Clock,
  ConfigError,
  type EthernetPort,
  isPowerOfTwo,
  kib,
  mib,
  record,
  type Shape,
  u32,
} from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";
import { memorySpace } from "../display/memory-space.ts";
import { type PciEnv, PciFunction, type PciFunctionState } from "../pci/function.ts";
import { E1000Mac, type E1000MacState, e1000MacState } from "./mac.ts";

export type E1000State = { mac: E1000MacState; IOADDR: number; pci: PciFunctionState };

export type E1000Options = {
  readonly clock: Clock;
  /** The wall that the cable leads to. No cable unless given. */
  readonly port?: EthernetPort;
  /** The card's address, `"52:54:00:12:34:56"` unless given. Two cards on one network need two. */
  readonly mac?: string;
  /** An expansion ROM, at most 1 MiB: iPXE. None unless given. */
  readonly rom?: Uint8Array;
  /** What its timers are called, for people: `"e1000"` unless given. */
  readonly name?: string;
};

/** The ports of BAR 1, and how far they reach. [8254x 13.2.2] */
const IOADDR = 0;
const IODATA = 4;
const reach = 0x000f_ffff;

export class E1000 implements Device<E1000State> {
  readonly pci: PciFunction;
  readonly mac: E1000Mac;
  /** The shape of what it saves. */
  readonly state: Shape<E1000State>;
  /** The offset that IODATA reaches. */
  #address = 0;

  /** @throws ConfigError if `mac` is no address of a station, or `rom` is too large */
  constructor(env: PciEnv, { clock, port, mac, rom, name }: E1000Options) {
    const image = rom && padded(rom);
    this.pci = new PciFunction(
      {
        vendor: 0x8086,
        device: 0x100e,
        revision: 3,
        classCode: 0x020000,
        subsystemVendor: 0x8086,
        subsystem: 0x001e,
        interruptPin: 1,
        bars: { 0: { kind: "memory", size: kib(128) }, 1: { kind: "io", size: 64 } },
        rom: image?.length,
      },
      env,
    );
    const { irq, dma } = this.pci;
    this.mac = new E1000Mac({ clock, dma, irq, port, address: parseMac(mac ?? "52:54:00:12:34:56"), name });
    this.pci.attach(0, this.mac);
    this.pci.attach(1, this.#ports);
    if (image) this.pci.attach("rom", memorySpace(image, false));
    this.state = record({ mac: e1000MacState, IOADDR: u32, pci: this.pci.state });
  }

  /** RESET#. The cable stays plugged in, and what was written to the EEPROM stays. */
  reset(): void {
    this.#address = 0;
    this.mac.reset();
    this.pci.reset();
  }

  save(): E1000State {
    return { mac: this.mac.save(), IOADDR: this.#address, pci: this.pci.save() };
  }

  restore(state: E1000State): void {
    this.#address = state.IOADDR;
    this.pci.restore(state.pci);
    this.mac.restore(state.mac);
  }

  /** Only accesses of 4 bytes write. */
  readonly #ports: RegisterSpace = {
    read: (offset, bytes) => {
      const value = (offset & ~3) === IOADDR ? this.#address : (offset & ~3) === IODATA ? this.#data() : 0;
      const skipped = value >>> (8 * (offset & 3));
      return bytes === 4 ? skipped : skipped & ((1 << (8 * bytes)) - 1);
    },
    write: (offset, bytes, value) => {
      if (bytes !== 4) return;
      if (offset === IOADDR) this.#address = value & reach;
      else if (offset === IODATA && this.#address < kib(128)) this.mac.write(this.#address, 4, value);
    },
  };

  #data(): number {
    return this.#address < kib(128) ? this.mac.read(this.#address, 4) : 0;
  }
}

/** The bytes of an address such as `"52:54:00:12:34:56"`. */
function parseMac(mac: string): Uint8Array {
  const digits = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac) ? mac.split(":") : [];
  const bytes = Uint8Array.from(digits, (pair) => Number.parseInt(pair, 16));
  const isStation = bytes.length === 6 && (bytes[0] & 1) === 0 && bytes.some((byte) => byte !== 0);
  if (!isStation) throw new ConfigError("mac", mac, 'six bytes such as "52:54:00:12:34:56", no group address');
  return bytes;
}

/** The ROM at a size that a base address register can have. */
function padded(rom: Uint8Array): Uint8Array {
  if (rom.length === 0 || rom.length > mib(1)) throw new ConfigError("rom", rom.length, "1 byte to 1MiB");
  let size = alignUp(rom.length, kib(2));
  while (!isPowerOfTwo(size)) size += kib(2);
  const image = new Uint8Array(size).fill(0xff);
  image.set(rom);
  return image;
}
