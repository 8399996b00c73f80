/**
 * The disk controller's PCI configuration while the VMM uses it too (R5.1, R8.3). The guest may ask for its size, switch its
 * decoding off, or put it to sleep, and sees what it wrote; the hardware stays where and as it is, since the VMM needs it
 * at any time. What it wrote last is given to the hardware at the end.
 *
 * A guest that moves the controller for good is refused: the register keeps its old value, and the log says so. To follow
 * it, pages would have to be taken from all processors while they run.
 */
import { Course } from "../api/extension.ts";
import { MmioMediator, PciMediator, PortMediator } from "../api/intercepts.ts";
import { Registry } from "../api/registry.ts";
import { log } from "../log.ts";
import {
  COMMAND_IO,
  COMMAND_MEMORY,
  PCI_BAR0,
  PCI_BARS,
  PCI_CAPABILITIES,
  PCI_COMMAND,
  pciCommand,
  pciRead,
  pciRead32,
  pciWrite,
  pciWrite32,
} from "../pci.ts";
import { IndexPair } from "./index-pair.ts";
import { AhciMediator } from "./mediator.ts";

const PAGE: u64 = 4096;
const PAIR_PORTS: u32 = 8;
const ONES: u32 = 0xffffffff;
const IO_BAR: u32 = 1;
const STATUS_CAPABILITIES: u32 = 1 << 20;
const POWER_MANAGEMENT: u32 = 0x01;
const MESSAGES: u32 = 0x05;
/** Offsets in these capabilities, and bits [PCI PM 3.2.4; PCI 3.0 6.8.1]. */
const POWER_CONTROL: u32 = 4;
const POWER_STATE: u32 = 3;
const MESSAGE_ADDRESS: u32 = 4;
const MESSAGE_HIGH: u32 = 8;
const WIDE_MESSAGES: u32 = 1 << 23;
/** Where messages are interrupts [SDM 3A 10.11.1]. */
const INTERRUPTS: u32 = 0xfee00000;
const INTERRUPTS_MASK: u32 = 0xfff00000;
const MOST_CAPABILITIES: u32 = 48;

export class AhciFunction extends PciMediator {
  /** Base address registers as the hardware has them, as the guest wrote them, and which bits can be written. */
  private readonly home: StaticArray<u32> = new StaticArray<u32>(<i32>PCI_BARS);
  private readonly bars: StaticArray<u32> = new StaticArray<u32>(<i32>PCI_BARS);
  private readonly masks: StaticArray<u32> = new StaticArray<u32>(<i32>PCI_BARS);
  /** The lowest byte of the command register, as the guest wrote it. */
  private command: u32;
  private powerState: u32 = 0;
  /** Where the capabilities are; 0: there are none. */
  private power: u32 = 0;
  private messages: u32 = 0;
  private wideMessages: bool = false;

  /** Boot; nobody uses the controller meanwhile. */
  constructor(private at: u32) {
    super();
    const decoded = COMMAND_MEMORY | COMMAND_IO;
    this.command = pciRead32(at, PCI_COMMAND) & 0xff;
    pciCommand(at, 0, decoded);
    for (let n: u32 = 0; n < PCI_BARS; n++) {
      const bar = PCI_BAR0 + 4 * n,
        value = pciRead32(at, bar);
      pciWrite32(at, bar, ONES);
      this.masks[n] = pciRead32(at, bar) & ((value & IO_BAR) !== 0 ? ~3 : ~0xf);
      pciWrite32(at, bar, value);
      this.home[n] = this.bars[n] = value;
    }
    pciCommand(at, this.command & decoded, 0);
    this.findCapabilities();
  }
  private findCapabilities(): void {
    const at = this.at;
    if ((pciRead32(at, PCI_COMMAND) & STATUS_CAPABILITIES) === 0) return;
    let next = pciRead32(at, PCI_CAPABILITIES) & 0xfc;
    for (let n: u32 = 0; n < MOST_CAPABILITIES && next !== 0; n++) {
      const head = pciRead32(at, next);
      if ((head & 0xff) === POWER_MANAGEMENT) this.power = next + POWER_CONTROL;
      if ((head & 0xff) === MESSAGES) {
        this.messages = next + MESSAGE_ADDRESS;
        this.wideMessages = (head & WIDE_MESSAGES) !== 0;
      }
      next = (head >> 8) & 0xfc;
    }
  }

  /** Do its registers in memory answer the guest? */
  get decodesMemory(): bool {
    return (this.command & COMMAND_MEMORY) !== 0 && this.powerState === 0;
  }

  /** Do its ports? */
  get decodesPorts(): bool {
    return (this.command & COMMAND_IO) !== 0 && this.powerState === 0;
  }

  read(offset: u32, bytes: u32): u32 {
    const shift = 8 * (offset & 3),
      value = this.register(offset & ~3) >> shift;
    return bytes === 4 ? value : value & ((1 << (8 * bytes)) - 1);
  }
  /** Four bytes, as the guest sees them. */
  private register(offset: u32): u32 {
    const n = (offset - PCI_BAR0) >> 2;
    if (n < PCI_BARS) return this.bars[n];
    const value = pciRead32(this.at, offset);
    if (offset === PCI_COMMAND) return (value & ~0xff) | this.command;
    if (this.power !== 0 && offset === this.power) return (value & ~POWER_STATE) | this.powerState;
    return value;
  }

