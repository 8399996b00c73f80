/**
 * A network for one machine, on its clock: a switch with a host that gives addresses (DHCP), files (TFTP) and answers pings, and a
 * server of disks (AoE).
 *
 *     const lan = new Lan({ files: { "boot.ipxe": script }, bootFile: "boot.ipxe", disks: [{ image }] });
 *     const pc = await Machine.create({ firmware, networkCards: [{ rom, port: lan.ports[0] }], beside: lan });
 *     pc.run({ atMost: seconds(5) });
 *     console.log(lan.dhcp.leases, lan.aoe?.statistics);
 */
import { OverlayDisk, overlayState } from "@castaway/devices";
import { type BlockDevice, Clock, ConfigError, list, natural, record, type StateOf } from "@castaway/kit";
import {
  AoeServer,
  DhcpServer,
  Host,
  type LinkEnd,
  type LinkOptions,
  Network,
  parseMac,
  type ServiceCost,
  type Switch,
  type TftpFiles,
  TftpServer,
} from "@castaway/net";
import type { MachinePart, Surroundings } from "./beside.ts";
import { type Configuration, fingerprint } from "./snapshot.ts";

/** A disk that the network serves. */
export interface ServedDisk {
  /** Its contents, which are never written to: each client's writes go to an overlay of its own. */
  readonly image: BlockDevice;
  /** Its address: shelf 0 to 65,534, slot 0 to 254. Default: shelf 0, and the slot is its place in the list. */
  readonly shelf?: number;
  readonly slot?: number;
}

export interface LanOptions {
  /** Of all chance on this network. Default 1. */
  readonly seed?: number;
  /** Sockets for the machine's cards, 1 to 16. Default 1. */
  readonly sockets?: number;
  /**
   * What the cables of the machine's cards are like: all of them, or each. Those of the servers are as fast and as wide as the
   * first one, and flawless.
   */
  readonly link?: LinkOptions | readonly LinkOptions[];
  /** What TFTP serves. Default: nothing. */
  readonly files?: TftpFiles;
  /** What clients are told to load: a name among `files`, or a URI. Default: nothing. */
  readonly bootFile?: string;
  /** What disk clients are told to boot from if they are not told to load a file: `"aoe:e0.0"`. Default: the first of `disks`. */
  readonly rootPath?: string;
  /** What AoE serves. Default: nothing. */
  readonly disks?: readonly ServedDisk[];
  /** What it costs the AoE server; see `ServiceCost`. Default: no time. */
  readonly aoeCost?: Partial<ServiceCost>;
}

const isList = (link: LinkOptions | readonly LinkOptions[]): link is readonly LinkOptions[] => Array.isArray(link);

/** The servers' addresses on the wire: the host's, and the next one is that of AoE. */
const hostMac = "52:54:00:00:00:01";
/** The longest datagrams and AoE frames that the servers send, whatever longer frames the cables carry. */
const [longestDatagram, longestAoe] = [9000, 65_500];

export class Lan implements Surroundings {
  readonly clock = new Clock();
  readonly net: Network;
  readonly switch: Switch;
  /** Where the machine's cards are plugged in. */
  readonly ports: readonly LinkEnd[];
  /** The ends of the same cables at the switch, for captures: they see frames of both directions. */
  readonly taps: readonly LinkEnd[];
  /** 10.0.2.1; the machine's cards are given addresses from 10.0.2.100 on. */
  readonly host: Host;
  readonly dhcp: DhcpServer;
  readonly tftp: TftpServer;
  /** Null without disks. */
  readonly aoe: AoeServer | null;
  readonly parts: Readonly<Record<string, MachinePart>>;
  readonly configuration: Configuration;

