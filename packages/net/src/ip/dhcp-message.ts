/** DHCP messages [RFC 2131 2] and their options [RFC 2132, RFC 3396]. */
import { readBig, writeBig } from "@castaway/kit";
import { readMac, writeMac } from "./address.ts";

export const dhcpPort = { server: 67, client: 68 } as const;

/** Values of option 53. */
export const dhcpType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** The options used here. [RFC 2132] unless said otherwise. */
export const dhcpOption = {
  pad: 0,
  subnetMask: 1,
  router: 3,
  domainNameServer: 6,
  domainName: 15,
  rootPath: 17,
  broadcastAddress: 28,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  parameterRequest: 55,
  message: 56,
  maximumSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientIdentifier: 61,
  tftpServer: 66,
  bootFile: 67,
  userClass: 77, // [RFC 3004]; iPXE sends the bare text "iPXE"
  architecture: 93, // [RFC 4578]
  ipxe: 175, // iPXE's own options, encapsulated
  end: 255,
} as const;

export type DhcpMessage = {
  /** 1: from a client, 2: from a server. */
  op: number;
  xid: number;
  secs: number;
  flags: number;
  ciaddr: number;
  yiaddr: number;
  siaddr: number;
  giaddr: number;
  mac: number;
  file: string;
  /** By code; the parts of one that came in several are joined [RFC 3396]. */
  options: Map<number, Uint8Array>;
};

/** In `flags`: the client cannot yet receive what is sent to its address. */
export const broadcastFlag = 0x8000;

const magic = 0x63825363;
const at = { sname: 44, file: 108, magic: 236, options: 240 };
/** BOOTP messages have so many bytes at least [RFC 951 3]; some clients drop shorter ones. */
const shortest = 300;

/** @returns the message, or why it is none: too short, of other hardware, without the cookie, or with broken options. */
export function parseDhcp(bytes: Uint8Array): DhcpMessage | "malformed" {
  if (bytes.length < at.options || readBig(bytes, at.magic, 4) !== magic) return "malformed";
  if (bytes[1] !== 1 || bytes[2] !== 6) return "malformed";
  const options = new Map<number, Uint8Array>();
  if (!readOptions(bytes.subarray(at.options), options)) return "malformed";
  const overload = options.get(dhcpOption.overload)?.[0] ?? 0;
  if (overload & 1 && !readOptions(bytes.subarray(at.file, at.magic), options)) return "malformed";
  if (overload & 2 && !readOptions(bytes.subarray(at.sname, at.file), options)) return "malformed";
  return {
    op: bytes[0],
    xid: readBig(bytes, 4, 4),
    secs: readBig(bytes, 8, 2),
    flags: readBig(bytes, 10, 2),
    ciaddr: readBig(bytes, 12, 4),
    yiaddr: readBig(bytes, 16, 4),
    siaddr: readBig(bytes, 20, 4),
    giaddr: readBig(bytes, 24, 4),
    mac: readMac(bytes, 28),
    file: overload & 1 ? "" : readText(bytes.subarray(at.file, at.magic)),
    options,
  };
}

/**
 * The message in at most `largest` bytes (300 or more). Options are written in their order; those that do not fit any
 * more, or are longer than 255 bytes, are left out.
 */
export function buildDhcp(message: DhcpMessage, largest: number): Uint8Array {
  const bytes = new Uint8Array(largest);
  bytes.set([message.op, 1, 6, 0]);
  writeBig(bytes, 4, 4, message.xid);
  writeBig(bytes, 8, 2, message.secs);
  writeBig(bytes, 10, 2, message.flags);
  writeBig(bytes, 12, 4, message.ciaddr);
  writeBig(bytes, 16, 4, message.yiaddr);
  writeBig(bytes, 20, 4, message.siaddr);
  writeBig(bytes, 24, 4, message.giaddr);
  writeMac(bytes, 28, message.mac);
  bytes.set(asciiBytes(message.file).subarray(0, at.magic - at.file - 1), at.file);
  writeBig(bytes, at.magic, 4, magic);
  let end = at.options;
  for (const [code, value] of message.options) {
    if (value.length > 255 || end + 2 + value.length + 1 > largest) continue; // the last byte is for the end option
    bytes.set([code, value.length], end);
    bytes.set(value, end + 2);
    end += 2 + value.length;
  }
  bytes[end++] = dhcpOption.end;
  return bytes.subarray(0, Math.max(shortest, end));
}

/** The address in an option of four bytes, or null. */
export const addressOf = (option: Uint8Array | undefined): number | null =>
  option?.length === 4 ? readBig(option, 0, 4) : null;

/** Words of four bytes, as options carry addresses and times. */
export function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  values.forEach((value, index) => {
    writeBig(bytes, 4 * index, 4, value);
  });
  return bytes;
}

/** The bytes of a text; what is not ASCII becomes a question mark. */
export const asciiBytes = (text: string): Uint8Array =>
  Uint8Array.from(text, (char) => (char <= "\x7f" ? char.charCodeAt(0) : 0x3f));

/** The text in bytes, up to the first zero. */
export function readText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, Math.min(end < 0 ? bytes.length : end, 1024)));
}

/** Adds the options in `bytes`. @returns false if one goes beyond their end */
function readOptions(bytes: Uint8Array, options: Map<number, Uint8Array>): boolean {
  for (let at = 0; at < bytes.length; ) {
    const code = bytes[at++];
    if (code === dhcpOption.end) return true;
    if (code === dhcpOption.pad) continue;
    if (at >= bytes.length || at + 1 + bytes[at] > bytes.length) return false;
    const value = bytes.subarray(at + 1, at + 1 + bytes[at]);
    const before = options.get(code);
    options.set(code, before === undefined ? value : Uint8Array.of(...before, ...value));
    at += 1 + value.length;
  }
  return true;
}
