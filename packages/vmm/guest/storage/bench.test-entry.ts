/** The mediator on a bench: V8's side is the guest, the controller and the network. */
import { CopyPolicy, DeploymentDone, DiskObserver } from "../api/disk.ts";
import { Registry } from "../api/registry.ts";
import { Blocks } from "../deploy/blocks.ts";
import { Copier } from "../deploy/copier.ts";
import { Deployment } from "../deploy/deployment.ts";
import { DiskRead, ImageSource } from "../deploy/fetch.ts";
import { Transfers } from "../deploy/transfers.ts";
import { allocate, placeMemory } from "../memory.ts";
import { hideMemory } from "./guard.ts";
import { IndexPair } from "./index-pair.ts";
import { AhciMediator } from "./mediator.ts";
import { Port } from "./port.ts";
import { Redirect } from "./redirect.ts";

/** Reads that the test ends when it likes. */
class Network extends ImageSource {
  readonly reads: StaticArray<DiskRead | null> = new StaticArray<DiskRead | null>(64);
  count: i32 = 0;
  room: i32 = 64;

  submit(read: DiskRead): bool {
    if (this.count >= this.room) return false;
    this.reads[this.count++] = read;
    return true;
  }

  cancel(read: DiskRead): void {
    for (let i = 0; i < this.count; i++) if (this.reads[i] === read) return this.remove(i);
  }

  remove(at: i32): void {
    this.count--;
    for (let i = at; i < this.count; i++) this.reads[i] = this.reads[i + 1];
  }
}

const network = new Network();
let ahci: AhciMediator | null = null;
let port: Port | null = null;
let pair: IndexPair | null = null;
let blocks: Blocks | null = null;
let transfers: Transfers | null = null;
let redirect: Redirect | null = null;
let copier: Copier | null = null;

export function setup(delta: u64, bytes: u64, abar: u64): bool {
  placeMemory(delta);
  hideMemory(delta, bytes, 1 << 40);
  ahci = new AhciMediator(abar);
  port = ahci!.ports[0];
  pair = new IndexPair(ahci!, 0xc010);
  return ahci!.attach();
}

export function deploy(diskSectors: u64, imageSectors: u64, shift: u32, pool: i32): void {
  blocks = new Blocks(imageSectors, shift);
  transfers = new Transfers(blocks!, network, port!.internal, pool);
  redirect = new Redirect(port!, blocks!, transfers!, diskSectors);
  copier = new Copier(blocks!, transfers!, redirect!);
  port!.gate = redirect;
}

class Done extends DeploymentDone {
  times: u32 = 0;
  done(): void {
    this.times++;
  }
}

const finished = new Done();
let deployment: Deployment | null = null;

/** The whole thing: as the VMM's start makes it. */
export function start(imageSectors: u64, shift: u32, pool: i32): void {
  const id = allocate(32, 8);
  store<u64>(id, 0x1234);
  deployment = new Deployment(ahci!, port!, network, imageSectors, id, finished);
  deployment!.shift = shift;
  deployment!.pool = pool;
}

export function stage(): u32 {
  return deployment!.stage;
}

export function adopt(): void {
  blocks = deployment!.blocks;
  transfers = deployment!.transfers;
  redirect = deployment!.redirect;
  copier = deployment!.copier;
}

export function refusal(): u32 {
  return deployment!.refusal;
}

export function found(): u32 {
  return deployment!.persist!.found;
}

export function isBroken(): bool {
  return deployment!.persist!.broken;
}

export function timesDone(): u32 {
  return finished.times;
}

export function handBack(): bool {
  return ahci!.handBack();
}

/** Whether reads wait for the store, or are answered from memory. */
export function storeFirst(yes: bool): void {
  redirect!.storeFirst = yes;
}

export function moderate(idle: u64, chunk: u32): void {
  copier!.idleInterval = idle;
  copier!.chunk = chunk;
}

export function read(address: u64, bytes: u32): u64 {
  return ahci!.read(address, bytes);
}

export function write(address: u64, bytes: u32, value: u64): void {
  ahci!.write(address, bytes, value);
}

/** Through the index/data pair at port 0xc010. */
export function pairRead(port: u32): u32 {
  return pair!.read(port, 4);
}

export function pairWrite(port: u32, value: u32): void {
  pair!.write(port, 4, value);
}

export function poll(now: u64, copy: bool): void {
  if (deployment !== null) {
    if (copy || deployment!.stage < 3) deployment!.poll(now);
    else deployment!.pollQuietly(now);
    return;
  }
  ahci!.poll(now);
  if (transfers === null) return;
  transfers!.poll(now);
  if (copy) copier!.poll(now);
}

export function isQuiet(): bool {
  return port!.quiet;
}

export function remaining(): u32 {
  return blocks!.remaining;
}

export function isLocal(block: u32): bool {
  return blocks!.isLocal(block);
}

export function issuedByVmm(): u64 {
  return port!.internal.issued;
}

export function failedByVmm(): u64 {
  return port!.internal.failed;
}

export function fetched(): u64 {
  return transfers!.fetched;
}

export function isTaken(): bool {
  return port!.internal.active;
}

export function setRoom(room: i32): void {
  network.room = room;
}

export function fetchCount(): i32 {
  return network.count;
}

export function fetchLba(at: i32): u64 {
  return network.reads[at]!.lba;
}

export function fetchSectors(at: i32): u32 {
  return network.reads[at]!.sectors;
}

export function fetchBuffer(at: i32): usize {
  return network.reads[at]!.buffer;
}

export function fetchArrived(at: i32): void {
  const read = network.reads[at]!;
  network.remove(at);
  read.sink.arrived(read);
}

// ---- an extension ----

/** Copies the last empty block, and none before block 2. */
class Backwards extends CopyPolicy {
  next(blocks: Blocks, _now: u64): i64 {
    for (let n = <i64>blocks.count - 1; n >= 2; n--) {
      if (!blocks.isLocal(n) && transfers!.of(<u32>n) === null) return n;
    }
    return -1;
  }
}
/** The last command that the guest issued, and how many. */
class Last extends DiskObserver {
  count: u32 = 0;
  lba: u64 = 0;
  sectors: u32 = 0;
  write: bool = false;
  onCommand(write: bool, lba: u64, sectors: u32): void {
    this.count++;
    this.lba = lba;
    this.sectors = sectors;
    this.write = write;
  }
}
const last = new Last();

export function extend(): void {
  const registry = new Registry();
  registry.copyChoice = copier!.choice;
  registry.setCopyPolicy(new Backwards());
  registry.observeDisk(last);
  port!.registry = registry;
}
export function observed(): u32 {
  return last.count;
}
export function observedLba(): u64 {
  return last.lba;
}
/** Sectors, with bit 16 set for a write. */
export function observedSectors(): u32 {
  return last.sectors | (last.write ? 0x10000 : 0);
}
