/** A frame of an extended read's answer: what it says, once it agrees with what was asked (docs/aoe-extension.md). */
import { physRead8 } from "../x86.ts";
import {
  EXTENDED_DATA,
  EXTENDED_FLAGS,
  EXTENDED_ID,
  EXTENDED_INDEX,
  EXTENDED_LBA,
  EXTENDED_SECTORS,
  EXTENDED_TOTAL,
  EXTENDED_VERSION,
  HOLE,
  readBig16,
  readBig32,
  readBig48,
} from "./frame.ts";
import { Request } from "./reads.ts";

export class Fragment {
  /** Where in the read it begins, and how much it is: sectors. */
  first: u32 = 0;
  sectors: u32 = 0;
  index: u32 = 0;
  total: u32 = 0;
  hole: bool = false;

  /** @param lba the read's own. @returns false: the frame contradicts itself, the request, or an earlier fragment */
  parse(frame: u64, bytes: u32, request: Request, lba: u64): bool {
    if (bytes < EXTENDED_DATA || physRead8(frame + EXTENDED_VERSION) !== 1) return false;
    const flags = physRead8(frame + EXTENDED_FLAGS);
    if ((flags & ~HOLE) !== 0 || readBig16(frame + EXTENDED_ID) !== (request.tag & 0xffff)) return false;
    this.hole = flags !== 0;
    this.sectors = readBig32(frame + EXTENDED_SECTORS);
    this.index = readBig16(frame + EXTENDED_INDEX);
    this.total = readBig16(frame + EXTENDED_TOTAL);
    return this.isPlaced(readBig48(frame + EXTENDED_LBA), request, lba) && this.isNumbered(request) && this.fits(bytes);
  }

  private isPlaced(at: u64, request: Request, lba: u64): bool {
    const start = lba + request.first;
    if (at < start || at - start >= request.sectors) return false;
    this.first = <u32>(at - lba);
    return this.sectors !== 0 && this.sectors <= request.sectors - <u32>(at - start);
  }

  private isNumbered(request: Request): bool {
    const isSame = request.total === 0 || request.total === this.total;
    return isSame && this.index < this.total && this.total <= request.sectors;
  }

  private fits(bytes: u32): bool {
    return this.hole || bytes === EXTENDED_DATA + (this.sectors << 9);
  }
}
