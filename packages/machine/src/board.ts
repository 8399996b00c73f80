/**
 * The board: an i440FX and PIIX3 PC with AHCI and a standard VGA. This is the table of what is where; the chips are in
 * packages/devices, and none of them knows its address or its line.
 */
import { Cpu, type CpuOptions } from "@castaway/cpu";
import {
  AcpiRegisters,
  AhciController,
  Apm,
  AtaDrive,
  acpiFiles,
  acpiState,
  apmState,
  boardItems,
  bootFailWait,
  bootOrder,
  type DiskTiming,
  DmaControllers,
  debugPort,
  displayFunction,
  dmaState,
  driveState,
  E1000,
  e820,
  exitPort,
  FwCfg,
  fanOut,
  fwCfgState,
  HostBridge,
  I8042,
  IoApic,
  IsaBridge,
  i8042State,
  ioApicState,
  Keyboard,
  keyboardState,
  type MemorySpace,
  nvram,
  OverlayDisk,
  overlayState,
  type PamSegment,
  PciBus,
  type PciMapper,
  Pics,
  Pit,
  Port61,
  Port92,
  PowerManagement,
  pciBusState,
  picsState,
  pitState,
  port61State,
  port92State,
  type RegisterSpace,
  ResetControl,
  Rtc,
  resetControlState,
  rtcState,
  StdVga,
  stdVgaState,
  Uart16550,
  uartState,
  WiredOr,
} from "@castaway/devices";
import { type BlockDevice, Clock, type Dma, type EthernetPort, type IrqLine, Probe } from "@castaway/kit";
import { MemoryMap } from "./memory-map.ts";
import { Parts } from "./parts.ts";
import { PortSpace } from "./ports.ts";

const PAGE = 4096;
const VIDEO_MEMORY = 16 << 20;
const NETWORK_SLOTS = [3, 5];
/** Open Firmware paths, as SeaBIOS compares them. */
const BOOT_PATHS = { disk: "/pci@i0cf8/*@4/drive@0/disk@0", network: "/pci@i0cf8/ethernet@3" };
/** Instructions that the processor evaluates before it makes code for them: about what making it takes. */
const PATIENCE = 1000;

export interface Firmware {
  /** The system BIOS, 128 or 256 KiB. */
  readonly bios: Uint8Array;
  /** The video BIOS for the standard VGA; without it the machine has no display. */
  readonly videoBios?: Uint8Array;
}
/** A disk: its contents, and how long it takes. */
export interface BoardDisk {
  readonly medium: BlockDevice;
  readonly timing: DiskTiming;
}
/** A network card of the type 82540EM. */
export interface BoardCard {
  readonly mac: string;
  /** What SeaBIOS finds in its expansion ROM. */
  readonly rom?: Uint8Array;
  /** The socket in the wall. Without it there is no link. */
  readonly port?: EthernetPort;
}
/** What the firmware may boot from. */
export type BootDevice = "disk" | "network";

export interface BoardOptions extends CpuOptions {
  readonly firmware: Firmware;
  /** At most six; each is a port of the AHCI controller. */
  readonly disks: readonly BoardDisk[];
  /** At most two: in PCI slots 3 and 5. */
  readonly networkCards: readonly BoardCard[];
  /** What the firmware tries, in this order; then it stops. */
  readonly boot: readonly BootDevice[];
  /** What the real-time clock shows at the start: seconds since 1970. */
  readonly startDate: number;
  /** MSI capability of the AHCI controller. */
  readonly msi: boolean;
  /** The firmware's screen also goes to the first serial port. */
  readonly serialConsole: boolean;
  /** Whether a write to port 501 ends the run, for test programs. */
  readonly exitPort: boolean;
}
/** What the board tells the machine that owns it. */
export interface BoardEvents {
  reset(): void;
  powerOff(): void;
  /** A test program wrote to the exit port, 501. */
  exit(code: number): void;
}

