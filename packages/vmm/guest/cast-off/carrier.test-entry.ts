/** What the test of carriers calls. */
import { CARRIER_BYTES, carrierOf } from "./carrier.ts";

const bytes = heap.alloc(CARRIER_BYTES);

/** Where the instruction's first bytes go. */
export function buffer(): usize {
  return bytes;
}
export function carrier(bits: u32): i32 {
  return carrierOf(bytes, bits);
}
