/** A network with all servers, and stations that do what the actions say. */
import {
  Clock,
  clockState,
  Digest,
  decodeState,
  type EthernetPort,
  encodeState,
  list,
  type Plain,
  record,
  us,
} from "@castaway/kit";
import {
  AoeServer,
  aoeServerState,
  DhcpServer,
  dhcpServerState,
  formatIp,
  formatMac,
  Host,
  hostState,
  type Link,
  type LinkOptions,
  Network,
  networkState,
  type Party,
  type Place,
  type Socket,
  type Switch,
  TftpServer,
  tftpServerState,
  type WireOptions,
} from "@castaway/net";
import { difference } from "../devices/check.ts";
import { assertHolds } from "../devices/failure.ts";
import type { Action, Setup } from "./actions.ts";
import {
  aoeMac,
  echoType,
  files,
  fixedIp,
  fixedMac,
  hostIps,
  hostMacs,
  pool,
  readOnlySlot,
  shelf,
  stationMac,
  writableSlot,
} from "./addresses.ts";
import { checkAoeFrame, checkHostFrame } from "./answers.ts";
import { images } from "./image.ts";
import { Ledger } from "./ledger.ts";
import { counting, number } from "./packets.ts";

const worldState = record({
  net: networkState,
  clocks: list(clockState),
  hosts: list(hostState),
  dhcp: dhcpServerState,
  tftp: tftpServerState,
  aoe: aoeServerState,
});

const aoeQueue = 20;
const sessions = 2;
/** What all of it saves at most: what cables of a gigabit hold that keep frames back for 2 ms, and twice. */
const stateBytes = 32 << 20;
const longestWindow = us(1000);
/** Floods of a network without end would only take time. */
const mostStations = 12;

/** What stays when a world is saved and restored into a new one: disks, and who watches. */
export class Watch {
  readonly images = images();
  readonly ledgers: Ledger[] = [];
  readonly heard = new Digest();
  frames = 0;
}

export class World {
  readonly net: Network;
  readonly watch: Watch;
  readonly #setup: Setup;
  readonly #lans: Switch[] = [];
  readonly #hosts: Host[];
  readonly #dhcp: DhcpServer;
  readonly #tftp: TftpServer;
  readonly #aoe: AoeServer;
  readonly #stations: EthernetPort[] = [];
  readonly #clocks: Clock[] = [];
  /** Cables that a ledger watches. */
  #watched = 0;
  /** The stations that were plugged in meanwhile: a world to restore into is built with the same. */
  readonly plugged: Extract<Action, readonly ["plug", ...unknown[]]>[] = [];

