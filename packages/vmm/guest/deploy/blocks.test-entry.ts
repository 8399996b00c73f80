/** The bitmap alone. */
import { Blocks } from "./blocks.ts";

let blocks: Blocks = new Blocks(1, 0);

export function make(imageSectors: u64, shift: u32): u32 {
  blocks = new Blocks(imageSectors, shift);
  return blocks.count;
}
export function remaining(): u32 {
  return blocks.remaining;
}
export function sectorsOf(block: u32): u32 {
  return blocks.sectorsOf(block);
}
export function isLocal(block: u64): bool {
  return blocks.isLocal(block);
}
export function setLocal(block: u32): void {
  blocks.setLocal(block);
}
export function nextEmpty(from: u32): i64 {
  return blocks.nextEmpty(from);
}
export function allLocal(lba: u64, sectors: u32): bool {
  return blocks.allLocal(lba, sectors);
}
export function covers(lba: u64, sectors: u32, block: u32): bool {
  return blocks.covers(lba, sectors, block);
}
export function guestWrote(lba: u64, sectors: u32): void {
  blocks.guestWrote(lba, sectors);
}
export function recall(word: u32, bits: u64): void {
  blocks.recall(word, bits);
}
