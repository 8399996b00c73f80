/** Numbers for people. */
import type { Nanoseconds } from "@castaway/kit";

/** `19.9 MB`, `640 kB`. */
export function amount(bytes: number): string {
  const [unit, factor] =
    bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : bytes >= 1e3 ? ["kB", 1e3] : ["B", 1];
  return `${digits(bytes / factor)} ${unit}`;
}
/** `12,345`. */
export const count = (n: number): string =>
  Math.round(n)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
/** `2.15 s`. */
export const time = (at: Nanoseconds): string => `${digits(at / 1e9)} s`;
/** Three digits that count. */
const digits = (n: number) => (n >= 100 || Number.isInteger(n) ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2));

/** The phases' names for people. */
export const phaseNames: Readonly<Record<string, string>> = {
  firmware: "firmware",
  network: "network boot",
  hypervisor: "hypervisor",
  streaming: "streaming",
  bare: "bare metal",
  off: "off",
};

/** What a phase's beginning means. */
export const phaseStories: Readonly<Record<string, string>> = {
  firmware: "SeaBIOS, then iPXE out of the network card's ROM",
  network: "iPXE asks for an address and loads the hypervisor",
  hypervisor: "VT-x is switched on",
  streaming: "the guest starts at its boot sector; its disk is empty",
  bare: "the whole disk is here and the hypervisor is gone; the guest runs on",
};
