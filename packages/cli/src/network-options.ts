/** The options of a command that builds a network around its machine, and the texts that they take. */
import { parseSize } from "@castaway/kit";
import type { LinkOptions } from "castaway";
import { InvalidArgumentError, Option } from "commander";
import { duration, integer } from "./units.ts";

export type BootDevice = "disk" | "network";

export interface NetworkOptions {
  readonly net: boolean;
  /** Undefined: 1. */
  readonly nics?: number;
  readonly mac?: string;
  /** A folder. */
  readonly tftp?: string;
  readonly bootFile?: string;
  readonly aoe: readonly AoeFile[];
  readonly rootPath?: string;
  readonly link?: LinkOptions;
  readonly pcap?: string;
}

/** A file that is served as a disk; without an address its place in the list is its slot. */
export interface AoeFile {
  readonly path: string;
  readonly shelf?: number;
  readonly slot?: number;
}

export const networkOptions = (): Option[] => [
  new Option(
    "--net",
    "a network card on a simulated network: DHCP, pings at 10.0.2.1; the options below imply it",
  ).default(false, "no"),
  new Option("--nics <N>", "network cards on it, 1 or 2 (default: 1)").argParser(integer(1, 2)),
  new Option("--mac <ADDRESS>", "of the first card (default: 52:54:00:12:34:56); the second one has the next"),
  new Option("--tftp <FOLDER>", "serve the files of a folder by TFTP, for reading"),
  new Option("--boot-file <NAME>", "what DHCP tells iPXE to load: a file of --tftp's folder, or a URI"),
  new Option("--aoe <[SHELF.SLOT=]FILE>", "serve a disk image by AoE, never modified; repeatable: 0.0, 0.1, ..")
    .argParser((text: string, before: readonly AoeFile[]) => [...before, aoeFile(text)])
    .default([], "none"),
  new Option("--root-path <URI>", "what disk DHCP tells iPXE to boot (default: --aoe's first, without --boot-file)"),
  new Option("--link <OPTIONS>", "the card's cable, such as bandwidth=100M,latency=5ms,loss=1%,mtu=9000").argParser(
    link,
  ),
  new Option("--pcap <FILE>", "write the frames of the card's cable, for Wireshark"),
];

/** Whether any of the options asks for a network. */
export const wantsNetwork = (options: NetworkOptions): boolean =>
  options.net ||
  options.aoe.length > 0 ||
  [options.nics, options.mac, options.tftp, options.bootFile, options.rootPath, options.link, options.pcap].some(
    (option) => option !== undefined,
  );

/** `disk.img`, `1.0=disk.img`. @throws InvalidArgumentError */
function aoeFile(text: string): AoeFile {
  const match = /^(\d+)\.(\d+)=(.*)$/s.exec(text);
  if (match === null) return { path: text };
  const [shelf, slot] = [Number(match[1]), Number(match[2])];
  if (shelf > 65534 || slot > 254) throw new InvalidArgumentError("A shelf is 0 to 65534, a slot 0 to 254.");
  return { path: match[3]!, shelf, slot };
}

/** `disk`, `network`, `network,disk`. @throws InvalidArgumentError */
export function bootOrder(text: string): BootDevice[] {
  const devices = text.split(",");
  const known = devices.every((device) => device === "disk" || device === "network");
  if (known && new Set(devices).size === devices.length) return devices as BootDevice[];
  throw new InvalidArgumentError('Write "disk", "network", or both with a comma: the first one is tried first.');
}

const decimal: Record<string, number> = { "": 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/** Bits a second: `100M`, `2.5G`, `1Gbit/s`. */
function bandwidth(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kKMGT]?)(?:bit\/s|bps)?$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Write bits a second, such as "100M" or "1G".');
  return Math.round(Number(match[1]) * decimal[match[2]!]!);
}
/** `1%`, `0.01`. */
function probability(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) / (match[2] === "%" ? 100 : 1);
  if (value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('Write "1%" or "0.01", at most "100%".');
}
/** `9000`, `64KiB`. @throws InvalidArgumentError */
export function bytes(text: string): number {
  try {
    return parseSize(/^\d+$/.test(text) ? Number(text) : text);
  } catch {
    throw new InvalidArgumentError('Write bytes, such as 9000 or "64KiB".');
  }
}

type LinkNumber = Exclude<keyof LinkOptions, "toA" | "toB" | "deliverCorrupted">;
/** `latency=5ms,loss=1%`, under the network's names. @throws InvalidArgumentError that names the part that is wrong */
export const link = settings<Pick<LinkOptions, LinkNumber>>({
  bandwidth: ["bandwidth", bandwidth],
  latency: ["latency", duration],
  jitter: ["jitter", duration],
  loss: ["loss", probability],
  duplication: ["duplication", probability],
  reordering: ["reordering", probability],
  "reorder-delay": ["reorderDelay", duration],
  corruption: ["corruption", probability],
  mtu: ["mtu", bytes],
  queue: ["queue", bytes],
});

/**
 * Reads `NAME=VALUE,NAME=VALUE`.
 * @param names for each that may be given, whose number it is, and how it is read
 */
export function settings<T extends { readonly [name in keyof T]?: number }>(
  names: Readonly<Record<string, readonly [name: keyof T, read: (text: string) => number]>>,
): (text: string) => Partial<T> {
  return (text) => {
    const options: Partial<Record<keyof T, number>> = {};
    for (const part of text.split(",")) {
      const [name = "", ...rest] = part.split("=");
      const known = Object.hasOwn(names, name) ? names[name] : undefined;
      if (known === undefined || rest.length !== 1)
        throw new InvalidArgumentError(`"${part}" is none; write NAME=VALUE of ${Object.keys(names).join(", ")}.`);
      try {
        options[known[0]] = known[1](rest[0]!);
      } catch (error) {
        throw new InvalidArgumentError(`${name}: ${(error as Error).message}`);
      }
    }
    return options as Partial<T>;
  };
}
