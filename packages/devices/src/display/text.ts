/** A text mode's screen as text. */
import { CRTC, SEQ, type VgaRegisters } from "./registers.ts";

/** What a text mode shows. */
export type Screen = {
  readonly columns: number;
  readonly rows: number;
  /** One text a row, each of `columns` characters. */
  readonly lines: readonly string[];
  /** Where the cursor is, or null if it is hidden or elsewhere in memory. */
  readonly cursor: { readonly column: number; readonly row: number } | null;
};

/** Code page 437, by code: what the characters of a PC's font look like. */
const cp437 = [
  " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼",
  ..." !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~⌂",
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
  "αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0",
].join("");

/** How a text mode's cells are laid out, from the CRT controller and the sequencer. */
export type Cells = {
  readonly columns: number;
  readonly rows: number;
  /** Pixels of a cell. */
  readonly width: number;
  readonly height: number;
  /** Number of the cell at the top left, and from one row to the next. */
  readonly start: number;
  readonly pitch: number;
  /** The cell with the cursor, or -1, and its lines. */
  readonly cursor: number;
  readonly cursorStart: number;
  readonly cursorEnd: number;
};

/** Cells that text modes can address; numbers wrap there. A cell is four bytes: character, attribute, font, nothing. */
export const CELLS = 0x10000;

/** [VGA] "CRT Controller Registers"; see registers.ts. */
export function cells(vga: VgaRegisters): Cells {
  const { crtc, seq } = vga;
  const height = (crtc[CRTC.MAX_SCAN] & 0x1f) + 1;
  const doubled = (crtc[CRTC.MAX_SCAN] & 0x80) !== 0;
  const hidden = (crtc[CRTC.CURSOR_START] & 0x20) !== 0;
  return {
    columns: crtc[CRTC.DISPLAY_END] + 1,
    rows: Math.max(1, Math.floor(vga.displayedLines / (doubled ? 2 : 1) / height)),
    width: seq[SEQ.CLOCKING] & 1 ? 8 : 9,
    height,
    start: (crtc[CRTC.START_HIGH] << 8) | crtc[CRTC.START_LOW],
    pitch: 2 * crtc[CRTC.OFFSET],
    cursor: hidden ? -1 : (crtc[CRTC.CURSOR_HIGH] << 8) | crtc[CRTC.CURSOR_LOW],
    cursorStart: crtc[CRTC.CURSOR_START] & 0x1f,
    cursorEnd: crtc[CRTC.CURSOR_END] & 0x1f,
  };
}

/** The characters in `memory`, as code page 437 means them. */
export function screen(vga: VgaRegisters, memory: Uint8Array): Screen {
  const { columns, rows, start, pitch, cursor } = cells(vga);
  const lines: string[] = [];
  let at: Screen["cursor"] = null;
  for (let row = 0; row < rows; row++) {
    let line = "";
    for (let column = 0; column < columns; column++) {
      const cell = (start + row * pitch + column) % CELLS;
      line += cp437[memory[4 * cell]];
      if (cell === cursor) at = { column, row };
    }
    lines.push(line);
  }
  return { columns, rows, lines, cursor: at };
}