  write(offset: u32, bytes: u32, value: u32): void {
    const register = offset & ~3,
      n = (register - PCI_BAR0) >> 2;
    if (n < PCI_BARS) this.writeBar(n, this.merged(register, offset, bytes, value), bytes === 4);
    else if (offset === PCI_COMMAND) this.writeCommand(bytes, value);
    else if (this.power !== 0 && offset === this.power) this.writePower(bytes, value);
    else if (this.messages !== 0 && register === this.messages) {
      if ((this.merged(register, offset, bytes, value) & INTERRUPTS_MASK) === INTERRUPTS)
        this.pass(offset, bytes, value);
    } else if (this.wideMessages && register === this.messages + MESSAGE_HIGH - MESSAGE_ADDRESS) {
      if (value === 0) this.pass(offset, bytes, value);
    } else this.pass(offset, bytes, value);
  }
  private pass(offset: u32, bytes: u32, value: u32): void {
    pciWrite(this.at, offset, bytes, value);
  }
  /** The register's four bytes, if this is written into them. */
  private merged(register: u32, offset: u32, bytes: u32, value: u32): u32 {
    if (bytes === 4) return value;
    const shift = 8 * (offset & 3),
      mask: u32 = ((1 << (8 * bytes)) - 1) << shift;
    return (this.register(register) & ~mask) | ((value << shift) & mask);
  }

  /** A register that is written in parts may be anything in between. */
  private writeBar(n: u32, value: u32, whole: bool): void {
    const mask = this.masks[n];
    this.bars[n] = (value & mask) | (this.home[n] & ~mask);
    if (whole && (value & mask) !== mask) this.refuseMove(n);
  }
  private refuseMove(n: u32): void {
    if (this.bars[n] === this.home[n]) return;
    this.bars[n] = this.home[n];
    log("the guest may not move the disk controller\n");
  }
  /** Decoding of memory stays on. What the guest writes beside goes on as it is. */
  private writeCommand(bytes: u32, value: u32): void {
    this.pass(PCI_COMMAND, bytes, value | COMMAND_MEMORY);
    this.command = (pciRead(this.at, PCI_COMMAND, 1) & ~COMMAND_MEMORY) | (value & COMMAND_MEMORY);
    if ((value & (COMMAND_MEMORY | COMMAND_IO)) === 0) return;
    for (let n: u32 = 0; n < PCI_BARS; n++) this.refuseMove(n);
  }
  private writePower(bytes: u32, value: u32): void {
    this.powerState = value & POWER_STATE;
    this.pass(this.power, bytes, value & ~POWER_STATE);
  }

  /** The hardware gets what the guest believes that it has. */
  handBack(): void {
    for (let n: u32 = 0; n < PCI_BARS; n++) {
      if (this.bars[n] !== this.home[n]) pciWrite32(this.at, PCI_BAR0 + 4 * n, this.bars[n]);
    }
    pciWrite(this.at, PCI_COMMAND, 1, this.command);
    if (this.powerState === 0) return;
    pciWrite(this.at, this.power, 1, (pciRead(this.at, this.power, 1) & ~POWER_STATE) | this.powerState);
  }
}

/** The controller's registers in memory, while they are decoded. */
class AhciWindow extends MmioMediator {
  constructor(
    private pci: AhciFunction,
    private ahci: AhciMediator,
  ) {
    super();
  }
  read(address: u64, bytes: u32): u64 {
    if (this.pci.decodesMemory) return this.ahci.read(address, bytes);
    return bytes === 8 ? u64.MAX_VALUE : ONES >> (32 - 8 * bytes);
  }
  write(address: u64, bytes: u32, value: u64): void {
    if (this.pci.decodesMemory) this.ahci.write(address, bytes, value);
  }
}

/** The same registers through ports, while these are decoded. */
class PairWindow extends PortMediator {
  constructor(
    private pci: AhciFunction,
    private pair: IndexPair,
  ) {
    super();
  }
  read(port: u32, bytes: u32): u32 {
    return this.pci.decodesPorts ? this.pair.read(port, bytes) : ONES >> (32 - 8 * bytes);
  }
  write(port: u32, bytes: u32, value: u32): void {
    if (this.pci.decodesPorts) this.pair.write(port, bytes, value);
  }
}

class HandBack extends Course {
  constructor(private pci: AhciFunction) {
    super();
  }
  leaving(): void {
    this.pci.handBack();
  }
}

/**
 * From now on the guest meets the mediator.
 * @param at the controller's bus, device and function
 * @param abar its registers in memory, a page
 * @param pair the first of the two ports that lead there as well; 0: there are none
 */
export function mediateAhci(registry: Registry, at: u32, abar: u64, pair: u32, ahci: AhciMediator): void {
  const pci = new AhciFunction(at);
  registry.interceptPci(at, pci);
  registry.interceptMemory(abar, PAGE, new AhciWindow(pci, ahci));
  if (pair !== 0) registry.interceptPorts(pair, PAIR_PORTS, new PairWindow(pci, new IndexPair(ahci, pair)));
  registry.tell(new HandBack(pci));
}
