/** Pixels of what the display shows, for whoever can show pixels. [VGA] = see registers.ts. */
import { ms, type Nanoseconds } from "@castaway/kit";
import type { Dispi } from "./dispi.ts";
import { ATTR, CRTC, GC, SEQ, type VgaRegisters } from "./registers.ts";
import { CELLS, cells } from "./text.ts";

/** An image, as a page's `ImageData` and PNG encoders take it. */
export type Picture = {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, opaqueness (255) of each pixel, line by line from the top. */
  readonly rgba: Uint8ClampedArray;
};

/** What the picture follows from. */
export type Display = { vga: VgaRegisters; dispi: Dispi; memory: Uint8Array; now: Nanoseconds };

/** Graphics mode ([VGA] "Graphics Mode Register"): pairs of bits, whole bytes; otherwise one bit of each plane. */
const SHIFT_PAIRS = 0x20, SHIFT_256 = 0x40; // biome-ignore format: a table
/** Attribute mode ([VGA] "Attribute Mode Control Register"). */
const LINE_GRAPHICS = 0x04, BLINK = 0x08, INTERNAL_PALETTE = 0x80; // biome-ignore format: a table

/** Bytes of the planes; CRTC addresses wrap there. */
const PLANES_SIZE = 0x40000;

/** Renders into a picture of the right size, or into `into` if it has that. */
export function render(display: Display, into?: Picture): Picture {
  const { vga, dispi } = display;
  if (dispi.enabled) {
    const picture = sized(dispi.width, dispi.height, into);
    if (vga.blanked) return black(picture);
    return dispi.bitsPerPixel === 4 ? drawDispiPlanes(display, picture) : drawLinear(display, picture);
  }
  if (vga.graphics) {
    const { width, height } = graphicsSize(vga);
    const picture = sized(width, height, into);
    return vga.blanked ? black(picture) : drawGraphics(display, picture);
  }
  const { columns, rows, width, height } = cells(vga);
  const picture = sized(columns * width, rows * height, into);
  return vga.blanked ? black(picture) : drawText(display, picture);
}

function sized(width: number, height: number, into: Picture | undefined): Picture {
  if (into?.width === width && into.height === height && into.rgba.length === 4 * width * height) return into;
  return { width, height, rgba: new Uint8ClampedArray(4 * width * height) };
}

function black(picture: Picture): Picture {
  for (let at = 0; at < picture.rgba.length; at += 4) put(picture.rgba, at, 0);
  return picture;
}

/** Puts a colour, red in bits 23:16 and blue in 7:0. */
function put(rgba: Uint8ClampedArray, at: number, color: number): void {
  rgba[at] = color >> 16;
  rgba[at + 1] = (color >> 8) & 0xff;
  rgba[at + 2] = color & 0xff;
  rgba[at + 3] = 255;
}

/** The DAC's 256 colours. Components of 6 bits are stretched so that the brightest stays the brightest. */
function dacColors({ dac, dac8, dacMask }: VgaRegisters): Uint32Array {
  const colors = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = 3 * (i & dacMask);
    const part = (n: number) => (dac8 ? dac[at + n] : ((dac[at + n] & 0x3f) << 2) | ((dac[at + n] & 0x3f) >> 4));
    colors[i] = (part(0) << 16) | (part(1) << 8) | part(2);
  }
  return colors;
}

/** The 16 colours of the attribute controller's palette ([VGA] "Color Select Register"). */
function paletteColors(vga: VgaRegisters): Uint32Array {
  const { attr } = vga;
  const colors = dacColors(vga);
  const select = attr[ATTR.COLOR_SELECT];
  return Uint32Array.from({ length: 16 }, (_, color) => {
    const entry = attr[color & attr[ATTR.PLANES]];
    const index = attr[ATTR.MODE] & INTERNAL_PALETTE ? (select << 4) | (entry & 0x0f) : ((select & 0x0c) << 4) | entry;
    return colors[index & 0xff];
  });
}

