/**
 * A DHCP server [RFC 2131] on a host: a pool of addresses and fixed ones, leases in virtual time, and what network boot
 * needs: `siaddr`, `file`, options 66 and 67 by the client's class, and iPXE's option 175.
 */
import { ConfigError, Probe, record, type StateOf, seconds } from "@castaway/kit";
import { broadcastIp, formatIp, formatMac, parseIp, parseMac } from "./address.ts";
import { type Counts, countsState, zeros } from "./counts.ts";
import { type Lease, Leases, leasesState } from "./dhcp-leases.ts";
import {
  addressOf,
  asciiBytes,
  broadcastFlag,
  buildDhcp,
  type DhcpMessage,
  dhcpOption,
  dhcpPort,
  dhcpType,
  parseDhcp,
  readText,
  words,
} from "./dhcp-message.ts";
import type { Host } from "./host.ts";
import { ipv4Header } from "./ipv4.ts";
import { udpHeader } from "./udp.ts";

/** Which clients get which boot file. A rule fits if all that it names fits; the first that fits counts. */
export type BootRule = {
  /** The file's name for TFTP, at most 127 characters, or a URI. None if left out. */
  file?: string;
  /** The root disk (option 17), at most 255 characters: iPXE boots from it if there is no file. `"aoe:e0.0"` */
  rootPath?: string;
  /** How the client's vendor class (option 60) begins: `"PXEClient:Arch:00000"`. */
  vendorClass?: string;
  /** What the client's user class (option 77) contains: `"iPXE"`. */
  userClass?: string;
};

export type DhcpServerOptions = {
  /** Where it runs. Its network is the clients', its address the server identifier. */
  host: Host;
  /** The first and the last address to give out, at most 4,096. */
  pool: { first: string; last: string };
  /** Addresses of certain clients, by MAC address. They may be outside the pool, not outside the network. */
  fixed?: Readonly<Record<string, string>>;
  /** Seconds, 60 to 4294967; 3600 if left out. */
  leaseTime?: number;
  /** The clients' way out. None if left out. */
  router?: string;
  dns?: readonly string[];
  domain?: string;
  boot?: readonly BootRule[];
  /** Who has the boot files; the host itself if left out. */
  nextServer?: string;
  /**
   * Whether clients without an address are answered at the address that they will have, unless they ask for a
   * broadcast. If left out all of them are answered by broadcast, which every client can receive.
   */
  unicast?: boolean;
};

export const dhcpDrops = [
  "malformed",
  "not a request",
  "no message type",
  "unknown type",
  "pool empty",
  "other server",
  "unknown client",
  "no address",
] as const;
export type DhcpDrop = (typeof dhcpDrops)[number];

const events = ["discover", "request", "decline", "release", "inform", "offer", "ack", "nak"] as const;
type Event = (typeof events)[number];

export const dhcpServerState = record({
  leases: leasesState,
  statistics: countsState(events),
  drops: countsState(dhcpDrops),
});
export type DhcpServerState = StateOf<typeof dhcpServerState>;

const offerTime = seconds(60);
/** How long an address that a client found in use is left alone. */
const declineTime = seconds(600);
/** What every client can take: 576 bytes with the headers of IPv4 and UDP [RFC 2131 2]. */
const smallestMaximum = 576;
/** iPXE's encapsulated option b0, "no-pxedhcp": do not wait 2 s for a proxy DHCP server's offer. */
const noProxyDhcp = Uint8Array.of(0xb0, 1, 1);

export class DhcpServer {
  /** What {@link save} gives. */
  readonly state = dhcpServerState;
  /** What decides how it goes on, beside its state. */
  readonly configuration: string;
  /** What arrived and left so far, by type. */
  readonly statistics: Counts<Event> = zeros(events);
  /** What was not answered so far, by reason. */
  readonly drops: Counts<DhcpDrop> = zeros(dhcpDrops);
  /** Every message in and out: its type, whose it is, and the address that it is about. */
  readonly messages = new Probe<{ type: Event; mac: string; address: string }>("DHCP messages");
  readonly dropped = new Probe<{ reason: DhcpDrop }>("DHCP drops");
  readonly #host: Host;
  readonly #leases: Leases;
  readonly #fixed = new Map<number, number>();
  readonly #leaseTime: number;
  readonly #boot: readonly BootRule[];
  readonly #nextServer: number;
  readonly #unicast: boolean;
  /** Options that are the same for all clients, without lease times. */
  readonly #network: readonly (readonly [number, Uint8Array])[];

