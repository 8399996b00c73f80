/**
 * A PS/2 keyboard with 104 keys, US layout, scan code sets 1 and 2. [PS2] = IBM, "Personal System/2 Hardware Interface
 * Technical Reference, Common Interfaces", 1990, "Keyboards (101- and 102-Key)".
 *
 *     keyboard.type("root\n");
 *     keyboard.press("ControlLeft", "AltLeft", "Delete");
 *
 * Keys that are held do not repeat. What is typed while the host does not listen waits; nothing is lost.
 */
import {
  type Clock,
  ConfigError,
  flag,
  list,
  ms,
  type Nanoseconds,
  Probe,
  record,
  type StateOf,
  type Timer,
  timerState,
  u8,
  u16,
  us,
} from "@castaway/kit";
import type { Device } from "../device.ts";
import { chordEvents, isKey, type Key, keyEvent, keystroke, scanCode, scanCodeSet1 } from "./keys.ts";
import type { Ps2Device } from "./ps2.ts";

/** What the keyboard answers ([PS2] "Commands to the System"). */
const ACK = 0xfa, RESEND = 0xfe, ECHO = 0xee, BAT_OK = 0xaa; // biome-ignore format: a table
/** What the system sends ([PS2] "Commands from the System"). */
const SET_LEDS = 0xed, SCAN_CODE_SET = 0xf0, READ_ID = 0xf2, TYPEMATIC = 0xf3, ENABLE = 0xf4, DISABLE = 0xf5; // biome-ignore format: a table
const DEFAULTS = 0xf6, RESET = 0xff; // biome-ignore format: a table
/** 10.9 characters a second after half a second ([PS2] "Set Typematic Rate/Delay"). */
const TYPEMATIC_DEFAULT = 0x2b;

/** The most key events that wait to be sent. */
const MOST_EVENTS = 4096;

/** All that a keyboard may touch. */
export type KeyboardEnv = { readonly clock: Clock };

export type KeyboardOptions = {
  /** Time between two key events; a plain character is two of them. Default 10 ms. */
  keyTime?: Nanoseconds;
};

/** The keyboard's lights. */
export type Leds = { scroll: boolean; num: boolean; caps: boolean };

export const keyboardState = record({
  /** Whether keys are sent: commands F4, F5. */
  scanning: flag,
  /** Scan code set: 1 or 2. */
  set: u8,
  leds: u8,
  typematic: u8,
  /** The command whose parameter is to come, or 0. */
  command: u8,
  /** The byte that was sent last, for RESEND. */
  last: u8,
  /** Answers to commands, sent before anything else. */
  answers: list(u8),
  /** The key event that is being sent, and how many bytes of it have been. */
  sequence: list(u8),
  position: u8,
  /** Key events to come. */
  events: list(u16),
  stroke: timerState,
  test: timerState,
});
export type KeyboardState = StateOf<typeof keyboardState>;

export class Keyboard implements Device<KeyboardState>, Ps2Device {
  /** The lights changed. */
  readonly lights = new Probe<Leds>("keyboard lights");
  readonly #keyTime: Nanoseconds;
  readonly #stroke: Timer;
  readonly #test: Timer;
  #ready: () => void = () => {};

  #scanning = true;
  #set = 2;
  #leds = 0;
  #typematic = TYPEMATIC_DEFAULT;
  #command = 0;
  #last = 0;
  #answers: number[] = [];
  #sequence: number[] = [];
  #position = 0;
  #events: number[] = [];

  constructor({ clock }: KeyboardEnv, { keyTime = ms(10) }: KeyboardOptions = {}) {
    this.#keyTime = keyTime;
    this.#stroke = clock.timer("keyboard.stroke", () => this.#strike());
    this.#test = clock.timer("keyboard.test", () => this.#say(BAT_OK));
  }

