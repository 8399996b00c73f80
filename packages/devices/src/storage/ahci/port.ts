/**
 * One port of an AHCI controller: it fetches commands from the guest's list, sends them to the drive, moves the drive's
 * data to and from guest memory, and reports by frames, registers and interrupts. [AHCI 1.3.1 3.3, 5.3]
 */
import { type Clock, type Dma, flag, list, lowestOne, nullable, record, type StateOf, u8 } from "@castaway/kit";
import type { Device } from "../../device.ts";
import type { Command } from "../ata/command.ts";
import type { AtaDrive, AtaHost } from "../ata/drive.ts";
import { type Outcome, READY, STATUS, signature } from "../ata/taskfile.ts";
import { dmaSetupFis, parseCommandFis, pioSetupFis, RECEIVED, registerFis, setDeviceBitsFis } from "./fis.ts";
import { Link, linkState } from "./link.ts";
import { CMD, IS, PORT, SERR } from "./registers.ts";
import { address64, fetchFis, fetchSlot, moveData, type SlotState, slotState, store, storeCount } from "./slot.ts";

/** All that a port may touch. */
export type PortEnv = {
  readonly dma: Dma;
  readonly clock: Clock;
  readonly drive: AtaDrive | null;
  /** IS or IE may have changed. */
  readonly changed: () => void;
};

export const portState = record({
  regs: PORT.state,
  /** What has been fetched of the commands that were sent. */
  slots: list(nullable(slotState), 32),
  /** The slot that is looked at first for the next command. */
  turn: u8,
  /** The slot of the unqueued command that the drive is busy with. */
  current: nullable(u8),
  /** An error has stopped the port: until ST is cleared it sends nothing. [AHCI 1.3.1 6.2.2] */
  halted: flag,
  /** The drive is held in software reset. */
  softReset: flag,
  /** The drive's signature is still to be stored, when the host gives a place. */
  unposted: flag,
  link: linkState,
});
export type PortState = StateOf<typeof portState>;

const diskSignature = 0x0000_0101;

export class AhciPort implements Device<PortState>, AtaHost {
  readonly regs = PORT.file({
    CI: (_, before) => this.#issueWritten(before),
    SACT: (_, before) => this.#activeWritten(before),
    CMD: (_, before) => this.#commanded(before),
    SCTL: (_, before) => this.#controlled(before),
    IS: () => this.#changed(),
    IE: () => this.#changed(),
    SERR: () => this.#changed(),
  });
  readonly #env: PortEnv;
  readonly #link: Link;
  #slots: (SlotState | null)[] = new Array(32).fill(null);
  #turn = 0;
  #current: number | null = null;
  #halted = false;
  #softReset = false;
  #unposted = false;

  constructor(name: string, env: PortEnv) {
    this.#env = env;
    this.#link = new Link(`${name}.link`, env.clock, this.regs, env.drive !== null, () => this.#linked());
    env.drive?.connect(this);
    this.reset();
  }

  reset(): void {
    this.regs.reset();
    this.#halted = false;
    this.#unposted = false;
    this.#comreset();
    this.#link.train();
  }

  /** GHC.HR: as {@link reset}, but CLB and FB stay. [AHCI 1.3.1 10.4.3] */
  resetByHost(): void {
    const { CLB, CLBU, FB, FBU } = this.regs;
    this.reset();
    Object.assign(this.regs, { CLB, CLBU, FB, FBU });
  }

  save(): PortState {
    return {
      regs: this.regs.save(),
      slots: this.#slots.map(copySlot),
      turn: this.#turn,
      current: this.#current,
      halted: this.#halted,
      softReset: this.#softReset,
      unposted: this.#unposted,
      link: this.#link.save(),
    };
  }

  restore(state: PortState): void {
    this.regs.restore(state.regs);
    this.#slots = state.slots.map(copySlot);
    this.#turn = state.turn;
    this.#current = state.current;
    this.#halted = state.halted;
    this.#softReset = state.softReset;
    this.#unposted = state.unposted;
    this.#link.restore(state.link);
  }

  // What the host writes

