/** Text on the debug port, E9: the guest's own ports are never touched. */
import { out8 } from "./x86.ts";

const DEBUG_PORT: u32 = 0xe9;

export function log(text: string): void {
  for (let i = 0; i < text.length; i++) out8(DEBUG_PORT, text.charCodeAt(i));
}
/** In hexadecimal, without leading zeros. */
export function logHex(value: u64): void {
  let shift: u64 = 60;
  while (shift > 0 && value >> shift === 0) shift -= 4;
  for (;;) {
    const digit = <u32>((value >> shift) & 15);
    out8(DEBUG_PORT, digit < 10 ? 0x30 + digit : 0x57 + digit);
    if (shift === 0) return;
    shift -= 4;
  }
}
