/** What Linux counts, and what its driver reads from the card's statistics registers, is what was on the wires. */
import assert from "node:assert/strict";
import { ms, seconds } from "@castaway/kit";
import type { WireStatistics } from "@castaway/net";
import { mount, serve } from "./aoe.ts";
import { dataImage } from "./image.ts";
import { Lab, type Linux } from "./linux.ts";

/** A file of the demo disk: 4 MB. */
const BULK = "/data/lines.txt";
/** The driver looks at link and statistics every 2 s. */
const WATCHDOG = seconds(2.5);

/** Sends the file by TCP. */
function transfer(lab: Lab, from: Linux, to: Linux): void {
  to.start("nc -l -p 5000 | md5sum");
  lab.net.run(ms(100));
  lab.run(from, `nc ${to.address} 5000 < ${BULK}`);
  assert.equal(lab.finish(to), lab.run(from, `md5sum < ${BULK}`));
}

/** The files of /sys/class/net/eth0/statistics. */
function counters(lab: Lab, linux: Linux): Record<string, number> {
  const lines = lab.run(linux, "grep . statistics/*").trim().split(/\s+/);
  return Object.fromEntries(
    lines.map((line) => /(\w+):(\d+)$/.exec(line)!).map(([, name, value]) => [name, Number(value)]),
  );
}

/** Checks what Linux has counted. @param rx what it must have received @param special counters that are not 0 */
function agrees(
  lab: Lab,
  linux: Linux,
  rx: { frames: number; bytes: number },
  special: Record<string, number> = {},
): void {
  const told = counters(lab, linux);
  const { toA } = linux.link;
  const expected: Record<string, number> = {
    ...Object.fromEntries(Object.keys(told).map((name) => [name, 0])),
    rx_packets: rx.frames,
    rx_bytes: rx.bytes,
    tx_packets: toA.statistics.sentFrames,
    tx_bytes: toA.statistics.sentBytes,
    ...special,
  };
  assert.deepEqual(told, expected);
  const { sent } = linux.socket.statistics;
  assert.equal(sent, toA.statistics.sentFrames);
  const line = lab.run(linux, "grep eth0 /proc/net/dev").replace(/.*:/, "").trim().split(/\s+/).map(Number);
  const [bytes, packets, errors, drops, , frame, , multicast, txBytes, txPackets] = line;
  assert.deepEqual([bytes, packets, txBytes, txPackets], [rx.bytes, rx.frames, told.tx_bytes, told.tx_packets]);
  const { rx_errors, rx_dropped, rx_missed_errors, rx_length_errors } = told;
  assert.deepEqual([errors, drops, frame], [rx_errors, rx_dropped + rx_missed_errors, rx_length_errors]);
  assert.equal(multicast, told.multicast);
}

const delivered = ({ toB }: Linux["link"]) => ({
  frames: toB.statistics.deliveredFrames,
  bytes: toB.statistics.deliveredBytes,
});

/** Somebody who sends frames to a machine, one after the other. */
function stranger(lab: Lab) {
  const port = lab.net.plug(lab.lan, (place) => place.port, { mtu: 9000 });
  port.connect({ receive: () => {}, link: () => {} });
  return (to: string, count: number, bytes: number) => {
    const frame = new Uint8Array(bytes);
    const view = new DataView(frame.buffer);
    for (const [at, mac] of [to, "52:54:00:00:02:00"].entries())
      for (const [n, byte] of mac.split(":").entries()) frame[6 * at + n] = Number.parseInt(byte, 16);
    view.setUint16(12, 0x88b5); // for experiments: nobody listens [802 9.2]
    for (let n = 0; n < count; n++) port.send(frame);
    lab.net.run(ms(20));
  };
}

/** Pings and TCP first; then frames that are dropped by the card for each of its reasons, or by Linux. */
export function countersAgree(): string {
  const lab = new Lab();
  const [one, other] = lab.linuxes(2, { mtu: 9000 });
  for (const linux of [one, other])
    lab.run(linux, "ip link set eth0 mtu 1500; until grep -q 1 carrier; do usleep 20000; done");
  lab.run(one, `ping -q -c 50 -i 0.01 -s 1000 ${other.address}`);
  transfer(lab, one, other);
  transfer(lab, other, one);
  for (const linux of [one, other]) {
    lab.net.run(WATCHDOG);
    agrees(lab, linux, delivered(linux.link));
    assert.equal(lab.run(linux, "cat carrier operstate speed duplex").replace(/\s+/g, " "), "1 up 1000 full ");
  }
  const bulk = counters(lab, one);

  const send = stranger(lab);
  const before = delivered(one.link);
  const group = "01:00:5e:01:02:03";
  send(one.mac, 10, 60); // nobody listens: dropped by Linux
  send(one.mac, 7, 1600); // too long for this MTU
  send(group, 5, 100); // filtered by the card
  lab.run(one, "ifconfig eth0 allmulti");
  send(group, 3, 100);
  one.link.toB.change({ bandwidth: 100e9, queue: 1 << 30 });
  send(one.mac, 1000, 60); // more than there are descriptors, before Linux can look
  lab.net.run(WATCHDOG);
  const told = counters(lab, one);
  const missed = told.rx_missed_errors;
  const taken = 10 + 3 + 1000 - missed;
  assert.ok(missed > 0);
  const rx = { frames: before.frames + taken, bytes: before.bytes + 60 * (taken - 3) + 100 * 3 };
  agrees(lab, one, rx, {
    rx_dropped: taken,
    rx_errors: 7,
    rx_length_errors: 7,
    rx_missed_errors: missed,
    multicast: 3,
  });
  return `${bulk.rx_packets} frames received and ${bulk.tx_packets} sent, ${missed} of 1000 in one burst missed`;
}

