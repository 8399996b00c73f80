/**
 * The AHCI controller on the PCI bus, as Intel's ICH9 has it: 8086:2922, its registers in BAR 5, the index/data pair in
 * BAR 4, and MSI. [ICH9] is Intel's "I/O Controller Hub 9 Family Datasheet", chapter 14.
 *
 *     const ahci = new AhciController(env, { clock, drives: [disk] });
 *     bus.add(4, 0, ahci.pci);
 */
import { type Clock, kib, record, ro, rw, type Shape, u32 } from "@castaway/kit";
import type { Device, RegisterSpace } from "../../device.ts";
import { msiCapability } from "../../pci/config.ts";
import { type PciEnv, PciFunction, type PciFunctionState } from "../../pci/function.ts";
import type { AtaDrive } from "../ata/drive.ts";
import { AhciHba, type AhciState, ahciState } from "./hba.ts";

export type AhciControllerState = { hba: AhciState; index: number; pci: PciFunctionState };

export type AhciControllerOptions = {
  readonly clock: Clock;
  readonly drives: readonly (AtaDrive | null)[];
  /** Whether it offers message-signalled interrupts. It does unless given. */
  readonly msi?: boolean;
};

/** Where the index/data pair stands in BAR 4. */
const pairAt = 0x10;

/** Tells software where the pair is: revision 1.0, BAR 4, 4 double words in. [AHCI 1.3.1 2.4] */
const sataCapability = {
  id: 0x12,
  at: 0xa8,
  registers: {
    SATA_REVISION: ro(0xaa, 0x0010, "AHCI 2.4.1", { size: 2 }),
    SATA_PAIR: ro(0xac, (pairAt << 2) | 8, "AHCI 2.4.2"),
  },
};

export class AhciController implements Device<AhciControllerState> {
  readonly pci: PciFunction<"MAP" | "PCS">;
  readonly hba: AhciHba;
  /** The shape of what it saves. */
  readonly state: Shape<AhciControllerState>;
  /** The offset that the data register of the pair reaches. */
  #index = 0;

  /** @throws ConfigError unless there are 1 to 6 ports */
  constructor(env: PciEnv, { clock, drives, msi = true }: AhciControllerOptions) {
    this.pci = new PciFunction(
      {
        vendor: 0x8086,
        device: 0x2922,
        revision: 2,
        classCode: 0x010601,
        interruptPin: 1,
        bars: { 4: { kind: "io", size: 32 }, 5: { kind: "memory", size: kib(4) } },
        capabilities: msi ? [msiCapability(0x80), sataCapability] : [sataCapability],
        registers: {
          MAP: ro(0x90, 0x40, "ICH9 14.1.28", { size: 2 }), // AHCI mode
          PCS: rw(0x92, 0x003f, "ICH9 14.1.29", { size: 2, reset: (1 << drives.length) - 1 }), // enabled ports
        },
      },
      env,
    );
    const { irq, dma } = this.pci;
    this.hba = new AhciHba({ clock, dma, irq, drives, signal: () => this.pci.signal() });
    this.pci.attach(4, this.#pair);
    this.pci.attach(5, this.hba);
    this.state = record({ hba: ahciState(drives.length), index: u32, pci: this.pci.state });
  }

  reset(): void {
    this.#index = 0;
    this.hba.reset();
    this.pci.reset();
  }

  save(): AhciControllerState {
    return { hba: this.hba.save(), index: this.#index, pci: this.pci.save() };
  }

  restore(state: AhciControllerState): void {
    this.#index = state.index;
    this.pci.restore(state.pci); // it knows the level that the controller then drives again: no edge, no message
    this.hba.restore(state.hba);
  }

  /** The registers through two ports, for software that cannot reach memory: all accesses are of 4 bytes. */
  readonly #pair: RegisterSpace = {
    read: (offset, bytes) => {
      if (bytes !== 4) return 0;
      if (offset === pairAt) return this.#index;
      return offset === pairAt + 4 ? this.hba.read(this.#index, 4) : 0;
    },
    write: (offset, bytes, value) => {
      if (bytes !== 4) return;
      if (offset === pairAt) this.#index = value & 0xffc;
      else if (offset === pairAt + 4) this.hba.write(this.#index, 4, value);
    },
  };
}
