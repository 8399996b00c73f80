/**
 * Addresses as numbers, so that they compare and index: a MAC address is an integer of 48 bits, an IPv4 address one of
 * 32 bits, both with the byte that is sent first on top.
 */
import { ConfigError, high32, low32, readBig, writeBig } from "@castaway/kit";

/** The MAC address of all stations. */
export const broadcastMac = 0xffff_ffff_ffff;
/** The IPv4 address of all stations on this network [RFC 919]. */
export const broadcastIp = 0xffff_ffff;

/** The 48-bit address in the six bytes at `at`. */
export const readMac = (bytes: Uint8Array, at: number): number =>
  readBig(bytes, at, 2) * 0x1_0000_0000 + readBig(bytes, at + 2, 4);

/** Writes a 48-bit address to the six bytes at `at`. */
export function writeMac(bytes: Uint8Array, at: number, mac: number): void {
  writeBig(bytes, at, 2, high32(mac));
  writeBig(bytes, at + 2, 4, low32(mac));
}

/** Whether `mac` is for more than one station: bit 0 of its first byte [IEEE 802 8.2]. */
export const isGroupMac = (mac: number): boolean => (high32(mac) & 0x100) !== 0;

/**
 * The number of a station's address: `"52:54:00:12:34:56"`.
 * @throws ConfigError if it is none, or is a group's
 */
export function parseMac(text: string, setting = "mac"): number {
  const mac = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text) ? Number.parseInt(text.replaceAll(":", ""), 16) : -1;
  if (mac > 0 && !isGroupMac(mac)) return mac;
  throw new ConfigError(setting, text, 'six bytes, the first one even, as "52:54:00:12:34:56"');
}

/** `mac` as people write it, in lower case. */
export const formatMac = (mac: number): string =>
  mac
    .toString(16)
    .padStart(12, "0")
    .replace(/..(?!$)/g, "$&:");

/**
 * The number of an IPv4 address: `"10.0.2.1"`.
 * @throws ConfigError if it is none
 */
export function parseIp(text: string, setting = "address"): number {
  const parts = /^\d{1,3}(\.\d{1,3}){3}$/.test(text) ? text.split(".").map(Number) : [];
  if (parts.length === 4 && parts.every((part) => part <= 255)) return readBig(Uint8Array.from(parts), 0, 4);
  throw new ConfigError(setting, text, 'an IPv4 address, as "10.0.2.1"');
}

/** `ip` as people write it. */
export const formatIp = (ip: number): string => [24, 16, 8, 0].map((shift) => (ip >>> shift) & 0xff).join(".");

/** The mask of a network whose prefix is `prefix` (0 to 32) bits long. */
export const maskOf = (prefix: number): number => (prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0);
