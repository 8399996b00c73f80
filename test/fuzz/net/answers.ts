/** Whether what servers send is well-formed, by a decoder that shares nothing with what makes it. */
import { assertHolds, Failure } from "../devices/failure.ts";
import {
  aoeMac,
  diskByte,
  diskSectors,
  fixedIp,
  hostIps,
  hostMacs,
  pool,
  readOnlySlot,
  shelf,
  writableSlot,
} from "./addresses.ts";
import { internetSum, number, pack } from "./packets.ts";

const holds = (condition: boolean, what: string, frame: Uint8Array): void =>
  assertHolds(condition, "answer", () => `${what}: ${Buffer.from(frame.subarray(0, 120)).toString("hex")}`);

/** A frame that left a host with DHCP and TFTP servers (0), or one with nothing (1). */
export function checkHostFrame(frame: Uint8Array, host: number): void {
  holds(frame.length >= 60 && number(frame, 6, 6) === hostMacs[host], "a host's frame", frame);
  const body = frame.subarray(14);
  const type = number(frame, 12, 2);
  if (type === 0x0806) checkArp(frame, body, host);
  else if (type === 0x0800) checkIpv4(frame, body, host);
  else if (type === 0x86dd) checkIpv6(frame, body);
  else throw new Failure("answer", `a host sends frames of type ${type.toString(16)}`);
}

function checkArp(frame: Uint8Array, body: Uint8Array, host: number): void {
  const operation = number(body, 6, 2);
  holds(number(body, 0, 6) === 0x0001_0800_0604 && (operation === 1 || operation === 2), "ARP", frame);
  holds(number(body, 8, 6) === hostMacs[host] && number(body, 14, 4) === hostIps[host], "ARP: the sender", frame);
  holds(
    operation === 1 ? number(frame, 0, 6) === 0xffff_ffff_ffff : number(frame, 0, 6) === number(body, 18, 6),
    "ARP: to",
    frame,
  );
}

function checkIpv4(frame: Uint8Array, body: Uint8Array, host: number): void {
  const length = number(body, 2, 2);
  holds(body[0] === 0x45 && length >= 28 && length <= body.length, "IPv4: lengths", frame);
  holds(internetSum(body.subarray(0, 20)) === 0, "IPv4: checksum", frame);
  holds(number(body, 6, 2) === 0x4000 && number(body, 12, 4) === hostIps[host], "IPv4: fragment, source", frame);
  holds(frame.length === Math.max(60, 14 + length), "IPv4: padding", frame);
  const payload = body.subarray(20, length);
  if (body[9] === 1) checkIcmp(frame, payload);
  else if (body[9] === 17) checkUdp(frame, body, payload, host);
  else throw new Failure("answer", `IPv4: protocol ${body[9]}`);
}

function checkIcmp(frame: Uint8Array, message: Uint8Array): void {
  holds(internetSum(message) === 0, "ICMP: checksum", frame);
  holds([0, 3, 8].includes(message[0]!) && message[1] === (message[0] === 3 ? 3 : 0), "ICMP: type", frame);
}

function checkUdp(frame: Uint8Array, packet: Uint8Array, datagram: Uint8Array, host: number): void {
  holds(number(datagram, 4, 2) === datagram.length && number(datagram, 6, 2) !== 0, "UDP: length", frame);
  const pseudo = pack(packet.subarray(12, 20), [17, 2], [datagram.length, 2]);
  holds(internetSum(pseudo, datagram) === 0, "UDP: checksum", frame);
  const port = number(datagram, 0, 2);
  holds(host === 0 && (port === 67 || port === 69 || port >= 49152), "UDP: from a port where nobody is", frame);
  if (port === 67) checkDhcp(frame, datagram.subarray(8));
  else checkTftp(frame, datagram.subarray(8));
}

