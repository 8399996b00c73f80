/** TFTP packets [RFC 1350 5] with options [RFC 2347]. */
import { readBig, writeBig } from "@castaway/kit";
import { asciiBytes } from "./dhcp-message.ts";

export const tftpPort = 69;

export const tftpOpcode = { read: 1, write: 2, data: 3, ack: 4, error: 5, optionAck: 6 } as const;

export const tftpError = {
  undefined: 0,
  fileNotFound: 1,
  accessViolation: 2,
  diskFull: 3,
  illegalOperation: 4,
  unknownTransfer: 5,
  fileExists: 6,
  noSuchUser: 7,
  optionsRefused: 8,
} as const;

/** The bytes before the data of a block. */
export const dataHeader = 4;

export type TftpRequest = { opcode: number; file: string; mode: string; options: Map<string, string> };

export type TftpPacket =
  | ({ kind: "request" } & TftpRequest)
  | { kind: "data"; block: number; data: Uint8Array }
  | { kind: "ack"; block: number }
  | { kind: "error"; code: number; message: string }
  | { kind: "optionAck"; options: Map<string, string> };

/** @returns the packet, or null if it is none: an unknown opcode, or a text without its final zero. */
export function parseTftp(bytes: Uint8Array): TftpPacket | null {
  if (bytes.length < 4) return null;
  const opcode = readBig(bytes, 0, 2);
  const rest = bytes.subarray(2);
  if (opcode === tftpOpcode.read || opcode === tftpOpcode.write) {
    const texts = readTexts(rest);
    if (texts === null || texts.length < 2) return null;
    return {
      kind: "request",
      opcode,
      file: texts[0],
      mode: texts[1].toLowerCase(),
      options: optionsOf(texts.slice(2)),
    };
  }
  if (opcode === tftpOpcode.data) return { kind: "data", block: readBig(rest, 0, 2), data: rest.subarray(2) };
  if (opcode === tftpOpcode.ack) return { kind: "ack", block: readBig(rest, 0, 2) };
  if (opcode === tftpOpcode.error) {
    return { kind: "error", code: readBig(rest, 0, 2), message: readTexts(rest.subarray(2))?.[0] ?? "" };
  }
  if (opcode !== tftpOpcode.optionAck) return null;
  const texts = readTexts(rest);
  return texts === null ? null : { kind: "optionAck", options: optionsOf(texts) };
}

export function buildRequest({ opcode, file, mode, options }: TftpRequest): Uint8Array {
  return withTexts(opcode, [file, mode, ...[...options].flat()]);
}

export function buildOptionAck(options: ReadonlyMap<string, string>): Uint8Array {
  return withTexts(tftpOpcode.optionAck, [...options].flat());
}

/** A block of `length` bytes, to be filled after {@link dataHeader}. */
export function buildData(block: number, length: number): Uint8Array {
  const bytes = new Uint8Array(dataHeader + length);
  writeBig(bytes, 0, 2, tftpOpcode.data);
  writeBig(bytes, 2, 2, block);
  return bytes;
}

export function buildAck(block: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeBig(bytes, 0, 2, tftpOpcode.ack);
  writeBig(bytes, 2, 2, block);
  return bytes;
}

export function buildError(code: number, message: string): Uint8Array {
  return Uint8Array.of(0, tftpOpcode.error, 0, code, ...asciiBytes(message), 0);
}

function withTexts(opcode: number, texts: string[]): Uint8Array {
  return Uint8Array.of(0, opcode, ...texts.flatMap((text) => [...asciiBytes(text), 0]));
}

/** Names of options have no case [RFC 2347]; of one that came twice the first counts. */
function optionsOf(texts: string[]): Map<string, string> {
  const options = new Map<string, string>();
  for (let i = 0; i + 1 < texts.length; i += 2) {
    const name = texts[i].toLowerCase();
    if (!options.has(name)) options.set(name, texts[i + 1]);
  }
  return options;
}

/** Texts that end in a zero each; null if the last one does not. Requests are at most 512 bytes long [RFC 2347]. */
function readTexts(bytes: Uint8Array): string[] | null {
  if (bytes.length > 1024 || bytes.at(-1) !== 0) return null;
  return String.fromCharCode(...bytes.subarray(0, -1)).split("\0");
}
