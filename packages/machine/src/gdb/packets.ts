/**
 * Packets of GDB's remote serial protocol [GDB E.1]: `$data#checksum`, acknowledgements, and the byte of Ctrl-C. Data are
 * strings with a character for each byte, as in Latin-1.
 */

/** Characters of data in a packet, at most, as `qSupported` tells gdb. */
export const PACKET_SIZE = 0x4000;

/** What comes in: a packet's data, Ctrl-C, a request to say it again, a packet that is damaged or longer than allowed. */
export type Incoming =
  | { readonly kind: "packet"; readonly data: string }
  | { readonly kind: "interrupt" | "repeat" | "damaged" | "too long" };

const [DOLLAR, HASH, PLUS, MINUS, CTRL_C] = [0x24, 0x23, 0x2b, 0x2d, 3];

/** Cuts a stream of bytes, however it arrives, into packets. It keeps one packet's bytes and no more. */
export class PacketReader {
  readonly #data = new Uint8Array(PACKET_SIZE);
  #length = 0;
  #sum = 0;
  #sent = 0;
  /** Between packets, in the data, or at the first or second digit of the checksum. */
  #at: "outside" | "data" | "high" | "low" = "outside";

  *read(bytes: Uint8Array): Generator<Incoming> {
    for (const byte of bytes) {
      const incoming = this.#take(byte);
      if (incoming !== null) yield incoming;
    }
  }
  #take(byte: number): Incoming | null {
    if (byte === DOLLAR) {
      this.#at = "data"; // never part of data: a new packet, whatever became of the one before
      this.#length = this.#sum = 0;
      return null;
    }
    switch (this.#at) {
      case "outside":
        return byte === CTRL_C ? { kind: "interrupt" } : byte === MINUS ? { kind: "repeat" } : null; // PLUS: fine
      case "data":
        if (byte === HASH) this.#at = "high";
        else this.#keep(byte);
        return null;
      case "high":
        this.#sent = nibble(byte) * 16;
        this.#at = "low";
        return null;
      case "low":
        this.#at = "outside";
        return this.#finish(this.#sent + nibble(byte));
    }
  }
  #keep(byte: number): void {
    if (this.#length < PACKET_SIZE) this.#data[this.#length] = byte;
    this.#length++;
    this.#sum = (this.#sum + byte) & 0xff;
  }
  #finish(sum: number): Incoming {
    if (sum !== this.#sum) return { kind: "damaged" };
    if (this.#length > PACKET_SIZE) return { kind: "too long" };
    return { kind: "packet", data: textOf(this.#data.subarray(0, this.#length)) };
  }
}

/** A hexadecimal digit's value, or NaN. */
function nibble(char: number): number {
  return Number.parseInt(String.fromCharCode(char), 16);
}

/** The packet as it is sent. */
export function packet(data: string): Uint8Array {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data.charCodeAt(i);
  return bytesOf(`$${data}#${(sum & 0xff).toString(16).padStart(2, "0")}`);
}
/** The acknowledgements: received well, or say it again. */
export const ACK = Uint8Array.of(PLUS);
export const NAK = Uint8Array.of(MINUS);

// ---- bytes, text and hexadecimal ----

/** Each byte a character. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
/** Each character a byte: its low one. */
export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
/** Null if these are not pairs of hexadecimal digits. */
export function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || /[^0-9a-f]/i.test(text)) return null;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
/** A number below 2^53 in hexadecimal; null if it is not one. */
export function hexNumber(text: string | undefined): number | null {
  if (text === undefined || !/^[0-9a-f]{1,16}$/i.test(text)) return null;
  const value = Number.parseInt(text, 16);
  return Number.isSafeInteger(value) ? value : null;
}
/** A linear address as the processor takes it: canonical, those of the upper half negative; null if it is not one. */
export function hexAddress(text: string | undefined): number | null {
  if (text === undefined || !/^[0-9a-f]{1,16}$/i.test(text)) return null;
  const address = BigInt.asIntN(64, BigInt(`0x${text}`));
  return BigInt.asIntN(48, address) === address ? Number(address) : null;
}
/** An address as text: unsigned, without leading zeroes. */
export const addressText = (linear: number): string => BigInt.asUintN(64, BigInt(linear)).toString(16);

/** Binary data in a packet: characters with a meaning of their own are escaped [GDB E.1 "Binary Data"]. */
export const escape = (data: string): string =>
  data.replace(/[}#$*]/g, (c) => `}${String.fromCharCode(c.charCodeAt(0) ^ 0x20)}`);
export const unescape = (data: string): string =>
  data.replace(/\}([\s\S])/g, (_, c: string) => String.fromCharCode(c.charCodeAt(0) ^ 0x20));