export class Board {
  readonly clock: Clock;
  readonly ports = new PortSpace();
  readonly cpu: Cpu;
  readonly memoryMap: MemoryMap;
  readonly pics: Pics;
  readonly ioApic: IoApic;
  readonly pit: Pit;
  readonly rtc: Rtc;
  readonly acpi: AcpiRegisters;
  readonly com1: Uart16550;
  readonly keyboard: Keyboard;
  readonly i8042: I8042;
  readonly vga: StdVga | null;
  readonly drives: readonly AtaDrive[];
  readonly ahci: AhciController | null;
  readonly networkCards: readonly E1000[];
  readonly pci: PciBus;
  readonly hostBridge: HostBridge;
  readonly isaBridge: IsaBridge;
  /** Bytes at the debug ports 402 (firmware) and E9, and what COM1 sends. */
  readonly firmwareLog = new Probe<number>("firmware log");
  readonly debugLog = new Probe<number>("debug port");
  readonly serialOutput = new Probe<number>("COM1");
  readonly #options: BoardOptions;
  /** Interrupt requests 0 to 15, wired-or. */
  readonly #irqs: readonly WiredOr[];
  /** Every chip by its name: `save`, `restore`, `reset` and `inspect` go through it. */
  readonly parts = new Parts();
  readonly #bios: { readonly host: number; readonly bytes: number };

