/**
 * The 16550A: a serial port with FIFOs of 16 characters. [NS] = National Semiconductor, "PC16550D Universal Asynchronous
 * Receiver/Transmitter with FIFOs", June 1995. It runs from the PC's 1.8432 MHz crystal.
 *
 *     const uart = new Uart16550({ clock, irq, send: (byte) => terminal.write(byte) });
 *     uart.receive(new TextEncoder().encode("root\n"));     // arrives as the guest makes room for it
 */
import {
  type Clock,
  ConfigError,
  flag,
  type IrqLine,
  list,
  type Nanoseconds,
  nullable,
  record,
  type StateOf,
  seconds,
  type Timer,
  timerState,
  u8,
  u16,
} from "@castaway/kit";
import { bytewise } from "../bytewise.ts";
import type { Device, RegisterSpace } from "../device.ts";
import { DEPTH, Receiver, receiverState } from "./receiver.ts";
import {
  BI,
  BREAK,
  CHARACTER_ERRORS,
  CLEAR_RX,
  CLEAR_TX,
  CTS,
  DATA,
  DCD,
  DLAB,
  DR,
  DSR,
  DTR,
  EDSSI,
  ELSI,
  EMPTY,
  ERBFI,
  ETBEI,
  FCR,
  FE,
  FIFOS,
  IER,
  IIR,
  INPUTS,
  LCR,
  LINE_STATUS,
  LOOP,
  LSR,
  MCR,
  MODEM,
  MSR,
  NONE,
  OE,
  OUT1,
  OUT2,
  PE,
  PEN,
  RBR,
  RI,
  RTS,
  RX_ERROR,
  SCR,
  STB,
  TEMT,
  THR,
  THRE,
  TIMEOUT,
  TRIGGERS,
} from "./uart-registers.ts";

/** All that a UART may touch. */
export type UartEnv = {
  readonly clock: Clock;
  readonly irq: IrqLine;
  /** A character has left the chip. */
  send(byte: number): void;
  /** The break condition on the wire began or ended ([NS] 8.1, bit 6). */
  sendBreak?(on: boolean): void;
};

export type UartOptions = {
  /**
   * `"baud"`: a character takes the time that the divisor says. `"immediate"`: none, in both directions, so guests that
   * wait for LSR wait least. Default `"immediate"`.
   */
  timing?: "baud" | "immediate";
  /** Whether MCR.OUT2 lets the interrupt through, as it is wired on every PC. Default true. */
  gated?: boolean;
};

/** What happened to a character on the wire. */
export type CharacterErrors = { parity?: boolean; framing?: boolean; break?: boolean };
/** The modem's four lines; true is asserted. */
export type ModemLines = { cts: boolean; dsr: boolean; ri: boolean; dcd: boolean };

export const uartState = record({
  IER: u8,
  FCR: u8,
  LCR: u8,
  MCR: u8,
  MSR: u8,
  SCR: u8,
  DL: u16,
  /** The modem's lines, as in MSR, even while loop-back hides them. */
  lines: u8,
  /** The transmitter has asked for an interrupt, which nothing has taken back. */
  empty: flag,
  /** Characters that have not begun to leave. */
  transmit: list(u8),
  /** The character that is leaving. */
  shifting: nullable(u8),
  sent: timerState,
  receiver: receiverState,
});
export type UartState = StateOf<typeof uartState>;

