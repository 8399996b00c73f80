/** The whole disk, held against what it must contain. */
import { nextData } from "@castaway/devices";
import type { BlockDevice } from "@castaway/kit";
import { sameBytes } from "./bytes.ts";
import { brief } from "./findings.ts";
import { describeCommand, type Ledger, openRuns } from "./ledger.ts";

/** A sector that is not as it must be. */
export interface Difference {
  readonly lba: number;
  readonly message: string;
}

export interface Verification {
  /** Every sector is as it must be, and nothing was found on the way there. */
  readonly verified: boolean;
  /** Sectors of the disk that were compared: all that it shows the guest. */
  readonly sectors: number;
  /** Commands of the guest that wrote. */
  readonly guestWrites: number;
  /** Different sectors that the guest wrote or trimmed. */
  readonly guestSectors: number;
  /** Sectors that are not as they must be. */
  readonly differences: number;
  readonly firstDifference?: Difference;
  /** Sectors that a command of the guest's may still be writing: old and new contents count as right. */
  readonly underWay: number;
  /** Sectors behind what the drive shows (a host-protected area) that have changed: not the guest's. */
  readonly hidden: number;
  /** What was found while the machine ran: see `DiskOracle.findings`. */
  readonly findings: number;
}

export type Comparison = Omit<Verification, "verified" | "guestWrites" | "guestSectors" | "findings">;

/** Bytes that are compared at once. */
const CHUNK = 1 << 20;

/**
 * @param hiddenFrom how many sectors the drive shows
 * @param busy whether commands may be under way
 */
export function compare(medium: BlockDevice, ledger: Ledger, hiddenFrom: number, busy: boolean): Comparison {
  const size = medium.sectorSize;
  const found = new Uint8Array(CHUNK);
  const right = new Uint8Array(CHUNK);
  let differences = 0;
  let hidden = 0;
  let firstDifference: Difference | undefined;
  const differs = (lba: number, message: () => string) => {
    differences++;
    if (firstDifference === undefined || lba < firstDifference.lba) firstDifference = { lba, message: message() };
  };
  const { expected } = ledger;
  for (let at = 0; ; ) {
    at = Math.min(nextData(medium, at), nextData(expected, at));
    if (at >= medium.sectors) break;
    const n = Math.min(CHUNK / size, medium.sectors - at);
    const [is, should] = [found.subarray(0, n * size), right.subarray(0, n * size)];
    const readable = medium.read(at, is) && expected.read(at, should);
    for (let i = 0; i < n && !(readable && i === 0 && sameBytes(is, should)); i++) {
      const lba = at + i;
      const [a, b] = [is.subarray(i * size, (i + 1) * size), should.subarray(i * size, (i + 1) * size)];
      if (!readable) differs(lba, () => `LBA ${lba} or one behind it cannot be read`);
      else if (sameBytes(a, b) || ledger.mayHold(lba, a, busy)) continue;
      else if (lba >= hiddenFrom && !expected.isWritten(lba)) hidden++;
      else differs(lba, () => describe(ledger, lba, a, b));
    }
    at += n;
  }
  const underWay = open(ledger, medium, busy, differs);
  const compared = { sectors: Math.min(hiddenFrom, medium.sectors), differences, underWay, hidden };
  return firstDifference === undefined ? compared : { ...compared, firstDifference };
}

function describe(ledger: Ledger, lba: number, is: Uint8Array, should: Uint8Array): string {
  const right = ledger.expected.isWritten(lba) ? "what the guest wrote last" : "what was there before the guest";
  return `LBA ${lba} holds ${ledger.describe(lba, is)}; right is ${right} (${brief(should)})`;
}

/** Commands that the medium has not taken yet: while they may be under way that is right, later it is not. */
function open(
  ledger: Ledger,
  medium: BlockDevice,
  busy: boolean,
  differs: (lba: number, message: () => string) => void,
): number {
  let underWay = 0;
  const sector = new Uint8Array(medium.sectorSize);
  for (const command of ledger.commands) {
    if (command.stopped || command.data === null) continue;
    for (const { lba, sectors, at } of openRuns(command)) {
      for (let i = 0; i < sectors; i++) {
        const wanted = ledger.wanted(command, at + i);
        if (wanted === undefined) continue;
        if (busy) underWay++;
        else if (medium.read(lba + i, sector) && !sameBytes(sector, wanted))
          differs(
            lba + i,
            () => `LBA ${lba + i} never took ${describeCommand(command)}: it holds ${ledger.describe(lba + i, sector)}`,
          );
      }
    }
  }
  return underWay;
}
