/** The VMM's AoE client and its card in a machine, a switch, and servers: all in virtual time. */
import { E1000 } from "@castaway/devices";
import { type BlockDevice, type Clock, mib, ms, type Nanoseconds, us } from "@castaway/kit";
import { AoeServer, type AoeServerOptions, type Link, type LinkOptions, Network, parseMac } from "@castaway/net";
import * as assert from "uvu/assert";
import { compileGuest } from "../rig/compile.test-support.ts";
import { Machine } from "../rig/machine.test-support.ts";

type Guest = {
  make(delta: bigint): void;
  start(shelf: number, slot: number, mtu: number): void;
  poll(): void;
  ready(): number;
  sectors(): bigint;
  shelf(): number;
  slot(): number;
  submit(n: number, lba: bigint, sectors: number): number;
  cancel(n: number): void;
  arrived(n: number): number;
  buffer(n: number): number;
  isHole(n: number, sector: number): number;
  statistics(): number;
  stop(): void;
};

const guest = await compileGuest("net/aoe.test-entry.ts");

export const clientMac = "52:54:00:12:34:56";
export const serverMac = "52:54:00:00:00:01";
/** All shelves, all slots. */
export const any = [0xffff, 0xff] as const;

/** In the order of statistics.ts. */
const counters = [
  ...["framesSent", "framesReceived", "foreign", "stale", "malformed", "duplicates", "requests", "sectorsAgain"],
  ...["timeouts", "overtaken", "sectors", "holes", "readsDone", "serverErrors", "discoveries", "rtt", "timeout"],
  ...["window", "inFlight", "perFrame", "extended"],
] as const;

/** A disk whose sectors differ, but for those that are zero. */
export class TestDisk implements BlockDevice {
  readonly sectorSize = 512;
  readonly readOnly = true;
  broken = false;
  readonly #bytes: Uint8Array;
  constructor(sectors: number, isZero = (_sector: number) => false) {
    const words = new Uint32Array(sectors * 128);
    for (let s = 0; s < sectors; s++) {
      if (!isZero(s)) for (let n = 0; n < 128; n++) words[s * 128 + n] = Math.imul(s * 128 + n + 1, 0x9e3779b1);
    }
    this.#bytes = new Uint8Array(words.buffer);
  }
  get sectors(): number {
    return this.#bytes.length / 512;
  }
  read(lba: number, into: Uint8Array): boolean {
    into.set(this.#bytes.subarray(lba * 512, lba * 512 + into.length));
    return !this.broken;
  }
  write(): boolean {
    return false;
  }
  flush(): boolean {
    return true;
  }
  bytes(lba: number, sectors: number): Uint8Array {
    return this.#bytes.subarray(lba * 512, (lba + sectors) * 512);
  }
}

export type ServerOptions = Partial<Omit<AoeServerOptions, "clock" | "port">>;
export type BenchOptions = {
  readonly disk?: TestDisk;
  readonly server?: ServerOptions;
  /** Of all cables. Jumbo frames unless given. */
  readonly link?: LinkOptions;
  readonly mtu?: number;
  /** From poll to poll. 20 us unless given. */
  readonly poll?: Nanoseconds;
};

export class Bench {
  readonly machine = new Machine({ ram: mib(24), delta: mib(4) });
  readonly clock: Clock = this.machine.clock;
  readonly net: Network;
  readonly lan: ReturnType<Network["switch"]>;
  readonly disk: TestDisk;
  readonly vmm: Guest & { memory: WebAssembly.Memory };
  readonly card: E1000;
  /** The cables of the client and of the server. */
  readonly cable: Link;
  readonly serverCable: Link;
  /** The port that the server sits on: frames of any kind can be sent there. */
  readonly serverPort;
  server: AoeServer;
  poll: Nanoseconds;
  readonly #mtu: number;

  constructor({ disk = new TestDisk(4096), server = {}, link = {}, mtu = 9000, poll = us(20) }: BenchOptions = {}) {
    const { machine, clock } = this;
    this.disk = disk;
    this.poll = poll;
    this.#mtu = mtu;
    this.net = new Network({ clock, link: { mtu: 9000, ...link } });
    this.lan = this.net.switch();
    const place = this.net.plug(this.lan, (place) => place);
    this.serverPort = place.port;
    this.serverCable = place.link;
    this.server = this.serve(server);
    const card = this.net.plug(this.lan, (place) => place);
    this.cable = card.link;
    this.card = new E1000(machine.pci(3), { clock, port: card.port, mac: clientMac });
    machine.bus.add(3, 0, this.card.pci);
    this.card.pci.config.write(0x10, 4, 0xe000_0000);
    this.vmm = machine.load<Guest>(guest);
    this.vmm.make(BigInt(machine.delta));
  }