  /** @throws ConfigError that says which option is wrong */
  constructor(options: LanOptions = {}) {
    const { seed = 1, sockets = 1, link = {}, files = {}, disks = [] } = options;
    if (!(Number.isInteger(sockets) && sockets >= 1 && sockets <= 16))
      throw new ConfigError("sockets", sockets, "1 to 16");
    const cableOf = (n: number): LinkOptions => (isList(link) ? (link[n] ?? {}) : link);
    const { bandwidth, mtu = 1500 } = cableOf(0);
    if (mtu < 1500) throw new ConfigError("mtu", mtu, "1500 or more: the servers send frames of that size");
    this.net = new Network({ clock: this.clock, seed, link: { bandwidth, mtu } });
    this.switch = this.net.switch({ ports: sockets + 2 });
    const cables = Array.from({ length: sockets }, (_, n) =>
      this.net.plug(this.switch, (place) => place.link, cableOf(n)),
    );
    this.ports = cables.map(({ b }) => b);
    this.taps = cables.map(({ a }) => a);

    this.host = this.net.plug(
      this.switch,
      (place) => new Host({ ...place, mac: hostMac, address: "10.0.2.1", mtu: Math.min(mtu, longestDatagram) }),
    );
    this.tftp = new TftpServer({ host: this.host, files });
    const served = disks.map(({ image, shelf = 0, slot }, n) => new Served(image, shelf, slot ?? n));
    const { bootFile, rootPath = bootFile === undefined ? served[0]?.uri : undefined } = options;
    this.dhcp = new DhcpServer({
      host: this.host,
      pool: { first: "10.0.2.100", last: "10.0.2.199" },
      router: "10.0.2.1",
      boot: bootFile === undefined && rootPath === undefined ? [] : [{ file: bootFile, rootPath }],
    });
    this.aoe = served.length === 0 ? null : this.#aoe(served, mtu, options.aoeCost);

    const { net, host, dhcp, tftp, aoe } = this;
    const overlays = served.map((disk, n) => [`aoeDisk${n}`, disk] as const);
    this.parts = { net, host, dhcp, tftp, ...(aoe && { aoe }), ...Object.fromEntries(overlays) };
    this.configuration = {
      networkSeed: seed,
      link: JSON.stringify(link),
      bootFile: bootFile ?? null,
      rootPath: rootPath ?? null,
    };
  }

  #aoe(served: readonly Served[], mtu: number, cost: Partial<ServiceCost> | undefined): AoeServer {
    const targets = served.map(({ image, shelf, slot, of }) => ({ shelf, slot, disk: image, overlay: of }));
    const mac = parseMac(hostMac) + 1;
    return this.net.plug(
      this.switch,
      (place) => new AoeServer({ ...place, mac, targets, mtu: Math.min(mtu, longestAoe), cost }),
    );
  }
}

const servedState = record({ clients: list(record({ client: natural, overlay: overlayState })) });

/** An image, and for each client that has written what it wrote over it. */
class Served implements MachinePart {
  /** As iPXE calls it. */
  readonly uri: string;
  readonly image: BlockDevice;
  readonly shelf: number;
  readonly slot: number;
  readonly state = servedState;
  readonly #overlays = new Map<number, OverlayDisk>();

  constructor(image: BlockDevice, shelf: number, slot: number) {
    this.uri = `aoe:e${shelf}.${slot}`;
    this.image = image;
    this.shelf = shelf;
    this.slot = slot;
  }

  get configuration(): string {
    return fingerprint(this.image);
  }

  /** The disk of a client, the same whenever it is asked for. */
  readonly of = (client: number): OverlayDisk => {
    const own = this.#overlays.get(client) ?? new OverlayDisk(this.image);
    this.#overlays.set(client, own);
    return own;
  };

  save(): StateOf<typeof servedState> {
    return { clients: [...this.#overlays].map(([client, overlay]) => ({ client, overlay: overlay.save() })) };
  }
  restore({ clients }: StateOf<typeof servedState>): void {
    const there = new Set(clients.map(({ client }) => client));
    for (const client of this.#overlays.keys()) if (!there.has(client)) this.#overlays.delete(client);
    for (const { client, overlay } of clients) this.of(client).restore(overlay);
  }
}
