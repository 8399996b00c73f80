/** What is done to a network, as plain data: a list of them is a test. */
import type { LinkOptions, WireOptions } from "@castaway/net";

/** What a network is built from. */
export interface Setup {
  readonly seed: number;
  /** Switches, each but the first with a trunk to one before it; `loop`: and one more trunk that closes a circle. */
  readonly switches: number;
  readonly loop: boolean;
  readonly table: number;
  readonly ageing: number;
  /** Stations that send what the actions say, and those of them that are machines with clocks of their own. */
  readonly stations: number;
  readonly machines: number;
  readonly mtu: number;
  /** What every cable is like at the start. */
  readonly link: LinkOptions;
  /** What the AoE server's work costs: nothing, or something. */
  readonly slow: boolean;
}

/** Numbers of stations, cables and switches are taken modulo how many there are. */
export type Action =
  | readonly [kind: "frame", station: number, frame: Uint8Array]
  /** The frame so often, each time from another address. */
  | readonly [kind: "flood", station: number, frame: Uint8Array, count: number]
  | readonly [kind: "run", time: number]
  /** Pulls a cable, or puts it in again. */
  | readonly [kind: "pull", link: number]
  | readonly [kind: "change", link: number, towards: "toA" | "toB", options: WireOptions]
  /** One more station. */
  | readonly [kind: "plug", lan: number, options: LinkOptions]
  | readonly [kind: "ping", host: number, address: number, size: number, count: number];

export function sourceOf(action: Action): string {
  const plain = (part: unknown) => JSON.stringify(part)?.replaceAll(":null", ":Infinity"); // a bandwidth
  const parts = action.map((part) => (part instanceof Uint8Array ? `hex("${hexOf(part)}")` : plain(part)));
  return `[${parts.join(", ")}]`;
}

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** The bytes of a text that {@link sourceOf} made. */
export const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
