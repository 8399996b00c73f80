/** The card's driver as the test drives it. */
import { placeMemory } from "../memory.ts";
import { physWrite8, rdtsc } from "../x86.ts";
import { E1000 } from "./e1000.ts";

let card: E1000 = changetype<E1000>(0);

export function make(delta: u64): void {
  placeMemory(delta);
  card = new E1000();
}
export function start(): bool {
  return card.start(rdtsc(), 0);
}
export function poll(): bool {
  card.poll(rdtsc());
  return card.linked;
}
export function mac(): u64 {
  return card.mac;
}
/** Sends `bytes` bytes of a frame to all, filled with `fill`. */
export function send(bytes: u32, fill: u32): bool {
  const at = card.room();
  if (at === 0) return false;
  for (let i: u32 = 0; i < bytes; i++) physWrite8(at + i, i < 6 ? 0xff : i === 6 ? 0x02 : fill);
  card.send(bytes);
  return true;
}
export function flush(): void {
  card.flush();
}
/** Whether there is a frame; its place and length until it is released. */
export function next(): bool {
  return card.next();
}
export function at(): u64 {
  return card.frame;
}
export function length(): u32 {
  return card.length;
}
export function release(): void {
  card.release();
}
export function refill(): void {
  card.refill();
}
export function stop(): void {
  card.stop();
}
