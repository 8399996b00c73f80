/**
 * A PCI function: what stands between a chip and the bus. It answers configuration cycles, tells the mapper where the
 * chip's registers are decoded, turns the chip's interrupt into INTx# or a message, and lets the chip reach memory
 * only while it is a bus master [PCI 3.0 6].
 *
 *     const pci = new PciFunction({ vendor: 0x8086, device: 0x2922, classCode: 0x010601, interruptPin: 1,
 *       bars: { 5: { kind: "memory", size: 4096 } }, capabilities: [msiCapability(0x80)] }, env);
 *     const ahci = new Ahci({ irq: pci.irq, dma: pci.dma, .. });
 *     pci.attach(5, ahci);
 *     bus.add(4, 0, pci);
 *
 * Restore the chip first and then its function: the level that the chip drives while it is restored is then replaced
 * by the saved one and sends no message.
 */
import {
  type Dma,
  flag,
  type Hook,
  type IrqLine,
  join32,
  type Register,
  type Registers,
  record,
  registers,
  type Shape,
} from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";
import {
  BAR,
  type BarIndex,
  COMMAND,
  capabilityRows,
  type HeaderRegister,
  headerRows,
  type Identity,
  MSI_CONTROL,
  MSI_ID,
  type MsiMaskRegister,
  type MsiRegister,
  ROM_ENABLE,
  STATUS,
} from "./config.ts";

/** A range of addresses that a function decodes. */
export type Range = {
  readonly kind: "memory" | "io";
  readonly base: number;
  readonly size: number;
  readonly space: RegisterSpace;
};

/**
 * Told which ranges are decoded, whenever that changes. Ranges of different functions may overlap while firmware moves
 * them, and then any of them may answer; `unmap` is always given a range that was mapped.
 */
export interface PciMapper {
  map(kind: "memory" | "io", base: number, size: number, space: RegisterSpace): void;
  unmap(kind: "memory" | "io", base: number, size: number, space: RegisterSpace): void;
}

export interface PciEnv {
  readonly mapper: PciMapper;
  /** INTx# of the function's interrupt pin; see `PciBus.intx`. May be left out without one. */
  readonly intx?: IrqLine;
  /** A message-signalled interrupt: a write of `data`, 32 bits, to memory at `address`. */
  message?(address: number, data: number): void;
  /** Memory, for the function as a bus master. */
  readonly dma?: Dma;
}

export type PciOptions<N extends string> = Identity & {
  /** The function's own registers, from 40 on. */
  readonly registers?: Record<N, Register>;
  readonly hooks?: { readonly [name in N]?: Hook };
};

/** `config`: registers by name. `asserted`: whether the chip asks for an interrupt. */
export type PciFunctionState = { config: Record<string, number>; asserted: boolean };

export class PciFunction<N extends string = never> implements Device<PciFunctionState> {
  readonly identity: Identity;
  /** Configuration space: `config.read(offset, size)` is the bus's door, `config.NAME` the device's. */
  readonly config: Registers<HeaderRegister | N>;
  /** The shape of what this function saves. */
  readonly state: Shape<PciFunctionState>;
  /** The chip's interrupt output. */
  readonly irq: IrqLine;
  /** The chip's way to memory: reads all ones and writes nothing while it is no bus master [PCI 3.0 6.2.2]. */
  readonly dma: Dma;
  readonly #env: PciEnv;
  /** The command register, by its place: it is looked at before every access to memory, and each function is of its own kind. */
  readonly #values: Uint32Array;
  readonly #command: number;
  readonly #msi: Registers<MsiRegister | MsiMaskRegister> | undefined;
  readonly #decoders: (() => Range | undefined)[] = [];
  #mapped: (Range | undefined)[] = [];
  #asserted = false;

