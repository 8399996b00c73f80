/**
 * Packets as the protocols have them, typed once more on purpose: nothing of what is tested is used to make them. Numbers
 * are big-endian.
 */

/** `[value, bytes]`, or bytes as they are. */
export type Part = readonly [value: number, bytes: number] | Uint8Array;

export function pack(...parts: readonly Part[]): Uint8Array {
  const bytes: number[] = [];
  for (const part of parts) {
    if (part instanceof Uint8Array) bytes.push(...part);
    else for (let n = part[1] - 1; n >= 0; n--) bytes.push(Math.floor(part[0] / 256 ** n) % 256);
  }
  return Uint8Array.from(bytes);
}

export const text = (string: string): Uint8Array => Uint8Array.from(string, (char) => char.charCodeAt(0));

/** A big-endian number; bytes that are not there are zeros. */
export function number(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let n = 0; n < size; n++) value = value * 256 + (bytes[at + n] ?? 0);
  return value;
}

/** The Internet checksum, word by word. [RFC 1071] */
export function internetSum(...pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += 2) {
      sum += number(piece, at, 2);
      if (sum > 0xffff) sum -= 0xffff;
    }
  }
  return 0xffff - sum;
}

/** With its checksum at `at`, of it and what goes before. */
function summed(bytes: Uint8Array, at: number, ...before: readonly Uint8Array[]): Uint8Array {
  bytes.set(pack([internetSum(...before, bytes), 2]), at);
  return bytes;
}

export function ethernet(to: number, from: number, type: number, payload: Uint8Array): Uint8Array {
  const frame = pack([to, 6], [from, 6], [type, 2], payload);
  return frame.length >= 60 ? frame : pack(frame, new Uint8Array(60 - frame.length));
}

export const tagged = (frame: Uint8Array, tag: number): Uint8Array =>
  pack(frame.subarray(0, 12), [0x8100, 2], [tag, 2], frame.subarray(12));

export const arp = (operation: number, mac: number, ip: number, otherMac: number, otherIp: number): Uint8Array =>
  pack([1, 2], [0x0800, 2], [6, 1], [4, 1], [operation, 2], [mac, 6], [ip, 4], [otherMac, 6], [otherIp, 4]);

export function ipv4(source: number, to: number, protocol: number, payload: Uint8Array): Uint8Array {
  const length = 20 + payload.length;
  const head = pack([0x4500, 2], [length, 2], [7, 2], [0, 2], [64, 1], [protocol, 1], [0, 2], [source, 4], [to, 4]);
  return pack(summed(head, 10), payload);
}

export function udp(source: number, to: number, ports: readonly [from: number, to: number], data: Uint8Array) {
  const length = 8 + data.length;
  const pseudo = pack([source, 4], [to, 4], [17, 2], [length, 2]);
  return ipv4(source, to, 17, summed(pack([ports[0], 2], [ports[1], 2], [length, 2], [0, 2], data), 6, pseudo));
}

export const icmp = (source: number, to: number, type: number, rest: number, data: Uint8Array): Uint8Array =>
  ipv4(source, to, 1, summed(pack([type, 1], [0, 3], [rest, 4], data), 2));

/** Numbers `first`, `first` + 1, .. */
export const counting = (length: number, first = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, n) => (first + n) & 0xff);

export function dhcp(type: number, mac: number, more: { xid?: number; ciaddr?: number; options?: Uint8Array } = {}) {
  const { xid = 1, ciaddr = 0, options = new Uint8Array(0) } = more;
  const head = pack([0x01010600, 4], [xid, 4], [0, 4], [ciaddr, 4], [0, 12], [mac, 6], [0, 10], new Uint8Array(192));
  return pack(head, [0x63825363, 4], [53, 1], [1, 1], [type, 1], options, [255, 1]);
}

export const option = (code: number, value: Uint8Array): Uint8Array => pack([code, 1], [value.length, 1], value);

export const tftpRequest = (opcode: number, ...texts: readonly string[]): Uint8Array =>
  pack([opcode, 2], ...texts.flatMap((string) => [text(string), Uint8Array.of(0)]));

/** An AoE request. @param target shelf and slot */
export function aoe(command: number, target: readonly [number, number], tag: number, args: Uint8Array): Uint8Array {
  return pack([0x10, 1], [0, 1], [target[0], 2], [target[1], 1], [command, 1], [tag, 4], args);
}

export function ata(opcode: number, lba: number, count: number, data: Uint8Array): Uint8Array {
  const address = pack([lba, 6]).reverse(); // the only number of AoE with the low byte first
  return pack([0x40, 1], [0, 1], [count, 1], [opcode, 1], address, [0, 2], data);
}

/** A router solicitation [RFC 4861 4.1] from a link-local address. */
export function solicitation(mac: number): Uint8Array {
  const source = pack([0xfe80, 2], [0, 6], [Math.floor(mac / 2 ** 24), 3], [0xfffe, 2], [mac % 2 ** 24, 3]);
  const to = pack([0xff02, 2], [0, 12], [2, 2]);
  const message = pack([0x8500, 2], [0, 2], [0, 4], [0x0101, 2], [mac, 6]);
  const body = summed(message, 2, source, to, pack([message.length, 4], [58, 4]));
  return pack([0x6000, 2], [0, 2], [body.length, 2], [58, 1], [255, 1], source, to, body);
}
