/**
 * An AHCI controller as the guest believes it to be: what follows from the guest's own writes, whoever answered them. The
 * constants are typed anew, so that a wrong one in the controller's model is noticed. [AHCI 1.3.1 3]
 */
import { list, record, type StateOf, u32 } from "@castaway/kit";

const portsAt = 0x100;
const portStride = 0x80;
const GHC = 0x04;
const [PxCLB, PxCLBU, PxCMD, PxSCTL, PxSACT, PxCI] = [0x00, 0x04, 0x18, 0x2c, 0x34, 0x38];
const hbaReset = 1 << 0;
const start = 1 << 0;
/** The index/data pair of BAR 4. [AHCI 1.3.1 2.4] */
const [pairIndex, pairData] = [0x10, 0x14];

const portRegisters = record({ CLB: u32, CLBU: u32, CMD: u32, SCTL: u32 });
export const guestRegistersState = record({ index: u32, ports: list(portRegisters) });
export type GuestRegistersState = StateOf<typeof guestRegistersState>;

/** What the guest does by its writes. */
export interface GuestActs {
  /** It issued the command in a slot of the list at this address. */
  issue(port: number, slot: number, list: { readonly low: number; readonly high: number }): void;
  /** It stopped or reset a port: what was issued there may be done or not. */
  stop(port: number): void;
}

export class GuestRegisters {
  readonly #acts: GuestActs;
  #index = 0;
  #ports: StateOf<typeof portRegisters>[];

  constructor(ports: number, acts: GuestActs) {
    this.#acts = acts;
    this.#ports = Array.from({ length: ports }, () => ({ CLB: 0, CLBU: 0, CMD: 0, SCTL: 0 }));
  }

  /** A write of 1, 2 or 4 bytes within a register. */
  write(offset: number, bytes: number, value: number): void {
    const shift = 8 * (offset & 3);
    const mask = (bytes >= 4 ? -1 : (1 << (8 * bytes)) - 1) << shift;
    const at = offset & ~3;
    if (at === GHC && (value << shift) & hbaReset) this.#resetAll();
    const port = Math.floor((at - portsAt) / portStride);
    if (at >= portsAt && port < this.#ports.length) this.#writePort(port, at % portStride, mask, value << shift);
  }

  /** A write to BAR 4. */
  writePair(offset: number, bytes: number, value: number): void {
    if (bytes !== 4) return;
    if (offset === pairIndex) this.#index = value & 0xffc;
    else if (offset === pairData) this.write(this.#index, 4, value);
  }

  /** The register that a read of the pair's data gives; null if none. */
  pairTarget(offset: number): number | null {
    return offset === pairData ? this.#index : null;
  }

  /** RESET#: everything is as after power-on. */
  reset(): void {
    this.#index = 0;
    this.#resetAll();
    for (const port of this.#ports) Object.assign(port, { CLB: 0, CLBU: 0 });
  }

  save(): GuestRegistersState {
    return { index: this.#index, ports: this.#ports.map((port) => ({ ...port })) };
  }
  restore({ index, ports }: GuestRegistersState): void {
    this.#index = index;
    this.#ports = ports.map((port) => ({ ...port }));
  }

  #writePort(port: number, at: number, mask: number, value: number): void {
    const regs = this.#ports[port]!;
    const merged = (before: number) => ((before & ~mask) | (value & mask)) >>> 0;
    if (at === PxCLB) regs.CLB = (merged(regs.CLB) & ~0x3ff) >>> 0;
    else if (at === PxCLBU) regs.CLBU = merged(regs.CLBU);
    else if (at === PxCMD) {
      const before = regs.CMD;
      regs.CMD = merged(before);
      if (before & start && !(regs.CMD & start)) this.#acts.stop(port);
    } else if (at === PxSCTL) {
      const before = regs.SCTL & 0xf;
      regs.SCTL = merged(regs.SCTL);
      const detection = regs.SCTL & 0xf; // 1: COMRESET, 4: off
      if (detection !== before && (detection === 1 || detection === 4)) this.#acts.stop(port);
    } else if (at === PxCI && regs.CMD & start) {
      for (let slot = 0; slot < 32; slot++)
        if (value & mask & (1 << slot)) this.#acts.issue(port, slot, { low: regs.CLB, high: regs.CLBU });
    }
  }

  /** GHC.HR: lists stay where they are. [AHCI 1.3.1 10.4.3] */
  #resetAll(): void {
    for (const [index, port] of this.#ports.entries()) {
      Object.assign(port, { CMD: 0, SCTL: 0 });
      this.#acts.stop(index);
    }
  }
}

/** A register that tells which commands are over. */
export interface Progress {
  readonly port: number;
  readonly register: "CI" | "SACT";
}
/** Which one is at this offset; null if none. */
export function progressAt(offset: number): Progress | null {
  const port = Math.floor((offset - portsAt) / portStride);
  const at = (offset - portsAt) % portStride;
  if (port < 0 || (at !== PxCI && at !== PxSACT)) return null;
  return { port, register: at === PxCI ? "CI" : "SACT" };
}
