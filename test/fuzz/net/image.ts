/** The AoE server's disks, and who may change them: a write must be what a request asked for that has arrived. */
import type { BlockDevice } from "@castaway/kit";
import { Failure } from "../devices/failure.ts";
import { aoeMac, diskByte, diskSectors, readOnlySlot, shelf, writableSlot } from "./addresses.ts";
import { number } from "./packets.ts";

type Asked = { readonly lba: number; readonly data: Uint8Array };
/** Requests that are remembered. More than the server's queue holds. */
const remembered = 400;

export class Image {
  readonly #bytes: Uint8Array;
  /** What it must hold, by the requests alone. */
  readonly #model: Uint8Array;
  readonly #asked: Asked[] = [];
  readonly disk: BlockDevice;

  constructor(readOnly: boolean) {
    this.#bytes = Uint8Array.from({ length: diskSectors * 512 }, (_, at) => diskByte(Math.floor(at / 512), at % 512));
    this.#model = this.#bytes.slice();
    this.disk = {
      sectorSize: 512,
      sectors: diskSectors,
      readOnly,
      read: (lba, into) => {
        this.#within(lba, into);
        into.set(this.#bytes.subarray(lba * 512, lba * 512 + into.length));
        return true;
      },
      write: (lba, from) => {
        this.#write(lba, from);
        return true;
      },
      flush: () => true,
    };
  }

  /** A frame has arrived at the server: is it a write to the disk in `slot`? */
  arrives(frame: Uint8Array, slot: number): void {
    const asked = writeIn(frame, slot);
    if (asked === null) return;
    this.#asked.push(asked);
    if (this.#asked.length > remembered) this.#asked.shift();
  }

  check(): void {
    if (Buffer.compare(this.#bytes, this.#model) !== 0) throw new Failure("image", "the disk is not what was written");
  }

  #write(lba: number, data: Uint8Array): void {
    this.#within(lba, data);
    if (this.disk.readOnly) throw new Failure("image", `a disk for reading is written at ${lba}`);
    const asked = this.#asked.find((one) => one.lba === lba && Buffer.compare(one.data, data) === 0);
    if (asked === undefined) throw new Failure("image", `nobody has asked to write ${data.length} bytes at ${lba}`);
    this.#model.set(asked.data, asked.lba * 512);
    this.#bytes.set(data, lba * 512);
  }

  #within(lba: number, data: Uint8Array): void {
    const whole = data.length % 512 === 0 && Number.isInteger(lba) && lba >= 0;
    if (!whole || lba * 512 + data.length > this.#bytes.length)
      throw new Failure("image", `${data.length} bytes at ${lba} are not on the disk`);
  }
}

/** The write that a frame asks for [AoEr11 2, 3.1], or null. */
function writeIn(frame: Uint8Array, slot: number): Asked | null {
  const to = number(frame, 0, 6);
  if (frame.length < 36 || (to !== aoeMac && to !== 0xffff_ffff_ffff) || (frame[6]! & 1) !== 0) return null;
  if (number(frame, 12, 2) !== 0x88a2 || frame[14]! >> 4 !== 1 || (frame[14]! & 8) !== 0 || frame[19] !== 0)
    return null;
  const [major, minor] = [number(frame, 16, 2), frame[18]!];
  if ((major !== shelf && major !== 0xffff) || (minor !== slot && minor !== 0xff)) return null;
  const [count, opcode] = [frame[26]!, frame[27]!];
  const low = frame[28]! + frame[29]! * 256 + frame[30]! * 65536;
  const high = frame[31]! + frame[32]! * 256 + frame[33]! * 65536;
  if (opcode !== 0x30 && opcode !== 0x34) return null;
  const lba = low + (opcode === 0x34 ? high : high % 16) * 2 ** 24;
  if (count === 0 || lba + count > diskSectors || frame.length < 36 + 512 * count) return null;
  return { lba, data: frame.slice(36, 36 + 512 * count) };
}

/** The images of both targets. */
export const images = () => ({ [writableSlot]: new Image(false), [readOnlySlot]: new Image(true) });