function checkDhcp(frame: Uint8Array, message: Uint8Array): void {
  holds(message.length >= 300 && message[0] === 2 && number(message, 236, 4) === 0x63825363, "DHCP: header", frame);
  const options = new Map<number, Uint8Array>();
  let at = 240;
  while (at < message.length && message[at] !== 255) {
    const length = message[at + 1] ?? 0;
    holds(at + 2 + length < message.length, "DHCP: an option without end", frame);
    options.set(message[at]!, message.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  holds(message[at] === 255, "DHCP: no end", frame);
  const type = options.get(53)?.[0];
  holds(type === 2 || type === 5 || type === 6, "DHCP: type", frame);
  const mine = options.get(54);
  holds(mine !== undefined && number(mine, 0, 4) === hostIps[0], "DHCP: server identifier", frame);
  const given = number(message, 16, 4);
  const isOurs = given === fixedIp || (given >= pool.first && given <= pool.last);
  holds(type === 2 ? isOurs : isOurs || given === 0, "DHCP: an address that is not the server's to give", frame);
}

function checkTftp(frame: Uint8Array, packet: Uint8Array): void {
  const opcode = number(packet, 0, 2);
  if (opcode === 3) holds(packet.length >= 4, "TFTP: data", frame);
  else if (opcode === 5)
    holds(packet.length >= 5 && packet[2] === 0 && packet[3]! <= 8 && packet.at(-1) === 0, "TFTP: error", frame);
  else {
    const zeros = packet.subarray(2).filter((byte) => byte === 0).length;
    holds(opcode === 6 && packet.at(-1) === 0 && zeros > 0 && zeros % 2 === 0, "TFTP: option acknowledgement", frame);
  }
}

function checkIpv6(frame: Uint8Array, packet: Uint8Array): void {
  const length = number(packet, 4, 2);
  holds(packet[0] === 0x60 && packet[6] === 58 && packet[7] === 255 && 40 + length <= packet.length, "IPv6", frame);
  const message = packet.subarray(40, 40 + length);
  holds(internetSum(packet.subarray(8, 40), pack([length, 4], [58, 4]), message) === 0, "ICMPv6: checksum", frame);
  holds(message[0] === 134 && number(message, 6, 2) === 0, "ICMPv6: not an advertisement of no router", frame);
}

/** A frame that left the AoE server. */
export function checkAoeFrame(frame: Uint8Array): void {
  holds(frame.length >= 60 && number(frame, 6, 6) === aoeMac && number(frame, 12, 2) === 0x88a2, "AoE: header", frame);
  const [flags, error, slot] = [frame[14]!, frame[15]!, frame[18]!];
  holds((flags & 0xf8) === 0x18, "AoE: version, response", frame);
  holds(number(frame, 16, 2) === shelf && (slot === writableSlot || slot === readOnlySlot), "AoE: target", frame);
  if ((flags & 4) !== 0) return holds(error >= 1 && error <= 6, "AoE: error", frame);
  holds(error === 0 && [0, 1, 2, 3, 0xf0].includes(frame[19]!), "AoE: command", frame);
  if (frame[19] === 0xf0) checkFragment(frame, slot);
}

function checkFragment(frame: Uint8Array, slot: number): void {
  const [lba, sectors, index, total] = [
    number(frame, 28, 6),
    number(frame, 34, 4),
    number(frame, 38, 2),
    number(frame, 40, 2),
  ];
  if (total === 0) return holds(frame.length === 60 && index === 0, "AoE: what can be read", frame);
  holds(index < total && lba + sectors <= diskSectors, "AoE: fragment", frame);
  const isHole = (frame[25]! & 1) !== 0;
  holds(frame.length === (isHole ? 60 : 42 + 512 * sectors), "AoE: length of a fragment", frame);
  if (slot !== readOnlySlot) return;
  for (let n = 0; n < sectors * 512; n += isHole ? 512 : 1) {
    const byte = diskByte(lba + Math.floor(n / 512), n % 512);
    holds(byte === (isHole ? 0 : frame[42 + n]), "AoE: not what is on the disk", frame);
  }
}