  /** A server in place of the one before. */
  serve(options: ServerOptions = {}): AoeServer {
    const { clock, serverPort: port, disk } = this;
    const targets = [{ shelf: 1, slot: 2, disk }];
    this.server = new AoeServer({ clock, port, mac: parseMac(serverMac), mtu: 9000, targets, ...options });
    return this.server;
  }

  /** Starts the client and waits until it knows the disk. */
  up(shelf = 1, slot = 2): this {
    this.vmm.start(shelf, slot, this.#mtu);
    const poll = this.poll;
    this.poll = Math.max(poll, us(500));
    this.until(() => this.vmm.ready() === 1, ms(60_000), "the target is not found");
    this.poll = poll;
    return this;
  }

  step(): void {
    this.machine.after(this.poll);
    this.vmm.poll();
  }
  run(time: Nanoseconds): void {
    for (const end = this.clock.now + time; this.clock.now < end; ) this.step();
  }
  /** @returns how long it took */
  until(condition: () => boolean, atMost: Nanoseconds, complaint = "it does not end"): Nanoseconds {
    const start = this.clock.now;
    while (!condition()) {
      if (this.clock.now - start > atMost) assert.unreachable(`${complaint}: ${JSON.stringify(this.statistics)}`);
      this.step();
    }
    return this.clock.now - start;
  }

  submit(n: number, lba: number, sectors: number): boolean {
    new Uint8Array(this.vmm.memory.buffer, this.vmm.buffer(n), sectors * 512).fill(0xee);
    return this.vmm.submit(n, BigInt(lba), sectors) === 1;
  }
  /** Whether what read `n` brought are the disk's bytes, holes included. */
  check(n: number, lba: number, sectors: number): void {
    const got = new Uint8Array(this.vmm.memory.buffer, this.vmm.buffer(n), sectors * 512).slice();
    for (let s = 0; s < sectors; s++) if (this.vmm.isHole(n, s)) got.fill(0, s * 512, (s + 1) * 512);
    const equal = Buffer.compare(got, this.disk.bytes(lba, sectors)) === 0;
    assert.ok(equal, `sectors ${lba} to ${lba + sectors} differ: ${JSON.stringify(this.statistics)}`);
  }
  /** Reads and compares. @returns how long it took */
  read(lba: number, sectors: number, atMost = ms(60_000), n = 0): Nanoseconds {
    const before = this.vmm.arrived(n);
    assert.ok(this.submit(n, lba, sectors), "the read is refused");
    const time = this.until(() => this.vmm.arrived(n) !== before, atMost, `read ${lba}+${sectors}`);
    this.check(n, lba, sectors);
    return time;
  }
  /** Reads `[lba, end)` in reads of `size` sectors, several at once. @returns how long it took */
  stream(lba: number, end: number, size: number, at = 4, atMost = ms(600_000)): Nanoseconds {
    const start = this.clock.now;
    const slots = Array.from({ length: at }, () => ({ lba: -1, size: 0, before: 0 }));
    let next = lba;
    let open = 0;
    const turn = () => {
      for (const [n, slot] of slots.entries()) {
        if (slot.lba >= 0 && this.vmm.arrived(n) !== slot.before) {
          this.check(n, slot.lba, slot.size);
          slot.lba = -1;
          open--;
        }
        if (slot.lba >= 0 || next >= end) continue;
        Object.assign(slot, { lba: next, size: Math.min(size, end - next), before: this.vmm.arrived(n) });
        assert.ok(this.submit(n, slot.lba, slot.size));
        next += slot.size;
        open++;
      }
      return open === 0 && next >= end;
    };
    this.until(turn, atMost);
    return this.clock.now - start;
  }

  get statistics(): Record<(typeof counters)[number], number> {
    const view = new DataView(this.vmm.memory.buffer, this.vmm.statistics(), 8 * counters.length);
    const values = counters.map((name, i) => [name, Number(view.getBigUint64(8 * i, true))]);
    return Object.fromEntries(values) as Record<(typeof counters)[number], number>;
  }
}
