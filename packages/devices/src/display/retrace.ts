/** Where the beam is, in virtual time ([VGA] = see registers.ts). */
import { type Nanoseconds, seconds } from "@castaway/kit";
import { CRTC, SEQ, type VgaRegisters } from "./registers.ts";

/** Input status 1 ([VGA] "General Registers"): nothing is displayed; vertical retrace. */
const DISABLED = 0x01, RETRACE = 0x08; // biome-ignore format: a table

/** Hertz by misc output bits 3:2; the upper two inputs are not connected and count as the first. */
const clocks = [25_175_000, 28_322_000, 25_175_000, 25_175_000];

/** Input status 1 while the CRTC draws. Every number of lines and characters that it can hold gives some answer. */
export function statusOfCrtc(vga: VgaRegisters, now: Nanoseconds): number {
  const { crtc, seq, misc } = vga;
  const dots = (seq[SEQ.CLOCKING] & 1 ? 8 : 9) * (seq[SEQ.CLOCKING] & 8 ? 2 : 1);
  const characters = crtc[CRTC.TOTAL] + 5;
  const line = Math.round((characters * dots * seconds(1)) / clocks[(misc >> 2) & 3]);
  const lines = vga.wide(CRTC.VERTICAL_TOTAL, 0, 5) + 2;
  const first = Math.min(vga.wide(CRTC.RETRACE_START, 2, 7), lines - 1);
  const length = (crtc[CRTC.RETRACE_END] - first) & 0x0f || 0x10; // it ends when the low four bits are equal
  const at = now % (line * lines);
  const y = Math.floor(at / line);
  const x = ((at % line) * characters) / line;
  const displayed = y < vga.displayedLines && x < crtc[CRTC.DISPLAY_END] + 1;
  return (displayed ? 0 : DISABLED) | (y >= first && y < first + length ? RETRACE : 0);
}

/** Input status 1 in a DISPI mode, whose timing nothing describes: 60 frames a second, 4 % of each are retrace. */
export function statusOfDispi(now: Nanoseconds): number {
  const frame = Math.round(seconds(1) / 60);
  return now % frame >= frame * 0.96 ? DISABLED | RETRACE : 0;
}