  constructor(options: BoardOptions, events: BoardEvents) {
    this.#options = options;
    this.clock = options.clock ?? new Clock();
    const { clock, ports } = this;
    const { bios, videoBios } = options.firmware;
    const video = videoBios === undefined ? 0 : VIDEO_MEMORY;
    this.cpu = new Cpu({
      patience: PATIENCE,
      ...options,
      clock,
      extraBytes: bios.length + video + PAGE,
      acknowledge: () => this.pics.acknowledge(),
      ports: {
        read: (port, bytes) => ports.read(port, bytes),
        write: (port, bytes, value) => ports.write(port, bytes, value),
      },
    });
    const { physical, apicBus } = this.cpu;
    this.memoryMap = new MemoryMap(physical, () => this.cpu.physicalMapChanged());
    this.#bios = { host: physical.allocate(bios.length), bytes: bios.length };
    physical.u8.set(bios, this.#bios.host);

    // Interrupts.
    const { parts } = this;
    const intr = { set: (high: boolean) => this.cpu.processors[0]!.apic!.setLine(0, high) };
    this.pics = parts.add("pics", new Pics({ intr }), picsState, "interrupts");
    const ioApic = new IoApic({ deliver: (message) => apicBus.deliver(message) });
    this.ioApic = parts.add("ioApic", ioApic, ioApicState, "interrupts");
    apicBus.onEoi((vector) => this.ioApic.endOfInterrupt(vector));
    this.#irqs = Array.from({ length: 16 }, (_, n) => new WiredOr(this.#wire(n)));
    const a20 = new WiredOr({ set: (open) => this.memoryMap.setA20(open) });
    const [fastA20, keyboardA20] = [a20.input(), a20.input()];

    // PCI.
    const hostBridge = new HostBridge({ pam: (segment) => this.#shadow(segment) });
    this.hostBridge = parts.add("hostBridge", hostBridge, hostBridge.state, "pci");
    const isaBridge = new IsaBridge({ irq: (n) => this.irq(n) });
    this.isaBridge = parts.add("isaBridge", isaBridge, isaBridge.state, "pci");
    const reset = () => events.reset(); // whoever asks, and for whichever reset: all of them lead to RESET#
    const resetControl = parts.add("resetControl", new ResetControl(reset), resetControlState);
    const pci = new PciBus({ pirq: this.isaBridge.pirq, resetControl: resetControl.ports });
    this.pci = parts.add("pci", pci, pciBusState);
    this.pci.add(0, 0, this.hostBridge.pci);
    this.pci.add(1, 0, this.isaBridge.pci);

    // Chipset and legacy devices.
    const sleep = (type: number) => type === 0 && events.powerOff();
    this.acpi = parts.add("acpi", new AcpiRegisters({ clock, sci: this.irq(9), sleep }), acpiState, "pci"); // hears IRQ 8
    const power = new PowerManagement({ mapper: this.#mapper(1), acpi: this.acpi.ports });
    this.pci.add(1, 3, parts.add("power", power, power.state, "pci").pci);
    this.pit = parts.add("pit", new Pit({ clock, irq: this.irq(0) }), pitState);
    this.rtc = parts.add("rtc", this.#rtc(options), rtcState);
    const dma = parts.add("dma", new DmaControllers(), dmaState);
    const port61 = parts.add("port61", new Port61({ clock, pit: this.pit }), port61State);
    const port92 = parts.add("port92", new Port92({ a20: (on) => fastA20.set(on), reset }), port92State);
    const apm = parts.add("apm", new Apm({ acpi: (on) => this.acpi.enable(on) }), apmState);
    const keyboard = parts.add("keyboard", new Keyboard({ clock }), keyboardState);
    this.keyboard = keyboard;
    const i8042Env = { clock, keyboard, keyboardIrq: this.irq(1), mouseIrq: this.irq(12), resetCpu: reset };
    this.i8042 = parts.add("i8042", new I8042({ ...i8042Env, a20: (on) => keyboardA20.set(on) }), i8042State);
    const { serialOutput } = this;
    const send = (byte: number) => serialOutput.active && serialOutput.emit(byte);
    this.com1 = parts.add("com1", new Uart16550({ clock, irq: this.irq(4), send }), uartState);
    const items = boardItems({ cpus: options.cpus ?? 1, serialConsole: options.serialConsole });
    const fwCfg = parts.add("fwCfg", new FwCfg({ items, files: this.#files() }), fwCfgState);

    // Which chip answers which ports: first port, how many, chip.
    const table: [port: number, size: number, chip: RegisterSpace][] = [
      [0x00, 16, dma.first],
      [0x20, 2, this.pics.master.ports],
      [0x40, 4, this.pit.ports],
      [0x60, 1, this.i8042.data],
      [0x61, 1, port61.ports],
      [0x64, 1, this.i8042.command],
      [0x70, 2, this.rtc.ports],
      [0x80, 16, dma.pages],
      [0x92, 1, port92.ports],
      [0xa0, 2, this.pics.slave.ports],
      [0xb2, 2, apm.ports],
      [0xc0, 32, dma.second],
      [0xe9, 1, debugPort(this.debugLog)],
      [0x3f8, 8, this.com1],
      [0x402, 1, debugPort(this.firmwareLog)],
      [0x4d0, 2, this.pics.elcr],
      [0x510, 2, fwCfg],
      [0xafe0, 4, this.acpi.gpe],
      [0xcf8, 8, this.pci.ports],
    ];
    for (const [port, size, chip] of table) ports.map(port, size, chip);
    if (options.exitPort) ports.map(0x501, 1, exitPort(events.exit));
    this.memoryMap.map(0xfec00000, PAGE, this.ioApic);

    // Display and storage.
    this.vga = videoBios === undefined ? null : this.#display(physical.allocate(VIDEO_MEMORY), videoBios);
    this.drives = options.disks.map((disk, n) => this.#drive(disk, n));
    this.ahci = this.drives.length === 0 ? null : this.#storage();
    this.networkCards = options.networkCards.map((card, n) => this.#networkCard(card, n));
    this.#mapBios();
  }

  /** One more driver of an interrupt request. */
  irq(n: number): IrqLine {
    return this.#irqs[n]!.input();
  }
  /** A request goes to the 8259s and to the I/O APIC, where the timer is input 2. */
  #wire(n: number): IrqLine {
    if (n === 2) return { set: () => {} };
    return fanOut(this.pics.line(n), this.ioApic.line(n === 0 ? 2 : n));
  }
  #rtc({ startDate, cpus = 1 }: BoardOptions): Rtc {
    const { clock } = this;
    const settings = nvram({ ram: this.cpu.physical.ramBytes, cpus });
    const wake = { set: (asserted: boolean) => asserted && this.acpi.alarm() }; // [82371AB 7.2.1]: RTC_STS follows IRQ8
    return new Rtc({ clock, irq: fanOut(this.irq(8), wake) }, { start: startDate, nvram: settings });
  }
  /**
   * What a function in a PCI slot decodes. Where ranges overlap, PCI answers before the legacy devices, and the higher slot
   * first: a rule of this board, so that it follows from the registers alone.
   */
  #mapper(slot: number): PciMapper {
    return {
      map: (kind, base, size, space) => {
        if (kind === "io") return this.ports.map(base, size, space, { rank: slot });
        const { writable = true } = space as Partial<MemorySpace>;
        this.memoryMap.map(base, size, space, { host: this.#hostOf(space), writable, rank: slot });
      },
      unmap: (kind, base, size, space) => {
        if (kind === "io") this.ports.unmap(base, size, space);
        else this.memoryMap.unmap(base, size, space);
      },
    };
  }
  /** Where plain memory of a device is in the machine's own memory, if it is there. */
  #hostOf(space: RegisterSpace): number {
    const { memory } = space as Partial<MemorySpace>;
    return memory !== undefined && memory.buffer === this.cpu.physical.wasm.buffer ? memory.byteOffset : 0;
  }
  readonly #dma: Dma = {
    read: (address, into) => this.cpu.physical.dmaRead(address, into),
    write: (address, from) => this.cpu.physical.dmaWrite(address, from),
  };
  #message(address: number, data: number): void {
    if (address >= 0xfee00000 && address <= 0xfeefffff) this.cpu.apicBus.messageSignalled(address, data);
  }

  #display(host: number, videoBios: Uint8Array): StdVga {
    const { physical } = this.cpu;
    const memory = physical.u8.subarray(host, host + VIDEO_MEMORY);
    const vga = this.parts.add("vga", new StdVga({ clock: this.clock, memory }), stdVgaState);
    const pci = displayFunction(vga, { mapper: this.#mapper(2) }, videoBios);
    this.parts.add("vgaPci", pci, pci.state, "pci");
    this.pci.add(2, 0, pci);
    this.ports.map(0x1ce, 3, vga.dispiPorts);
    this.ports.map(0x3b0, 0x30, vga.ports);
    this.memoryMap.map(0xa0000, 0x20000, vga.window);
    return vga;
  }
  /** An overlay's contents are part of the machine's state; other media keep themselves. */
  #drive({ medium, timing }: BoardDisk, n: number): AtaDrive {
    const { clock } = this;
    const name = `disk${n}`;
    if (medium instanceof OverlayDisk) this.parts.add(`${name}Overlay`, keeps(medium), overlayState, "medium");
    const serial = `CA${String(n + 1).padStart(4, "0")}`;
    return this.parts.add(name, new AtaDrive({ clock, medium, timing }, { serial }), driveState, "medium");
  }
  #storage(): AhciController {
    const { clock, drives } = this;
    const env = {
      mapper: this.#mapper(4),
      intx: this.pci.intx(4, 1),
      dma: this.#dma,
      message: (address: number, data: number) => this.#message(address, data),
    };
    const ahci = new AhciController(env, { clock, drives, msi: this.#options.msi });
    this.parts.add("ahci", ahci, ahci.state, "pci");
    this.pci.add(4, 0, ahci.pci);
    return ahci;
  }

  #networkCard({ mac, rom, port }: BoardCard, n: number): E1000 {
    const [slot, name] = [NETWORK_SLOTS[n]!, `networkCard${n}`];
    const env = { mapper: this.#mapper(slot), intx: this.pci.intx(slot, 1), dma: this.#dma };
    const card = new E1000(env, { clock: this.clock, mac, rom, port, name });
    this.parts.add(name, card, card.state, "pci");
    this.pci.add(slot, 0, card.pci);
    return card;
  }

  #files(): Record<string, Uint8Array> {
    const paths = this.#options.boot.map((device) => BOOT_PATHS[device]);
    return {
      "etc/e820": e820(this.cpu.physical.ramBytes),
      ...acpiFiles({ cpus: this.#options.cpus ?? 1 }),
      "etc/boot-fail-wait": bootFailWait(undefined),
      bootorder: bootOrder([...paths, "HALT"]),
    };
  }

  /** The BIOS ends at 4 GiB. */
  #mapBios(): void {
    const { host, bytes } = this.#bios;
    const first = 2 ** 20 - bytes / PAGE;
    for (let page = 0; page < bytes / PAGE; page++) this.memoryMap.setGround(first + page, host + page * PAGE, 0);
    this.memoryMap.settle();
  }
  /** C0000 to FFFFF: RAM, or the bus, where the last 128 KiB of the BIOS answer from E0000 on. */
  #shadow({ base, size, readable, writable }: PamSegment): void {
    const { host, bytes } = this.#bios;
    const ram = this.cpu.physical.ram.byteOffset;
    for (let at = base; at < base + size; at += PAGE) {
      const rom = at >= 0xe0000 ? host + bytes - 0x100000 + at : 0;
      this.memoryMap.setGround(at / PAGE, readable ? ram + at : rom, writable ? ram + at : 0);
    }
    this.memoryMap.settle();
  }

  /** RESET# to every chip and processor; memory, media and time stay. */
  reset(): void {
    this.parts.reset();
    this.cpu.reset();
  }
}

/** A medium as a part: RESET# does nothing to what is written. */
const keeps = (overlay: OverlayDisk) => ({
  reset: () => {},
  save: () => overlay.save(),
  restore: (state: ReturnType<typeof overlay.save>) => overlay.restore(state),
});
