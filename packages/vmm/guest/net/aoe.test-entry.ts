/** The AoE client as its test drives it. */
import { DiskRead, ReadSink } from "../deploy/fetch.ts";
import { allocate, placeMemory } from "../memory.ts";
import { rdtsc } from "../x86.ts";
import { AoeClient } from "./aoe.ts";
import { hasBit } from "./bits.ts";
import { E1000 } from "./e1000.ts";
import { netStatistics } from "./statistics.ts";

const MOST: u32 = 2048;
const POOL: i32 = 16;

class Finished extends ReadSink {
  count: u32 = 0;
  arrived(read: DiskRead): void {
    this.count++;
    for (let i = 0; i < POOL; i++) if (pool[i] === read) done[i]++;
  }
}

let client: AoeClient = changetype<AoeClient>(0);
const pool: StaticArray<DiskRead> = new StaticArray<DiskRead>(POOL);
const done: StaticArray<u32> = new StaticArray<u32>(POOL);
const sink: Finished = new Finished();

export function make(delta: u64): void {
  placeMemory(delta);
  const card = new E1000();
  client = new AoeClient(card, MOST);
  for (let i = 0; i < POOL; i++) {
    pool[i] = new DiskRead(MOST, sink);
    pool[i].buffer = allocate((<usize>(i < 4 ? MOST : 256)) << 9, 4096);
  }
  card.start(rdtsc(), 0);
}
export function start(shelf: u32, slot: u32, mtu: u32): void {
  client.start(rdtsc(), shelf, slot, mtu);
}
export function poll(): void {
  client.poll(rdtsc());
}
export function ready(): bool {
  return client.ready;
}
export function sectors(): u64 {
  return client.sectors;
}
export function shelf(): u32 {
  return client.target.shelf;
}
export function slot(): u32 {
  return client.target.slot;
}
export function submit(n: u32, lba: u64, sectors: u32): bool {
  const read = pool[n];
  read.lba = lba;
  read.sectors = sectors;
  return client.submit(read);
}
export function cancel(n: u32): void {
  client.cancel(pool[n]);
}
/** How often read `n` has arrived. */
export function arrived(n: u32): u32 {
  return done[n];
}
export function buffer(n: u32): usize {
  return pool[n].buffer;
}
export function isHole(n: u32, sector: u32): bool {
  return hasBit(pool[n].holes, sector);
}
export function statistics(): usize {
  return changetype<usize>(netStatistics);
}
export function stop(): void {
  client.stop();
}
