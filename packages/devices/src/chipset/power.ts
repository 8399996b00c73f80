/**
 * The power management function of the PIIX4, 8086:7113 [82371AB 7.1]: says at which ports the ACPI registers are. Its
 * SMBus keeps its registers and decodes nothing.
 */
import { ro, rw } from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";
import { type PciEnv, PciFunction, type PciFunctionState } from "../pci/function.ts";

/** PMREGMISC bit 0: the ports at PMBA are decoded. */
const PMIOSE = 1 << 0;
const PM_SIZE = 0x40;
/** DEVACTB bit 25: writes to the APM port make an SMI. Firmware that finds it set leaves SMM alone, as it must here. */
const APMC_EN = 1 << 25;

// biome-ignore format: a table
const ROWS = {
  PMBA:    rw(0x40, 0xffc0, "82371AB 7.1", { reset: 1 }),
  CNTA:    rw(0x44, 0xffffffff, "82371AB 7.1"),
  CNTB:    rw(0x48, 0xffffffff, "82371AB 7.1"),
  GPICTL:  rw(0x4c, 0xffffffff, "82371AB 7.1"),
  DEVRESD: rw(0x50, 0x00ffffff, "82371AB 7.1"),
  DEVACTA: rw(0x54, 0xffffffff, "82371AB 7.1"),
  DEVACTB: rw(0x58, 0xffffffff, "82371AB 7.1", { reset: APMC_EN }),
  DEVRESA: rw(0x5c, 0xffffffff, "82371AB 7.1"),
  DEVRESB: rw(0x60, 0xffffffff, "82371AB 7.1"),
  DEVRESC: rw(0x64, 0xffffffff, "82371AB 7.1"),
  DEVRESE: rw(0x68, 0xffffffff, "82371AB 7.1"),
  DEVRESF: rw(0x6c, 0xffffffff, "82371AB 7.1"),
  DEVRESG: rw(0x70, 0xffffffff, "82371AB 7.1"),
  DEVRESH: rw(0x74, 0xffffffff, "82371AB 7.1"),
  DEVRESI: rw(0x78, 0xffffffff, "82371AB 7.1"),
  DEVRESJ: rw(0x7c, 0xffffffff, "82371AB 7.1"),
  PMREGMISC: rw(0x80, 0x01, "82371AB 7.1", { size: 1 }),
  SMBBA:   rw(0x90, 0xfff0, "82371AB 7.1", { reset: 1 }),
  SMBHSTCFG: rw(0xd2, 0x0f, "82371AB 7.1", { size: 1 }),
  SMBSLVC: rw(0xd3, 0xff, "82371AB 7.1", { size: 1 }),
  SMBSHDW1: rw(0xd4, 0xff, "82371AB 7.1", { size: 1 }),
  SMBSHDW2: rw(0xd5, 0xff, "82371AB 7.1", { size: 1 }),
  SMBREV:  ro(0xd6, 0, "82371AB 7.1", { size: 1 }),
};

export interface PowerEnv {
  readonly mapper: PciEnv["mapper"];
  /** The ACPI registers: `AcpiRegisters.ports`. */
  readonly acpi: RegisterSpace;
}

export class PowerManagement implements Device<PciFunctionState> {
  readonly pci: PciFunction<keyof typeof ROWS>;

  constructor(env: PowerEnv) {
    const remap = () => this.pci.remap();
    this.pci = new PciFunction(
      {
        vendor: 0x8086,
        device: 0x7113,
        revision: 3,
        classCode: 0x068000,
        status: 0x0280,
        interruptPin: 1, // read by software; SCI itself is wired to IRQ 9
        registers: ROWS,
        hooks: { PMBA: remap, PMREGMISC: remap },
      },
      { mapper: env.mapper },
    );
    this.pci.decode(() => {
      const { PMBA, PMREGMISC } = this.pci.config;
      const base = PMBA & 0xffc0;
      return PMREGMISC & PMIOSE && base !== 0 ? { kind: "io", base, size: PM_SIZE, space: env.acpi } : undefined;
    });
  }

  /** The shape of what it saves. */
  get state() {
    return this.pci.state;
  }
  reset(): void {
    this.pci.reset();
  }
  save(): PciFunctionState {
    return this.pci.save();
  }
  restore(state: PciFunctionState): void {
    this.pci.restore(state);
  }
}
