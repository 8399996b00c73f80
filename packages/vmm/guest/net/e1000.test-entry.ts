/** The card's driver as the test drives it. */
import { physicalOf, placeMemory } from "../memory.ts";
import { physRead8, physWrite8, rdtsc } from "../x86.ts";
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
const sums: usize = memory.data(64);
/** Takes a frame. @returns its bytes, the sum of which is at {@link sum}; 0: none */
export function take(): u32 {
  if (!card.next()) return 0;
  let sum: u32 = 0;
  for (let i: u32 = 0; i < card.length; i++) sum += physRead8(card.frame + i) * (i + 1);
  store<u32>(sums, sum);
  card.release();
  return card.length;
}
export function sum(): u32 {
  return physRead8(physicalOf(sums)) | (load<u32>(sums) & 0xffff_ff00);
}
export function refill(): void {
  card.refill();
}
export function stop(): void {
  card.stop();
}