/** Characters in the font of plane 2; which of its eight places, attribute bit 3 may choose ([VGA] "Character Map Select"). */
function drawText({ vga, memory, now }: Display, picture: Picture): Picture {
  const { attr, seq } = vga;
  const layout = cells(vga);
  const colors = paletteColors(vga);
  const map = seq[SEQ.CHARACTER_MAP];
  const fonts = [((map << 1) & 6) | ((map >> 4) & 1), ((map >> 1) & 6) | ((map >> 5) & 1)];
  const blinks = (attr[ATTR.MODE] & BLINK) !== 0;
  const hidden = Math.floor(now / ms(267)) % 2 === 1; // 16 frames
  const cursorShown = Math.floor(now / ms(133)) % 2 === 0; // 8 frames
  for (let row = 0; row < layout.rows; row++) {
    for (let column = 0; column < layout.columns; column++) {
      const cell = (layout.start + row * layout.pitch + column) % CELLS;
      const character = memory[4 * cell];
      const attribute = memory[4 * cell + 1];
      const back = colors[(attribute >> 4) & (blinks ? 7 : 15)];
      const lit = blinks && attribute & 0x80 && hidden ? back : colors[attribute & 15];
      const glyph = 0x2000 * fonts[(attribute >> 3) & 1] + 32 * character;
      const repeats = (attr[ATTR.MODE] & LINE_GRAPHICS) !== 0 && character >= 0xc0 && character <= 0xdf;
      for (let y = 0; y < layout.height; y++) {
        const cursor = cell === layout.cursor && cursorShown && y >= layout.cursorStart && y <= layout.cursorEnd;
        const bits = cursor ? 0xff : memory[4 * (glyph + y) + 2];
        const ninth = cursor || (repeats && (bits & 1) !== 0);
        let at = 4 * ((row * layout.height + y) * picture.width + column * layout.width);
        for (let x = 0; x < layout.width; x++, at += 4) {
          const on = x < 8 ? (bits >> (7 - x)) & 1 : ninth;
          put(picture.rgba, at, on ? lit : back);
        }
      }
    }
  }
  return picture;
}

/** How often the CRTC repeats each line of the picture: doubled, and so many scans a row ([VGA] "Maximum Scan Line"). */
function repeats({ crtc }: VgaRegisters): number {
  const rowScans = crtc[CRTC.MODE] & 1 ? (crtc[CRTC.MAX_SCAN] & 0x1f) + 1 : 1; // else a row's scans are different lines
  return rowScans * (crtc[CRTC.MAX_SCAN] & 0x80 ? 2 : 1);
}

function graphicsSize(vga: VgaRegisters): { width: number; height: number } {
  const characters = vga.crtc[CRTC.DISPLAY_END] + 1;
  return {
    width: characters * (vga.gc[GC.MODE] & SHIFT_256 ? 4 : 8),
    height: Math.max(1, Math.floor(vga.displayedLines / repeats(vga))),
  };
}

/** Modes of the VGA itself: 256 colours, 16 colours, and the CGA's. */
function drawGraphics({ vga, memory }: Display, picture: Picture): Picture {
  const { crtc, gc, attr } = vga;
  const colors = gc[GC.MODE] & SHIFT_256 ? dacColors(vga) : paletteColors(vga);
  const start = (crtc[CRTC.START_HIGH] << 8) | crtc[CRTC.START_LOW];
  const lineCompare =
    Math.floor((crtc[CRTC.LINE_COMPARE] | ((crtc[CRTC.OVERFLOW] & 0x10) << 4) | ((crtc[CRTC.MAX_SCAN] & 0x40) << 3)) / repeats(vga)); // biome-ignore format: one number
  const panning = gc[GC.MODE] & (SHIFT_256 | SHIFT_PAIRS) ? 0 : attr[ATTR.PANNING] & 7;
  for (let y = 0; y < picture.height; y++) {
    const below = y > lineCompare; // the lower part of a split screen shows memory from 0 on
    const line = lineAddress(crtc, below ? y - lineCompare - 1 : y, below ? 0 : start);
    for (let x = 0; x < picture.width; x++) {
      const color = colorAt(gc[GC.MODE], memory, line, x + (below ? 0 : panning));
      put(picture.rgba, 4 * (y * picture.width + x), colors[color]);
    }
  }
  return picture;
}

