/**
 * Polling driver of Intel's 82540EM [8254x]: the VMM's own card (R10.1). No interrupts; rings and buffers are the VMM's.
 *
 *     if (card.start(now)) ..                      // a reset first: firmware may have left it at work (R10.4)
 *     card.poll(now)                               // until card.linked
 *     const frame = card.room(); if (frame !== 0) { ..; card.send(60); card.flush(); }
 *     while (card.next()) { ..card.frame, card.length..; card.release(); }
 *     card.stop();                                 // R10.3
 */
import { allocate, physicalOf } from "../memory.ts";
import {
  COMMAND_INTX_DISABLE,
  COMMAND_MASTER,
  COMMAND_MEMORY,
  findPci,
  NOWHERE,
  PCI_BAR0,
  pciCommand,
  pciRead32,
} from "../pci.ts";
import {
  mmioRead32,
  mmioWrite32,
  physCopy,
  physFill,
  physRead8,
  physRead16,
  physWrite32,
  physWrite64,
} from "../x86.ts";
import { netStatistics } from "./statistics.ts";

const ID_82540EM: u32 = 0x100e_8086;

// Registers and their bits [8254x 13].
const CTRL: u64 = 0x0000;
const STATUS: u64 = 0x0008;
const ICR: u64 = 0x00c0;
const IMC: u64 = 0x00d8;
const RCTL: u64 = 0x0100;
const TCTL: u64 = 0x0400;
const TIPG: u64 = 0x0410;
const RDBAL: u64 = 0x2800;
const RDBAH: u64 = 0x2804;
const RDLEN: u64 = 0x2808;
const RDH: u64 = 0x2810;
const RDT: u64 = 0x2818;
const TDBAL: u64 = 0x3800;
const TDBAH: u64 = 0x3804;
const TDLEN: u64 = 0x3808;
const TDH: u64 = 0x3810;
const TDT: u64 = 0x3818;
const RXCSUM: u64 = 0x5000;
const MTA: u64 = 0x5200;
const RAL: u64 = 0x5400;
const RAH: u64 = 0x5404;
const CTRL_ASDE: u32 = 1 << 5;
const CTRL_SLU: u32 = 1 << 6;
const CTRL_RST: u32 = 1 << 26;
/** What CTRL must not hold: invert loss of signal, forced speed and duplex, VLAN mode, PHY reset; flow control is off. */
const CTRL_CLEAR: u32 = (1 << 3) | (1 << 7) | (3 << 11) | (3 << 27) | (1 << 30) | (1 << 31);
const STATUS_LU: u32 = 1 << 1;
/** Long packets; broadcasts; buffers of 2,048 bytes (BSIZE 00); no CRC; not promiscuous. */
const RCTL_ON: u32 = (1 << 1) | (1 << 5) | (1 << 15) | (1 << 26);
/** PSP, and the collision values of full duplex [8254x 13.4.33]. */
const TCTL_ON: u32 = (1 << 1) | (1 << 3) | (0x0f << 4) | (0x40 << 12);
const TIPG_COPPER: u32 = 10 | (8 << 10) | (6 << 20);
const RAH_AV: u32 = 1 << 31;
const DD: u32 = 1;
const EOP: u32 = 2;
/** End of packet, insert the FCS, report status. */
const CMD: u32 = (1 << 0) | (1 << 1) | (1 << 3);

const DESCRIPTOR: u32 = 16;
/** Receive buffers: a frame lies in as many as it needs, one after the other. */
export const RECEIVE_BUFFERS: u32 = 256;
export const RECEIVE_BUFFER: u32 = 2048;
/** The longest frame with an MTU of 9,000 and a VLAN tag; the room behind the last buffer holds the rest of one. */
const LONGEST: u32 = 9018;
const SLACK: u32 = 8 * 2048;
const TRANSMIT_BUFFERS: u32 = 64;
const TRANSMIT_BUFFER: u32 = 2048;

/** From a reset to the next access [8254x 13.4.1], the EEPROM's reload included: 5 ms. */
const settle: u64 = 5_000_000;
const linkCheck: u64 = 10_000_000;

const OFF: u32 = 0;
const RESETTING: u32 = 1;
const RUNNING: u32 = 2;

