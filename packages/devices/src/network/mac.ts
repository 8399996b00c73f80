/**
 * The 82540EM without its PCI side: the registers behind the memory BAR, and all that hangs on them. It knows nothing of
 * PCI: e1000.ts wraps it.
 *
 *     const mac = new E1000Mac({ clock, dma, irq, address });
 *     mac.write(0x0100, 4, 1 << 1);                          // RCTL.EN
 */
import {
  type Clock,
  type Dma,
  type EthernetCard,
  type EthernetPort,
  flag,
  type IrqLine,
  Probe,
  record,
  type StateOf,
  type Width,
} from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";
import { Eeprom, eepromState } from "./eeprom.ts";
import { withoutCheck } from "./fcs.ts";
import { Filter, filterState } from "./filter.ts";
import { FlowControl, flowState } from "./flow.ts";
import { Interrupts, interruptsState } from "./interrupts.ts";
import { Phy, phyState } from "./phy.ts";
import { type ReceiveDrop, Receiver } from "./receive.ts";
import { CAUSE, CTRL, CTRL_EXT, MAC, MDIC, RCTL, STATUS, TCTL } from "./registers.ts";
import { STATISTICS, Statistics } from "./statistics.ts";
import { Transmitter } from "./transmit.ts";
import { transmitState } from "./transmit-state.ts";

export type E1000MacEnv = {
  readonly clock: Clock;
  readonly dma: Dma;
  readonly irq: IrqLine;
  /** The wall that the cable leads to; without it there is no link. */
  readonly port?: EthernetPort;
  /** The station's address in the EEPROM: 6 bytes. */
  readonly address: Uint8Array;
  /** For the timers' names. */
  readonly name?: string;
};

export const e1000MacState = record({
  regs: MAC.state,
  /** STATUS.LU as it was told last. */
  linked: flag,
  statistics: STATISTICS.state,
  filter: filterState,
  eeprom: eepromState,
  phy: phyState,
  interrupts: interruptsState,
  flow: flowState,
  transmit: transmitState,
});
export type E1000MacState = StateOf<typeof e1000MacState>;

/** Where the first of the spaces beside the registers begins; accesses below it, the frequent ones, need no search. */
const firstTable = 0x4000;

/** A frame, without CRC. Its bytes are the chip's: who keeps them copies them. */
export type FrameEvent = { readonly frame: Uint8Array };
export type DropEvent = FrameEvent & {
  readonly direction: "sent" | "received";
  readonly reason: ReceiveDrop | "no link";
};

