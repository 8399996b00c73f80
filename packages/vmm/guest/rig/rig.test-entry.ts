/** Guest code for the rig's own test. */
import {
  in32,
  mmioRead32,
  mmioWrite32,
  out8,
  out32,
  physCopy,
  physRead32,
  physRead64,
  physWrite64,
  rdtsc,
} from "../x86.ts";

export function configuration(device: u32, offset: u32): u32 {
  out32(0xcf8, 0x8000_0000 | (device << 11) | offset);
  return in32(0xcfc);
}
export function setConfiguration(device: u32, offset: u32, value: u32): void {
  out32(0xcf8, 0x8000_0000 | (device << 11) | offset);
  out32(0xcfc, value);
}
export function register(address: u64): u32 {
  return mmioRead32(address);
}
export function setRegister(address: u64, value: u32): void {
  mmioWrite32(address, value);
}
export function read(address: u64): u64 {
  return physRead64(address);
}
export function write(address: u64, value: u64): void {
  physWrite64(address, value);
}
export function copy(to: u64, from: u64, bytes: u32): void {
  physCopy(to, from, bytes);
}
/** Its own linear memory, seen by its physical address. */
export function own(delta: u64): u32 {
  const at: usize = heap.alloc(4);
  store<u32>(at, 0xcafe);
  return physRead32(delta + at);
}
export function time(): u64 {
  return rdtsc();
}
export function say(): void {
  out8(0xe9, 0x68);
  out8(0xe9, 0x69);
}
