/**
 * A network in one process: switches, cables, servers, and machines in lockstep (lockstep.ts).
 *
 *     const net = new Network({ seed: 1 });
 *     const lan = net.switch({ ports: 8 });
 *     const server = net.plug(lan, ({ clock, port }) => new Server({ clock, port }));
 *     const socket = net.socket(lan);
 *     const pc = new Machine({ firmware, networkCards: [{ port: socket }] });
 *     net.join(networkParty(pc), socket);
 *     net.run(seconds(1));
 */
import {
  bytes,
  Clock,
  ConfigError,
  clockState,
  type EthernetPort,
  list,
  type Nanoseconds,
  natural,
  record,
  StateError,
  type StateOf,
} from "@castaway/kit";
import { Link, type LinkEnd, linkState } from "./link.ts";
import type { LinkOptions } from "./link-options.ts";
import { Lockstep, type Party } from "./lockstep.ts";
import { message, Socket, socketState } from "./socket.ts";
import { Switch, type SwitchOptions, switchState } from "./switch.ts";
import { timedQueueState } from "./timed-queue.ts";

export type NetworkOptions = {
  /**
   * The clock of a machine that is on this network alone: frames pass without lockstep, and the machine's run is the network's.
   * Its cards are plugged in by {@link Network.plug}. Default: a clock of its own, which {@link Network.run} moves.
   */
  readonly clock?: Clock;
  /** Of all chance on this network: 0 to 2^53 - 1. Default 1. */
  readonly seed?: number;
  /** What every cable is like, unless it says otherwise itself. */
  readonly link?: LinkOptions;
};

/** What a server needs to be made. */
export type Place = { readonly clock: Clock; readonly port: EthernetPort; readonly link: Link };

/** Why {@link Network.run} ended: the time was up, or a machine stopped before. */
export type NetworkStop = { readonly reason: "limit" } | { readonly reason: "party"; readonly party: Party };

export const networkState = record({
  clock: clockState,
  end: natural,
  sent: timedQueueState(record({ outlet: natural, frame: bytes() })),
  links: list(linkState),
  switches: list(switchState),
  sockets: list(socketState),
  coming: list(list(message)),
});
export type NetworkState = StateOf<typeof networkState>;

export class Network {
  readonly clock: Clock;
  /** What {@link save} gives. */
  readonly state = networkState;
  readonly links: Link[] = [];
  readonly switches: Switch[] = [];
  readonly sockets: Socket[] = [];
  readonly #seed: number;
  readonly #options: LinkOptions;
  readonly #lockstep: Lockstep;
  readonly #ownClock: boolean;
  readonly #behind = new Map<Socket, Link>();
  readonly #slots = new Map<Switch, LinkEnd[]>();

  /** @throws ConfigError */
  constructor({ seed = 1, link = {}, clock }: NetworkOptions = {}) {
    if (!(Number.isSafeInteger(seed) && seed >= 0)) throw new ConfigError("seed", seed, "0 to 2^53 - 1");
    this.#seed = seed;
    this.#options = link;
    this.#ownClock = clock === undefined;
    this.clock = clock ?? new Clock();
    this.#lockstep = new Lockstep(this.clock);
  }

  get now(): Nanoseconds {
    return this.clock.now;
  }

  /** A switch with nothing plugged in. @throws ConfigError */
  switch(options: SwitchOptions = {}): Switch {
    const made = new Switch({ ...options, clock: this.clock, name: `switch${this.switches.length}` });
    this.switches.push(made);
    this.#slots.set(made, []);
    return made;
  }

  /** A cable with two free ends. @throws ConfigError */
  link(options: LinkOptions = {}): Link {
    const made = this.#make(options);
    this.links.push(made);
    return made;
  }

  /** A cable from the switch's next free port to what `make` makes, which is returned. @throws ConfigError */
  plug<T>(lan: Switch, make: (place: Place) => T, options: LinkOptions = {}): T {
    const link = this.#cable(lan, options);
    return make({ clock: this.clock, port: link.b, link });
  }

  /** A cable between two switches. @throws ConfigError */
  trunk(one: Switch, other: Switch, options: LinkOptions = {}): Link {
    const link = this.#cable(one, options);
    this.#attach(other, link.b);
    return link;
  }

