/** Query Config Information [AoEr11 3.2]: what a target can, and a string that clients keep on it. */
import { readBig, writeBig } from "@castaway/kit";
import { type AoeError, aoeError, aoeVersion, configHeaderSize, headerSize, longestConfig } from "./protocol.ts";

/** CCmd, the low half of byte 29. */
export const configCommand = { read: 0, test: 1, testPrefix: 2, set: 3, forceSet: 4 } as const;

/** What a target says of itself. */
export type Offer = {
  /** Messages that it queues. */
  bufferCount: number;
  firmware: number;
  /** Sectors an ATA command moves at most. */
  sectorCount: number;
};

/**
 * Reads, tests or sets the config string `text`.
 * @param mayChange whether this client may set it
 * @returns the arguments of the response, an error, or null for silence: a test that failed; and the string from now on
 */
export function queryConfig(
  frame: Uint8Array,
  text: Uint8Array,
  offer: Offer,
  mayChange: boolean,
): { answer: Uint8Array | AoeError | null; text: Uint8Array } {
  if (frame.length < configHeaderSize) return { answer: aoeError.argument, text };
  const ccmd = frame[29] & 0xf;
  if (ccmd === configCommand.read) return { answer: configAnswer(ccmd, text, offer), text };
  if (ccmd > configCommand.forceSet) return { answer: aoeError.argument, text };
  const length = readBig(frame, 30, 2);
  if (length > longestConfig || frame.length < configHeaderSize + length) return { answer: aoeError.argument, text };
  const given = frame.slice(configHeaderSize, configHeaderSize + length);
  if (ccmd === configCommand.test || ccmd === configCommand.testPrefix) {
    const equal = ccmd === configCommand.test ? same(given, text) : same(given, text.subarray(0, length));
    return { answer: equal ? configAnswer(ccmd, text, offer) : null, text };
  }
  if (!mayChange) return { answer: aoeError.reserved, text };
  // Setting what is set already is a retransmission: the answer to the first request was lost.
  if (ccmd === configCommand.set && text.length > 0 && !same(given, text))
    return { answer: aoeError.configPresent, text };
  return { answer: configAnswer(ccmd, given, offer), text: given };
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** The arguments of a response to a query, from byte 24 on. */
export function configAnswer(ccmd: number, text: Uint8Array, offer: Offer): Uint8Array {
  const args = new Uint8Array(configHeaderSize - headerSize + text.length);
  writeBig(args, 0, 2, offer.bufferCount);
  writeBig(args, 2, 2, offer.firmware);
  args[4] = offer.sectorCount;
  args[5] = (aoeVersion << 4) | ccmd;
  writeBig(args, 6, 2, text.length);
  args.set(text, configHeaderSize - headerSize);
  return args;
}
