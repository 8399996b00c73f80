/** The Internet checksum [RFC 1071]: the ones' complement of the ones' complement sum of 16-bit words. */
import { writeBig } from "@castaway/kit";

/** The sum so far with `bytes` added, as if an odd length had a zero after it. Up to 2^37 bytes sum up exactly. */
export function addWords(sum: number, bytes: Uint8Array): number {
  let total = sum;
  const even = bytes.length & ~1;
  for (let i = 0; i < even; i += 2) total += (bytes[i] << 8) | bytes[i + 1];
  return even === bytes.length ? total : total + (bytes[even] << 8);
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
  const bytes = new Uint8Array(12);
  writeBig(bytes, 0, 4, source);
  writeBig(bytes, 4, 4, destination);
  writeBig(bytes, 8, 2, protocol);
  writeBig(bytes, 10, 2, length);
  return addWords(0, bytes);
}

/** The sum of the pseudo header over IPv6 [RFC 8200 8.1]. */
export function pseudoHeader6(source: Uint8Array, destination: Uint8Array, next: number, length: number): number {
  return addWords(addWords(next + length, source), destination);
}
