/** The network that a command's options ask for: built, and counted for the report. */
import { type BlockDevice, ConfigError } from "@castaway/kit";
import {
  type BlobReader,
  formatIp,
  formatMac,
  ImageDisk,
  Lan,
  loadNetworkRom,
  type NetworkCard,
  OverlayDisk,
  parseMac,
  type ServedDisk,
  type TftpFiles,
} from "castaway";
import { UserError } from "./exit.ts";
import { folderFiles } from "./folder.ts";
import { openImage } from "./images.ts";
import type { NetworkOptions } from "./network-options.ts";

/** What a machine is built with, and what the command looks at. */
export interface BuiltNetwork {
  readonly lan: Lan;
  readonly networkCards: NetworkCard[];
}

/** The addresses of `Lan`'s servers. */
const servers = ["52:54:00:00:00:01", "52:54:00:00:00:02"].map((mac) => parseMac(mac));

/**
 * @param seed of the cables' chance
 * @param read firmware's files, for iPXE
 * @param onFailure told when the host fails to read a served image
 * @throws UserError, ConfigError
 */
export async function buildNetwork(
  options: NetworkOptions,
  { seed, read, onFailure }: { seed?: number; read: BlobReader; onFailure: (line: string) => void },
): Promise<BuiltNetwork> {
  const { nics = 1, mac = "52:54:00:12:34:56", tftp, bootFile, rootPath, link } = options;
  const files = tftp === undefined ? undefined : folderFiles(tftp);
  if (bootFile !== undefined) checkBootFile(bootFile, tftp, files);
  const disks: ServedDisk[] = [];
  for (const { path, ...address } of options.aoe) disks.push({ ...address, image: await openServed(path, onFailure) });
  const addresses = Array.from({ length: nics }, (_, n) => parseMac(mac) + n);
  if (addresses.some((address) => servers.includes(address)))
    throw new ConfigError("mac", mac, "an address that no server of the network has");
  const lan = new Lan({ seed, sockets: nics, files, bootFile, rootPath, link, disks });
  const rom = await loadNetworkRom(read);
  return { lan, networkCards: addresses.map((address, n) => ({ mac: formatMac(address), rom, port: lan.ports[n] })) };
}

/** Better before the run than by a timeout in the guest. */
function checkBootFile(name: string, folder: string | undefined, files: TftpFiles | undefined): void {
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) return; // a URI, which is iPXE's business
  if (folder === undefined || typeof files !== "function")
    throw new UserError(`--boot-file ${name} needs --tftp FOLDER, the folder that it is in`);
  if (files(name) === null) throw new UserError(`--boot-file: there is no file ${name} in ${folder}`);
}

/** An image for many readers: what is written to it goes elsewhere. @throws UserError, ConfigError */
export async function openServed(path: string, onFailure: (line: string) => void): Promise<BlockDevice> {
  const { medium } = await openImage(path, { write: false, onFailure });
  if (medium instanceof Uint8Array) return new ImageDisk(medium);
  return medium instanceof OverlayDisk ? medium.base : medium;
}

type Counts = { readonly [name: string]: number | Counts };

/** What a network did, as the report has it. */
export interface NetworkReport {
  /** By cable of the machine: what docs/network.md lists. */
  readonly cables: readonly { readonly toMachine: Counts; readonly toNetwork: Counts }[];
  readonly dhcp: Counts;
  readonly leases: readonly { readonly address: string; readonly state: string }[];
  readonly tftp: Counts;
  /** Null: nothing is served. */
  readonly aoe: Counts | null;
}

/** Counts from now on. */
export class NetworkCounters {
  readonly #lan: Lan;
  readonly #first: Omit<NetworkReport, "leases">;

  constructor(lan: Lan) {
    this.#lan = lan;
    this.#first = this.#now();
  }

  #now(): Omit<NetworkReport, "leases"> {
    const { ports, dhcp, tftp, aoe, net } = this.#lan;
    const cables = net.links.slice(0, ports.length).map(({ toA, toB }) => ({
      toMachine: { ...toB.statistics },
      toNetwork: { ...toA.statistics },
    }));
    return {
      cables,
      dhcp: { ...dhcp.statistics },
      tftp: { ...tftp.statistics },
      aoe: aoe === null ? null : aoe.save().statistics,
    };
  }

  report(): NetworkReport {
    const [now, first] = [this.#now(), this.#first];
    return {
      cables: now.cables.map(({ toMachine, toNetwork }, n) => ({
        toMachine: since(toMachine, first.cables[n]!.toMachine),
        toNetwork: since(toNetwork, first.cables[n]!.toNetwork),
      })),
      dhcp: since(now.dhcp, first.dhcp),
      leases: this.#lan.dhcp.leases.map(({ address, state }) => ({ address: formatIp(address), state })),
      tftp: since(now.tftp, first.tftp),
      aoe: now.aoe === null || first.aoe === null ? null : since(now.aoe, first.aoe),
    };
  }
}

/** `now` less `first`, name by name. */
function since(now: Counts, first: Counts): Counts {
  const difference = (value: number | Counts, before: number | Counts | undefined) =>
    typeof value === "number"
      ? value - (typeof before === "number" ? before : 0)
      : since(value, (before ?? {}) as Counts);
  return Object.fromEntries(Object.entries(now).map(([name, value]) => [name, difference(value, first[name])]));
}
