/** Two Linux machines ping each other; every frame that the cables lost is a reply that is missing. */
import assert from "node:assert/strict";
import type { FrameSeen } from "@castaway/net";
import { Lab, type Linux } from "./linux.ts";

const ECHOES = 200;

/** Of the data `size` bytes: a datagram has 28 more. */
type Series = { readonly mtu: number; readonly size: number; readonly loss?: number };

export const smallPings = (): string => pings({ mtu: 1500, size: 56 }, { mtu: 1500, size: 1472 });
export const largePings = (): string => pings({ mtu: 9000, size: 8972 }, { mtu: 9000, size: 60_000 });
export const manyFragments = (): string => pings({ mtu: 1500, size: 60_000, loss: 0.002 });

const pings = (...all: readonly Series[]): string => {
  const lab = new Lab({ seed: 3 });
  const machines = lab.linuxes(2, { mtu: all[0].mtu });
  const [one, other] = machines;
  lab.run(one, `arp -s ${other.address} ${other.mac}`); // so that nothing but pings is on the wires
  lab.run(other, `arp -s ${one.address} ${one.mac}`);
  // Echoes with holes wait for 30 s. Linux lets them have 4 MB, and gives up whole ones beyond that.
  for (const linux of machines) lab.run(linux, "sysctl -w net.ipv4.ipfrag_high_thresh=33554432");
  return all
    .map((series) => `${series.size} bytes: ${lossless(lab, one, other, series)}, ${lossy(lab, one, other, series)}`)
    .join("; ");
};

function lossless(lab: Lab, one: Linux, other: Linux, { size }: Series): string {
  const log = lab.run(one, `ping -q -c ${ECHOES} -i 0.01 -s ${size} ${other.address}`);
  assert.match(log, new RegExp(`${ECHOES} packets received, 0% packet loss`));
  const [, average] = /min\/avg\/max = [\d.]+\/([\d.]+)\//.exec(log) ?? [];
  return `${average} ms there and back`;
}

/** The same with losses on both cables and in both directions. */
function lossy(lab: Lab, one: Linux, other: Linux, { size, loss = 0.02 }: Series): string {
  const wires = [one, other].flatMap(({ link }) => [link.toA, link.toB]);
  const ends = [one, other].flatMap(({ link }) => [link.a, link.b]);
  const lost = new Set<string>();
  let frames = 0;
  const listeners = ends.map(({ seen }) =>
    seen.on(({ frame, drop }: FrameSeen) => {
      if (drop === undefined) return;
      frames++;
      lost.add(echoOf(frame));
    }),
  );
  const before = sum(wires.map(({ statistics }) => statistics.lost));
  for (const wire of wires) wire.change({ loss });
  const log = lab.run(one, `ping -q -c ${ECHOES} -i 0.01 -W 1 -s ${size} ${other.address}`);
  for (const wire of wires) wire.change({ loss: 0 });
  for (const end of listeners) end();
  assert.equal(sum(wires.map(({ statistics }) => statistics.lost)) - before, frames);
  const received = Number(/(\d+) packets received/.exec(log)?.[1]);
  assert.equal(ECHOES - received, lost.size, `${log}\nthe cables lost parts of ${lost.size} echoes`);
  assert.ok(lost.size > 0);
  return `${frames} frames lost, ${received} of ${ECHOES} replies`;
}

/**
 * Which echo a frame is a part of: its sender and its sequence number, or, if it is a fragment, the identification. An echo that
 * was lost has no reply that could be lost too.
 */
function echoOf(frame: Uint8Array): string {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  assert.equal(view.getUint16(12), 0x0800);
  assert.equal(frame[23], 1, "ICMP");
  const isFragment = (view.getUint16(20) & 0x3fff) !== 0;
  const number = isFragment ? `fragment of ${view.getUint16(18)}` : `sequence ${view.getUint16(40)}`;
  return `${frame[29]} ${number}`;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
