/** Issue ATA Command [AoEr11 3.1]: the registers in a request, what the command does, the registers in the response. */
import type { BlockDevice } from "@castaway/kit";
import { aoeError, ataHeaderSize, sectorSize } from "./protocol.ts";

/** AFlags, byte 24. */
export const aFlag = { extended: 0x40, device: 0x10, async: 0x02, write: 0x01 } as const;

/** Bits of the status register [ATA8-ACS 6.2]. */
export const status = { ERR: 0x01, DF: 0x20, DRDY: 0x40 } as const;
/** Bits of the error register [ATA8-ACS 6.3]. */
export const ataError = { ABRT: 0x04, IDNF: 0x10, UNC: 0x40, WP: 0x40 } as const;

/** What an ATA command is, for statistics and for its cost. */
export type AtaKind = "read" | "write" | "identify" | "flush" | "other";

/** A request's registers. */
export type AtaRequest = {
  kind: AtaKind;
  opcode: number;
  /** Of 28 or 48 bits, as the command takes it. */
  lba: number;
  /** Sectors that it moves from or to the disk: of a count of 0 as many as that means to the command. */
  sectors: number;
  /** The client does not wait until the data are on the disk. */
  async: boolean;
};

/**
 * The commands that move sectors. AoE carries PIO commands; READ DMA and its like are aborted as any unknown one.
 * The command says how long its LBA is: clients differ in whether they set the E flag.
 */
const transfers: Record<number, { kind: AtaKind; wide: boolean }> = {
  32: { kind: "read", wide: false }, // 20h READ SECTOR(S)
  36: { kind: "read", wide: true }, // 24h READ SECTOR(S) EXT
  48: { kind: "write", wide: false }, // 30h WRITE SECTOR(S)
  52: { kind: "write", wide: true }, // 34h WRITE SECTOR(S) EXT
};
const others: Record<number, AtaKind> = { 236: "identify", 231: "flush", 234: "flush" }; // ECh, E7h, EAh
const checkPowerMode = 0xe5;

/** The registers in `frame`, which is at least {@link ataHeaderSize} long. */
export function readAta(frame: Uint8Array): AtaRequest {
  const [opcode, count] = [frame[27], frame[26]];
  const async = (frame[24] & aFlag.async) !== 0;
  const low24 = frame[28] | (frame[29] << 8) | (frame[30] << 16);
  const transfer = Object.hasOwn(transfers, opcode) ? transfers[opcode] : undefined;
  if (transfer === undefined) {
    const kind = Object.hasOwn(others, opcode) ? others[opcode] : "other";
    return { kind, opcode, lba: low24, sectors: 0, async };
  }
  const { kind, wide } = transfer;
  // The low half of the device register is part of a 28-bit address, and stands in the fourth byte [AoEr11 3.1].
  const high = wide ? frame[31] | (frame[32] << 8) | (frame[33] << 16) : frame[31] & 0xf;
  const most = wide ? 0x1_0000 : 0x100;
  return { kind, opcode, lba: low24 + high * 0x100_0000, sectors: count === 0 ? most : count, async };
}

/** What the disk made of a command. `data` follow the registers. */
export type AtaAnswer = {
  status: number;
  error: number;
  sectorCount: number;
  data: Uint8Array | null;
};

const done = (data: Uint8Array | null, sectorCount = 0): AtaAnswer => ({
  status: status.DRDY,
  error: 0,
  sectorCount,
  data,
});
const failed = (error: number, sectorCount: number, more = 0): AtaAnswer => ({
  status: status.DRDY | status.ERR | more,
  error,
  sectorCount,
  data: null,
});

/** A client's disk behind a target. */
export type TargetDisk = {
  /** What is read, and identified. */
  readonly disk: BlockDevice;
  /** What is written; null if writes are refused. Asked for when there is something to write. */
  writable(): BlockDevice | null;
  readonly identity: Uint8Array;
};

/**
 * Does an ATA command.
 * @param mostSectors sectors that fit a frame
 * @returns the answer, or an AoE error if the message itself is wrong
 */
export function runAta(
  request: AtaRequest,
  frame: Uint8Array,
  target: TargetDisk,
  mostSectors: number,
): AtaAnswer | typeof aoeError.argument {
  const { kind, lba, sectors, opcode } = request;
  switch (kind) {
    case "identify":
      return done(target.identity.slice());
    case "flush":
      return target.disk.flush() ? done(null) : failed(ataError.ABRT, 0, status.DF);
    case "other":
      return opcode === checkPowerMode ? done(null, 0xff) : failed(ataError.ABRT, 0);
    default:
  }
  if (sectors > mostSectors) return aoeError.argument;
  const size = sectors * sectorSize;
  if (kind === "write" && frame.length < ataHeaderSize + size) return aoeError.argument;
  if (lba + sectors > target.disk.sectors) return failed(ataError.IDNF, sectors);
  if (kind === "read") {
    const data = new Uint8Array(size);
    return target.disk.read(lba, data) ? done(data) : failed(ataError.UNC, sectors);
  }
  const writable = target.writable();
  if (writable === null) return failed(ataError.WP | ataError.ABRT, sectors);
  const data = frame.subarray(ataHeaderSize, ataHeaderSize + size);
  return writable.write(lba, data) ? done(null) : failed(ataError.ABRT, sectors, status.DF);
}

/** Fills in a response's registers and data. The rest of the registers stays as it was asked. */
export function writeAta(into: Uint8Array, asked: Uint8Array, { status, error, sectorCount, data }: AtaAnswer): void {
  into.set(asked.subarray(24, ataHeaderSize), 24);
  into[25] = error;
  into[26] = sectorCount;
  into[27] = status;
  if (data !== null) into.set(data, ataHeaderSize);
}
