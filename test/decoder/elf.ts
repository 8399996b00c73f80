/** The sections of an ELF file that hold code. */
export interface Section {
  readonly name: string;
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

const EXECINSTR = 4n;
const NOBITS = 8;

/** Sections of a 64-bit little-endian ELF file that are executable; none if it is something else. */
export function codeSections(file: Uint8Array): Section[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isElf64 = file.length > 64 && view.getUint32(0) === 0x7f454c46 && file[4] === 2 && file[5] === 1;
  if (!isElf64 || view.getUint16(18, true) !== 62) return []; // 62: x86-64
  const headers = Number(view.getBigUint64(40, true));
  const [size, count, namesIndex] = [58, 60, 62].map((at) => view.getUint16(at, true)) as [number, number, number];
  const word = (section: number, at: number) => Number(view.getBigUint64(headers + section * size + at, true));
  const text = (at: number) => new TextDecoder("latin1").decode(file.subarray(at, file.indexOf(0, at)));
  const found: Section[] = [];
  for (let n = 0; n < count; n++) {
    const at = headers + n * size;
    if (!(view.getBigUint64(at + 8, true) & EXECINSTR) || view.getUint32(at + 4, true) === NOBITS) continue;
    const name = text(word(namesIndex, 24) + view.getUint32(at, true));
    const address = view.getBigUint64(at + 16, true);
    found.push({ name, address, bytes: file.subarray(word(n, 24), word(n, 24) + word(n, 32)) });
  }
  return found;
}
