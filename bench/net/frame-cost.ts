/**
 * What a frame costs the host: from the write to the sending card's tail register to the receiving card's write-back of
 * the descriptor, all that happens but the guests' instructions. Frames leave at the rate of the wire, one for each write
 * to the tail, and buffers are handed back one by one, so nothing is shared between frames but what the design shares.
 */
import { Clock, type EthernetPort, us } from "@castaway/kit";
import { Link, Network, type Party, Switch } from "@castaway/net";
import { Station } from "./station.ts";

export type FrameCost = { name: string; nanoseconds: number };

type Pair = { sender: Station; receiver: Station; run: (frames: number, gap: number) => void };
type Way = "link" | "switch" | "lockstep";

const addresses = ["52:54:00:00:00:01", "52:54:00:00:00:02"] as const;
/** Many short rounds: the best of them met nobody else on the machine. */
const rounds = 60;
/** Preamble, FCS and gap: what a frame takes on the wire besides its own bytes. */
const overhead = 24;

/** Both cards and the network on one clock, as two cards of one machine are. */
function together(way: Way, mtu: number): Pair {
  const clock = new Clock();
  const link = (name: string) => new Link({ clock, name, seed: 1 }, { mtu });
  let ends: EthernetPort[];
  if (way === "link") {
    const { a, b } = link("cable");
    ends = [a, b];
  } else {
    const lan = new Switch({ clock, name: "lan", ports: 4 });
    ends = ["left", "right"].map((name) => {
      const cable = link(name);
      lan.attach(cable.a);
      return cable.b;
    });
  }
  const [sender, receiver] = ends.map((end, n) => new Station(clock, end, addresses[n]));
  clock.advanceTo(us(200));
  const run = (frames: number, gap: number) => {
    for (let i = 0; i < frames; i++) {
      sender.send();
      clock.advanceTo(clock.now + gap);
      receiver.collect();
    }
    clock.advanceTo(clock.now + us(500));
    receiver.collect();
  };
  return { sender, receiver, run };
}

/** Two machines, each on a clock of its own, on a switch: sockets, and windows of the cables' latency, 20 us. */
function inLockstep(mtu: number): Pair {
  const net = new Network({ seed: 1, link: { mtu } });
  const lan = net.switch({ ports: 4 });
  let toSend = 0;
  let gap = us(1);
  const stations = addresses.map((mac, n) => {
    const clock = new Clock();
    const socket = net.socket(lan);
    const station = new Station(clock, socket, mac);
    let next = 0;
    const party: Party = {
      clock,
      get now() {
        return clock.now;
      },
      run: (time) => {
        for (; next < time; next += gap) {
          clock.advanceTo(Math.max(next, clock.now));
          if (n === 1) station.collect();
          else if (toSend-- > 0) station.send();
        }
        clock.advanceTo(time);
      },
    };
    net.join(party, socket);
    return station;
  });
  net.run(us(200));
  const run = (frames: number, between: number) => {
    toSend = frames;
    gap = between;
    net.run(frames * gap + us(500));
  };
  return { sender: stations[0], receiver: stations[1], run };
}

/** The best of several rounds, in nanoseconds a frame. */
function measure({ sender, receiver, run }: Pair, mtu: number, keepsCheck: boolean): number {
  const frame = Uint8Array.from({ length: 14 + mtu }, (_, i) => (i * 7) & 0xff);
  frame.set([0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 0x88, 0xb5]);
  for (const station of [sender, receiver]) station.start(frame, keepsCheck);
  const frames = 600;
  const gap = (frame.length + overhead) * 8;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const before = receiver.received;
    const start = performance.now();
    run(frames, gap);
    const took = performance.now() - start;
    const arrived = receiver.received - before;
    if (arrived !== frames) throw new Error(`${arrived} of ${frames} frames arrived`);
    best = Math.min(best, (took * 1e6) / frames);
  }
  return best;
}

/** Every way for frames of 1,500 and of 9,000 bytes of payload. */
export function frameCosts(only: (name: string) => boolean): FrameCost[] {
  const costs: FrameCost[] = [];
  for (const mtu of [1500, 9000]) {
    for (const keepsCheck of [false, true]) {
      for (const way of ["link", "switch", "lockstep"] as const) {
        const name = `${way} ${mtu}${keepsCheck ? " with CRC" : ""}`;
        if (!only(name)) continue;
        const pair = way === "lockstep" ? inLockstep(mtu) : together(way, mtu);
        costs.push({ name, nanoseconds: measure(pair, mtu, keepsCheck) });
      }
    }
  }
  return costs;
}