export class Uart16550 implements Device<UartState>, RegisterSpace {
  readonly #env: UartEnv;
  readonly #immediate: boolean;
  readonly #gated: boolean;
  readonly #space = bytewise(
    (offset) => this.#read(offset & 7),
    (offset, value) => this.#write(offset & 7, value),
  );
  readonly #sent: Timer;
  readonly #receiver: Receiver;

  #IER = 0;
  #FCR = 0;
  #LCR = 0;
  #MCR = 0;
  #MSR = 0;
  #SCR = 0;
  #DL = 0;
  /** Follows from the rest, and is kept because guests read it more often than anything else. */
  #LSR = 0;
  #lines = CTS | DSR | DCD;
  #empty = false;
  #transmit: number[] = [];
  #shifting: number | null = null;

  constructor(env: UartEnv, { timing = "immediate", gated = true }: UartOptions = {}) {
    if (timing !== "baud" && timing !== "immediate") throw new ConfigError("timing", timing, '"baud" or "immediate"');
    this.#env = env;
    this.#immediate = timing === "immediate";
    this.#gated = gated;
    this.#sent = env.clock.timer("uart.sent", () => this.#finish());
    this.#receiver = new Receiver({
      clock: env.clock,
      immediate: this.#immediate,
      fifos: () => (this.#FCR & FIFOS) !== 0,
      connected: () => !(this.#MCR & LOOP),
      characterTime: () => this.#characterTime(),
      changed: () => this.#update(),
    });
    this.reset();
  }

  /** What the other side of the wire typed and the chip has had no room for yet, in characters. */
  get pending(): number {
    return this.#receiver.pending;
  }

  /**
   * Characters from the other side of the wire, which is polite: each arrives when the chip has room, none is lost.
   * @returns how many were taken; the rest exceeds what the wire holds (64 Ki characters)
   */
  receive(characters: Uint8Array): number {
    return this.#receiver.queue(characters);
  }

  /** One character from a rude wire: it arrives now, and is lost where there is no room. */
  receiveNow(byte: number, { parity, framing, break: broken }: CharacterErrors = {}): void {
    if (this.#MCR & LOOP) return; // the receiver is disconnected ([NS] 8.6)
    this.#receiver.take((byte & 0xff) | (((parity ? PE : 0) | (framing ? FE : 0) | (broken ? BI : 0)) << 8));
    this.#update();
  }

  /** The modem's lines. At first CTS, DSR and DCD are asserted: a cable with somebody at its end. */
  setModem({ cts, dsr, ri, dcd }: ModemLines): void {
    this.#lines = (cts ? CTS : 0) | (dsr ? DSR : 0) | (ri ? RI : 0) | (dcd ? DCD : 0);
    this.#sense();
    this.#update();
  }

  read(offset: number, bytes: number): number {
    // LSR without errors: half of all accesses of a console, and nothing changes
    if ((offset & 7) === LSR && bytes === 1 && this.#receiver.errors === 0) return this.#LSR;
    return this.#space.read(offset, bytes);
  }

  write(offset: number, bytes: number, value: number): void {
    this.#space.write(offset, bytes, value);
  }

  /** [NS] 8.0, table I: master reset. What it leaves open is as the PC's firmware finds it: 9600 baud, SCR 0. */
  reset(): void {
    const broken = this.#broken;
    this.#IER = this.#FCR = this.#LCR = this.#MCR = this.#SCR = 0;
    this.#DL = 12;
    this.#MSR = this.#lines;
    this.#empty = false;
    this.#transmit = [];
    this.#shifting = null;
    this.#sent.disarm();
    this.#receiver.reset();
    if (broken) this.#env.sendBreak?.(false);
    this.#update();
  }

  save(): UartState {
    return {
      IER: this.#IER,
      FCR: this.#FCR,
      LCR: this.#LCR,
      MCR: this.#MCR,
      MSR: this.#MSR,
      SCR: this.#SCR,
      DL: this.#DL,
      lines: this.#lines,
      empty: this.#empty,
      transmit: [...this.#transmit],
      shifting: this.#shifting,
      sent: this.#sent.save(),
      receiver: this.#receiver.save(),
    };
  }

  restore(state: UartState): void {
    this.#IER = state.IER;
    this.#FCR = state.FCR;
    this.#LCR = state.LCR;
    this.#MCR = state.MCR;
    this.#MSR = state.MSR;
    this.#SCR = state.SCR;
    this.#DL = state.DL;
    this.#lines = state.lines & INPUTS;
    this.#empty = state.empty;
    this.#transmit = state.transmit.slice(0, DEPTH);
    this.#shifting = state.shifting;
    this.#sent.restore(state.sent);
    this.#receiver.restore(state.receiver);
    this.#update();
  }

  #read(offset: number): number {
    switch (offset) {
      case RBR:
        return this.#LCR & DLAB ? this.#DL & 0xff : this.#readData();
      case IER:
        return this.#LCR & DLAB ? this.#DL >> 8 : this.#IER;
      case IIR:
        return this.#identify();
      case LCR:
        return this.#LCR;
      case MCR:
        return this.#MCR;
      case LSR:
        return this.#readLineStatus();
      case MSR:
        return this.#readModemStatus();
      default:
        return this.#SCR;
    }
  }

  #write(offset: number, value: number): void {
    const broken = this.#broken;
    switch (offset) {
      case THR:
        if (this.#LCR & DLAB) this.#DL = (this.#DL & 0xff00) | value;
        else this.#transmitOne(value);
        break;
      case IER:
        if (this.#LCR & DLAB) this.#DL = (this.#DL & 0xff) | (value << 8);
        else this.#enable(value);
        break;
      case FCR:
        this.#control(value);
        break;
      case LCR:
        this.#format(value);
        break;
      case MCR:
        this.#MCR = value & 0x1f;
        this.#sense();
        this.#receiver.await();
        break;
      case SCR:
        this.#SCR = value;
        break;
      default: // LSR and MSR are for reading ([NS] 8.3, 8.7)
    }
    if (this.#broken !== broken) this.#env.sendBreak?.(this.#broken);
    this.#update();
  }

  #readData(): number {
    const value = this.#receiver.read();
    this.#update();
    return value;
  }

  /** Reading LSR clears its error bits ([NS] 8.3). */
  #readLineStatus(): number {
    const value = this.#LSR;
    this.#receiver.forgive();
    this.#update();
    return value;
  }

  /** Reading MSR clears what changed ([NS] 8.7). */
  #readModemStatus(): number {
    const value = this.#MSR;
    this.#MSR &= INPUTS;
    this.#update();
    return value;
  }

  /** IIR: the interrupt of the highest priority; reading it takes back the transmitter's ([NS] table IV). */
  #identify(): number {
    const source = this.#pending();
    if (source === EMPTY) {
      this.#empty = false;
      this.#update();
    }
    return source | (this.#FCR & FIFOS ? 0xc0 : 0);
  }

  /**
   * IER. Turning on the transmitter's interrupt while it is empty raises it, even if IIR had taken it back: [NS] does not
   * say so, but drivers test and use it.
   */
  #enable(value: number): void {
    const turnedOn = value & ~this.#IER;
    this.#IER = value & 0x0f;
    if (!(this.#IER & ETBEI)) this.#empty = false;
    else if (turnedOn & ETBEI && this.#LSR & THRE) this.#empty = true;
  }

  /** FCR ([NS] 8.5): turning the FIFOs on or off empties them; other bits count only while they are on. */
  #control(value: number): void {
    const toggled = (value ^ this.#FCR) & FIFOS;
    this.#FCR = value & FIFOS ? value & 0xc9 : 0;
    if (toggled || (value & FIFOS && value & CLEAR_RX)) {
      this.#receiver.clear();
    }
    if ((toggled || (value & FIFOS && value & CLEAR_TX)) && this.#transmit.length > 0) {
      this.#transmit = [];
      this.#empty = true;
    }
  }

  /** LCR. A break in loop-back is received ([NS] 8.1, 8.6). */
  #format(value: number): void {
    const rises = (value & ~this.#LCR & BREAK) !== 0;
    this.#LCR = value;
    if (rises && this.#MCR & LOOP) this.#receiver.take((BI | FE) << 8);
  }

  /** Whether a break is on the wire; in loop-back the wire rests. */
  get #broken(): boolean {
    return (this.#LCR & BREAK) !== 0 && !(this.#MCR & LOOP);
  }

  /** THR. A character for a full FIFO is lost; without FIFO it takes the place of the one that waits. */
  #transmitOne(value: number): void {
    this.#empty = false;
    if (!(this.#FCR & FIFOS)) this.#transmit = [value];
    else if (this.#transmit.length < DEPTH) this.#transmit.push(value);
    this.#update();
    if (this.#shifting === null) this.#start();
  }

  /** The next character begins to leave. */
  #start(): void {
    const next = this.#transmit.shift();
    if (next === undefined) return;
    this.#shifting = next;
    if (this.#transmit.length === 0) this.#empty = true;
    if (this.#immediate) this.#finish();
    else this.#sent.arm(this.#characterTime());
  }

  /** The character has left; in loop-back it is received instead ([NS] 8.6). */
  #finish(): void {
    const byte = this.#shifting;
    this.#shifting = null;
    if (byte !== null) {
      const character = byte & ((1 << ((this.#LCR & 3) + 5)) - 1);
      if (this.#MCR & LOOP) this.#receiver.take(character);
      else this.#env.send(character);
    }
    this.#start();
    this.#update();
  }

  /** How long a character takes by divisor and format ([NS] 8.1, 8.2). A divisor of 0 counts as 1. */
  #characterTime(): Nanoseconds {
    const wordLength = (this.#LCR & 3) + 5;
    const stop = this.#LCR & STB ? (wordLength === 5 ? 1.5 : 2) : 1;
    const bits = 1 + wordLength + (this.#LCR & PEN ? 1 : 0) + stop;
    return Math.round((bits * Math.max(1, this.#DL) * seconds(1)) / 115_200);
  }

  /** MSR follows the modem's lines, or MCR in loop-back, and remembers changes; RI only when it ends ([NS] 8.6, 8.7). */
  #sense(): void {
    const before = this.#MSR & INPUTS;
    const now = this.#MCR & LOOP ? looped(this.#MCR) : this.#lines;
    const changed = (before ^ now) & ~(now & RI);
    this.#MSR = now | (this.#MSR & 0x0f) | (changed >> 4);
  }

  /** The interrupt of the highest priority ([NS] table IV). */
  #pending(): number {
    if (this.#IER & ELSI && this.#LSR & (OE | CHARACTER_ERRORS)) return LINE_STATUS;
    if (this.#IER & ERBFI) {
      const trigger = this.#FCR & FIFOS ? TRIGGERS[this.#FCR >> 6] : 1;
      if (this.#receiver.count >= trigger) return DATA;
      if (this.#receiver.timeout) return TIMEOUT;
    }
    if (this.#IER & ETBEI && this.#empty) return EMPTY;
    if (this.#IER & EDSSI && this.#MSR & 0x0f) return MODEM;
    return NONE;
  }

  /** Recomputes LSR and the line. */
  #update(): void {
    const fifos = this.#FCR & FIFOS;
    this.#LSR =
      (this.#receiver.count > 0 ? DR : 0) |
      this.#receiver.errors |
      (this.#transmit.length === 0 ? THRE : 0) |
      (this.#transmit.length === 0 && this.#shifting === null ? TEMT : 0) |
      (fifos && this.#receiver.damaged ? RX_ERROR : 0);
    const open = !this.#gated || (this.#MCR & (OUT2 | LOOP)) === OUT2; // in loop-back OUT2's pin rests ([NS] 8.6)
    this.#env.irq.set(open && this.#pending() !== NONE);
  }
}

/** MCR's outputs as MSR's inputs ([NS] 8.6): RTS is CTS, DTR is DSR, OUT1 is RI, OUT2 is DCD. */
function looped(MCR: number): number {
  return (MCR & RTS ? CTS : 0) | (MCR & DTR ? DSR : 0) | (MCR & OUT1 ? RI : 0) | (MCR & OUT2 ? DCD : 0);
}
