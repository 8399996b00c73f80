/** What is done to a network, made up from a seed: requests of all protocols, right, wrong and hostile; weather; time. */
import { Random, us } from "@castaway/kit";
import type { LinkOptions, WireOptions } from "@castaway/net";
import type { Action, Setup } from "./actions.ts";
import { aoeMac, echoType, files, hostIps, hostMacs, pool, shelf, stationIp, stationMac } from "./addresses.ts";
import * as p from "./packets.ts";

const broadcast = 0xffff_ffff_ffff;
const anybody = 0xffff_ffff;

/** Any cable: fast or slow, near or far, good or bad. */
export function linkOptions(random: Random): LinkOptions {
  const options: { -readonly [name in keyof WireOptions]: WireOptions[name] } = {
    bandwidth: random.pick([1e9, 1e9, 1e8, 1e7, 123_456_789, Number.POSITIVE_INFINITY]),
    latency: us(random.pick([1, 5, 20, 20, 100, 700])),
    queue: random.pick([0, 1000, 20_000, 65_536]),
  };
  if (random.chance(0.3)) options.jitter = us(random.below(50));
  if (random.chance(0.3)) options.loss = random.pick([0.02, 0.3, 1]);
  if (random.chance(0.3)) options.duplication = random.pick([0.05, 0.5]);
  if (random.chance(0.3)) options.reordering = random.pick([0.05, 0.5]);
  if (random.chance(0.3)) options.reorderDelay = us(random.below(2000));
  if (random.chance(0.3)) options.corruption = random.pick([0.05, 0.5]);
  if (random.chance(0.5)) options.deliverCorrupted = random.chance(0.7);
  if (random.chance(0.2)) options.mtu = random.pick([46, 600, 1500, 9000]);
  return options;
}

export function setupOf(seed: number): Setup {
  const random = new Random(`${seed}/network`);
  const stations = 2 + random.below(4);
  const mtu = random.pick([1500, 1500, 9000]);
  return {
    seed,
    switches: random.pick([1, 1, 2, 3]),
    loop: random.chance(0.05),
    table: random.pick([0, 1, 4, 64]),
    ageing: us(random.pick([50, 1000, 300_000_000])),
    stations,
    machines: random.below(3),
    mtu,
    link: { ...(random.chance(0.5) ? linkOptions(random) : {}), mtu },
    slow: random.chance(0.5),
  };
}

export function actionsOf(setup: Setup, steps: number): Action[] {
  const random = new Random(`${setup.seed}/actions`);
  return Array.from({ length: steps }, () => action(random, setup));
}

function action(random: Random, setup: Setup): Action {
  const kind = random.below(100);
  if (kind < 50) {
    const station = random.below(setup.stations);
    return ["frame", station, frame(random, setup, station)];
  }
  if (kind < 54) {
    const station = random.below(setup.stations);
    return ["flood", station, frame(random, setup, station), random.below(400)];
  }
  if (kind < 84) {
    const long = setup.loop ? 2000 : 1_200_000; // frames that go round never end: a second of them takes too long
    return ["run", us(random.below(random.chance(0.05) ? long : 300))];
  }
  if (kind < 87) return ["pull", random.below(16)];
  if (kind < 93) return ["change", random.below(16), random.pick(["toA", "toB"] as const), linkOptions(random)];
  if (kind < 95) return ["plug", random.below(4), linkOptions(random)];
  const count = random.pick([1, 1, 40, 1100]);
  return [
    "ping",
    random.below(2),
    random.pick([...hostIps, pool.first, 0x0a00_02ff, 0x0800_0808]),
    random.below(2000),
    count,
  ];
}

/** A request of a station: as it should be, or with something wrong with it. */
function frame(random: Random, setup: Setup, station: number): Uint8Array {
  const whole = random.chance(0.04) ? noise(random, setup.mtu) : request(random, setup, station);
  const damaged = random.chance(0.35) ? damage(random, whole) : whole;
  return random.chance(0.06) ? p.tagged(damaged, random.pick([0, 0xe000, 1, random.below(0x1_0000)])) : damaged;
}

const noise = (random: Random, mtu: number): Uint8Array =>
  random.fill(new Uint8Array(random.pick([0, 13, 14, 60, 14 + mtu, 15 + mtu, random.below(2000)])));