  /** Commands can be issued while ST is set only. [AHCI 1.3.1 3.3.14] */
  #issueWritten(before: number): void {
    if ((this.regs.CMD & CMD.ST) === 0) this.regs.CI = before;
    this.#issue();
  }

  #activeWritten(before: number): void {
    if ((this.regs.CMD & CMD.ST) === 0) this.regs.SACT = before;
  }

  /** [AHCI 1.3.1 3.3.7, 10.3] */
  #commanded(before: number): void {
    const { regs } = this;
    if ((regs.CMD & CMD.CLO) !== 0) {
      regs.CMD &= ~CMD.CLO;
      if ((before & CMD.ST) === 0) regs.TFD &= ~(STATUS.BSY | STATUS.DRQ);
    }
    const changed = regs.CMD ^ before;
    if ((changed & CMD.FRE) !== 0) {
      regs.CMD = (regs.CMD & CMD.FRE) !== 0 ? regs.CMD | CMD.FR : regs.CMD & ~CMD.FR;
      this.#postSignature();
    }
    if ((changed & CMD.ST) !== 0) {
      if ((regs.CMD & CMD.ST) !== 0) regs.CMD |= CMD.CR;
      else this.#stop();
    }
    this.#changed();
    this.#issue();
  }

  /** ST was cleared: what was issued is forgotten; what the drive still does finds no memory. */
  #stop(): void {
    const { regs } = this;
    regs.CMD &= ~(CMD.CR | CMD.CCS);
    regs.CI = 0;
    regs.SACT = 0;
    this.#forget();
    this.#halted = false;
  }

  #forget(): void {
    this.#turn = 0;
    this.#slots.fill(null);
    this.#current = null;
  }

  /** SCTL.DET: 1 holds the cable in reset, 4 switches the port off, 0 lets it go. [AHCI 1.3.1 3.3.11, 10.4.2] */
  #controlled(before: number): void {
    const det = this.regs.SCTL & 0xf;
    if (det === (before & 0xf)) return;
    if (det === 1 || det === 4) {
      this.#comreset();
      if (det === 4) this.#link.off();
    } else if (det === 0) this.#link.train();
    this.#changed();
  }

  #comreset(): void {
    this.#forget();
    if ((this.regs.CMD & CMD.ST) !== 0) this.#halted = true;
    this.#softReset = false;
    this.#unposted = false;
    this.#link.cut();
    this.#env.drive?.hardReset();
  }

  /** The link came a step further. */
  #linked(): void {
    if (this.#link.isUp) this.#sign();
    this.#changed();
    this.#issue();
  }

  /** The drive has sent its signature. */
  #sign(): void {
    this.regs.SIG = diskSignature;
    this.#setStatus(signature);
    this.#unposted = true;
    this.#postSignature();
  }

  #postSignature(): void {
    if (!this.#unposted || (this.regs.CMD & CMD.FR) === 0) return;
    this.#unposted = false;
    this.#post(RECEIVED.RFIS, registerFis(signature, false), 0);
  }

  // Commands

  /** Sends what is issued, one slot after the other, as long as the drive takes commands. [AHCI 1.3.1 5.3.3] */
  #issue(): void {
    const ready = CMD.ST | CMD.FR;
    const { regs } = this;
    while (
      regs.CI !== 0 &&
      (regs.CMD & ready) === ready &&
      !this.#halted &&
      this.#link.isUp &&
      (regs.TFD & (STATUS.BSY | STATUS.DRQ)) === 0
    ) {
      this.#send(this.#next());
    }
  }

  /** The issued slot after the one that was sent last, in a circle; slot 0 first after ST was set. [AHCI 1.3.1 3.3.7] */
  #next(): number {
    const later = this.regs.CI & (0xffff_ffff << this.#turn);
    return lowestOne(later === 0 ? this.regs.CI : later);
  }

  #send(number: number): void {
    const { regs } = this;
    const { dma, drive } = this.#env;
    regs.CMD = (regs.CMD & ~CMD.CCS) | (number << 8);
    this.#turn = (number + 1) & 31;
    const slot = fetchSlot(dma, address64(regs.CLB, regs.CLBU), number);
    const fis = parseCommandFis(fetchFis(dma, slot));
    if (drive === null || fis === undefined || slot.length < 20) {
      regs.SERR |= SERR.P;
      regs.IS |= IS.IFS;
      this.#halted = true;
      return this.#changed();
    }
    regs.TFD |= STATUS.BSY;
    if (!fis.isCommand) return this.#control(number, slot, fis.softReset);
    this.#slots[number] = slot;
    if (drive.issue(number, fis.task) === "busy") {
      this.#current = number;
      return;
    }
    const { command: _, ...registers } = fis.task;
    const released = { ...registers, status: READY, error: 0 };
    this.#setStatus(released);
    this.#post(RECEIVED.RFIS, registerFis(released, false), 0);
    regs.CI &= ~(1 << number);
  }

  /** The device control register: SRST set, and cleared again. [AHCI 1.3.1 10.4.1] */
  #control(number: number, slot: SlotState, softReset: boolean): void {
    const { regs } = this;
    if (softReset) {
      this.#forget();
      this.#env.drive?.softReset();
      this.#softReset = true;
      if (!slot.clearBusy) return;
      regs.TFD &= ~(STATUS.BSY | STATUS.DRQ);
    } else if (this.#softReset) {
      this.#softReset = false;
      this.#sign();
    } else regs.TFD &= ~STATUS.BSY;
    regs.CI &= ~(1 << number);
  }

  // The drive's side

  toHost(command: Command, from: Uint8Array, last: boolean): boolean {
    const slot = this.#slotOf(command);
    if (slot === null) return false;
    const { regs } = this;
    const { protocol } = command.kind;
    const after = last ? READY : READY | STATUS.BSY;
    if (protocol === "pio") this.#postPio(command, from, after, true);
    if (protocol === "ncq") this.#post(RECEIVED.DSFIS, dmaSetupFis(command.tag, slot.moved, from.length, true), 0);
    const { moved, tell } = moveData(this.#env.dma, slot, from, true);
    if (moved < from.length) regs.IS |= IS.OFS; // the rest is lost; the command goes on [AHCI 1.3.1 6.1]
    if (tell) regs.IS |= IS.DPS;
    if (protocol === "pio") {
      regs.TFD = after;
      regs.IS |= IS.PSS;
    }
    this.#changed();
    return true;
  }

  fromHost(command: Command, into: Uint8Array, _last: boolean): boolean {
    const slot = this.#slotOf(command);
    if (slot === null) return false;
    const { protocol } = command.kind;
    if (protocol === "pio") {
      if (slot.moved > 0) this.regs.IS |= IS.PSS;
      this.#postPio(command, into, READY | STATUS.BSY, slot.moved > 0);
    }
    if (protocol === "ncq") this.#post(RECEIVED.DSFIS, dmaSetupFis(command.tag, slot.moved, into.length, false), 0);
    const { moved, tell } = moveData(this.#env.dma, slot, into, false);
    if (tell) this.regs.IS |= IS.DPS;
    this.#changed();
    return moved === into.length; // with too short a table the drive waits, until it is reset [AHCI 1.3.1 6.1]
  }

  end(command: Command, outcome: Outcome): void {
    if (command.kind.protocol === "ncq") this.#endQueued(command.tag, outcome);
    else this.#endUnqueued(command, outcome);
    this.#changed();
    this.#issue();
  }

  #endQueued(tag: number, outcome: Outcome): void {
    const failed = (outcome.status & STATUS.ERR) !== 0;
    const done = failed ? 0 : 1 << tag;
    if (!failed) {
      this.#slots[tag] = null;
      this.regs.SACT &= ~done;
    }
    const kept = this.regs.TFD & (STATUS.BSY | STATUS.DRQ);
    this.regs.TFD = (outcome.error << 8) | (outcome.status & 0x77) | kept;
    this.#post(RECEIVED.SDBFIS, setDeviceBitsFis(outcome, done), IS.SDBS);
    if (failed) this.#fail();
  }

  #endUnqueued({ kind, tag }: Command, outcome: Outcome): void {
    const { regs } = this;
    const failed = (outcome.status & STATUS.ERR) !== 0;
    const slot = this.#current === tag ? this.#slots[tag] : null;
    if (slot !== null) storeCount(this.#env.dma, slot);
    this.#setStatus(outcome);
    // PIO to the host ends with its last block, which said so. [SATA 3.x 11.8]
    const silent = kind.protocol === "pio" && kind.direction === "in" && !failed;
    if (!silent) this.#post(RECEIVED.RFIS, registerFis(outcome, true), IS.DHRS);
    if (slot === null) return;
    if (failed) return this.#fail();
    regs.CI &= ~(1 << tag);
    this.#slots[tag] = null;
    this.#current = null;
  }

  /** A task file error stops the port; CI and CCS tell which command it was. [AHCI 1.3.1 6.2.2] */
  #fail(): void {
    if ((this.regs.CMD & CMD.ST) === 0) return;
    this.regs.IS |= IS.TFES;
    this.#halted = true;
  }

  /** What the host gave for a command, if it still stands by it. */
  #slotOf({ tag }: Command): SlotState | null {
    return this.#halted ? null : this.#slots[tag];
  }

  #postPio({ task, kind }: Command, { length: bytes }: Uint8Array, after: number, tell: boolean): void {
    const toHost = kind.direction === "in";
    const fis = pioSetupFis({ task, status: READY | STATUS.DRQ, after, bytes, toHost, tell });
    this.#post(RECEIVED.PSFIS, fis, 0);
  }

  /** Stores a received frame where the host wants it, and notes the interrupt that comes with it. */
  #post(offset: number, fis: Uint8Array, interrupt: number): void {
    if ((this.regs.CMD & CMD.FR) === 0) return;
    store(this.#env.dma, address64(this.regs.FB, this.regs.FBU) + offset, fis);
    this.regs.IS |= interrupt;
  }

  #setStatus({ status, error }: Outcome): void {
    this.regs.TFD = (error << 8) | status;
  }

  #changed(): void {
    const { regs } = this;
    const follows = ((regs.SERR & SERR.X) !== 0 ? IS.PCS : 0) | ((regs.SERR & SERR.N) !== 0 ? IS.PRCS : 0);
    regs.IS = (regs.IS & ~(IS.PCS | IS.PRCS)) | follows;
    this.#env.changed();
  }
}

const copySlot = (slot: SlotState | null): SlotState | null =>
  slot && { ...slot, region: slot.region && { ...slot.region } };
