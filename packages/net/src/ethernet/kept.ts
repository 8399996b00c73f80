/** Frames that the network keeps: copies, since what a card sends is borrowed. */

/** Many copies share a buffer: making one costs more than filling it. It lasts as long as the last of them. */
const bufferBytes = 0x1_0000;
/** The longest frame of which a copy is put there. */
const longest = 0x4000;

let buffer = new Uint8Array(0);
let used = 0;

/** A copy of `frame`. Its buffer is shared with others, so it is for the network alone, and nobody changes it. */
export function kept(frame: Uint8Array): Uint8Array {
  const { length } = frame;
  if (length > longest) return frame.slice();
  if (used + length > buffer.length) {
    buffer = new Uint8Array(bufferBytes);
    used = 0;
  }
  const copy = buffer.subarray(used, used + length);
  copy.set(frame);
  used += length;
  return copy;
}