/** The cable is pulled and put in again in the middle of a transfer. */
export function linkDownAndUp(): string {
  const lab = new Lab();
  const [one, other] = lab.linuxes(2);
  const states = () => lab.run(one, "cat carrier operstate").replace(/\s+/g, " ");
  const log = (text: string) => lab.run(one, "dmesg").split(text).length - 1;
  other.start("nc -l -p 5000 | md5sum");
  lab.net.run(ms(100));
  lab.run(one, `(nc ${other.address} 5000 < ${BULK} &)`);
  lab.until("middle of the transfer", seconds(5), () => other.link.toB.statistics.deliveredBytes > 2_000_000);
  one.link.up = false;
  lab.net.run(WATCHDOG); // an interrupt tells the driver, which only looks when it is time all the same
  assert.equal(states(), "0 down ");
  assert.equal(log("eth0 NIC Link is Down"), 1);
  const ups = log("eth0 NIC Link is Up 1000 Mbps Full Duplex");
  assert.equal(other.output(), null);
  one.link.up = true;
  const back = lab.net.now;
  const digest = lab.finish(other, seconds(60));
  const after = (lab.net.now - back) / 1e9;
  assert.equal(lab.run(one, `md5sum < ${BULK}`), digest);
  assert.equal(states(), "1 up ");
  assert.equal(log("eth0 NIC Link is Up 1000 Mbps Full Duplex"), ups + 1);
  assert.match(lab.run(one, `ping -c 5 -i 0.1 ${other.address}`), / 0% packet loss/);
  const { linkDown } = one.link.toA.statistics;
  return `the transfer was over ${after.toFixed(2)} s after the cable was back, ${linkDown} frames lost at the cable`;
}

/** The real ethtool on a disk by AoE: the driver's sums of the registers, and its tests of the card. */
export function ethtool(): string {
  const lab = new Lab();
  serve(lab, dataImage());
  const [one, other] = lab.linuxes(2);
  mount(lab, one, "ro");
  const tool = (options: string) => lab.run(one, `chroot /mnt ethtool ${options}`);
  assert.match(tool("eth0"), /Speed: 1000Mb\/s.*Duplex: Full.*Auto-negotiation: on.*Link detected: yes/s);
  lab.run(one, `ping -q -c 50 -i 0.01 -s 1000 ${other.address}`);
  transfer(lab, one, other);
  transfer(lab, other, one);
  const told = Object.fromEntries(
    [...tool("-S eth0").matchAll(/(\w+): (\d+)/g)].map(([, name, n]) => [name, Number(n)]),
  );
  const { toA, toB } = one.link;
  const withCheck = (frames: keyof WireStatistics, bytes: keyof WireStatistics, { statistics }: typeof toA) =>
    statistics[bytes] + 4 * statistics[frames];
  const expected = {
    tx_packets: toA.statistics.sentFrames,
    tx_bytes: withCheck("sentFrames", "sentBytes", toA),
    rx_packets: toB.statistics.deliveredFrames,
    rx_bytes: withCheck("deliveredFrames", "deliveredBytes", toB),
  };
  const { tx_packets, tx_bytes, rx_packets, rx_bytes } = told;
  assert.deepEqual({ tx_packets, tx_bytes, rx_packets, rx_bytes }, expected);
  for (const [name, value] of Object.entries(told))
    if (/error|dropped|fail|collision|no_buffer/.test(name)) assert.equal(value, 0, name);
  assert.ok(told.tx_tcp_seg_good > 0 && told.rx_csum_offload_good > 0);
  const tests = tool("-t eth0 offline"); // fails, with a status, if one of them does
  assert.match(tests, /result is PASS/);
  const { tx_tcp_seg_good, rx_csum_offload_good } = told;
  return `${tx_packets} frames sent, ${tx_tcp_seg_good} segmentations, ${rx_csum_offload_good} checksums; registers, EEPROM, interrupts, loopback, link pass`;
}