function request(random: Random, { mtu, stations }: Setup, station: number): Uint8Array {
  const from = stationMac(random.chance(0.9) ? station : random.below(stations));
  const host = random.below(2);
  const to = random.pick([hostMacs[host]!, hostMacs[0], broadcast]);
  switch (random.below(7)) {
    case 0:
      return p.ethernet(to, from, 0x0806, arpPacket(random, station, host));
    case 1:
      return p.ethernet(to, from, 0x86dd, p.solicitation(from));
    case 2:
      return p.ethernet(stationMac(random.below(stations)), from, echoType, p.pack([random.below(4), 1]));
    case 3:
      return p.ethernet(hostMacs[0], from, 0x0800, tftpPacket(random, station));
    case 4:
      return p.ethernet(random.pick([hostMacs[0], broadcast]), from, 0x0800, dhcpPacket(random, from));
    case 5: {
      const data = p.counting(random.below(random.pick([100, mtu])));
      return p.ethernet(
        to,
        from,
        0x0800,
        p.icmp(ipOf(random, station), hostIps[host]!, random.pick([8, 8, 0, 3]), 1, data),
      );
    }
    default:
      return p.ethernet(random.pick([aoeMac, aoeMac, broadcast]), from, 0x88a2, aoeMessage(random));
  }
}

const ipOf = (random: Random, station: number): number =>
  random.chance(0.9)
    ? stationIp(station)
    : random.pick([0, anybody, hostIps[0], 0x7f00_0001, 0x0a00_02ff, random.u32()]);

function arpPacket(random: Random, station: number, host: number): Uint8Array {
  const mac = random.chance(0.9) ? stationMac(station) : random.pick([0, broadcast, hostMacs[0]]);
  return p.arp(random.pick([1, 1, 2, 3]), mac, ipOf(random, station), 0, random.pick([hostIps[host]!, random.u32()]));
}

function dhcpPacket(random: Random, from: number): Uint8Array {
  const type = random.pick([1, 1, 3, 3, 3, 4, 7, 8, random.below(256)]);
  const mac = random.chance(0.6) ? from : 0x0200_0000_0000 + random.below(60);
  const address = random.pick([pool.first, pool.first + random.below(24), hostIps[0], 0, random.u32()]);
  const options: Uint8Array[] = [];
  if (random.chance(0.6)) options.push(p.option(50, p.pack([address, 4])));
  if (random.chance(0.5)) options.push(p.option(54, p.pack([random.pick([hostIps[0], hostIps[1]]), 4])));
  if (random.chance(0.3)) options.push(p.option(60, p.text("PXEClient:Arch:00000")));
  if (random.chance(0.2)) options.push(p.option(77, p.text("iPXE")));
  if (random.chance(0.2)) options.push(p.option(61, random.fill(new Uint8Array(random.below(255)))));
  if (random.chance(0.2)) options.push(p.option(57, p.pack([random.pick([0, 576, 1500, 0xffff]), 2])));
  if (random.chance(0.1)) options.push(p.option(52, p.pack([random.below(5), 1])));
  if (random.chance(0.1)) options.push(p.option(random.below(256), random.fill(new Uint8Array(random.below(40)))));
  const ciaddr = random.chance(0.3) ? address : 0;
  const data = p.dhcp(type, mac, { xid: random.below(4), ciaddr, options: p.pack(...options) });
  if (random.chance(0.1)) data.set(p.pack([random.pick([hostIps[1], stationIp(0), random.u32()]), 4]), 24); // a relay
  if (random.chance(0.3)) data[10] = 0x80;
  return p.udp(ciaddr, random.pick([anybody, hostIps[0]]), [68, 67], data);
}

function tftpPacket(random: Random, station: number): Uint8Array {
  const source = stationIp(station);
  const ports = [2000 + random.below(3), random.chance(0.6) ? 49152 + random.below(12) : 69] as const;
  return p.udp(source, hostIps[0], ports, ports[1] === 69 ? tftpStart(random) : tftpNext(random));
}

function tftpStart(random: Random): Uint8Array {
  const known = Object.keys(files);
  const name = random.pick([...known, ...known, ...known, "/boot.ipxe", "../../etc/passwd", "__proto__", ""]);
  const texts = [name, random.pick(["octet", "octet", "octet", "octet", "OCTET", "netascii"])];
  const size = () => random.pick(["0", "7", "8", "512", "1428", "65464", "-1", "1e3", "99999999999999999999"]);
  for (const [option, chance] of [
    ["blksize", 0.5],
    ["windowsize", 0.4],
    ["tsize", 0.4],
    ["timeout", 0.2],
  ] as const)
    if (random.chance(chance)) texts.push(option, size());
  return p.tftpRequest(random.pick([1, 1, 1, 1, 1, 1, 1, 2, random.below(9)]), ...texts);
}

