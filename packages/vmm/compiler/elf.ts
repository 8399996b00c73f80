/**
 * The container [ELF 1.2]: 64-bit code in a 32-bit file, which is what multiboot loaders take; or the same in a 64-bit file,
 * which debuggers like better.
 */

export interface Segment {
  readonly name: string;
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}
export interface ElfSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly code: boolean;
}
export interface ElfInput {
  readonly entry: number;
  readonly segments: readonly Segment[];
  readonly symbols: readonly ElfSymbol[];
  /** Sections that are not loaded. */
  readonly notes: Readonly<Record<string, Uint8Array>>;
}

const PAGE = 0x1000;
const SHT = { PROGBITS: 1, SYMTAB: 2, STRTAB: 3 } as const;
const utf8 = new TextEncoder();

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly link: number;
  readonly info: number;
  readonly entrySize: number;
  readonly alignment: number;
}
const section = (name: string, type: number, bytes: Uint8Array, more: Partial<Section> = {}): Section => ({
  ...{ name, type, bytes, flags: 0, address: 0, link: 0, info: 0, entrySize: 0, alignment: 1 },
  ...more,
});

export function writeElf(input: ElfInput, bits: 32 | 64): Uint8Array {
  const sections = allSections(input, bits);
  const [headerBytes, programBytes, sectionBytes] = bits === 32 ? [52, 32, 40] : [64, 56, 64];
  let end = headerBytes + programBytes * input.segments.length;
  const offsets = sections.map(({ bytes, alignment }) => {
    const at = Math.ceil(end / alignment) * alignment;
    end = at + bytes.length;
    return at;
  });
  const table = Math.ceil(end / 8) * 8;
  const file = new Uint8Array(table + sectionBytes * sections.length);
  const put = new Fields(new DataView(file.buffer), bits);
  header(put, input, { headerBytes, programBytes, sectionBytes, table, sections: sections.length });
  for (const [n, segment] of input.segments.entries())
    programHeader(put.at(headerBytes + n * programBytes), segment, offsets[n + 1]!);
  let name = 0;
  for (const [n, one] of sections.entries()) {
    file.set(one.bytes, offsets[n]!);
    sectionHeader(put.at(table + n * sectionBytes), one, name, n === 0 ? 0 : offsets[n]!);
    name += utf8.encode(one.name).length + 1;
  }
  return file;
}

function allSections({ segments, symbols, notes }: ElfInput, bits: 32 | 64): Section[] {
  const loaded = segments.map(({ name, address, bytes, executable }) =>
    section(name, SHT.PROGBITS, bytes, { address, flags: executable ? 6 : 3, alignment: PAGE }),
  );
  const entrySize = bits === 32 ? 16 : 24;
  const strings = loaded.length + 2;
  const sections = [
    section("", 0, new Uint8Array()),
    ...loaded,
    section(".symtab", SHT.SYMTAB, symbolTable(symbols, segments, bits), {
      link: strings,
      info: 1,
      entrySize,
      alignment: 8,
    }),
    section(".strtab", SHT.STRTAB, utf8.encode(`\0${symbols.map(({ name }) => `${name}\0`).join("")}`)),
    ...Object.entries(notes).map(([name, bytes]) => section(name, SHT.PROGBITS, bytes)),
  ];
  const names = utf8.encode([...sections.map(({ name }) => name), ".shstrtab", ""].join("\0"));
  return [...sections, section(".shstrtab", SHT.STRTAB, names)];
}

/** Writes fields one after the other; an `address` has 4 or 8 bytes. */
class Fields {
  readonly #view: DataView;
  readonly #bits: 32 | 64;
  #at: number;

  constructor(view: DataView, bits: 32 | 64, at = 0) {
    this.#view = view;
    this.#bits = bits;
    this.#at = at;
  }
  get wide(): boolean {
    return this.#bits === 64;
  }
  at(at: number): Fields {
    return new Fields(this.#view, this.#bits, at);
  }
  u8(...values: number[]): this {
    for (const value of values) this.#view.setUint8(this.#at++, value);
    return this;
  }
  u16(...values: number[]): this {
    for (const value of values) {
      this.#view.setUint16(this.#at, value, true);
      this.#at += 2;
    }
    return this;
  }
  u32(...values: number[]): this {
    for (const value of values) {
      this.#view.setUint32(this.#at, value, true);
      this.#at += 4;
    }
    return this;
  }
  address(...values: number[]): this {
    for (const value of values) this.u32(...(this.wide ? [value, 0] : [value]));
    return this;
  }
}

interface Sizes {
  readonly headerBytes: number;
  readonly programBytes: number;
  readonly sectionBytes: number;
  readonly table: number;
  readonly sections: number;
}
function header(put: Fields, { entry, segments }: ElfInput, sizes: Sizes): void {
  const EM_386 = 3,
    EM_X86_64 = 62;
  put.u8(0x7f, 0x45, 0x4c, 0x46, put.wide ? 2 : 1, 1, 1, ...Array<number>(9).fill(0));
  put
    .u16(2, put.wide ? EM_X86_64 : EM_386)
    .u32(1)
    .address(entry, sizes.headerBytes, sizes.table)
    .u32(0);
  put.u16(
    sizes.headerBytes,
    sizes.programBytes,
    segments.length,
    sizes.sectionBytes,
    sizes.sections,
    sizes.sections - 1,
  );
}
function programHeader(put: Fields, { address, bytes, executable }: Segment, offset: number): void {
  const flags = executable ? 7 : 6;
  put.u32(1);
  if (put.wide) put.u32(flags);
  put.address(offset, address, address, bytes.length, bytes.length);
  if (!put.wide) put.u32(flags);
  put.address(PAGE);
}
function sectionHeader(put: Fields, one: Section, name: number, offset: number): void {
  put.u32(name, one.type).address(one.flags, one.address, offset, one.bytes.length);
  put.u32(one.link, one.info).address(one.alignment, one.entrySize);
}

function symbolTable(symbols: readonly ElfSymbol[], segments: readonly Segment[], bits: 32 | 64): Uint8Array {
  const size = bits === 32 ? 16 : 24;
  const bytes = new Uint8Array(size * (symbols.length + 1));
  const put = new Fields(new DataView(bytes.buffer), bits, size);
  let name = 1;
  for (const symbol of symbols) {
    const index = segments.findIndex(
      ({ address, bytes }) => symbol.address - address >= 0 && symbol.address - address < bytes.length,
    );
    const kind = symbol.code ? 0x12 : 0x11; // global; function or object
    if (put.wide)
      put
        .u32(name)
        .u8(kind, 0)
        .u16(index + 1)
        .address(symbol.address, symbol.size);
    else
      put
        .u32(name, symbol.address, symbol.size)
        .u8(kind, 0)
        .u16(index + 1);
    name += utf8.encode(symbol.name).length + 1;
  }
  return bytes;
}
