/**
 * A host on the simulated network: it answers ARP and pings, carries datagrams for the services that listen on it, and
 * can stand in for an IPv6 router that does not exist. It lives in virtual time and trusts nothing that arrives: what
 * it cannot use is counted by reason and dropped.
 */
import {
  type Clock,
  ConfigError,
  type EthernetCard,
  type EthernetPort,
  flag,
  type Nanoseconds,
  Probe,
  record,
  type StateOf,
  seconds,
  u16,
} from "@castaway/kit";
import { broadcastIp, broadcastMac, isGroupMac, maskOf, parseIp, parseMac } from "./address.ts";
import { arpOperation, buildArp, parseArp } from "./arp.ts";
import { type Counts, countsState, zeros } from "./counts.ts";
import { buildEthernet, etherType, parseEthernet } from "./ethernet.ts";
import { buildIcmp, type Icmp, icmpType, parseIcmp, portUnreachable, quote } from "./icmp.ts";
import { allNodesMac, allRoutersMac, buildNoRouter, isSolicitation, parseIcmpv6 } from "./icmpv6.ts";
import { buildIpv4, type Ipv4, ipv4Header, parseIpv4, protocol } from "./ipv4.ts";
import { Neighbours, neighboursState } from "./neighbours.ts";
import { type PingResult, Pings, pingsState } from "./pings.ts";
import { buildUdp, parseUdp, udpHeader } from "./udp.ts";

export type HostOptions = {
  clock: Clock;
  port: EthernetPort;
  /** `"52:54:00:12:34:56"` */
  mac: string;
  /** `"10.0.2.1"` */
  address: string;
  /** Bits of the network's prefix, 1 to 30; 24 if left out. */
  prefix?: number;
  /** Who forwards packets for other networks; without one they are dropped. */
  gateway?: string;
  /** The largest IPv4 datagram, 576 to 9000 bytes; 1500 if left out. */
  mtu?: number;
  /** Whether to tell stations that ask for IPv6 routers that there is none: iPXE waits 13 s for one otherwise. */
  noRouter?: boolean;
};

/** Why something that arrived, or that was to be sent, was dropped. */
export const hostDrops = [
  "frame too short",
  "other mac",
  "other vlan",
  "unknown ethertype",
  "arp malformed",
  "address conflict",
  "ipv4 too short",
  "ipv4 version",
  "ipv4 length",
  "ipv4 checksum",
  "ipv4 fragment",
  "ipv4 source",
  "other address",
  "unknown protocol",
  "udp length",
  "udp checksum",
  "no listener",
  "icmp too short",
  "icmp checksum",
  "icmp unused",
  "ipv6 malformed",
  "ipv6 protocol",
  "icmpv6 too short",
  "icmpv6 checksum",
  "icmpv6 unused",
  "link down",
  "no route",
  "too long",
  "arp unresolved",
  "arp queue full",
] as const;
export type HostDrop = (typeof hostDrops)[number];

const traffic = ["framesIn", "bytesIn", "framesOut", "bytesOut"] as const;

export const hostState = record({
  up: flag,
  identification: u16,
  neighbours: neighboursState,
  pings: pingsState,
  statistics: countsState(traffic),
  drops: countsState(hostDrops),
});
export type HostState = StateOf<typeof hostState>;

/** A datagram that arrived for a service. `data` is borrowed for the time of the call. */
export type Datagram = {
  source: number;
  sourcePort: number;
  /** This host's address or a broadcast. */
  destination: number;
  data: Uint8Array;
};

/** A datagram to send. */
export type Outgoing = {
  to: number;
  toPort: number;
  fromPort: number;
  data: Uint8Array;
  /** The receiver's MAC address if it is known and `to` cannot be asked for yet. */
  mac?: number;
};

/** The identifier of this host's echo requests. */
const pingIdentifier = 0x4357;
const ttl = 64;

export class Host implements EthernetCard {
  readonly clock: Clock;
  /** What {@link save} gives. */
  readonly state = hostState;
  readonly mac: number;
  readonly address: number;
  readonly mask: number;
  readonly gateway: number | null;
  readonly mtu: number;
  /** What arrived and left so far. */
  readonly statistics: Counts<(typeof traffic)[number]> = zeros(traffic);
  /** What was dropped so far, by reason. */
  readonly drops: Counts<HostDrop> = zeros(hostDrops);
  readonly dropped = new Probe<{ reason: HostDrop }>("host drops");
  readonly datagrams = new Probe<Datagram & { port: number }>("datagrams for a host");
  readonly pinged = new Probe<PingResult>("pings ended");
  readonly #port: EthernetPort;
  readonly #noRouter: boolean;
  readonly #listeners = new Map<number, (datagram: Datagram) => void>();
  readonly #neighbours: Neighbours;
  readonly #pings: Pings;
  #up = false;
  #identification = 0;

