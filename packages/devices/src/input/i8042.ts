/**
 * The keyboard controller: an 8042 with PS/2 mouse port, ports 60h (data) and 64h (command, status).
 * [PS2] = IBM, "Personal System/2 Hardware Interface Technical Reference, Common Interfaces", 1990, "Keyboard and Auxiliary
 * Device Controller".
 */
import {
  bytes,
  type Clock,
  flag,
  type IrqLine,
  ms,
  type Nanoseconds,
  nullable,
  record,
  type StateOf,
  type Timer,
  timerState,
  u8,
  us,
} from "@castaway/kit";
import { bytewise } from "../bytewise.ts";
import type { Device, RegisterSpace } from "../device.ts";
import { translate } from "./keys.ts";
import type { Ps2Device } from "./ps2.ts";

/** Status, port 64h ([PS2] "Controller Status Register"). IBF is never set: the controller takes bytes at once. */
const OBF = 0x01, SYS = 0x04, CMD = 0x08, UNLOCKED = 0x10, AUX_OBF = 0x20, TIMEOUT = 0x40; // biome-ignore format: a table
/** Command byte ([PS2] "Controller Command Byte"); SYS is the same bit as in the status. */
const KBD_INT = 0x01, AUX_INT = 0x02, KBD_DISABLED = 0x10, AUX_DISABLED = 0x20, XLATE = 0x40; // biome-ignore format: a table
/** Output port ([PS2] "Output Port Definition"). Bits 7:6 are the keyboard's data and clock, at rest. */
const NOT_RESET = 0x01, A20 = 0x02, PORT_OBF = 0x10, PORT_AUX_OBF = 0x20, REST = 0xc0; // biome-ignore format: a table

/** Where a byte in the output buffer is from. */
const NOBODY = 0, KEYBOARD = 1, MOUSE = 2; // biome-ignore format: a table

/** All that the controller may touch. */
export type I8042Env = {
  readonly clock: Clock;
  readonly keyboardIrq: IrqLine;
  readonly mouseIrq: IrqLine;
  readonly keyboard: Ps2Device;
  /** None: what is sent to it times out. */
  readonly mouse?: Ps2Device;
  /** Gate A20 was set. Told at reset, on restore, and at every write that sets it. */
  a20(on: boolean): void;
  /** The processor's RESET# was pulsed. */
  resetCpu(): void;
};

export type I8042Options = {
  /** How long a byte from a device is on the cable. Default 800 us: eleven bits at 13.75 kHz. */
  byteTime?: Nanoseconds;
  /** How long the controller takes for an answer of its own. Default 20 us. */
  latency?: Nanoseconds;
};

/** [PS2] "Auxiliary device": a device that does not answer within 15 ms is given up. */
const GIVE_UP: Nanoseconds = ms(15);

export const i8042State = record({
  /** The controller's memory; byte 0 is the command byte. */
  ram: bytes(32),
  /** The output buffer, and whose byte it holds: 0 nobody's. */
  data: u8,
  source: u8,
  /** The command whose parameter port 60h takes next, or 0. */
  command: u8,
  /** Status bit 3: the last write was to port 64h. */
  commanded: flag,
  /** Status bit 6: the byte stands for a device that did not answer. */
  timeout: flag,
  a20: flag,
  /** F0 came from the keyboard: the next code is a release. */
  released: flag,
  /** The controller's answer, waiting for its time and for room, and whose it looks like. */
  answer: nullable(record({ byte: u8, source: u8, timeout: flag })),
  answers: timerState,
  arrives: timerState,
});
export type I8042State = StateOf<typeof i8042State>;