  /** @throws ConfigError if addresses are outside the host's network, or a number is out of its range */
  constructor(options: DhcpServerOptions) {
    const { host, leaseTime = 3600 } = options;
    this.configuration = JSON.stringify({ ...options, host: host.address });
    this.#host = host;
    const first = this.#near(options.pool.first, "pool.first");
    const count = this.#near(options.pool.last, "pool.last") - first + 1;
    if (count < 1 || count > 4096)
      throw new ConfigError("pool", options.pool, "1 to 4096 addresses, the first one first");
    for (const [mac, ip] of Object.entries(options.fixed ?? {})) {
      this.#fixed.set(parseMac(mac, "fixed"), this.#near(ip, "fixed"));
    }
    if (!Number.isInteger(leaseTime) || leaseTime < 60 || leaseTime > 4294967) {
      throw new ConfigError("leaseTime", leaseTime, "60 to 4294967 seconds");
    }
    this.#leaseTime = leaseTime;
    this.#boot = options.boot ?? [];
    for (const { file = "", rootPath = "" } of this.#boot) {
      if (file.length > 127) throw new ConfigError("boot.file", file, "a name of at most 127 characters");
      if (rootPath.length > 255) throw new ConfigError("boot.rootPath", rootPath, "at most 255 characters");
    }
    this.#nextServer = options.nextServer === undefined ? host.address : parseIp(options.nextServer, "nextServer");
    this.#unicast = options.unicast ?? false;
    this.#network = this.#networkOptions(options);
    const network = [host.address, (host.address & host.mask) >>> 0, (host.address | ~host.mask) >>> 0];
    this.#leases = new Leases(host.clock, first, count, new Set([...network, ...this.#fixed.values()]));
    host.listen(dhcpPort.server, ({ data }) => this.#receive(data));
  }

  /** Leases that have not ended. */
  get leases(): Lease[] {
    return this.#leases.active;
  }

  save(): DhcpServerState {
    return { leases: this.#leases.save(), statistics: { ...this.statistics }, drops: { ...this.drops } };
  }

  restore(state: DhcpServerState): void {
    this.#leases.restore(state.leases);
    Object.assign(this.statistics, state.statistics);
    Object.assign(this.drops, state.drops);
  }

  #receive(data: Uint8Array): void {
    const message = parseDhcp(data);
    if (typeof message === "string") return this.#drop(message);
    if (message.op !== 1) return this.#drop("not a request");
    const type = message.options.get(dhcpOption.messageType);
    if (type?.length !== 1) return this.#drop("no message type"); // BOOTP
    if (type[0] === dhcpType.discover) return this.#discover(message);
    if (type[0] === dhcpType.request) return this.#request(message);
    if (type[0] === dhcpType.decline) return this.#decline(message);
    if (type[0] === dhcpType.release) return this.#release(message);
    if (type[0] === dhcpType.inform) return this.#inform(message);
    this.#drop("unknown type");
  }

  #discover(message: DhcpMessage): void {
    const key = keyOf(message);
    const wish = addressOf(message.options.get(dhcpOption.requestedAddress));
    const address = this.#fixed.get(message.mac) ?? this.#leases.choose(key, wish);
    this.#count("discover", message, address ?? 0);
    if (address === null) return this.#drop("pool empty");
    const before = this.#leases.of(key);
    const isBound = before?.state === "bound" && before.address === address && before.expires > this.#host.clock.now;
    if (!isBound) this.#leases.set(key, address, "offered", offerTime); // a lease in use does not become an offer
    this.#reply(message, "offer", address);
  }

