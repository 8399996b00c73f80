/**
 * A PCI bus behind configuration mechanism 1: the address register at port CF8, the data window at CFC to CFF
 * [PCI 3.0 3.2.2.3.2], and the interrupt wires of the board, PIRQA# to PIRQD#.
 */
import { assert, type IrqLine, record, type StateOf, u32 } from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";
import { WiredOr } from "../interrupts/wire.ts";

export interface PciBusEnv {
  /** PIRQA# to PIRQD#: the interrupt router's inputs. */
  readonly pirq: readonly [IrqLine, IrqLine, IrqLine, IrqLine];
  /** What answers bytes at port CF9, inside the address register. Nothing unless given. */
  readonly resetControl?: RegisterSpace;
}

/** What the bus needs of a function. */
export interface ConfigSpace {
  readonly config: RegisterSpace;
}

export const pciBusState = record({ address: u32 });
export type PciBusState = StateOf<typeof pciBusState>;

/** CONFIG_ADDRESS: enable, bus, device, function and register; the rest reads as 0. */
const ADDRESS_BITS = 0x80fffffc;
const ENABLE = 0x80000000;

export class PciBus implements Device<PciBusState> {
  /** Ports CF8 to CFF. */
  readonly ports: RegisterSpace;
  readonly #env: PciBusEnv;
  readonly #functions = new Map<number, ConfigSpace>();
  readonly #pirq: readonly WiredOr[];
  #address = 0;

  constructor(env: PciBusEnv) {
    this.#env = env;
    this.#pirq = env.pirq.map((line) => new WiredOr(line));
    this.ports = {
      read: (offset, bytes) => this.#read(offset, bytes),
      write: (offset, bytes, value) => this.#write(offset, bytes, value),
    };
  }

  /** Plugs a function in, as function `fn` (0 to 7) of device `device` (0 to 31). */
  add(device: number, fn: number, space: ConfigSpace): void {
    const at = (device << 3) | fn;
    assert(device < 32 && fn < 8 && !this.#functions.has(at), "a PCI function has a place of its own", { device, fn });
    this.#functions.set(at, space);
  }

  /** What is plugged in, by device and function. */
  get functions(): readonly { device: number; fn: number; space: ConfigSpace }[] {
    return [...this.#functions].map(([at, space]) => ({ device: at >> 3, fn: at & 7, space }));
  }

  /**
   * INTx# of a function, `pin` 1 for INTA# to 4. Devices are wired in rotation, so that they spread over the four
   * wires: index (device + pin - 1) mod 4, counting pins from 0.
   */
  intx(device: number, pin: number): IrqLine {
    return this.#pirq[(device + (pin - 1) - 1) & 3].input();
  }

  reset(): void {
    this.#address = 0;
  }
  save(): PciBusState {
    return { address: this.#address };
  }
  restore(state: PciBusState): void {
    this.#address = state.address;
  }

  /** The function that the address register names; undefined: nobody, and the cycle ends in a master abort. */
  #selected(): ConfigSpace | undefined {
    const here = this.#address & ENABLE && ((this.#address >>> 16) & 0xff) === 0;
    return here ? this.#functions.get((this.#address >>> 8) & 0xff) : undefined;
  }

  #read(offset: number, bytes: number): number {
    if (offset === 0 && bytes === 4) return this.#address;
    if (offset === 1 && bytes === 1 && this.#env.resetControl) return this.#env.resetControl.read(0, 1);
    const fits = offset >= 4 && offset + bytes <= 8;
    const config = fits ? this.#selected()?.config : undefined;
    return config ? config.read((this.#address & 0xfc) | (offset & 3), bytes) : 0xffffffff >>> (32 - 8 * bytes);
  }
  #write(offset: number, bytes: number, value: number): void {
    if (offset === 0 && bytes === 4) this.#address = (value & ADDRESS_BITS) >>> 0;
    else if (offset === 1 && bytes === 1) this.#env.resetControl?.write(0, 1, value);
    else if (offset >= 4 && offset + bytes <= 8) {
      this.#selected()?.config.write((this.#address & 0xfc) | (offset & 3), bytes, value);
    }
  }
}
