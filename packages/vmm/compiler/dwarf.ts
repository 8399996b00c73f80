/** Line tables for debuggers [DWARF 4]: addresses to files and lines, and the one compilation unit that they need. */

export interface LineRow {
  readonly address: number;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface DwarfInput {
  readonly name: string;
  /** In ascending order of addresses. */
  readonly rows: readonly LineRow[];
  /** The code's first address, and the one after its last. */
  readonly from: number;
  readonly to: number;
}

const utf8 = new TextEncoder();
const u16 = (value: number) => [value & 255, value >> 8];
const u32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
const u64 = (value: number) => [...u32(value), 0, 0, 0, 0];
const text = (value: string) => [...utf8.encode(value), 0];

function uleb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...uleb(value >>> 7)];
}
function sleb(value: number): number[] {
  const last = value >= -64 && value < 64;
  return last ? [value & 127] : [(value & 127) | 128, ...sleb(value >> 7)];
}

const DW_LNS_COPY = 1,
  DW_LNS_ADVANCE_PC = 2,
  DW_LNS_ADVANCE_LINE = 3,
  DW_LNS_SET_FILE = 4,
  DW_LNS_SET_COLUMN = 5;

/** Sections by their names. */
export function dwarfSections(input: DwarfInput): Record<string, Uint8Array> {
  return {
    ".debug_line": lines(input),
    ".debug_info": information(input),
    ".debug_abbrev": Uint8Array.from([
      ...[1, 0x11, 0], // DW_TAG_compile_unit without children
      ...[0x03, 0x08, 0x11, 0x01, 0x12, 0x07, 0x10, 0x17], // name, low_pc, high_pc as a length, stmt_list
      ...[0, 0, 0],
    ]),
  };
}

function information({ name, from, to }: DwarfInput): Uint8Array {
  const unit = [...u16(4), ...u32(0), 8, 1, ...text(name), ...u64(from), ...u64(to - from), ...u32(0)];
  return Uint8Array.from([...u32(unit.length), ...unit]);
}

function lines({ rows, from, to }: DwarfInput): Uint8Array {
  const files = [...new Set(rows.map(({ file }) => file))];
  // instructions of 1 byte, no VLIW, statements, line base and range, 12 standard opcodes and their operands, no folders
  const fields = [1, 1, 1, 1, 1, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0];
  const header = [...fields, ...files.flatMap((file) => [...text(file), 0, 0, 0]), 0];
  const program = [0, 9, 2, ...u64(from)]; // DW_LNE_set_address
  let [address, file, line] = [from, 1, 1];
  for (const row of rows) {
    const number = files.indexOf(row.file) + 1;
    if (number !== file) program.push(DW_LNS_SET_FILE, ...uleb(number));
    if (row.line !== line) program.push(DW_LNS_ADVANCE_LINE, ...sleb(row.line - line));
    program.push(
      DW_LNS_SET_COLUMN,
      ...uleb(row.column),
      DW_LNS_ADVANCE_PC,
      ...uleb(row.address - address),
      DW_LNS_COPY,
    );
    [address, file, line] = [row.address, number, row.line];
  }
  program.push(DW_LNS_ADVANCE_PC, ...uleb(to - address), 0, 1, 1); // DW_LNE_end_sequence
  const rest = [...u16(4), ...u32(header.length), ...header, ...program];
  return Uint8Array.from([...u32(rest.length), ...rest]);
}