export class E1000Mac implements RegisterSpace, Device<E1000MacState>, EthernetCard {
  /** Frames that left, with their VLAN tags and checksums; those that were stored; those that were lost, and why. */
  readonly sent = new Probe<FrameEvent>("frames sent");
  readonly received = new Probe<FrameEvent>("frames received");
  readonly dropped = new Probe<DropEvent>("frames dropped");
  readonly regs = MAC.file({
    CTRL: (written) => this.#control(written),
    CTRL_DUP: (written) => {
      this.regs.CTRL = this.regs.CTRL_DUP;
      this.#control(written);
    },
    STATUS: { read: () => this.#status },
    EECD: { read: () => this.eeprom.status(this.regs.EECD), write: () => this.eeprom.drive(this.regs.EECD) },
    EERD: (written) => {
      this.regs.EERD = this.eeprom.fetch((this.regs.EERD & 0xff00) | (written & 1));
    },
    CTRL_EXT: (written) => {
      if ((written & CTRL_EXT.EE_RST) !== 0) this.filter.station = this.eeprom.mac;
    },
    MDIC: (written) => {
      this.regs.MDIC = this.phy.manage(this.regs.MDIC);
      if ((written & MDIC.I) !== 0) this.interrupts.raise(CAUSE.MDAC);
    },
    ICR: { read: () => this.interrupts.take(), write: () => this.interrupts.drive() },
    ITR: () => this.interrupts.drive(),
    ICS: () => {
      const causes = this.regs.ICS;
      this.regs.ICS = 0;
      this.interrupts.raise(causes);
    },
    IMS: () => this.interrupts.drive(),
    IMC: () => {
      this.regs.IMS &= ~this.regs.IMC;
      this.regs.IMC = 0;
      this.interrupts.drive();
    },
    RDTR: (written) => {
      if (written >>> 31 !== 0) this.interrupts.flushReceived();
    },
    TCTL: () => this.#enableTransmit(),
    TDLEN: () => this.#transmitter.start(),
    TDH: () => this.#transmitter.restart(),
    TDT: () => this.#transmitter.start(),
  });
  readonly statistics = new Statistics();
  readonly filter: Filter;
  readonly eeprom: Eeprom;
  readonly phy: Phy;
  readonly interrupts: Interrupts;
  readonly flow: FlowControl;
  readonly #env: E1000MacEnv;
  readonly #transmitter: Transmitter;
  readonly #receiver: Receiver;
  readonly #spaces: readonly [base: number, end: number, space: RegisterSpace][];
  #linked = false;

  constructor(env: E1000MacEnv) {
    const { clock, dma, irq, name = "e1000" } = env;
    const { regs, statistics } = this;
    this.#env = env;
    this.filter = new Filter(regs);
    this.eeprom = new Eeprom(env.address);
    this.phy = new Phy(`${name}.phy`, clock, () => this.#linkChanged());
    this.interrupts = new Interrupts(`${name}.interrupts`, { clock, irq, regs });
    const { filter, interrupts } = this;
    this.flow = new FlowControl(`${name}.pause`, {
      clock,
      regs,
      statistics,
      station: () => filter.station,
      speed: () => this.#mode.speed,
      resume: () => this.#transmitter.start(),
    });
    const { flow } = this;
    this.#transmitter = new Transmitter(`${name}.transmit`, {
      clock,
      dma,
      regs,
      statistics,
      interrupts,
      paused: () => flow.paused,
      send: (frame, hasFcs) => this.#send(hasFcs ? withoutCheck(frame) : frame),
      drop: (frame, reason) => this.#drop(frame, "sent", reason),
    });
    this.#receiver = new Receiver({ dma, regs, filter, flow, statistics, interrupts });
    this.#spaces = [
      [firstTable, 0x4100, statistics],
      [0x5200, 0x5400, filter.mta],
      [0x5400, 0x5480, filter.ra],
      [0x5600, 0x5800, filter.vfta],
    ];
    this.#restart();
    env.port?.connect(this);
  }

  read(offset: number, bytes: number): number {
    if (offset < firstTable) return this.regs.read(offset, bytes as Width);
    for (const [base, end, space] of this.#spaces) {
      if (offset >= base && offset < end) return space.read(offset - base, bytes);
    }
    return this.regs.read(offset, bytes as Width);
  }

  write(offset: number, bytes: number, value: number): void {
    if (offset < firstTable) return this.regs.write(offset, bytes as Width, value);
    for (const [base, end, space] of this.#spaces) {
      if (offset >= base && offset < end) return space.write(offset - base, bytes, value);
    }
    this.regs.write(offset, bytes as Width, value);
  }

  /** A frame arrives from the wall. */
  receive(frame: Uint8Array): void {
    if (!this.#linked || this.#loops) this.#drop(frame, "received", "no link");
    else this.#take(frame);
  }

  /** The wall's end of the link came up or went down. */
  link(up: boolean): void {
    this.phy.plug(up);
  }

  reset(): void {
    this.regs.reset();
    this.phy.reset();
    this.#restart();
  }

  save(): E1000MacState {
    return {
      regs: this.regs.save(),
      linked: this.#linked,
      statistics: this.statistics.save(),
      filter: this.filter.save(),
      eeprom: this.eeprom.save(),
      phy: this.phy.save(),
      interrupts: this.interrupts.save(),
      flow: this.flow.save(),
      transmit: this.#transmitter.save(),
    };
  }

  restore(state: E1000MacState): void {
    this.regs.restore(state.regs);
    this.#linked = state.linked;
    this.statistics.restore(state.statistics);
    this.filter.restore(state.filter);
    this.eeprom.restore(state.eeprom);
    this.phy.restore(state.phy);
    this.flow.restore(state.flow);
    this.#transmitter.restore(state.transmit);
    this.interrupts.restore(state.interrupts);
  }

  /** All but the PHY as after reset; the registers have been. */
  #restart(): void {
    for (const part of [this.statistics, this.filter, this.eeprom, this.flow, this.#transmitter]) part.reset();
    this.filter.station = this.eeprom.mac;
    this.#linked = this.#isUp;
    this.interrupts.reset();
  }

  /** CTRL was written. RST keeps what no driver expects to lose: PBA, WUS, and the PHY with its link. [8254x 13.4.1] */
  #control(written: number): void {
    const { regs, phy } = this;
    if ((written & CTRL.PHY_RST) !== 0) phy.hold(true);
    if ((written & CTRL.RST) !== 0) {
      const { PBA, WUS } = regs;
      regs.reset();
      Object.assign(regs, { PBA, WUS });
      this.#restart();
    }
    phy.hold((regs.CTRL & CTRL.PHY_RST) !== 0);
    if ((regs.CTRL & CTRL.RFCE) === 0) this.flow.release();
    regs.CTRL_DUP = regs.CTRL;
    this.#linkChanged();
  }

  get #isUp(): boolean {
    return this.phy.up && (this.regs.CTRL & CTRL.SLU) !== 0;
  }

  #linkChanged(): void {
    if (this.#isUp === this.#linked) return;
    this.#linked = this.#isUp;
    this.interrupts.raise(CAUSE.LSC);
  }

  /** Speed and duplex: the PHY's, unless CTRL forces them. */
  get #mode(): { speed: 0 | 1 | 2; full: boolean } {
    const { CTRL: control } = this.regs;
    const { speed, full } = this.phy.mode;
    const forced = Math.min((control & CTRL.SPEED) >>> 8, 2) as 0 | 1 | 2;
    return {
      speed: (control & CTRL.FRCSPD) !== 0 ? forced : speed,
      full: (control & CTRL.FRCDPLX) !== 0 ? (control & CTRL.FD) !== 0 : full,
    };
  }

  get #status(): number {
    const { speed, full } = this.#mode;
    const up = this.#linked ? STATUS.LU | (speed << 6) | (speed << 8) : 0;
    return up | (full ? STATUS.FD : 0) | (this.flow.paused ? STATUS.TXOFF : 0);
  }

  #enableTransmit(): void {
    const { regs } = this;
    const pauses = (regs.TCTL & TCTL.SWXOFF) !== 0;
    regs.TCTL &= ~TCTL.SWXOFF;
    if (pauses && (regs.TCTL & TCTL.EN) !== 0 && (regs.CTRL & CTRL.TFCE) !== 0) this.#send(this.flow.frame(), false);
    this.#transmitter.start();
  }

  /** What is sent comes back: in the MAC, or in the PHY. [8254x 13.4.22, LBM] */
  get #loops(): boolean {
    return (this.regs.RCTL & RCTL.LBM) === RCTL.LBM_MAC || this.phy.loopback;
  }

  #send(frame: Uint8Array, isData = true): void {
    const loops = this.#loops;
    if (!this.#linked && (this.regs.RCTL & RCTL.LBM) !== RCTL.LBM_MAC) return this.#drop(frame, "sent", "no link");
    this.statistics.sent(frame, isData);
    if (this.sent.active) this.sent.emit({ frame });
    if (loops) this.#take(frame);
    else this.#env.port?.send(frame);
  }

  #take(frame: Uint8Array): void {
    const reason = this.#receiver.receive(frame);
    if (reason !== null) this.#drop(frame, "received", reason);
    else if (this.received.active) this.received.emit({ frame });
  }

  #drop(frame: Uint8Array, direction: "sent" | "received", reason: DropEvent["reason"]): void {
    if (this.dropped.active) this.dropped.emit({ frame, direction, reason });
  }
}
