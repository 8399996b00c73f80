/** Text on the debug port, E9: the guest's own ports are never touched. */
import { out8, physRead8 } from "./x86.ts";

const DEBUG_PORT: u32 = 0xe9;

/** How much is told: 0 nothing, 1 the course of things, 2 what is rare, 3 everything. */
let level: u32 = 1;

export function setLogLevel(to: u32): void {
  level = to;
}
/** Whether things of this level are told. */
export function tells(what: u32): bool {
  return what <= level;
}

export function log(text: string): void {
  for (let i = 0; i < text.length; i++) out8(DEBUG_PORT, text.charCodeAt(i));
}
/** Text that stands in physical memory. */
export function logRange(from: u64, end: u64): void {
  for (let at = from; at < end; at++) out8(DEBUG_PORT, physRead8(at));
}
/** In decimal. */
export function logNumber(value: u64): void {
  let unit: u64 = 1;
  while (value / unit >= 10) unit *= 10;
  for (; unit > 0; unit /= 10) out8(DEBUG_PORT, 0x30 + <u32>((value / unit) % 10));
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