  constructor(setup: Setup, watch: Watch, plugged: World["plugged"] = []) {
    this.#setup = setup;
    this.watch = watch;
    this.net = new Network({ seed: setup.seed, link: setup.link });
    this.#buildSwitches();
    const lan = this.#lans[0]!;
    const mtu = setup.mtu;
    this.#hosts = hostMacs.map((mac, n) =>
      this.#plug(lan, {}, ({ clock, port }) => {
        const watched = watchedPort(port, (frame) => checkHostFrame(frame, n));
        return new Host({ clock, port: watched, mac: formatMac(mac), address: formatIp(hostIps[n]!), mtu });
      }),
    );
    const host = this.#hosts[0]!;
    this.#dhcp = new DhcpServer({
      host,
      pool: { first: formatIp(pool.first), last: formatIp(pool.last) },
      fixed: { [formatMac(fixedMac)]: formatIp(fixedIp) },
      boot: [
        { userClass: "iPXE", file: "boot.ipxe" },
        { vendorClass: "PXEClient", file: "ipxe.0" },
      ],
    });
    const contents = Object.entries(files).map(([name, size]) => [name, counting(size)] as const);
    this.#tftp = new TftpServer({ host, files: new Map(contents), sessions, serviceTime: setup.slow ? us(20) : 0 });
    this.#aoe = this.#plug(lan, {}, ({ clock, port }) => this.#makeAoe(clock, port));
    for (let n = 0; n < setup.stations; n++) this.#addStation(n, {}, n < setup.machines);
    for (const action of plugged) this.do(action);
  }

  #buildSwitches(): void {
    const { switches, loop, table, ageing } = this.#setup;
    for (let n = 0; n < switches; n++) {
      this.#lans.push(this.net.switch({ ports: 32, table, ageing }));
      if (n > 0) this.net.trunk(this.#lans[Math.floor((n - 1) / 2)]!, this.#lans[n]!);
    }
    // A slow one: frames to all go round for ever, and more of them whenever there is room.
    const circle = { bandwidth: 1_000_000, queue: 2000, duplication: 0 };
    if (loop && switches > 1) this.net.trunk(this.#lans[0]!, this.#lans[switches - 1]!, circle);
  }

  #makeAoe(clock: Clock, port: EthernetPort): AoeServer {
    const { slow, mtu } = this.#setup;
    const targets = [writableSlot, readOnlySlot].map((slot) => {
      const { disk } = this.watch.images[slot]!;
      return { shelf, slot, disk };
    });
    const cost = slow ? { perRequest: us(3), latency: us(30), bytesPerSecond: 2e8, threads: 2, queue: aoeQueue } : {};
    const arrives = (frame: Uint8Array) => {
      for (const slot of [writableSlot, readOnlySlot]) this.watch.images[slot]!.arrives(frame, slot);
    };
    const watched = watchedPort(port, checkAoeFrame, arrives);
    return new AoeServer({ clock, port: watched, mac: aoeMac, targets, mtu, cost });
  }

  #addStation(lan: number, options: LinkOptions, isMachine: boolean): void {
    const chosen = this.#lans[lan % this.#lans.length]!;
    const index = this.#stations.length;
    if (isMachine) {
      const socket = this.net.socket(chosen, options);
      this.#stations.push(socket);
      this.#join(socket, index);
    } else {
      this.#plug(chosen, options, ({ clock, port }) => {
        this.#listen(port, index, clock);
        this.#stations.push(port);
      });
    }
    this.#watchNew(isMachine);
  }

  /** Plugs something in, and counts what it sends. */
  #plug<T>(lan: Switch, options: LinkOptions, make: (place: Pick<Place, "clock" | "port">) => T): T {
    let ledger: Ledger | undefined;
    const made = this.net.plug(
      lan,
      ({ clock, port }) => {
        const counts = () => {
          if (ledger !== undefined) ledger.offered++;
        };
        return make({ clock, port: watchedPort(port, counts) });
      },
      options,
    );
    this.#watchNew(false);
    ledger = this.watch.ledgers[this.net.links.length - 1]!;
    ledger.plugged = true;
    return made;
  }

  /** A machine without a processor: a clock, and a card that sends some frames back. */
  #join(socket: Socket, index: number): void {
    const clock = new Clock();
    const party: Party = {
      clock,
      get now() {
        return clock.now;
      },
      get waitsUntil() {
        return clock.nextDue;
      },
      run: (time) => clock.advanceTo(time),
    };
    this.#listen(socket, index, clock);
    this.net.join(party, socket);
    this.#clocks.push(clock);
  }

  #listen(port: EthernetPort, index: number, clock: Clock): void {
    port.connect({
      receive: (frame) => {
        this.watch.frames++;
        this.watch.heard
          .word(index)
          .word(clock.now % 2 ** 32)
          .update(frame);
        if (isToEcho(frame, index)) port.send(echoOf(frame));
      },
      link: () => {},
    });
  }

  /** Cables that were made since the last call are watched; their ledgers go on after a restore. */
  #watchNew(far: boolean): void {
    const { ledgers } = this.watch;
    const { links } = this.net;
    for (; this.#watched < links.length; this.#watched++) {
      const isFar = far && this.#watched === links.length - 1;
      ledgers[this.#watched] ??= new Ledger(isFar);
      ledgers[this.#watched]!.watch(links[this.#watched]!);
    }
  }

  do(action: Action): void {
    switch (action[0]) {
      case "frame":
        return this.#station(action[1]).send(action[2]);
      case "flood":
        return this.#flood(this.#station(action[1]), action[2], action[3]);
      case "run":
        return this.run(action[1]);
      case "pull": {
        const link = this.#link(action[1]);
        link.up = !link.up;
        return;
      }
      case "change":
        return this.#change(this.#link(action[1]), action[2], action[3]);
      case "plug":
        if (this.#stations.length >= mostStations) return;
        this.plugged.push(action);
        return this.#addStation(action[1], action[2], false);
      case "ping":
        for (let n = 0; n < action[4]; n++) this.#hosts[action[1]]!.ping(action[2], () => {}, action[3]);
    }
  }

  run(time: number): void {
    const { now } = this.net;
    const { reason } = this.net.run(time);
    const passed = this.net.now - now;
    const right = reason === "limit" && passed >= time && passed <= time + longestWindow;
    assertHolds(right, "time", () => `a run of ${time} ns took ${passed} (${reason})`);
  }

  #station(n: number): EthernetPort {
    return this.#stations[n % this.#stations.length]!;
  }
  #link(n: number): Link {
    return this.net.links[n % this.net.links.length]!;
  }

  #flood(port: EthernetPort, frame: Uint8Array, count: number): void {
    const copy = frame.slice();
    for (let n = 0; n < count; n++) {
      if (copy.length >= 12) copy.set([0x02, 0, 0, 0, n >> 8, n & 0xff], 6);
      port.send(copy);
    }
  }

  /** Machines are never nearer than 1 ns. */
  #change(link: Link, towards: "toA" | "toB", options: WireOptions): void {
    link[towards].change(options);
  }

  /** What must hold at any time. */
  check(): void {
    for (const ledger of this.watch.ledgers) ledger.check();
    for (const slot of [writableSlot, readOnlySlot]) this.watch.images[slot]!.check();
    const within = (what: string, count: number, most: number) =>
      assertHolds(count <= most, "growth", () => `${what}: ${count}, at most ${most}`);
    const { hosts, tftp, dhcp, aoe, net } = this.states();
    for (const { neighbours, pings } of hosts) {
      within("neighbours", neighbours.known.length, 256);
      within("neighbours sought", neighbours.sought.length, 32);
      for (const { queue } of neighbours.sought) within("packets for a neighbour", queue.length, 16);
      within("pings", pings.waiting.length, 1024);
    }
    within("transfers", tftp.sessions.length, sessions);
    within("leases", dhcp.leases.leases.length, pool.last - pool.first + 2);
    within("requests", aoe.service.waiting.length, this.#setup.slow ? aoeQueue : 64);
    for (const { config, masks, reserved } of aoe.targets)
      within("a target", Math.max(config.length, 4 * masks.length, 4 * reserved.length), 1024);
    for (const { stations } of net.switches) within("stations", stations.length, this.#setup.table);
    within("bytes of state", this.save().length, stateBytes);
  }

  states() {
    return {
      net: this.net.save(),
      clocks: this.#clocks.map((clock) => clock.save()),
      hosts: this.#hosts.map((host) => host.save()),
      dhcp: this.#dhcp.save(),
      tftp: this.#tftp.save(),
      aoe: this.#aoe.save(),
    };
  }

  save(): Uint8Array {
    return encodeState("fuzzed network", 1, this.states() as Plain);
  }

  /** This world, saved and restored into a new one of the same build. */
  hop(): World {
    const next = new World(this.#setup, this.watch, this.plugged);
    const saved = this.save();
    next.#restore(saved);
    assertHolds(
      Buffer.compare(saved, next.save()) === 0,
      "state",
      () => `after restore ${difference(this.states(), next.states())}`,
    );
    return next;
  }

  #restore(bytes: Uint8Array): void {
    const state = decodeState("fuzzed network", 1, worldState, bytes);
    for (const [n, clock] of this.#clocks.entries()) clock.restore(state.clocks[n]!);
    this.net.restore(state.net);
    for (const [n, host] of this.#hosts.entries()) host.restore(state.hosts[n]!);
    this.#dhcp.restore(state.dhcp);
    this.#tftp.restore(state.tftp);
    this.#aoe.restore(state.aoe);
  }
}

/** A port at which all that leaves, and all that arrives, is seen as the card has it. */
function watchedPort(
  port: EthernetPort,
  leaves: (frame: Uint8Array) => void,
  arrives = (_: Uint8Array) => {},
): EthernetPort {
  return {
    send(frame) {
      leaves(frame);
      port.send(frame);
    },
    connect(card) {
      if (card === null) return port.connect(null);
      port.connect({
        receive(frame) {
          arrives(frame);
          card.receive(frame);
        },
        link: (up) => card.link(up),
      });
    },
  };
}

/** Whether station `index` sends a frame back: those for it, with few turns to go, or a bad cable would make ever more. */
const isToEcho = (frame: Uint8Array, index: number): boolean =>
  frame.length >= 60 &&
  number(frame, 0, 6) === stationMac(index) &&
  number(frame, 12, 2) === echoType &&
  frame[14]! > 0 &&
  frame[14]! < 4;

/** The frame back to its sender, with one turn less to go. */
function echoOf(frame: Uint8Array): Uint8Array {
  const back = frame.slice();
  back.set(frame.subarray(6, 12), 0);
  back.set(frame.subarray(0, 6), 6);
  back[6] = back[6]! & 0xfe;
  back[14] = frame[14]! - 1;
  return back;
}
