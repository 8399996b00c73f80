/**
 * Frames on a SATA cable, as host and controller find them in memory. [SATA 3.x 10.5], places in the received FIS area
 * [AHCI 1.3.1 4.2.1].
 */
import { readLittle, writeLittle } from "@castaway/kit";
import type { Outcome, TaskFile } from "../ata/taskfile.ts";

/** Types: the first byte of each. */
const type = { hostToDevice: 0x27, deviceToHost: 0x34, dmaSetup: 0x41, pioSetup: 0x5f, setDeviceBits: 0xa1 };

/** Offsets in the received FIS area. */
export const RECEIVED = { DSFIS: 0x00, PSFIS: 0x20, RFIS: 0x40, SDBFIS: 0x58 } as const;

/** Bit of byte 1: tell the host. */
const interrupt = 1 << 6;
/** Bit of byte 1: data go to the host. */
const toHost = 1 << 5;

/** What the host wrote into a command FIS: a command, or (C = 0) the device control register. */
export type CommandFis = { isCommand: true; task: TaskFile } | { isCommand: false; softReset: boolean };

/** @param fis 20 bytes or more. @returns undefined if it is no FIS that a disk understands */
export function parseCommandFis(fis: Uint8Array): CommandFis | undefined {
  if (fis[0] !== type.hostToDevice) return undefined;
  if ((fis[1] & 0x80) === 0) return { isCommand: false, softReset: (fis[15] & 0x04) !== 0 };
  const task = {
    command: fis[2],
    features: fis[3] | (fis[11] << 8),
    count: fis[12] | (fis[13] << 8),
    lba: readLittle(fis, 4, 2) + fis[6] * 0x1_0000 + (readLittle(fis, 8, 2) + fis[10] * 0x1_0000) * 0x100_0000,
    device: fis[7],
  };
  return { isCommand: true, task };
}

/** Device to host: the drive's registers. */
export function registerFis({ status, error, count, lba, device }: Outcome, tell: boolean): Uint8Array {
  const fis = new Uint8Array(20);
  fis[0] = type.deviceToHost;
  fis[1] = tell ? interrupt : 0;
  fis[2] = status;
  fis[3] = error;
  setAddress(fis, lba, device);
  writeLittle(fis, 12, 2, count);
  return fis;
}

/** A block of PIO comes, or may be sent. `after`: the status once it has been moved. */
export type PioSetup = { task: TaskFile; status: number; after: number; bytes: number; toHost: boolean; tell: boolean };

export function pioSetupFis({ task, status, after, bytes, toHost: inward, tell }: PioSetup): Uint8Array {
  const fis = new Uint8Array(20);
  fis[0] = type.pioSetup;
  fis[1] = (tell ? interrupt : 0) | (inward ? toHost : 0);
  fis[2] = status;
  setAddress(fis, task.lba, task.device);
  writeLittle(fis, 12, 2, task.count);
  fis[15] = after;
  writeLittle(fis, 16, 2, bytes);
  return fis;
}

/** Data of a queued command come, or may be sent: `tag` names the buffer, `offset` the place in it. */
export function dmaSetupFis(tag: number, offset: number, bytes: number, inward: boolean): Uint8Array {
  const fis = new Uint8Array(28);
  fis[0] = type.dmaSetup;
  fis[1] = inward ? toHost : 0;
  fis[4] = tag;
  writeLittle(fis, 16, 4, offset);
  writeLittle(fis, 20, 4, bytes);
  return fis;
}

/** Queued commands are over: those of `done`, one bit each. */
export function setDeviceBitsFis({ status, error }: Outcome, done: number): Uint8Array {
  const fis = new Uint8Array(8);
  fis[0] = type.setDeviceBits;
  fis[1] = interrupt;
  fis[2] = status & 0x77;
  fis[3] = error;
  writeLittle(fis, 4, 4, done);
  return fis;
}

function setAddress(fis: Uint8Array, lba: number, device: number): void {
  const low = lba % 0x100_0000;
  const high = (lba - low) / 0x100_0000;
  for (let i = 0; i < 3; i++) {
    fis[4 + i] = low >>> (8 * i);
    fis[8 + i] = high >>> (8 * i);
  }
  fis[7] = device;
}