/**
 * The address in the planes of a line. CGA and Hercules modes take address bits 13 and 14 from the row scan
 * ([VGA] "CRT Mode Control Register"); packed as window.ts does, bit 13 of a word is bit 12.
 */
function lineAddress(crtc: Uint8Array, y: number, start: number): number {
  const mode = crtc[CRTC.MODE];
  const scans = mode & 1 ? 1 : (crtc[CRTC.MAX_SCAN] & 0x1f) + 1;
  let address = start + 2 * crtc[CRTC.OFFSET] * Math.floor(y / scans);
  const scan = y % scans;
  if (!(mode & 1)) address = replaceBit(address, mode & 0x40 ? 13 : 12, scan & 1);
  if (!(mode & 2)) address = replaceBit(address, mode & 0x40 ? 14 : 13, (scan >> 1) & 1);
  return address;
}

const replaceBit = (value: number, n: number, bit: number): number => (value & ~(1 << n)) | (bit << n);

/** The colour number of pixel `x` of the line at `address`. */
function colorAt(mode: number, memory: Uint8Array, address: number, x: number): number {
  if (mode & SHIFT_256) return memory[(4 * address + x) % PLANES_SIZE];
  const at = (4 * (address + (x >> 3))) % PLANES_SIZE;
  if (!(mode & SHIFT_PAIRS)) {
    const shift = 7 - (x & 7);
    const low = ((memory[at] >> shift) & 1) | (((memory[at + 1] >> shift) & 1) << 1);
    return low | (((memory[at + 2] >> shift) & 1) << 2) | (((memory[at + 3] >> shift) & 1) << 3);
  }
  // four pixels from planes 0 and 2, four from 1 and 3
  const plane = (x >> 2) & 1;
  const shift = 6 - 2 * (x & 3);
  return ((memory[at + plane] >> shift) & 3) | (((memory[at + plane + 2] >> shift) & 3) << 2);
}

/** Linear modes of 8 to 32 bits a pixel. */
function drawLinear({ vga, dispi, memory }: Display, picture: Picture): Picture {
  const { bitsPerPixel, pitch, start } = dispi;
  const colors = dacColors(vga);
  const bytes = (bitsPerPixel + 1) >> 3;
  for (let y = 0; y < picture.height; y++) {
    let from = start + y * pitch;
    let at = 4 * y * picture.width;
    for (let x = 0; x < picture.width; x++, from += bytes, at += 4) {
      if (bytes === 1) put(picture.rgba, at, colors[memory[from]]);
      else if (bytes === 2) put(picture.rgba, at, highColor(memory[from] | (memory[from + 1] << 8), bitsPerPixel));
      else put(picture.rgba, at, memory[from] | (memory[from + 1] << 8) | (memory[from + 2] << 16));
    }
  }
  return picture;
}

/** 5 bits of red and blue, and 5 or 6 of green. */
function highColor(pixel: number, bitsPerPixel: number): number {
  const greens = bitsPerPixel === 15 ? 5 : 6;
  const stretch = (value: number, bits: number) => ((value << (8 - bits)) | (value >> (2 * bits - 8))) & 0xff;
  const red = stretch((pixel >> (5 + greens)) & 0x1f, 5);
  const green = stretch((pixel >> 5) & ((1 << greens) - 1), greens);
  return (red << 16) | (green << 8) | stretch(pixel & 0x1f, 5);
}

/** The DISPI interface's planar mode. */
function drawDispiPlanes({ vga, dispi, memory }: Display, picture: Picture): Picture {
  const colors = paletteColors(vga);
  for (let y = 0; y < picture.height; y++) {
    const line = dispi.start + y * dispi.pitch; // bytes: four for each eight pixels
    for (let x = 0; x < picture.width; x++) {
      const at = (line & ~3) + 4 * (x >> 3);
      let color = 0;
      for (let plane = 0; plane < 4; plane++) color |= ((memory[at + plane] >> (7 - (x & 7))) & 1) << plane;
      put(picture.rgba, 4 * (y * picture.width + x), colors[color]);
    }
  }
  return picture;
}
