/** How fast an image lands on the disk of a guest that does nothing. */
import { seconds } from "@castaway/kit";
import { hardDiskTiming, Laboratory, ssdTiming, type VmmProgram } from "castaway";
import { blob } from "../../test/system/guests/machine.ts";
import { idleImage } from "./images.ts";

/** Bits a second of the cable. */
const BANDWIDTH = 1e9;
/** What is written at a time where the disk alone is measured. */
const PIECE = 65_536;

export interface StreamCase {
  readonly name: string;
  readonly disk: "ssd" | "hdd";
  readonly mtu: number;
  readonly size: number;
}
export const streamCases: readonly StreamCase[] = [
  { name: "ssd 9000", disk: "ssd", mtu: 9000, size: 64 << 20 },
  { name: "ssd 1500", disk: "ssd", mtu: 1500, size: 64 << 20 },
  { name: "hdd 9000", disk: "hdd", mtu: 9000, size: 128 << 20 },
];

export interface StreamRate {
  readonly name: string;
  /** Bytes a second of virtual time, from the guest's start to the last block's end. */
  readonly rate: number;
  /** Of the cable, all bits counted, and of the disk alone, written in order from its beginning. */
  readonly link: number;
  readonly disk: number;
  readonly share: number;
  readonly exits: number;
}

export async function streamRate({ name, disk, mtu, size }: StreamCase, vmm: VmmProgram): Promise<StreamRate> {
  const lab = await Laboratory.create({
    read: async (path) => blob(path),
    image: idleImage(size),
    vmm,
    memory: "64MiB",
    oracle: false,
    display: false,
    link: { bandwidth: BANDWIDTH, mtu },
    disk: { timing: disk },
  });
  const { machine: pc } = lab;
  let last = 0;
  pc.probes.disks[0]!.commands.on(({ name, lba, ended }) => {
    if (name.startsWith("WRITE") && lba < lab.image.sectors) last = ended;
  });
  for (const phase of ["streaming", "bare"] as const) {
    const { reason } = lab.run({ until: lab.reaches(phase), atMost: seconds(60) });
    if (reason !== "watch") throw new Error(`${name}: not ${phase}: ${reason}`);
  }
  const began = lab.starts.find(({ phase }) => phase === "streaming")!.at;
  const rate = (size * 1e9) / (last - began);
  const link = BANDWIDTH / 8;
  const alone = diskAlone(disk, size, lab.disk.sectors);
  const exits = Object.values(lab.report().exits).reduce((sum, n) => sum + n, 0);
  return { name, rate, link, disk: alone, share: rate / Math.min(link, alone), exits };
}

/** Bytes a second of commands that follow each other without a pause. */
function diskAlone(name: "ssd" | "hdd", size: number, sectors: number): number {
  const timing = name === "ssd" ? ssdTiming() : hardDiskTiming({ sectors });
  const state = { freeAt: 0, head: 0, backlog: 0 };
  let now = 0;
  for (let at = 0; at < size; at += PIECE)
    now = timing.start(state, { kind: "write", lba: at / 512, bytes: PIECE, cached: true, since: now }, now);
  return (size * 1e9) / now;
}
