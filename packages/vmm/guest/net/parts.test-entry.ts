/** The parts of the AoE client that are pure, for their test. */
import { clearBits, countSet, firstClear, firstSet, hasBit, setBits } from "./bits.ts";
import { RoundTrip, Window } from "./pace.ts";
import { Tags } from "./target.ts";

const bits: StaticArray<u64> = new StaticArray<u64>(5);
export function set(from: u32, count: u32): void {
  setBits(bits, from, count);
}
export function clear(from: u32, count: u32): void {
  clearBits(bits, from, count);
}
export function has(at: u32): bool {
  return hasBit(bits, at);
}
export function nextSet(from: u32, end: u32): u32 {
  return firstSet(bits, from, end);
}
export function nextClear(from: u32, end: u32): u32 {
  return firstClear(bits, from, end);
}
export function count(from: u32, count: u32): u32 {
  return countSet(bits, from, count);
}

const tags: Tags = new Tags();
export function begin(now: u64): void {
  tags.begin(now);
}
export function tag(slot: u32): u32 {
  return tags.next(slot);
}

const trip: RoundTrip = new RoundTrip();
export function sample(time: u64): void {
  trip.sample(time);
}
export function slower(): void {
  trip.slower();
}
export function timeout(): u64 {
  return trip.timeout;
}

const window: Window = new Window();
export function open(buffers: u32): void {
  window.open(buffers);
}
export function grow(): void {
  window.grow(1000);
}
export function shrink(order: u32, next: u32): bool {
  return window.shrink(order, next);
}
export function requests(): u32 {
  return window.requests;
}