export class E1000 {
  /** The station's address, when it runs. */
  mac: u64 = 0;
  /** Whether there is a link: looked at every 10 ms. */
  linked: bool = false;
  /** The frame that {@link next} found: physical address and bytes. */
  frame: u64 = 0;
  length: u32 = 0;
  private state: u32 = OFF;
  /** Where it is, as CONFIG_ADDRESS has it. */
  at: u32 = NOWHERE;
  private registers: u64 = 0;
  private wait: u64 = 0;
  private readonly receiveRing: u64;
  private readonly receiveBuffers: u64;
  private readonly transmitRing: u64;
  private readonly transmitBuffers: u64;
  /** The next descriptor to look at, and how many the frame at hand uses. */
  private head: u32 = 0;
  private used: u32 = 0;
  /** The next transmit descriptor to fill, the first that the card may still own, and what TDT says. */
  private tail: u32 = 0;
  private clean: u32 = 0;
  private told: u32 = 0;

  /** At boot: allocates 0.7 MiB. */
  constructor() {
    this.receiveRing = physicalOf(allocate(RECEIVE_BUFFERS * DESCRIPTOR, 128));
    this.receiveBuffers = physicalOf(allocate(RECEIVE_BUFFERS * RECEIVE_BUFFER + SLACK, 4096));
    this.transmitRing = physicalOf(allocate(TRANSMIT_BUFFERS * DESCRIPTOR, 128));
    this.transmitBuffers = physicalOf(allocate(TRANSMIT_BUFFERS * TRANSMIT_BUFFER, 4096));
  }

  /** Resets the `index`-th card of its kind. @returns false: there is none, or the firmware gave it no addresses */
  start(now: u64, index: u32): bool {
    this.at = findPci(ID_82540EM, index);
    if (this.at === NOWHERE) return false;
    this.registers = pciRead32(this.at, PCI_BAR0) & 0xffff_fff0;
    if (this.registers === 0) return false;
    pciCommand(this.at, COMMAND_MEMORY | COMMAND_INTX_DISABLE, COMMAND_MASTER);
    this.reset();
    this.state = RESETTING;
    this.linked = false;
    this.wait = now + settle;
    return true;
  }

  /** Where it is among the PCI functions: for who hides it (R10.2). */
  get place(): u32 {
    return this.at;
  }

  /** Goes on with the start, and looks for the link. */
  poll(now: u64): void {
    if (this.state === OFF || now < this.wait) return;
    if (this.state === RESETTING) this.setUp();
    this.wait = now + linkCheck;
    this.linked = (this.get(STATUS) & STATUS_LU) !== 0;
  }

  /** Leaves the card reset and off the bus. */
  stop(): void {
    if (this.state === OFF) return;
    this.set(RCTL, 0);
    this.set(TCTL, 0);
    pciCommand(this.at, 0, COMMAND_MASTER);
    this.reset();
    this.state = OFF;
    this.linked = false;
  }

  /** The buffer of the next frame to send, physical; 0: all are on their way. */
  room(): u64 {
    const next: u32 = (this.tail + 1) % TRANSMIT_BUFFERS;
    if (next === this.clean) this.reclaim();
    if (next === this.clean || !this.linked) return 0;
    return this.transmitBuffers + this.tail * TRANSMIT_BUFFER;
  }

  /** Queues the frame that was written to {@link room}: 14 to 2,048 bytes, which the card pads. */
  send(bytes: u32): void {
    const descriptor = this.transmitRing + this.tail * DESCRIPTOR;
    physWrite64(descriptor, this.transmitBuffers + this.tail * TRANSMIT_BUFFER);
    physWrite32(descriptor + 8, (CMD << 24) | bytes);
    physWrite32(descriptor + 12, 0);
    this.tail = (this.tail + 1) % TRANSMIT_BUFFERS;
    netStatistics.framesSent++;
  }

  /** Hands all queued frames to the card at once: a register access costs more than a frame. */
  flush(): void {
    if (this.told === this.tail) return;
    this.told = this.tail;
    this.set(TDT, this.tail);
  }

  /** Finds the next frame that came, at {@link frame}: the driver's until {@link release}. One too long has length 0. */
  next(): bool {
    if (this.state !== RUNNING) return false;
    const last = this.find();
    if (last < 0) return false;
    this.used = <u32>last + 1;
    const bytes: u32 = <u32>last * RECEIVE_BUFFER + physRead16(this.descriptor(<u32>last) + 8);
    this.length = bytes <= LONGEST ? bytes : 0;
    this.frame = this.receiveBuffers + this.head * RECEIVE_BUFFER;
    this.join();
    netStatistics.framesReceived++;
    return true;
  }

