/** The frame check sequence of Ethernet: CRC-32 [802.3 3.2.9]. Ports carry frames without it; a chip can be asked for it. */
import { readLittle } from "@castaway/kit";
import { passCrc } from "./bulk.ts";

/** The FCS of `frame` as a number whose lowest byte is sent first. */
export const frameCheck = (frame: Uint8Array): number => ~passCrc(-1, frame) >>> 0;

/**
 * A frame for which software makes the CRC (IFCS is 0): it goes without, as ports carry none. One whose last bytes are no
 * CRC is sent as it is, though a real wall would take it for damaged.
 */
export function withoutCheck(frame: Uint8Array): Uint8Array {
  const end = frame.length - 4;
  const has = end >= 14 && readLittle(frame, end, 4) === frameCheck(frame.subarray(0, end));
  return has ? frame.subarray(0, end) : frame;
}