  /** The lights as the system set them last. */
  get leds(): Leds {
    return { scroll: (this.#leds & 1) !== 0, num: (this.#leds & 2) !== 0, caps: (this.#leds & 4) !== 0 };
  }

  /** How many key events wait to be sent. */
  get pending(): number {
    return this.#events.length;
  }

  /**
   * Types text on a US keyboard: printable ASCII, newline, tab, backspace, escape, and control characters.
   * @returns how many characters were taken; the rest exceeds the 4096 key events that can wait
   * @throws ConfigError if there is a character that the keyboard does not have; then nothing is typed
   */
  type(text: string): number {
    const strokes = Array.from(text, (character) => {
      const stroke = keystroke(character);
      if (stroke === undefined) throw new ConfigError("text", character, "the characters of a US keyboard");
      return stroke;
    });
    let taken = 0;
    while (taken < strokes.length && this.#enqueue(strokes[taken])) taken++;
    return taken;
  }

  /** Presses keys together: down in the given order, up in the opposite one. @returns false if too much is waiting */
  press(...chord: Key[]): boolean {
    return this.#enqueue(chordEvents(known(chord)));
  }

  /** Presses a key and keeps it down. @returns false if too much is waiting */
  down(key: Key): boolean {
    return this.#enqueue(known([key]).map((name) => keyEvent(name, false)));
  }

  /** Releases a key. @returns false if too much is waiting */
  up(key: Key): boolean {
    return this.#enqueue(known([key]).map((name) => keyEvent(name, true)));
  }

  connect(ready: () => void): void {
    this.#ready = ready;
  }

  get waiting(): boolean {
    return this.#answers.length > 0 || (this.#command === 0 && this.#scanning && this.#sequence.length > 0);
  }

  take(): number {
    const answer = this.#answers.shift();
    this.#last = answer ?? this.#sequence[this.#position++] ?? 0;
    if (answer === undefined && this.#position >= this.#sequence.length) {
      this.#sequence = [];
      this.#position = 0;
      this.#pace();
    }
    return this.#last;
  }

  /** A command, or its parameter. What was being answered or sent is broken off; a key event starts over later. */
  write(byte: number): void {
    const command = this.#command;
    this.#command = 0;
    this.#answers = [];
    this.#position = 0;
    this.#test.disarm();
    if (command !== 0 && byte < 0xed) this.#parameter(command, byte);
    else this.#execute(byte);
    if (this.waiting) this.#ready();
    this.#pace();
  }

  /** As after power-on and its self test. */
  reset(): void {
    this.#default();
    this.#scanning = true;
    this.#command = this.#last = this.#position = 0;
    this.#answers = [];
    this.#sequence = [];
    this.#light(0);
    this.#test.disarm();
    this.#pace();
  }

  save(): KeyboardState {
    return {
      scanning: this.#scanning,
      set: this.#set,
      leds: this.#leds,
      typematic: this.#typematic,
      command: this.#command,
      last: this.#last,
      answers: [...this.#answers],
      sequence: [...this.#sequence],
      position: this.#position,
      events: [...this.#events],
      stroke: this.#stroke.save(),
      test: this.#test.save(),
    };
  }

  restore(state: KeyboardState): void {
    this.#scanning = state.scanning;
    this.#set = state.set;
    this.#leds = state.leds;
    this.#typematic = state.typematic;
    this.#command = state.command;
    this.#last = state.last;
    this.#answers = [...state.answers];
    this.#sequence = [...state.sequence];
    this.#position = state.position;
    this.#events = state.events.slice(0, MOST_EVENTS);
    this.#stroke.restore(state.stroke);
    this.#test.restore(state.test);
  }

  /** [PS2] "Commands from the System". Those for scan code set 3, and unknown ones, ask for the byte again. */
  #execute(byte: number): void {
    switch (byte) {
      case SET_LEDS:
      case SCAN_CODE_SET:
      case TYPEMATIC:
        this.#command = byte;
        return this.#say(ACK);
      case ECHO:
        return this.#say(ECHO);
      case READ_ID:
        return this.#say(ACK, 0xab, 0x83);
      case ENABLE:
        this.#scanning = true;
        return this.#say(ACK);
      case DISABLE:
        this.#default();
        this.#scanning = false;
        return this.#say(ACK);
      case DEFAULTS:
        this.#default();
        return this.#say(ACK);
      case RESEND:
        return this.#say(this.#last);
      case RESET:
        this.#default();
        this.#scanning = true;
        this.#light(0);
        this.#test.arm(us(500)); // a real one takes half a second, in which firmware would only wait
        return this.#say(ACK);
      default:
        return this.#say(RESEND);
    }
  }

  #parameter(command: number, byte: number): void {
    if (command === SET_LEDS) this.#light(byte & 7);
    else if (command === TYPEMATIC) this.#typematic = byte & 0x7f;
    else if (byte === 0) return this.#say(ACK, this.#set);
    else if (byte > 2) return this.#say(RESEND);
    else this.#set = byte;
    this.#say(ACK);
  }

  #default(): void {
    this.#set = 2;
    this.#typematic = TYPEMATIC_DEFAULT;
    this.#sequence = [];
    this.#position = 0;
  }

  #light(leds: number): void {
    const changed = leds !== this.#leds;
    this.#leds = leds;
    if (changed && this.lights.active) this.lights.emit(this.leds);
  }

  #say(...bytes: number[]): void {
    this.#answers.push(...bytes);
    this.#ready();
  }

  #enqueue(events: readonly number[]): boolean {
    if (this.#events.length + events.length > MOST_EVENTS) return false;
    this.#events.push(...events);
    this.#pace();
    return true;
  }

  /** The next key event is due a key time after the one before has been sent, while the host listens. */
  #pace(): void {
    if (this.#stroke.armed || !this.#free) return;
    this.#stroke.arm(this.#keyTime);
  }

  get #free(): boolean {
    return this.#events.length > 0 && this.#sequence.length === 0 && this.#scanning && this.#command === 0;
  }

  #strike(): void {
    if (!this.#free) return;
    const event = this.#events.shift()!;
    this.#sequence = this.#set === 1 ? scanCodeSet1(event) : scanCode(event);
    this.#position = 0;
    if (this.#sequence.length > 0) this.#ready();
    else this.#pace();
  }
}

/** Checks names that come from a user. */
function known(chord: readonly Key[]): readonly Key[] {
  for (const key of chord) if (!isKey(key)) throw new ConfigError("key", key, 'names such as "KeyA", "Enter", "F12"');
  return chord;
}
