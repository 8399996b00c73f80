/** The Internet checksum [RFC 1071]: the ones' complement of the ones' complement sum of 16-bit words. */

/** The sum so far with `bytes` added, as if an odd length had a zero after it. Up to 2^22 bytes sum up exactly. */
export function addWords(sum: number, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const even = bytes.length & ~1;
  let total = sum;
  let other = 0;
  let at = 0;
  // In words of 32 bits: 2^16 is 1 in ones' complement. Two sums, so that additions overlap.
  for (; at + 8 <= even; at += 8) {
    total += view.getUint32(at);
    other += view.getUint32(at + 4);
  }
  for (; at < even; at += 2) total += (bytes[at] << 8) | bytes[at + 1];
  return total + other + (even === bytes.length ? 0 : bytes[even] << 8);
}

/** The checksum of a sum: 0 to 0xffff. Over bytes that hold their own checksum it is 0. */
export function fold(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest % 0x10000) + Math.floor(rest / 0x10000);
  return ~rest & 0xffff;
}

/** The checksum of `bytes` alone. */
export const checksum = (bytes: Uint8Array): number => fold(addWords(0, bytes));

/** The sum of the pseudo header of UDP and TCP over IPv4 [RFC 768]. */
export function pseudoHeader4(source: number, destination: number, protocol: number, length: number): number {
  return source + destination + protocol + length; // 32-bit words, as in addWords
}

/** The sum of the pseudo header over IPv6 [RFC 8200 8.1]. */
export function pseudoHeader6(source: Uint8Array, destination: Uint8Array, next: number, length: number): number {
  return addWords(addWords(next + length, source), destination);
}
