/**
 * What an AoE target says of itself to IDENTIFY DEVICE [ATA8-ACS "IDENTIFY DEVICE"]: a disk that knows PIO transfers,
 * 28-bit and 48-bit addresses, and flushing, because that is all that this server does. Written apart from the PC's own
 * drives on purpose: a guest's client is the judge of both.
 */
import { sectorSize } from "./protocol.ts";

/** The most that 28-bit addresses reach. */
const most28 = 0x0fff_ffff;

/** The texts in it. Other characters than printable ASCII become "?"; what is too long is cut. */
export type TargetIdentity = {
  /** 20 characters. */
  readonly serial: string;
  /** 8 characters. */
  readonly firmware: string;
  /** 40 characters. */
  readonly model: string;
};

/** The 512 bytes for a disk of `sectors` sectors of 512 bytes. */
export function identifyTarget(identity: TargetIdentity, sectors: number): Uint8Array {
  const data = new Uint8Array(sectorSize);
  const word = (index: number, value: number) => {
    data[2 * index] = value;
    data[2 * index + 1] = value >>> 8;
  };
  /** The first character of each pair is the high byte. */
  const text = (index: number, length: number, value: string) => {
    const ascii = value.replace(/[^ -~]/g, "?").padEnd(length, " ");
    for (let i = 0; i < length; i++) data[2 * index + (i ^ 1)] = ascii.charCodeAt(i);
  };

  const cylinders = Math.min(Math.floor(sectors / (16 * 63)), 16_383);
  const within28 = Math.min(sectors, most28);
  word(0, 0x0040); // a fixed ATA disk
  word(1, cylinders);
  word(3, 16); // heads
  word(6, 63); // sectors a track
  text(10, 20, identity.serial);
  text(23, 8, identity.firmware);
  text(27, 40, identity.model);
  word(47, 0x8000); // no READ MULTIPLE
  word(49, 0x0200); // LBA, no DMA
  word(50, 0x4000);
  word(53, 0x0002); // words 64 to 70 are valid
  word(60, within28);
  word(61, within28 >>> 16);
  word(64, 0x0003); // PIO modes 3 and 4
  word(67, 120);
  word(68, 120); // ns a PIO cycle
  word(80, 0x01f0); // ATA/ATAPI-4 to ATA8-ACS
  word(82, 0x0000);
  word(83, 0x7400); // FLUSH CACHE, FLUSH CACHE EXT, 48-bit addresses
  word(84, 0x4000);
  word(85, 0x0000);
  word(86, 0x3400);
  word(87, 0x4000);
  for (let i = 0, rest = sectors; i < 4; i++, rest = Math.floor(rest / 0x1_0000)) word(100 + i, rest % 0x1_0000);
  word(106, 0x4000); // logical sectors of 512 bytes
  word(217, 0x0001); // nothing turns
  data[510] = 0xa5;
  data[511] = -data.subarray(0, 511).reduce((sum, byte) => sum + byte, 0);
  return data;
}
