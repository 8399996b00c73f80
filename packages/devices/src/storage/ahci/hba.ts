/**
 * An AHCI controller with 1 to 6 ports, like the one in Intel's ICH9: the 4 KiB of registers behind its memory BAR. It
 * knows nothing of PCI: function.ts wraps it.
 *
 *     const hba = new AhciHba({ clock, dma, irq, drives: [disk, null] });
 *     hba.write(0x04, 4, 2);                                // GHC.IE
 */
import { type Clock, ConfigError, type Dma, type IrqLine, list, record, type StateOf, type Width } from "@castaway/kit";
import type { Device, RegisterSpace } from "../../device.ts";
import type { AtaDrive } from "../ata/drive.ts";
import { AhciPort, portState } from "./port.ts";
import { CAP, GHC, HBA, portStride, portsAt } from "./registers.ts";

export type AhciEnv = {
  readonly dma: Dma;
  readonly clock: Clock;
  /** The level: an interrupt is enabled and pending. */
  readonly irq: IrqLine;
  /** Another interrupt came up while the line was asserted: who sends messages must send one more. [AHCI 1.3.1 10.7.2] */
  readonly signal?: () => void;
  /** One port each; null: nothing is plugged in. */
  readonly drives: readonly (AtaDrive | null)[];
};

export type AhciState = StateOf<ReturnType<typeof ahciState>>;

/** The shape of the state of a controller with so many ports. */
export const ahciState = (ports: number) => record({ regs: HBA.state, ports: list(portState, ports) });

const mostPorts = 6;

export class AhciHba implements RegisterSpace, Device<AhciState> {
  readonly ports: readonly AhciPort[];
  readonly regs = HBA.file({ GHC: () => this.#control(), IS: () => this.#collect() });
  readonly #env: AhciEnv;
  /** What the line was driven to. */
  #asserted = false;
  /** False while ports are being made or reset together. */
  #settled = false;

  /** @throws ConfigError unless there are 1 to 6 ports */
  constructor(env: AhciEnv) {
    const count = env.drives.length;
    if (count < 1 || count > mostPorts) throw new ConfigError("ahci.drives", count, `1 to ${mostPorts}`);
    this.#env = env;
    this.ports = env.drives.map((drive, index) => {
      const { dma, clock } = env;
      return new AhciPort(`ahci.port${index}`, { dma, clock, drive, changed: () => this.#collect() });
    });
    this.#configure();
    this.#settled = true;
    this.#collect();
  }

  read(offset: number, bytes: number): number {
    const size = bytes as Width;
    if (offset < portsAt) return this.regs.read(offset, size);
    const at = offset - portsAt;
    return this.ports[Math.floor(at / portStride)]?.regs.read(at % portStride, size) ?? 0;
  }

  write(offset: number, bytes: number, value: number): void {
    const size = bytes as Width;
    if (offset < portsAt) return this.regs.write(offset, size, value);
    const at = offset - portsAt;
    this.ports[Math.floor(at / portStride)]?.regs.write(at % portStride, size, value);
  }

  reset(): void {
    this.#settled = false;
    this.regs.reset();
    this.#configure();
    for (const port of this.ports) port.reset();
    this.#settled = true;
    this.#collect();
  }

  save(): AhciState {
    return { regs: this.regs.save(), ports: this.ports.map((port) => port.save()) };
  }

  restore(state: AhciState): void {
    this.regs.restore(state.regs);
    for (const [index, port] of this.ports.entries()) port.restore(state.ports[index]);
    this.#drive();
  }

  /** What depends on how many ports there are. */
  #configure(): void {
    const { regs } = this;
    const count = this.ports.length;
    regs.CAP = CAP.S64A | CAP.SNCQ | CAP.SCLO | CAP.ISS | CAP.SAM | CAP.PMD | CAP.NCS | (count - 1);
    regs.PI = (1 << count) - 1;
  }

  /** GHC: reset, and the interrupt enable. [AHCI 1.3.1 3.1.2, 10.4.3] */
  #control(): void {
    const { regs } = this;
    if ((regs.GHC & GHC.HR) !== 0) {
      this.#settled = false;
      regs.reset();
      this.#configure();
      for (const port of this.ports) port.resetByHost();
      this.#settled = true;
    }
    this.#collect();
  }

  get #pending(): boolean {
    return (this.regs.GHC & GHC.IE) !== 0 && this.regs.IS !== 0;
  }

  /** A port's bit in IS stays until it is written; while the port still asks, it comes back. [AHCI 1.3.1 3.1.3] */
  #collect(): void {
    if (!this.#settled) return;
    const { regs } = this;
    const before = regs.IS;
    for (const [index, port] of this.ports.entries()) {
      if ((port.regs.IS & port.regs.IE) !== 0) regs.IS |= 1 << index;
    }
    const more = this.#asserted && this.#pending && (regs.IS & ~before) !== 0;
    this.#drive();
    if (more) this.#env.signal?.();
  }

  #drive(): void {
    this.#asserted = this.#pending;
    this.#env.irq.set(this.#asserted);
  }
}