  constructor(options: PciOptions<N>, env: PciEnv) {
    const { capabilities = [], hooks = {} } = options;
    this.identity = options;
    this.#env = env;
    const remap = () => this.remap();
    const interrupt = () => this.#drive();
    const bars = { BAR0: remap, BAR1: remap, BAR2: remap, BAR3: remap, BAR4: remap, BAR5: remap, ROM: remap };
    const command = () => {
      this.remap();
      this.#drive();
    };
    const msi = { MSI_CONTROL: interrupt, MSI_MASK: () => this.#unmask() };
    const rows = { ...headerRows(options), ...capabilityRows(capabilities), ...options.registers };
    const map = registers(rows as Record<HeaderRegister | N, Register>);
    this.#command = map.at.COMMAND;
    const has = capabilities.some(({ id }) => id === MSI_ID);
    this.config = map.file({ ...bars, COMMAND: command, ...(has ? msi : {}), ...hooks } as {
      readonly [name in HeaderRegister | N]?: Hook;
    });
    this.#values = this.config.values;
    this.#msi = has ? (this.config as unknown as Registers<MsiRegister | MsiMaskRegister>) : undefined;
    this.state = record({ config: map.state, asserted: flag }) as unknown as Shape<PciFunctionState>;
    this.irq = {
      set: (asserted) => {
        if (asserted !== this.#asserted) this.#set(asserted);
      },
    };
    this.dma = this.#gate(env.dma);
  }

  /** Gives the registers behind a base address register, or the contents of the expansion ROM. Once each, at the start. */
  attach(bar: BarIndex | "rom", space: RegisterSpace): void {
    this.decode(bar === "rom" ? () => this.#romRange(space) : () => this.#barRange(bar, space));
  }

  /**
   * One more range that the function decodes, where its own registers say; undefined while it decodes none. It is asked
   * after every change of the header, and whenever the owner calls {@link remap}.
   */
  decode(range: () => Range | undefined): void {
    this.#decoders.push(range);
    this.remap();
  }

  /** Tells the mapper what has changed about the ranges that are decoded. */
  remap(): void {
    const wanted = this.#decoders.map((range) => range());
    const before = this.#mapped;
    this.#mapped = wanted;
    // Ranges of one function that overlap are all mapped anew: which one answers must not depend on how they got there.
    const stays = wanted.map((range, index) => isSame(range, before[index]) && !overlapsAny(range, wanted));
    for (const [index, range] of before.entries()) {
      if (range && !stays[index]) this.#env.mapper.unmap(range.kind, range.base, range.size, range.space);
    }
    for (const [index, range] of wanted.entries()) {
      if (range && !stays[index]) this.#env.mapper.map(range.kind, range.base, range.size, range.space);
    }
  }

  /** What is decoded now. */
  get ranges(): readonly Range[] {
    return this.#mapped.filter((range) => range !== undefined);
  }

  /**
   * Sends a message although the chip's interrupt stays asserted, for chips whose manual asks for it: another cause
   * came up, or causes remain after some were cleared. Without MSI the level has said it all, and nothing happens.
   */
  signal(): void {
    if (this.#msi && this.#msi.MSI_CONTROL & MSI_CONTROL.ENABLE && this.#asserted) this.#send(this.#msi);
  }

  /** Whether interrupts are sent as messages. */
  get msiEnabled(): boolean {
    return this.#msi !== undefined && (this.#msi.MSI_CONTROL & MSI_CONTROL.ENABLE) !== 0;
  }

  reset(): void {
    this.config.reset();
    this.#set(this.#asserted);
    this.remap();
  }
  save(): PciFunctionState {
    return { config: this.config.save(), asserted: this.#asserted };
  }
  restore(state: PciFunctionState): void {
    this.config.restore(state.config as ReturnType<typeof this.config.save>);
    this.#asserted = state.asserted;
    this.remap();
    this.#drive();
  }

  /** The chip drives its interrupt: a rising edge sends a message, INTx# follows the level. */
  #set(asserted: boolean): void {
    const rises = asserted && !this.#asserted;
    this.#asserted = asserted;
    const status = this.config.STATUS & ~STATUS.INTERRUPT;
    this.config.STATUS = asserted ? status | STATUS.INTERRUPT : status;
    if (rises) this.signal();
    this.#drive();
  }
  /** INTx# is a function of the chip's level and of who forbids it: the command register, or MSI [PCI 3.0 6.8.1.3]. */
  #drive(): void {
    const allowed = !(this.config.COMMAND & COMMAND.INTX_DISABLE) && !this.msiEnabled;
    this.#env.intx?.set(this.#asserted && allowed);
  }
  #send(msi: Registers<MsiRegister | MsiMaskRegister>): void {
    if (msi.MSI_CONTROL & MSI_CONTROL.MASKABLE && msi.MSI_MASK & 1) {
      msi.MSI_PENDING = 1;
      return;
    }
    if (!(this.config.COMMAND & COMMAND.MASTER)) return;
    this.#env.message?.(join32(msi.MSI_ADDRESS_HIGH & 0xfffff, msi.MSI_ADDRESS), msi.MSI_DATA);
  }
  /** A message held back while masked leaves when unmasked [PCI 3.0 6.8.1.7]. */
  #unmask(): void {
    const msi = this.#msi;
    if (msi === undefined || msi.MSI_MASK & 1 || !msi.MSI_PENDING) return;
    msi.MSI_PENDING = 0;
    if (msi.MSI_CONTROL & MSI_CONTROL.ENABLE) this.#send(msi);
  }

  /** Where a base address register decodes; nowhere while it holds 0, or all ones for sizing. */
  #barRange(index: BarIndex, space: RegisterSpace): Range | undefined {
    const bar = this.identity.bars?.[index];
    const enabled = bar?.kind === "io" ? COMMAND.IO : COMMAND.MEMORY;
    if (bar === undefined || !(this.config.COMMAND & enabled)) return undefined;
    const values = this.config as unknown as Record<string, number>;
    const low = values[`BAR${index}`];
    if (bar.kind === "io") {
      const base = (low & ~3) >>> 0;
      return base === 0 || base + bar.size > 0xffff ? undefined : { kind: "io", base, size: bar.size, space };
    }
    const high = bar.wide ? values[`BAR${index + 1}`] : 0;
    if (high >= 0x10_0000) return undefined; // beyond 52 bits of address: a sizing in progress
    const base = join32(high, low & ~(BAR.IO | BAR.WIDE | BAR.PREFETCHABLE | 2));
    const misplaced = base === 0 || (base < 2 ** 32 && base + bar.size >= 2 ** 32);
    return misplaced ? undefined : { kind: "memory", base, size: bar.size, space };
  }
  #romRange(space: RegisterSpace): Range | undefined {
    const size = this.identity.rom ?? 0;
    const value = this.config.ROM;
    const base = (value & ~0x7ff) >>> 0;
    if (!(value & ROM_ENABLE) || !(this.config.COMMAND & COMMAND.MEMORY)) return undefined;
    return base === 0 || base + size >= 2 ** 32 ? undefined : { kind: "memory", base, size, space };
  }

  #gate(dma: Dma | undefined): Dma {
    const master = () => (this.#values[this.#command] & COMMAND.MASTER) !== 0;
    return {
      read: (address, into) => {
        if (dma && master()) dma.read(address, into);
        else into.fill(0xff);
      },
      write: (address, from) => {
        if (dma && master()) dma.write(address, from);
      },
    };
  }
}

const isSame = (a: Range | undefined, b: Range | undefined): boolean =>
  a === b || (a?.kind === b?.kind && a?.base === b?.base && a?.size === b?.size && a?.space === b?.space);

const overlapsAny = (a: Range | undefined, all: readonly (Range | undefined)[]): boolean =>
  all.some((b) => a && b && a !== b && a.kind === b.kind && a.base < b.base + b.size && b.base < a.base + a.size);
