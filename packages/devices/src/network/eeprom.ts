/**
 * The card's EEPROM: 64 words in a 93C46 on a Microwire bus, which the driver reads through EERD or moves bit by bit
 * through EECD [8254x 5.3, 5.6, 13.4.3, 13.4.4]. [93C46] is the data sheet of that chip, common to all who make it.
 */
import { flag, list, readLittle, record, type StateOf, u8, u16 } from "@castaway/kit";
import type { Device } from "../device.ts";

const words = 64;
const checksumAt = 0x3f;
/** All words together. [8254x 5.6.35] */
const goodSum = 0xbaba;

/** EECD: clock, chip select, data to and from the chip; request and grant; the chip is there. */
const EECD = { SK: 1 << 0, CS: 1 << 1, DI: 1 << 2, DO: 1 << 3, REQ: 1 << 6, GNT: 1 << 7, PRES: 1 << 8 };
const EERD = { START: 1 << 0, DONE: 1 << 4 };

export const eepromState = record({
  words: list(u16, words),
  /** The levels of SK and CS. */
  clock: flag,
  selected: flag,
  /** The data output. */
  out: flag,
  /** Bits taken in since the start bit, and how many; 0 before it. */
  taken: u16,
  bits: u8,
  /** The word that is being shifted out, and which of its bits is next. */
  reading: flag,
  address: u8,
  next: u8,
  /** Erasing and writing are allowed. */
  writable: flag,
});
export type EepromState = StateOf<typeof eepromState>;

/** After the start bit: 2 of operation code, 6 of address, and 16 of data for those that write. */
const commandBits = 8;
const writeBits = 24;

export class Eeprom implements Device<EepromState> {
  readonly #words: Uint16Array;
  #clock = false;
  #selected = false;
  #out = true;
  #taken = 0;
  #bits = -1;
  #address = 0;
  #reading = false;
  #next = 0;
  #writable = false;

  /** @param mac the card's address: 6 bytes */
  constructor(mac: Uint8Array) {
    this.#words = image(mac);
  }

  /** The card's address, as the words say now. */
  get mac(): Uint8Array {
    return Uint8Array.from({ length: 6 }, (_, i) => this.#words[i >> 1] >>> (8 * (i & 1)));
  }

  /** EERD after a write: the word is there at once. @returns its new value. [8254x 13.4.4] */
  fetch(eerd: number): number {
    if ((eerd & EERD.START) === 0) return eerd & 0xff00;
    const address = (eerd >>> 8) & 0xff;
    return ((this.#words[address % words] << 16) | (address << 8) | EERD.DONE) >>> 0;
  }

  /** EECD was written: moves the wires, if the bus was granted. [8254x 5.3.1] */
  drive(eecd: number): void {
    const granted = (eecd & EECD.REQ) !== 0;
    const selected = granted && (eecd & EECD.CS) !== 0;
    const clock = granted && (eecd & EECD.SK) !== 0;
    if (selected !== this.#selected) this.#select(selected);
    else if (selected && clock && !this.#clock) this.#rise((eecd & EECD.DI) !== 0 ? 1 : 0);
    this.#clock = clock;
  }

  /** What EECD reads as; `eecd` is what was written. */
  status(eecd: number): number {
    const granted = (eecd & EECD.REQ) !== 0 ? EECD.GNT : 0;
    return eecd | granted | EECD.PRES | (this.#out ? EECD.DO : 0);
  }

  /** The bus is let go; the words stay. */
  reset(): void {
    this.#select(false);
    this.#clock = false;
    this.#writable = false;
  }

  save(): EepromState {
    return {
      words: [...this.#words],
      clock: this.#clock,
      selected: this.#selected,
      out: this.#out,
      taken: this.#taken,
      bits: this.#bits + 1,
      reading: this.#reading,
      address: this.#address,
      next: this.#next,
      writable: this.#writable,
    };
  }
  restore(state: EepromState): void {
    this.#words.set(state.words);
    this.#clock = state.clock;
    this.#selected = state.selected;
    this.#out = state.out;
    this.#taken = state.taken;
    this.#bits = state.bits - 1;
    this.#reading = state.reading;
    this.#address = state.address;
    this.#next = state.next;
    this.#writable = state.writable;
  }

  /** A chip that is not in the middle of a read drives its output high: ready, as writing takes no time. */
  #select(selected: boolean): void {
    this.#selected = selected;
    this.#out = true;
    this.#bits = -1;
    this.#taken = 0;
    this.#reading = false;
  }

  #rise(bit: number): void {
    if (this.#reading) return this.#shiftOut();
    if (this.#bits < 0) {
      if (bit === 1) this.#bits = 0;
      return;
    }
    if (this.#bits === writeBits) return; // a command is over until the chip is selected again
    if (this.#bits >= commandBits) {
      this.#taken = ((this.#taken << 1) | bit) & 0xffff;
      if (++this.#bits === writeBits) this.#write(this.#taken);
      return;
    }
    this.#taken = (this.#taken << 1) | bit;
    if (++this.#bits === commandBits) this.#command();
  }

  /** Operation code and address are complete. [93C46 instruction set] */
  #command(): void {
    const code = this.#taken >>> 6;
    this.#address = this.#taken & (words - 1);
    this.#next = this.#taken; // kept for WRITE and WRAL, whose data follow
    if (code === 2) {
      this.#reading = true;
      this.#out = false; // a zero goes before the data
      this.#next = 15;
    } else if (code === 3) {
      this.#set(this.#address, 0xffff);
      this.#bits = writeBits;
    } else if (code === 0 && this.#address >>> 4 !== 1) {
      if (this.#address >>> 4 === 3) this.#writable = true;
      else if (this.#address >>> 4 === 0) this.#writable = false;
      else for (let word = 0; word < words; word++) this.#set(word, 0xffff);
      this.#bits = writeBits;
    }
  }

  #shiftOut(): void {
    this.#out = ((this.#words[this.#address] >>> this.#next) & 1) !== 0;
    if (this.#next-- > 0) return;
    this.#next = 15; // reading goes on with the next word
    this.#address = (this.#address + 1) % words;
  }

  /** The data of WRITE or WRAL have arrived. */
  #write(data: number): void {
    if (this.#next >>> 6 === 1) this.#set(this.#address, data);
    else for (let word = 0; word < words; word++) this.#set(word, data);
  }

  #set(word: number, value: number): void {
    if (this.#writable) this.#words[word] = value;
  }
}

/** The words of a card with such an address: what the chip and its drivers look at. [8254x 5.6] */
function image(mac: Uint8Array): Uint16Array {
  const image = new Uint16Array(words);
  for (let word = 0; word < 3; word++) image[word] = readLittle(mac, 2 * word, 2);
  image[0x04] = 0xffff; // LEDs as the chip has them
  image[0x08] = 0xffff; // no part number
  image[0x09] = 0xffff;
  image[0x0a] = 0x4003; // signature 01; the ids below are loaded
  image[0x0b] = 0x001e; // subsystem and its vendor
  image[0x0c] = 0x8086;
  image[0x0d] = 0x100e; // device and vendor
  image[0x0e] = 0x8086;
  image[0x0f] = 0x3000; // flow control in both directions
  const sum = image.reduce((total, word) => total + word, 0);
  image[checksumAt] = goodSum - sum;
  return image;
}