  /** @throws ConfigError if an address or size cannot be */
  constructor({ clock, port, mac, address, prefix = 24, gateway, mtu = 1500, noRouter = true }: HostOptions) {
    if (!Number.isInteger(prefix) || prefix < 1 || prefix > 30) throw new ConfigError("prefix", prefix, "1 to 30");
    if (!Number.isInteger(mtu) || mtu < 576 || mtu > 9000) throw new ConfigError("mtu", mtu, "576 to 9000");
    this.clock = clock;
    this.mac = parseMac(mac);
    this.address = parseIp(address);
    this.mask = maskOf(prefix);
    this.gateway = gateway === undefined ? null : parseIp(gateway, "gateway");
    if (this.gateway !== null && !this.isNear(this.gateway)) {
      throw new ConfigError("gateway", gateway, "an address in the host's own network");
    }
    this.mtu = mtu;
    this.#noRouter = noRouter;
    this.#neighbours = new Neighbours({
      clock,
      ask: (ip) => this.#arp(arpOperation.request, broadcastMac, 0, ip),
      transmit: (to, packet) => this.#transmit(to, etherType.ipv4, packet),
      lose: (reason, packets) => this.#drop(reason, packets),
    });
    this.#pings = new Pings(clock, (result) => {
      if (this.pinged.active) this.pinged.emit(result);
    });
    this.#port = port;
    port.connect(this);
  }

  /** Whether `ip` is in this host's own network. */
  isNear(ip: number): boolean {
    return (ip & this.mask) === (this.address & this.mask);
  }

  /** The most bytes that a datagram can carry. */
  get largestDatagram(): number {
    return this.mtu - ipv4Header - udpHeader;
  }

  /**
   * Hands datagrams for `port` to `listener`.
   * @returns a function that ends it
   * @throws ConfigError if somebody listens there already
   */
  listen(port: number, listener: (datagram: Datagram) => void): () => void {
    if (this.#listeners.has(port)) throw new ConfigError("port", port, "a port at which nobody listens yet");
    this.#listeners.set(port, listener);
    return () => {
      if (this.#listeners.get(port) === listener) this.#listeners.delete(port);
    };
  }

  /** Whether somebody listens at `port`. */
  listens(port: number): boolean {
    return this.#listeners.has(port);
  }

  /** Sends a datagram, or drops it and counts why. */
  send({ to, toPort, fromPort, data, mac }: Outgoing): void {
    if (data.length > this.largestDatagram) return this.#drop("too long");
    const payload = buildUdp({ sourcePort: fromPort, destinationPort: toPort, data }, this.address, to);
    this.#sendIpv4(to, protocol.udp, payload, mac);
  }

  /**
   * Sends an echo request.
   * @param size bytes of data, at most the MTU less 28
   * @param done called in virtual time when the reply is there, or after `timeout`
   */
  ping(
    address: string | number,
    done: (result: PingResult) => void,
    size = 56,
    timeout: Nanoseconds = seconds(1),
  ): void {
    const to = typeof address === "number" ? address : parseIp(address);
    const sequence = this.#pings.start(to, timeout, done);
    const data = new Uint8Array(Math.min(size, this.largestDatagram));
    for (let at = 0; at < data.length; at++) data[at] = at;
    const rest = ((pingIdentifier << 16) | sequence) >>> 0;
    this.#sendIpv4(to, protocol.icmp, buildIcmp({ type: icmpType.echoRequest, code: 0, rest, data }));
  }

  link(up: boolean): void {
    this.#up = up;
  }

  receive(frame: Uint8Array): void {
    this.statistics.framesIn++;
    this.statistics.bytesIn += frame.length;
    const ethernet = parseEthernet(frame);
    if (typeof ethernet === "string") return this.#drop(ethernet);
    if (!this.#takes(ethernet.to)) return this.#drop("other mac");
    if (ethernet.vlan !== null && (ethernet.vlan & 0xfff) !== 0) return this.#drop("other vlan"); // 0: a priority only
    if (ethernet.type === etherType.arp) return this.#receiveArp(ethernet.payload);
    if (ethernet.type === etherType.ipv4) return this.#receiveIpv4(ethernet.payload, isGroupMac(ethernet.to));
    if (ethernet.type === etherType.ipv6) return this.#receiveIpv6(ethernet.payload);
    this.#drop("unknown ethertype");
  }

  /** What decides how it goes on, beside its state. */
  get configuration(): string {
    const { mac, address, mask, gateway, mtu } = this;
    return JSON.stringify({ mac, address, mask, gateway, mtu, noRouter: this.#noRouter });
  }

  save(): HostState {
    return {
      up: this.#up,
      identification: this.#identification,
      neighbours: this.#neighbours.save(),
      pings: this.#pings.save(),
      statistics: { ...this.statistics },
      drops: { ...this.drops },
    };
  }

  restore(state: HostState): void {
    this.#up = state.up;
    this.#identification = state.identification;
    this.#neighbours.restore(state.neighbours);
    this.#pings.restore(state.pings);
    Object.assign(this.statistics, state.statistics);
    Object.assign(this.drops, state.drops);
  }

  #takes(mac: number): boolean {
    return mac === this.mac || mac === broadcastMac || mac === allNodesMac || mac === allRoutersMac;
  }

  #receiveArp(payload: Uint8Array): void {
    const arp = parseArp(payload);
    if (typeof arp === "string") return this.#drop(arp);
    const { operation, senderMac, senderIp, targetIp } = arp;
    if (isGroupMac(senderMac)) return this.#drop("arp malformed");
    if (senderIp === this.address) return this.#drop("address conflict");
    const isStation = senderIp !== 0 && this.isNear(senderIp) && !this.#isBroadcast(senderIp); // 0: a probe [RFC 5227]
    if (isStation) this.#neighbours.learn(senderIp, senderMac);
    if (operation === arpOperation.request && targetIp === this.address) {
      this.#arp(arpOperation.reply, senderMac, senderMac, senderIp);
    }
  }

  #receiveIpv4(payload: Uint8Array, toGroup: boolean): void {
    const datagram = parseIpv4(payload);
    if (typeof datagram === "string") return this.#drop(datagram);
    if (this.#isBroadcast(datagram.source) || datagram.source >>> 28 >= 14) return this.#drop("ipv4 source");
    const broadcast = this.#isBroadcast(datagram.destination);
    if (datagram.destination !== this.address && !broadcast) return this.#drop("other address");
    const alone = !broadcast && !toGroup && datagram.source !== 0; // whom errors may be sent to [RFC 1122 3.2.2]
    if (datagram.protocol === protocol.udp) return this.#receiveUdp(datagram, alone);
    if (datagram.protocol === protocol.icmp) return this.#receiveIcmp(datagram, alone);
    this.#drop("unknown protocol");
  }

  #receiveUdp(datagram: Ipv4, alone: boolean): void {
    const { source, destination } = datagram;
    const udp = parseUdp(datagram.payload, source, destination);
    if (typeof udp === "string") return this.#drop(udp);
    const listener = this.#listeners.get(udp.destinationPort);
    if (listener !== undefined) {
      const event = { source, sourcePort: udp.sourcePort, destination, data: udp.data };
      if (this.datagrams.active) this.datagrams.emit({ ...event, port: udp.destinationPort });
      return listener(event);
    }
    this.#drop("no listener");
    if (!alone) return;
    const error = { type: icmpType.unreachable, code: portUnreachable, rest: 0, data: quote(datagram) };
    this.#sendIpv4(source, protocol.icmp, buildIcmp(error));
  }

  #receiveIcmp({ source, payload }: Ipv4, alone: boolean): void {
    const icmp = parseIcmp(payload);
    if (typeof icmp === "string") return this.#drop(icmp);
    if (icmp.type === icmpType.echoRequest && icmp.code === 0 && alone) return this.#echo(source, icmp);
    const ours = icmp.type === icmpType.echoReply && icmp.rest >>> 16 === pingIdentifier;
    if (ours && this.#pings.reply(source, icmp.rest & 0xffff)) return;
    this.#drop("icmp unused");
  }

  #echo(to: number, request: Icmp): void {
    this.#sendIpv4(to, protocol.icmp, buildIcmp({ ...request, type: icmpType.echoReply }));
  }

  #receiveIpv6(payload: Uint8Array): void {
    const message = parseIcmpv6(payload);
    if (typeof message === "string") return this.#drop(message);
    if (!this.#noRouter || !isSolicitation(message)) return this.#drop("icmpv6 unused");
    this.#transmit(allNodesMac, etherType.ipv6, buildNoRouter(this.mac));
  }

  #sendIpv4(destination: number, protocol: number, payload: Uint8Array, mac?: number): void {
    if (payload.length + ipv4Header > this.mtu) return this.#drop("too long");
    this.#identification = (this.#identification + 1) & 0xffff;
    const identification = this.#identification;
    const packet = buildIpv4({ source: this.address, destination, protocol, ttl, identification, payload });
    if (this.#isBroadcast(destination)) return this.#transmit(broadcastMac, etherType.ipv4, packet);
    if (mac !== undefined) return this.#transmit(mac, etherType.ipv4, packet);
    const next = this.isNear(destination) ? destination : this.gateway;
    if (next === null || next === this.address) return this.#drop("no route");
    this.#neighbours.deliver(next, packet);
  }

  #isBroadcast(ip: number): boolean {
    return ip === broadcastIp || (this.isNear(ip) && (ip | this.mask) >>> 0 === broadcastIp);
  }

  #arp(operation: number, to: number, targetMac: number, targetIp: number): void {
    const packet = { operation, senderMac: this.mac, senderIp: this.address, targetMac, targetIp };
    this.#transmit(to, etherType.arp, buildArp(packet));
  }

  #transmit(to: number, type: number, payload: Uint8Array): void {
    if (!this.#up) return this.#drop("link down");
    const frame = buildEthernet({ to, from: this.mac, type, vlan: null, payload });
    this.statistics.framesOut++;
    this.statistics.bytesOut += frame.length;
    this.#port.send(frame);
  }

  #drop(reason: HostDrop, packets = 1): void {
    this.drops[reason] += packets;
    if (this.dropped.active) this.dropped.emit({ reason });
  }
}