  /** Gives the buffers of the frame at hand back. */
  release(): void {
    for (let i: u32 = 0; i < this.used; i++) physWrite32(this.descriptor(i) + 12, 0);
    this.head = (this.head + this.used) % RECEIVE_BUFFERS;
    this.used = 0;
  }

  /** Tells the card which buffers it has again, once for many frames. One stays unused: a full ring looks empty. */
  refill(): void {
    if (this.state === RUNNING) this.set(RDT, (this.head + RECEIVE_BUFFERS - 1) % RECEIVE_BUFFERS);
  }

  /** How many descriptors after `head` the frame there ends; -1: it is not all there. */
  private find(): i32 {
    for (let i: u32 = 0; i < RECEIVE_BUFFERS; i++) {
      const status = physRead8(this.descriptor(i) + 12);
      if ((status & DD) === 0) return -1;
      if ((status & EOP) !== 0) return <i32>i;
    }
    return -1;
  }

  /** The `i`-th receive descriptor from `head` on. */
  private descriptor(i: u32): u64 {
    return this.receiveRing + ((this.head + i) % RECEIVE_BUFFERS) * DESCRIPTOR;
  }

  /** A frame that goes on in the first buffer: behind the last one is room for the rest. */
  private join(): void {
    const whole: u32 = (RECEIVE_BUFFERS - this.head) * RECEIVE_BUFFER;
    if (this.length <= whole) return;
    physCopy(this.receiveBuffers + RECEIVE_BUFFERS * RECEIVE_BUFFER, this.receiveBuffers, this.length - whole);
  }

  private reclaim(): void {
    while (this.clean !== this.tail && (physRead8(this.transmitRing + this.clean * DESCRIPTOR + 12) & DD) !== 0) {
      this.clean = (this.clean + 1) % TRANSMIT_BUFFERS;
    }
  }

  /** Nothing is accessed for a while afterwards [8254x 13.4.1]; interrupts are masked by it too. */
  private reset(): void {
    this.set(IMC, 0xffff_ffff);
    this.set(CTRL, this.get(CTRL) | CTRL_RST);
  }

  /** After the reset: the address is what the EEPROM gave to RAL and RAH [8254x 5.6.1]. */
  private setUp(): void {
    this.set(IMC, 0xffff_ffff);
    this.get(ICR);
    const low = this.get(RAL);
    const high = this.get(RAH) & 0xffff;
    this.mac = ((<u64>bswap<u32>(low)) << 16) | bswap<u16>(<u16>high);
    this.set(RAH, high | RAH_AV);
    for (let i: u64 = 0; i < 128; i++) this.set(MTA + 4 * i, 0);
    this.set(CTRL, (this.get(CTRL) & ~CTRL_CLEAR) | CTRL_SLU | CTRL_ASDE);
    this.set(RXCSUM, 0);
    this.setUpRings();
    pciCommand(this.at, COMMAND_MASTER, 0);
    this.set(TIPG, TIPG_COPPER);
    this.set(TCTL, TCTL_ON);
    this.set(RCTL, RCTL_ON);
    this.set(RDT, RECEIVE_BUFFERS - 1);
    this.state = RUNNING;
  }

  private setUpRings(): void {
    for (let i: u32 = 0; i < RECEIVE_BUFFERS; i++) {
      physWrite64(this.receiveRing + i * DESCRIPTOR, this.receiveBuffers + i * RECEIVE_BUFFER);
      physWrite64(this.receiveRing + i * DESCRIPTOR + 8, 0);
    }
    physFill(this.transmitRing, 0, TRANSMIT_BUFFERS * DESCRIPTOR);
    this.set(RDBAL, <u32>this.receiveRing);
    this.set(RDBAH, <u32>(this.receiveRing >> 32));
    this.set(RDLEN, RECEIVE_BUFFERS * DESCRIPTOR);
    this.set(RDH, 0);
    this.set(TDBAL, <u32>this.transmitRing);
    this.set(TDBAH, <u32>(this.transmitRing >> 32));
    this.set(TDLEN, TRANSMIT_BUFFERS * DESCRIPTOR);
    this.set(TDH, 0);
    this.set(TDT, 0);
    this.head = this.used = this.tail = this.clean = this.told = 0;
  }

  private get(register: u64): u32 {
    return mmioRead32(this.registers + register);
  }
  private set(register: u64, value: u32): void {
    mmioWrite32(this.registers + register, value);
  }
}
