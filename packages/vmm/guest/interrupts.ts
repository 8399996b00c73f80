/** The interrupt descriptor table: every vector leads to `onInterrupt`. */
import { log, logHex } from "./log.ts";
import { allocate } from "./memory.ts";
import { addr_vectors, cli, hlt, lidt, readCr2 } from "./x86.ts";

const CODE64: u64 = 0x08,
  /** Present, a 64-bit interrupt gate [SDM 3A 6.14.1]. */
  GATE: u64 = 0x8e00;
const VECTOR_BYTES: u64 = 16;
/** Offsets in the frame, which docs/vmm-compiler.md draws. */
const VECTOR: usize = 15 * 8,
  ERROR: usize = 16 * 8,
  RIP: usize = 17 * 8,
  RSP: usize = 20 * 8;

/** What LIDT loads. */
let pointer: usize = 0;

export function loadInterrupts(): void {
  const table = allocate(256 * 16, 16);
  for (let vector: usize = 0; vector < 256; vector++) {
    const entry = <u64>addr_vectors() + VECTOR_BYTES * <u64>vector;
    store<u64>(table + 16 * vector, (entry & 0xffff) | (CODE64 << 16) | (GATE << 32) | ((entry >> 16) << 48));
    store<u64>(table + 16 * vector + 8, entry >> 32);
  }
  pointer = allocate(16, 16);
  store<u16>(pointer, 256 * 16 - 1);
  store<u64>(pointer + 2, table);
  useInterrupts();
}
/** The same table, on another processor. */
export function useInterrupts(): void {
  lidt(pointer);
}

/** Nothing is expected yet: says what came, and stops. */
export function onInterrupt(frame: usize): void {
  cli();
  log("interrupt ");
  logHex(load<u64>(frame + VECTOR));
  log(" error ");
  logHex(load<u64>(frame + ERROR));
  log(" rip ");
  logHex(load<u64>(frame + RIP));
  log(" rsp ");
  logHex(load<u64>(frame + RSP));
  log(" cr2 ");
  logHex(readCr2());
  log("\n");
  for (;;) hlt();
}