const tftpNext = (random: Random): Uint8Array =>
  random.chance(0.85)
    ? p.pack([4, 2], [random.pick([0, 1, 2, 3, 10, 0xffff, random.below(0x1_0000)]), 2])
    : p.pack([random.pick([3, 5, 6]), 2], [random.below(9), 2], random.fill(new Uint8Array(random.below(20))));

function aoeMessage(random: Random): Uint8Array {
  const target = [
    random.pick([shelf, shelf, 0xffff, random.below(9)]),
    random.pick([2, 2, 3, 0xff, random.below(9)]),
  ] as const;
  const near = random.pick([0, 1, 56, 60, 64, 100, random.below(192)]);
  const lba = random.chance(0.75) ? near : random.pick([250, 255, 256, 2 ** 28 - 1, 2 ** 48 - 1]);
  const tag = random.u32();
  const command = random.pick([0, 0, 0, 0, 0, 0, 1, 0xf0, 0xf0, 0xf0, 0xf0, random.pick([2, 3, 3, random.below(256)])]);
  if (command === 0) {
    const count = random.pick([0, 1, 1, 2, 3, 17]);
    const data = random.fill(new Uint8Array(random.pick([0, 0, count * 512, count * 512, 100])));
    return p.aoe(
      0,
      target,
      tag,
      p.ata(random.pick([0x20, 0x24, 0x30, 0x34, 0x34, 0xec, 0xe7, random.below(256)]), lba, count, data),
    );
  }
  if (command === 0xf0) {
    const sectors = random.pick([0, 1, 8, 8, 64, 64, 256, 257, random.u32()]);
    const args = p.pack(
      [random.pick([1, 1, 1, 1, 2]), 1],
      [random.below(2), 1],
      [random.below(9), 2],
      [lba, 6],
      [sectors, 4],
    );
    return p.aoe(command, target, tag, p.pack(args, [random.pick([0, 1, 2, 100]), 2], [0, 2]));
  }
  if (command === 1) {
    const string = p.counting(random.pick([0, 5, 1024, 1025]), random.below(2));
    return p.aoe(1, target, tag, p.pack([0, 4], [0, 1], [0x10 | random.below(6), 1], [string.length, 2], string));
  }
  const count = random.pick([0, 0, 0, 1, 3]);
  const macs = Array.from({ length: count }, () => stationMac(random.below(6)));
  if (command === 3)
    return p.aoe(3, target, tag, p.pack([random.below(4), 1], [count, 1], ...macs.map((mac) => [mac, 6] as const)));
  const directives = macs.map((mac) => p.pack([random.below(4), 2], [mac, 6]));
  return p.aoe(command, target, tag, p.pack([0, 1], [random.below(3), 1], [0, 1], [count, 1], ...directives));
}

/** Bytes changed, the end cut off or drawn out, a length or an offset of the header made hostile. */
function damage(random: Random, frame: Uint8Array): Uint8Array {
  const changed = frame.slice();
  const at = (most: number) => random.below(Math.max(1, Math.min(most, changed.length)));
  switch (random.below(5)) {
    case 0:
      return changed.subarray(0, at(changed.length));
    case 1:
      return p.pack(changed, random.fill(new Uint8Array(random.below(64))));
    case 2:
      changed[at(64)] = random.pick([0, 1, 0x7f, 0x80, 0xff]);
      break;
    case 3:
      for (let n = random.below(6); n >= 0; n--) changed[at(changed.length)] = random.u32();
      break;
    default:
      changed[at(60)] = random.pick([0, 1, 0xff, random.below(256)]);
      changed[at(60)] = random.pick([0, 1, 0xff, random.below(256)]);
      if (random.chance(0.7)) mendIpv4(changed);
  }
  return changed;
}

/** Makes the checksum of an IPv4 header right, so that what is wrong is looked at. */
function mendIpv4(frame: Uint8Array): void {
  if (frame.length < 34 || p.number(frame, 12, 2) !== 0x0800) return;
  const length = Math.min(4 * (frame[14]! & 15), frame.length - 14);
  frame.set([0, 0], 24);
  frame.set(p.pack([p.internetSum(frame.subarray(14, 14 + length)), 2]), 24);
}