  /** [RFC 2131 4.3.2]: which of the four it is follows from the server identifier, option 50 and `ciaddr`. */
  #request(message: DhcpMessage): void {
    const key = keyOf(message);
    const server = addressOf(message.options.get(dhcpOption.serverIdentifier));
    const address = message.ciaddr || addressOf(message.options.get(dhcpOption.requestedAddress)) || 0;
    this.#count("request", message, address);
    if (server !== null && server !== this.#host.address) {
      if (this.#leases.of(key)?.state === "offered") this.#leases.end(key);
      return this.#drop("other server");
    }
    if (address === 0) return this.#drop("no address");
    const isReboot = server === null && message.ciaddr === 0;
    const isKnown = this.#fixed.has(message.mac) || this.#leases.of(key) !== null;
    if (isReboot && !isKnown && this.#host.isNear(address)) return this.#drop("unknown client");
    if (!this.#may(message, key, address)) return this.#reply(message, "nak", 0);
    this.#leases.set(key, address, "bound", seconds(this.#leaseTime));
    this.#reply(message, "ack", address);
  }

  /** Whether the client may have the address that it asks for: the one that it has, or, renewing, any free one. */
  #may(message: DhcpMessage, key: string, address: number): boolean {
    const fixed = this.#fixed.get(message.mac);
    if (fixed !== undefined) return address === fixed;
    const lease = this.#leases.of(key);
    if (lease !== null && lease.address !== address) return false;
    if (lease === null && message.ciaddr === 0) return false;
    return this.#leases.isFreeFor(address, key);
  }

  #decline(message: DhcpMessage): void {
    const address = addressOf(message.options.get(dhcpOption.requestedAddress)) ?? 0;
    this.#count("decline", message, address);
    if (!this.#isLeased(message, address)) return this.#drop("unknown client");
    this.#leases.end(keyOf(message));
    this.#leases.set(`declined ${address}`, address, "declined", declineTime);
  }

  #release(message: DhcpMessage): void {
    this.#count("release", message, message.ciaddr);
    if (!this.#isLeased(message, message.ciaddr)) return this.#drop("unknown client");
    this.#leases.end(keyOf(message));
  }

  #inform(message: DhcpMessage): void {
    this.#count("inform", message, message.ciaddr);
    if (message.ciaddr === 0) return this.#drop("no address");
    this.#reply(message, "ack", 0);
  }

