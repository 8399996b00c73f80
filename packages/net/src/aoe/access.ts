/**
 * Who may use a target: Mac Mask List [AoEr11 3.3] and Reserve/Release [AoEr11 3.4]. Both are lists of clients; an empty
 * one restricts nobody. Who is not in the mask list gets no answer at all; who is not in the reserve list gets error 6 to
 * what uses or changes the target.
 */
import { readMac, writeMac } from "../ip/address.ts";
import { type AoeError, aoeError, headerSize } from "./protocol.ts";

/** Addresses in a list, at most: counts are bytes. */
export const mostAddresses = 255;

/** Bytes of the arguments before the directives. */
const masksHeader = headerSize + 4;
const directiveSize = 8;
/** Bytes of the arguments before the addresses. */
const reserveHeader = headerSize + 2;
const addressSize = 6;

const maskCommand = { read: 0, edit: 1 } as const;
const directive = { none: 0, add: 1, remove: 2 } as const;
/** What byte MError says. */
const maskError = { directive: 2, full: 3 } as const;
const reserveCommand = { read: 0, set: 1, forceSet: 2 } as const;

/** A response's arguments, from byte 24 on, or what is wrong. */
type Answer = Uint8Array | AoeError;

/**
 * Reads or edits the mask list. Directives are obeyed in order up to the first one that cannot be: the answer to that
 * tells how many were, without the list.
 * @param most addresses that a response can hold
 */
export function editMasks(frame: Uint8Array, list: number[], most: number): { answer: Answer; list: number[] } {
  if (frame.length < masksHeader) return { answer: aoeError.argument, list };
  const [what, count] = [frame[25], frame[27]];
  if (what === maskCommand.read) return { answer: masksAnswer(what, list), list };
  if (what !== maskCommand.edit) return { answer: aoeError.argument, list };
  if (frame.length < masksHeader + count * directiveSize) return { answer: aoeError.argument, list };
  const edited = new Set(list);
  let error = 0;
  let done = 0;
  for (; done < count; done++) {
    const at = masksHeader + done * directiveSize;
    error = obey(frame[at + 1], readMac(frame, at + 2), edited, Math.min(most, mostAddresses));
    if (error !== 0) break;
  }
  const now = [...edited];
  return { answer: error === 0 ? masksAnswer(what, now) : Uint8Array.of(0, what, error, done), list: now };
}

/** One directive. @returns what MError says of it; 0: done */
function obey(what: number, mac: number, list: Set<number>, most: number): number {
  if (what === directive.none) return 0;
  if (what === directive.remove) list.delete(mac);
  else if (what !== directive.add) return maskError.directive;
  else if (list.size >= most && !list.has(mac)) return maskError.full;
  else list.add(mac);
  return 0;
}

/** Addresses of a mask list that fit a frame of `longest` bytes. */
export const masksThatFit = (longest: number): number => Math.floor((longest - masksHeader) / directiveSize);

function masksAnswer(what: number, list: readonly number[]): Uint8Array {
  const args = new Uint8Array(masksHeader - headerSize + list.length * directiveSize);
  args[1] = what;
  args[3] = list.length;
  for (const [i, mac] of list.entries()) writeMac(args, masksHeader - headerSize + i * directiveSize + 2, mac);
  return args;
}

/**
 * Reads or sets the reserve list. Setting it is for those in it, or anybody while it is empty; forcing it, for anybody.
 * Setting an empty list releases the target.
 */
export function reserve(frame: Uint8Array, list: number[], client: number): { answer: Answer; list: number[] } {
  if (frame.length < reserveHeader) return { answer: aoeError.argument, list };
  const [what, count] = [frame[24], frame[25]];
  if (what === reserveCommand.read) return { answer: reserveAnswer(what, list), list };
  if (what !== reserveCommand.set && what !== reserveCommand.forceSet) return { answer: aoeError.argument, list };
  if (frame.length < reserveHeader + count * addressSize) return { answer: aoeError.argument, list };
  if (what === reserveCommand.set && !admits(list, client)) return { answer: aoeError.reserved, list };
  const now = new Set<number>();
  for (let i = 0; i < count; i++) now.add(readMac(frame, reserveHeader + i * addressSize));
  return { answer: reserveAnswer(what, [...now]), list: [...now] };
}

function reserveAnswer(what: number, list: readonly number[]): Uint8Array {
  const args = new Uint8Array(reserveHeader - headerSize + list.length * addressSize);
  args[0] = what;
  args[1] = list.length;
  for (const [i, mac] of list.entries()) writeMac(args, reserveHeader - headerSize + i * addressSize, mac);
  return args;
}

/** Whether `list` lets `client` in. */
export const admits = (list: readonly number[], client: number): boolean => list.length === 0 || list.includes(client);
