/** AoE reads a second of host time: a server, a cable and a client that asks for the next sectors when it has the last. */
import { type BlockDevice, Clock, mib, Random, writeBig } from "@castaway/kit";
import { AoeServer, Link } from "@castaway/net";

export type AoeRate = { name: string; requests: number; mebibytes: number };

const sector = 512;
/** Many short rounds: the best of them met nobody else on the machine. */
const rounds = 40;
const serverMac = 0x5254_0000_0001;

/** 16 MiB of noise: no sector is zero, so all of them travel. */
function noise(): BlockDevice {
  const bytes = new Random(1).fill(new Uint8Array(mib(16)));
  return {
    sectorSize: sector,
    sectors: bytes.length / sector,
    readOnly: true,
    read(lba, into) {
      into.set(bytes.subarray(lba * sector, lba * sector + into.length));
      return true;
    },
    write: () => false,
    flush: () => true,
  };
}

/** A request of docs/aoe-extension.md, whose LBA and tag are still to come. */
function request(sectors: number): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set([0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 2, 0x88, 0xa2, 0x10]);
  frame[19] = 0xf0;
  frame[24] = 1;
  writeBig(frame, 34, 4, sectors);
  return frame;
}

/** Reads of `sectors` one after the other; the best round, in milliseconds of host time for `count` of them. */
function measure(sectors: number, mtu: number, count: number): number {
  const clock = new Clock();
  const { a, b } = new Link({ clock, name: "cable", seed: 1 }, { mtu, queue: mib(4) });
  const targets = [{ shelf: 0, slot: 0, disk: noise() }];
  new AoeServer({ clock, port: a, mac: serverMac, targets, mtu, extended: 2048 });
  const frame = request(sectors);
  let [lba, left, asked] = [0, 0, 0];
  const ask = () => {
    if (asked++ >= count) return;
    left = sectors;
    lba = (lba + sectors) % (mib(16) / sector);
    writeBig(frame, 20, 4, asked);
    writeBig(frame, 30, 4, lba);
    b.send(frame);
  };
  b.connect({
    receive(answer) {
      left -= (answer.length - 42) / sector;
      if (left === 0) ask();
    },
    link: () => {},
  });
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    asked = 0;
    const start = performance.now();
    ask();
    while (clock.nextDue < Number.POSITIVE_INFINITY) clock.advanceTo(clock.nextDue);
    best = Math.min(best, performance.now() - start);
    if (left !== 0 || asked !== count + 1) throw new Error(`an answer is missing: request ${asked} of ${count}`);
  }
  return best;
}

export function aoeRates(only: (name: string) => boolean): AoeRate[] {
  const rates: AoeRate[] = [];
  for (const [size, sectors, count] of [
    ["4 KiB", 8, 400],
    ["1 MiB", 2048, 4],
  ] as const) {
    for (const mtu of [1500, 9000]) {
      const name = `aoe ${size} ${mtu}`;
      if (!only(name)) continue;
      const seconds = measure(sectors, mtu, count) / 1000;
      rates.push({ name, requests: count / seconds, mebibytes: (count * sectors * sector) / mib(1) / seconds });
    }
  }
  return rates;
}