  #isLeased(message: DhcpMessage, address: number): boolean {
    return address !== 0 && this.#leases.of(keyOf(message))?.address === address;
  }

  /** @param address the client's; 0 in a NAK and in the answer to an INFORM */
  #reply(message: DhcpMessage, type: "offer" | "ack" | "nak", address: number): void {
    this.#count(type, message, address);
    const rule = type === "nak" ? undefined : this.#bootRule(message);
    const reply: DhcpMessage = {
      op: 2,
      xid: message.xid,
      secs: 0,
      flags: message.flags,
      ciaddr: type === "ack" ? message.ciaddr : 0,
      yiaddr: address,
      siaddr: rule === undefined ? 0 : this.#nextServer,
      giaddr: message.giaddr,
      mac: message.mac,
      file: rule?.file ?? "",
      options: this.#replyOptions(message, type, address, rule),
    };
    const data = buildDhcp(reply, this.#largest(message));
    const { to, mac } = this.#destination(message, type, address);
    const toPort = message.giaddr === 0 ? dhcpPort.client : dhcpPort.server;
    this.#host.send({ to, toPort, fromPort: dhcpPort.server, data, mac });
  }

  /** [RFC 2131 4.1]: the relay, the client's own address, the one that it gets, or everybody. */
  #destination(
    { giaddr, ciaddr, flags, mac }: DhcpMessage,
    type: Event,
    address: number,
  ): { to: number; mac?: number } {
    if (giaddr !== 0) return { to: giaddr };
    if (type === "nak") return { to: broadcastIp };
    if (ciaddr !== 0) return { to: ciaddr };
    if (this.#unicast && (flags & broadcastFlag) === 0) return { to: address, mac };
    return { to: broadcastIp };
  }

  /** The most bytes that client and network take, without the headers of IPv4 and UDP. */
  #largest({ options }: DhcpMessage): number {
    const option = options.get(dhcpOption.maximumSize);
    const size = option?.length === 2 ? (option[0] << 8) | option[1] : smallestMaximum;
    return Math.min(Math.max(size, smallestMaximum), this.#host.mtu) - ipv4Header - udpHeader;
  }

  #replyOptions(message: DhcpMessage, type: "offer" | "ack" | "nak", address: number, rule: BootRule | undefined) {
    const options = new Map<number, Uint8Array>();
    options.set(dhcpOption.messageType, Uint8Array.of(dhcpType[type]));
    options.set(dhcpOption.serverIdentifier, words(this.#host.address));
    const identifier = message.options.get(dhcpOption.clientIdentifier);
    if (identifier !== undefined) options.set(dhcpOption.clientIdentifier, identifier); // [RFC 6842]
    if (type === "nak") return options.set(dhcpOption.message, asciiBytes("address not available"));
    if (address !== 0) {
      const time = this.#leaseTime; // T1 and T2 [RFC 2131 4.4.5]
      options.set(dhcpOption.leaseTime, words(time));
      options.set(dhcpOption.renewalTime, words(Math.floor(time / 2)));
      options.set(dhcpOption.rebindingTime, words(Math.floor((time * 7) / 8)));
    }
    for (const [code, value] of this.#network) options.set(code, value);
    if (rule === undefined) return options;
    options.set(dhcpOption.ipxe, noProxyDhcp);
    options.set(dhcpOption.tftpServer, asciiBytes(formatIp(this.#nextServer)));
    if (rule.file) options.set(dhcpOption.bootFile, asciiBytes(rule.file));
    if (rule.rootPath) options.set(dhcpOption.rootPath, asciiBytes(rule.rootPath));
    return options;
  }

  #bootRule(message: DhcpMessage): BootRule | undefined {
    const vendorClass = textOf(message, dhcpOption.vendorClass);
    const userClass = textOf(message, dhcpOption.userClass);
    return this.#boot.find(
      (rule) => vendorClass.startsWith(rule.vendorClass ?? "") && userClass.includes(rule.userClass ?? ""),
    );
  }

  #networkOptions({ host, router, dns = [], domain = "" }: DhcpServerOptions): [number, Uint8Array][] {
    if (dns.length > 63) throw new ConfigError("dns", dns.length, "at most 63 servers");
    if (domain.length > 255) throw new ConfigError("domain", domain, "at most 255 characters");
    const options: [number, Uint8Array][] = [[dhcpOption.subnetMask, words(host.mask)]];
    if (router !== undefined) options.push([dhcpOption.router, words(this.#near(router, "router"))]);
    const servers = dns.map((server) => parseIp(server, "dns"));
    if (servers.length > 0) options.push([dhcpOption.domainNameServer, words(...servers)]);
    if (domain !== "") options.push([dhcpOption.domainName, asciiBytes(domain)]);
    options.push([dhcpOption.broadcastAddress, words((host.address | ~host.mask) >>> 0)]);
    return options;
  }

  #near(text: string, setting: string): number {
    const address = parseIp(text, setting);
    if (this.#host.isNear(address)) return address;
    throw new ConfigError(setting, text, "an address in the host's own network");
  }

  #count(type: Event, { mac }: DhcpMessage, address: number): void {
    this.statistics[type]++;
    if (this.messages.active) this.messages.emit({ type, mac: formatMac(mac), address: formatIp(address) });
  }

  #drop(reason: DhcpDrop): void {
    this.drops[reason]++;
    if (this.dropped.active) this.dropped.emit({ reason });
  }
}

/** Who a client is: its client identifier, or its MAC address [RFC 2131 4.2]. */
function keyOf({ mac, options }: DhcpMessage): string {
  const identifier = options.get(dhcpOption.clientIdentifier);
  if (identifier === undefined || identifier.length < 2 || identifier.length > 255) return formatMac(mac);
  return Array.from(identifier, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const textOf = ({ options }: DhcpMessage, code: number): string => readText(options.get(code) ?? new Uint8Array(0));
