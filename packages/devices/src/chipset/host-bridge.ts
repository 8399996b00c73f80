/**
 * The host bridge of the i440FX, 8086:1237 [82441FX]: its own PCI function, and what it decides about memory below 1 MiB.
 * DRAM timing and row registers keep what firmware writes and decide nothing.
 */
import { bit, bits, ro, rw } from "@castaway/kit";
import type { Device } from "../device.ts";
import { PciFunction, type PciFunctionState } from "../pci/function.ts";

/** One of the 13 programmable attribute segments between C0000 and FFFFF. */
export type PamSegment = {
  readonly base: number;
  readonly size: number;
  /** Reads are answered by RAM; else by the bus, and so by ROM. */
  readonly readable: boolean;
  /** Writes go to RAM; else to the bus. */
  readonly writable: boolean;
};

export interface HostBridgeEnv {
  /** A segment is decoded like this from now on. Told of those that changed; of all 13 on reset and restore. */
  pam(segment: PamSegment): void;
  /** A0000 to BFFFF shows RAM (SMRAM) in place of the bus, to every access. */
  smram?(open: boolean): void;
}

const SMRAM = { ENABLE: 1 << 3, LOCK: 1 << 4, OPEN: 1 << 6 };

// biome-ignore format: a table
const ROWS = {
  PMCCFG: rw(0x50, 0xffff, "82441FX 3.2", { size: 2 }),
  DETURBO: rw(0x52, 0xff, "82441FX 3.2", { size: 1 }),
  DBC:    rw(0x53, 0xff, "82441FX 3.2", { size: 1, reset: 0x80 }),
  AXC:    rw(0x54, 0xff, "82441FX 3.2", { size: 1 }),
  DRT:    rw(0x55, 0xffff, "82441FX 3.2", { size: 2 }),
  DRAMC:  rw(0x57, 0xff, "82441FX 3.2", { size: 1, reset: 0x01 }),
  DRAMT:  rw(0x58, 0xff, "82441FX 3.2", { size: 1, reset: 0x10 }),
  PAM0:   rw(0x59, 0x30, "82441FX 3.2", { size: 1 }),
  PAM1:   rw(0x5a, 0x33, "82441FX 3.2", { size: 1 }),
  PAM2:   rw(0x5b, 0x33, "82441FX 3.2", { size: 1 }),
  PAM3:   rw(0x5c, 0x33, "82441FX 3.2", { size: 1 }),
  PAM4:   rw(0x5d, 0x33, "82441FX 3.2", { size: 1 }),
  PAM5:   rw(0x5e, 0x33, "82441FX 3.2", { size: 1 }),
  PAM6:   rw(0x5f, 0x33, "82441FX 3.2", { size: 1 }),
  DRB0:   rw(0x60, 0xffffffff, "82441FX 3.2", { reset: 0x01010101 }),
  DRB4:   rw(0x64, 0xffffffff, "82441FX 3.2", { reset: 0x01010101 }),
  FDHC:   rw(0x68, 0xc0, "82441FX 3.2", { size: 1 }),
  MTT:    rw(0x70, 0xff, "82441FX 3.2", { size: 1 }),
  CLT:    rw(0x71, 0xff, "82441FX 3.2", { size: 1, reset: 0x10 }),
  SMRAM:  rw(0x72, 0x78, "82441FX 3.2", { size: 1, reset: 0x02 }),
  ERRCMD: rw(0x90, 0xff, "82441FX 3.2", { size: 1 }),
  ERRSTS: bits(0x91, { w1c: 0x11 }, "82441FX 3.2", { size: 1 }),
  TRC:    ro(0x93, 0, "82441FX 3.2", { size: 1 }),
};

const SEGMENTS = 13;

export class HostBridge implements Device<PciFunctionState> {
  readonly pci: PciFunction<keyof typeof ROWS>;
  readonly #env: HostBridgeEnv;
  #told: PamSegment[] = [];

  constructor(env: HostBridgeEnv) {
    this.#env = env;
    const pam = () => this.#tell(false);
    this.pci = new PciFunction(
      {
        vendor: 0x8086,
        device: 0x1237,
        revision: 2,
        classCode: 0x060000,
        command: 0x0006,
        status: 0x0280,
        registers: ROWS,
        hooks: {
          ...{ PAM0: pam, PAM1: pam, PAM2: pam, PAM3: pam, PAM4: pam, PAM5: pam, PAM6: pam },
          SMRAM: (written, before) => this.#writeSmram(written, before),
        },
      },
      { mapper: { map: () => {}, unmap: () => {} } },
    );
  }

  /** The shape of what it saves. */
  get state() {
    return this.pci.state;
  }
  reset(): void {
    this.pci.reset();
    this.#tell(true);
    this.#env.smram?.(false);
  }
  save(): PciFunctionState {
    return this.pci.save();
  }
  restore(state: PciFunctionState): void {
    this.pci.restore(state);
    this.#tell(true);
    this.#env.smram?.(this.smramOpen);
  }

  /** How the segments are decoded, F0000 first and then from C0000 up. */
  get segments(): PamSegment[] {
    const { PAM0, PAM1, PAM2, PAM3, PAM4, PAM5, PAM6 } = this.pci.config;
    const pam = [PAM0, PAM1, PAM2, PAM3, PAM4, PAM5, PAM6];
    return Array.from({ length: SEGMENTS }, (_, n) => {
      // Segment 0 is the high half of PAM0; the others follow, low half first.
      const attributes = pam[(n + 1) >> 1] >> (n % 2 === 0 ? 4 : 0);
      const place = n === 0 ? { base: 0xf0000, size: 0x10000 } : { base: 0xc0000 + 0x4000 * (n - 1), size: 0x4000 };
      return { ...place, readable: bit(attributes, 0) === 1, writable: bit(attributes, 1) === 1 };
    });
  }
  get smramOpen(): boolean {
    const open = SMRAM.ENABLE | SMRAM.OPEN;
    return (this.pci.config.SMRAM & open) === open;
  }

  #tell(all: boolean): void {
    const now = this.segments;
    const before = this.#told;
    this.#told = now;
    for (const [n, segment] of now.entries()) {
      const old = before[n];
      const same = old && old.readable === segment.readable && old.writable === segment.writable;
      if (all || !same) this.#env.pam(segment);
    }
  }
  /** Locked, SMRAM is closed, and only the close bit can still be written [82441FX 3.2, SMRAM]. */
  #writeSmram(written: number, before: number): void {
    const config = this.pci.config;
    if (before & SMRAM.LOCK) config.SMRAM = (before & ~0x20) | (written & 0x20);
    else if (written & SMRAM.LOCK) config.SMRAM &= ~SMRAM.OPEN;
    this.#env.smram?.(this.smramOpen);
  }
}
