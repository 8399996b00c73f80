/** Sets of sectors: bit n of word n / 64. */

export function hasBit(bits: StaticArray<u64>, at: u32): bool {
  return ((unchecked(bits[at >> 6]) >> (at & 63)) & 1) !== 0;
}

export function setBits(bits: StaticArray<u64>, from: u32, count: u32): void {
  const end = from + count;
  for (let at = from; at < end; ) {
    const word = at >> 6;
    const here = min<u32>(64 - (at & 63), end - at);
    unchecked((bits[word] |= ones(here) << (at & 63)));
    at += here;
  }
}

export function clearBits(bits: StaticArray<u64>, from: u32, count: u32): void {
  const end = from + count;
  for (let at = from; at < end; ) {
    const word = at >> 6;
    const here = min<u32>(64 - (at & 63), end - at);
    unchecked((bits[word] &= ~(ones(here) << (at & 63))));
    at += here;
  }
}

/** The first bit that is set from `from` on, before `end`; or `end`. */
export function firstSet(bits: StaticArray<u64>, from: u32, end: u32): u32 {
  let at = from;
  while (at < end) {
    const rest = unchecked(bits[at >> 6]) >> (at & 63);
    if (rest !== 0) return min<u32>(at + <u32>ctz<u64>(rest), end);
    at = (at | 63) + 1;
  }
  return end;
}

/** The first bit that is clear from `from` on, before `end`; or `end`. */
export function firstClear(bits: StaticArray<u64>, from: u32, end: u32): u32 {
  let at = from;
  while (at < end) {
    const rest = ~unchecked(bits[at >> 6]) >> (at & 63);
    if (rest !== 0) return min<u32>(at + <u32>ctz<u64>(rest), end);
    at = (at | 63) + 1;
  }
  return end;
}

/** How many of the bits are set. */
export function countSet(bits: StaticArray<u64>, from: u32, count: u32): u32 {
  const end = from + count;
  let sum: u32 = 0;
  for (let at = from; at < end; ) {
    const here = min<u32>(64 - (at & 63), end - at);
    sum += <u32>popcnt<u64>((unchecked(bits[at >> 6]) >> (at & 63)) & ones(here));
    at += here;
  }
  return sum;
}

/** The low `count` bits, 1 to 64 of them. */
function ones(count: u32): u64 {
  return ~(<u64>0) >> (64 - count);
}