export class I8042 implements Device<I8042State> {
  /** Port 60h. */
  readonly data: RegisterSpace = bytewise(
    (offset) => (offset === 0 ? this.#readData() : 0xff),
    (offset, value) => offset === 0 && this.#writeData(value),
  );
  /** Port 64h. */
  readonly command: RegisterSpace = bytewise(
    (offset) => (offset === 0 ? this.status : 0xff),
    (offset, value) => offset === 0 && this.#writeCommand(value),
  );
  readonly #env: I8042Env;
  readonly #byteTime: Nanoseconds;
  readonly #latency: Nanoseconds;
  readonly #answers: Timer;
  readonly #arrives: Timer;

  readonly #ram = new Uint8Array(32);
  #data = 0;
  #source = NOBODY;
  #command = 0;
  #commanded = false;
  #timeout = false;
  #a20 = true;
  #released = false;
  #answer: I8042State["answer"] = null;

  constructor(env: I8042Env, { byteTime = us(800), latency = us(20) }: I8042Options = {}) {
    this.#env = env;
    this.#byteTime = byteTime;
    this.#latency = latency;
    this.#answers = env.clock.timer("i8042.answers", () => this.#give());
    this.#arrives = env.clock.timer("i8042.arrives", () => this.#fetch());
    env.keyboard.connect(() => this.#next());
    env.mouse?.connect(() => this.#next());
    this.reset();
  }

  /** What port 64h reads as. */
  get status(): number {
    return (
      (this.#source !== NOBODY ? OBF : 0) |
      (this.#ram[0] & SYS) |
      (this.#commanded ? CMD : 0) |
      UNLOCKED |
      (this.#source === MOUSE ? AUX_OBF : 0) |
      (this.#timeout ? TIMEOUT : 0)
    );
  }

  /** Interrupts and translation on, as firmware leaves a PC; A20 open. */
  reset(): void {
    this.#ram.fill(0);
    this.#ram[0] = KBD_INT | XLATE;
    this.#data = this.#command = 0;
    this.#source = NOBODY;
    this.#commanded = this.#timeout = this.#released = false;
    this.#answer = null;
    this.#answers.disarm();
    this.#arrives.disarm();
    this.#gate(true);
    this.#drive();
    this.#next();
  }

  save(): I8042State {
    return {
      ram: this.#ram.slice(),
      data: this.#data,
      source: this.#source,
      command: this.#command,
      commanded: this.#commanded,
      timeout: this.#timeout,
      a20: this.#a20,
      released: this.#released,
      answer: this.#answer === null ? null : { ...this.#answer },
      answers: this.#answers.save(),
      arrives: this.#arrives.save(),
    };
  }

  restore(state: I8042State): void {
    this.#ram.set(state.ram);
    this.#data = state.data;
    this.#source = state.source;
    this.#command = state.command;
    this.#commanded = state.commanded;
    this.#timeout = state.timeout;
    this.#released = state.released;
    this.#answer = state.answer === null ? null : { ...state.answer };
    this.#answers.restore(state.answers);
    this.#arrives.restore(state.arrives);
    this.#gate(state.a20);
    this.#drive();
  }

  /** Reading port 60h makes room for the next byte. */
  #readData(): number {
    const value = this.#data;
    if (this.#source === NOBODY) return value;
    this.#source = NOBODY;
    this.#timeout = false;
    this.#drive();
    this.#next();
    return value;
  }

  /** Port 60h: the parameter of a command, or a byte for the keyboard, whose interface that enables. */
  #writeData(value: number): void {
    const command = this.#command;
    this.#command = 0;
    this.#commanded = false;
    if (command !== 0) return this.#parameter(command, value);
    this.#ram[0] &= ~KBD_DISABLED;
    this.#released = false;
    this.#env.keyboard.write(value);
    this.#drive();
    this.#next();
  }

  /** Port 64h ([PS2] "Controller Commands"). Commands that it does not have do nothing. */
  #writeCommand(value: number): void {
    this.#command = 0;
    this.#commanded = true;
    if (value < 0x20) return;
    if (value < 0x40) return this.#say(this.#ram[value & 0x1f]);
    if (value < 0x80 && value >= 0x60) {
      this.#command = value;
      return;
    }
    if (value >= 0xf0) {
      if (!(value & NOT_RESET)) this.#env.resetCpu(); // pulses the output port's bits that are 0
      return;
    }
    switch (value) {
      case 0xa4: // is there a password? There is not
        return this.#say(0xf1);
      case 0xa7:
        return this.#configure(this.#ram[0] | AUX_DISABLED);
      case 0xa8:
        return this.#configure(this.#ram[0] & ~AUX_DISABLED);
      case 0xa9: // test the mouse's lines: none is stuck
      case 0xab: // the keyboard's
        return this.#say(0x00);
      case 0xaa: // self test
        this.#ram[0] |= SYS;
        return this.#say(0x55);
      case 0xad:
        return this.#configure(this.#ram[0] | KBD_DISABLED);
      case 0xae:
        return this.#configure(this.#ram[0] & ~KBD_DISABLED);
      case 0xc0: // input port: the keyboard is not locked
        return this.#say(0x80);
      case 0xd0:
        return this.#say(this.#outputPort);
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        this.#command = value;
        return;
      case 0xdd: // not IBM's; chipsets of PCs have them
        return this.#gate(false);
      case 0xdf:
        return this.#gate(true);
      case 0xe0: // test inputs: both clocks rest
        return this.#say(0x00);
    }
  }

  #parameter(command: number, value: number): void {
    switch (command) {
      case 0x60:
        return this.#configure(value & 0x7f);
      case 0xd1: // output port
        this.#gate((value & A20) !== 0);
        if (!(value & NOT_RESET)) this.#env.resetCpu();
        return;
      case 0xd2:
        return this.#say(value, KEYBOARD);
      case 0xd3:
        return this.#say(value, MOUSE);
      case 0xd4:
        return this.#writeMouse(value);
      default:
        this.#ram[command & 0x1f] = value;
    }
  }

  #writeMouse(value: number): void {
    this.#ram[0] &= ~AUX_DISABLED;
    if (this.#env.mouse === undefined) return this.#say(0xfe, MOUSE, true);
    this.#env.mouse.write(value);
    this.#drive();
    this.#next();
  }

  get #outputPort(): number {
    return (
      REST |
      NOT_RESET |
      (this.#a20 ? A20 : 0) |
      (this.#source === KEYBOARD ? PORT_OBF : 0) |
      (this.#source === MOUSE ? PORT_AUX_OBF : 0)
    );
  }

  #configure(commandByte: number): void {
    this.#ram[0] = commandByte;
    this.#drive();
    this.#next();
  }

  #gate(on: boolean): void {
    this.#a20 = on;
    this.#env.a20(on);
  }

  /** An answer of the controller's own; it takes the place of one that was still to come. */
  #say(byte: number, source = KEYBOARD, timeout = false): void {
    this.#answer = { byte, source, timeout };
    this.#answers.disarm();
    this.#next();
  }

  /** Lets the next byte come, once there is room: the controller's answer before the devices'. */
  #next(): void {
    if (this.#source !== NOBODY) return;
    if (this.#answer !== null) {
      if (!this.#answers.armed) this.#answers.arm(this.#answer.timeout ? GIVE_UP : this.#latency);
    } else if (this.#talker !== NOBODY && !this.#arrives.armed) {
      this.#arrives.arm(this.#byteTime);
    }
  }

  #give(): void {
    if (this.#answer === null || this.#source !== NOBODY) return;
    const { byte, source, timeout } = this.#answer;
    this.#answer = null;
    this.#put(byte, source);
    this.#timeout = timeout;
  }

  /** Who has a byte and may send it. */
  get #talker(): number {
    if (this.#env.keyboard.waiting && !(this.#ram[0] & KBD_DISABLED)) return KEYBOARD;
    if (this.#env.mouse?.waiting && !(this.#ram[0] & AUX_DISABLED)) return MOUSE;
    return NOBODY;
  }

  /** A byte from a device has come over the cable; the keyboard's are translated to set 1 if the command byte says so. */
  #fetch(): void {
    if (this.#source !== NOBODY || this.#answer !== null) return;
    const talker = this.#talker;
    if (talker === MOUSE) this.#put(this.#env.mouse!.take(), MOUSE);
    if (talker !== KEYBOARD) return;
    const byte = this.#env.keyboard.take();
    if (!(this.#ram[0] & XLATE)) return this.#put(byte, KEYBOARD);
    const released = this.#released;
    this.#released = byte === 0xf0;
    if (this.#released) this.#next();
    else this.#put(translate(byte, released), KEYBOARD);
  }

  #put(byte: number, source: number): void {
    this.#data = byte;
    this.#source = source;
    this.#timeout = false;
    this.#drive();
  }

  /** The lines: a byte is in the output buffer, and the command byte lets its owner say so. */
  #drive(): void {
    const [commandByte] = this.#ram;
    const keyboard = this.#source === KEYBOARD && !(commandByte & KBD_DISABLED);
    this.#env.keyboardIrq.set(keyboard && (commandByte & KBD_INT) !== 0);
    this.#env.mouseIrq.set(this.#source === MOUSE && (commandByte & AUX_INT) !== 0);
  }
}