  /** A cable from the switch's next free port to a socket for a machine's card. @throws ConfigError, for latency 0 too */
  socket(lan: Switch, options: LinkOptions = {}): Socket {
    if (!this.#ownClock) throw new ConfigError("socket", lan.name, "plug(), for a machine on the network's own clock");
    const link = this.#make(options);
    this.#refuseNoLatency(link);
    this.#keep(link, lan);
    const socket = new Socket(`socket${this.sockets.length}`);
    this.sockets.push(socket);
    this.#behind.set(socket, link);
    this.#lockstep.add(socket, link);
    return socket;
  }

  /** The cable of a socket: its options, statistics, and pulling it out. The machine is at end `b`. */
  linkOf(socket: Socket): Link {
    const link = this.#behind.get(socket);
    if (link === undefined) throw new ConfigError("socket", socket.name, "a socket of this network");
    return link;
  }

  /** What a probe or a capture of a switch's port listens to. @throws ConfigError if nothing was ever plugged in there */
  tap(lan: Switch, port: number): LinkEnd {
    const end = this.#slots.get(lan)?.[port];
    if (end === undefined) throw new ConfigError("port", port, "a port with a cable, of a switch of this network");
    return end;
  }

  /** A machine whose cards are in `sockets` is advanced by {@link run} from now on. @throws ConfigError */
  join(party: Party, ...sockets: Socket[]): void {
    for (const socket of sockets) {
      this.linkOf(socket);
      if (socket.bound) throw new ConfigError("socket", socket.name, "a socket that no other machine uses");
    }
    if (party.now > this.now) throw new ConfigError("party", party.now, `a machine that is not past ${this.now} ns`);
    this.#lockstep.join(party, sockets);
  }

  /**
   * Runs everything for `duration`, up to the first end of a window (at most 1 ms) after it; cutting a run changes nothing.
   * If a machine stops before, the run ends, and the next one goes on there.
   */
  run(duration: Nanoseconds): NetworkStop {
    if (!(Number.isSafeInteger(duration) && duration >= 0))
      throw new ConfigError("duration", duration, "whole nanoseconds");
    if (!this.#ownClock) throw new ConfigError("duration", duration, "to run the machine whose clock this is");
    for (const socket of this.sockets) this.#refuseNoLatency(this.linkOf(socket));
    const party = this.#lockstep.run(this.now + duration);
    return party === null ? { reason: "limit" } : { reason: "party", party };
  }

  #refuseNoLatency(link: Link): void {
    for (const { settings } of [link.toA, link.toB])
      if (settings.latency === 0) throw new ConfigError("latency", 0, "1 ns or more between a machine and the network");
  }

  #cable(lan: Switch, options: LinkOptions): Link {
    const link = this.#make(options);
    this.#keep(link, lan);
    return link;
  }

  #make(options: LinkOptions): Link {
    const name = `link${this.links.length}`;
    return new Link({ clock: this.clock, name, seed: this.#seed }, { ...this.#options, ...options });
  }

  /** Plugs end `a` into the switch; a cable that finds no free port there is not kept. */
  #keep(link: Link, lan: Switch): void {
    this.#attach(lan, link.a);
    this.links.push(link);
  }

  #attach(lan: Switch, end: LinkEnd): void {
    const slots = this.#slots.get(lan);
    if (slots === undefined) throw new ConfigError("switch", lan.name, "a switch of this network");
    slots[lan.attach(end)] = end;
  }

  /** What decides how a network goes on, beside its state: how it is built, the cables' options, the seed. */
  get configuration(): string {
    const links = this.links.map(({ name, toA, toB }) => ({ name, toA: toA.settings, toB: toB.settings }));
    const switches = this.switches.map((lan) => this.#slots.get(lan)?.map(({ name }) => name));
    return JSON.stringify({ seed: this.#seed, links, switches });
  }

  /** The network without the machines and servers, which save themselves. */
  save(): NetworkState {
    return {
      clock: this.clock.save(),
      end: this.#lockstep.end,
      sent: this.#lockstep.sent.save(),
      links: this.links.map((link) => link.save()),
      switches: this.switches.map((lan) => lan.save()),
      sockets: this.sockets.map((socket) => socket.save()),
      coming: this.#lockstep.saveComing(),
    };
  }

  /** Into a network that was built alike; machines are restored before. @throws StateError if it was built otherwise */
  restore(state: NetworkState): void {
    for (const name of ["links", "switches", "sockets"] as const)
      if (state[name].length !== this[name].length)
        throw new StateError(name, `${state[name].length} where this network has ${this[name].length}`);
    if (this.#ownClock) this.clock.restore(state.clock);
    this.#lockstep.end = state.end;
    this.#lockstep.sent.restore(state.sent);
    for (const [n, link] of this.links.entries()) link.restore(state.links[n]);
    for (const [n, lan] of this.switches.entries()) lan.restore(state.switches[n]);
    for (const [n, socket] of this.sockets.entries()) socket.restore(state.sockets[n]);
    this.#lockstep.restoreComing(state.coming);
  }
}
