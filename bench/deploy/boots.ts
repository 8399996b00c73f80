/** From power-on to DEMO-READY: from a complete local disk, by castaway, and after the whole image was copied. */
import { ms, seconds } from "@castaway/kit";
import { blankDisk, ImageDisk, Laboratory, Lan, Machine, OverlayDisk, type VmmProgram } from "castaway";
import { blob } from "../../test/system/guests/machine.ts";
import { longDemo } from "./images.ts";
import { rescueFiles } from "./rescue.ts";

export const LINK = { bandwidth: 1e9, mtu: 9000 };
const MEMORY = "128MiB";
const READY = "DEMO-READY";
/** How often it is looked whether all is there. */
const GLANCE = ms(5);
const firmware = { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") };
const rom = blob("ipxe/pxe-e1000.rom");

export interface BootTimes {
  /** Seconds of virtual time from power-on, and from when the demo's boot sector was read for the last time. */
  readonly ready: number;
  readonly fromBootSector: number;
  /** When all of the image was on the disk; null: from the start. */
  readonly complete: number | null;
  readonly hostSeconds: { readonly ready: number; readonly complete: number | null };
  readonly extra: Readonly<Record<string, number>>;
}

/** When the local disk's first sector was last read. */
function bootSector(pc: Machine): () => number {
  let at = 0;
  pc.probes.disks[0]!.commands.on(({ name, lba, ended }) => {
    if (lba === 0 && name.startsWith("READ") && pc.com1.indexOf("Linux version", 0) < 0) at = ended;
  });
  return () => at;
}

/** @returns host seconds */
function until(pc: Machine, text: string, atMost: number): number {
  const start = performance.now();
  const stop = pc.run({ until: pc.com1.shows(text), atMost: seconds(atMost) });
  if (stop.reason !== "watch")
    throw new Error(`no ${text}: ${stop.reason} ${stop.detail}\n${pc.com1.text.slice(-800)}`);
  return (performance.now() - start) / 1000;
}

export async function bareBoot(size: number): Promise<BootTimes> {
  const medium = new OverlayDisk(new ImageDisk(longDemo(size)));
  const pc = new Machine({
    firmware,
    memory: MEMORY,
    disks: [{ medium, timing: "ssd" }],
    networkCards: [{ rom }, {}],
    boot: ["disk"],
  });
  const began = bootSector(pc);
  const host = until(pc, READY, 60);
  const ready = pc.now / 1e9;
  const hostSeconds = { ready: host, complete: null };
  return { ready, fromBootSector: ready - began() / 1e9, complete: null, hostSeconds, extra: {} };
}

export async function castawayBoot(size: number, vmm: VmmProgram): Promise<BootTimes> {
  const lab = await Laboratory.create({
    read: async (path) => blob(path),
    image: longDemo(size),
    vmm,
    memory: MEMORY,
    link: LINK,
    disk: { timing: "ssd" },
  });
  const { machine: pc } = lab;
  const start = performance.now();
  const host = () => (performance.now() - start) / 1000;
  const shown = pc.com1.shows(READY);
  const bytes = lab.image.sectors * 512;
  let [ready, readyHost, complete, completeHost] = [0, 0, 0, 0];
  lab.run({ until: lab.reaches("streaming"), atMost: seconds(30) });
  while ((ready === 0 || complete === 0) && pc.now < seconds(60)) {
    lab.run({ atMost: GLANCE, ...(ready === 0 && { until: shown }) });
    if (ready === 0 && shown.seen) [ready, readyHost] = [pc.now / 1e9, host()];
    if (complete === 0 && lab.localBytes === bytes) [complete, completeHost] = [pc.now / 1e9, host()];
  }
  if (ready === 0 || complete === 0) throw new Error(`no ${READY}:\n${pc.com1.text.slice(-800)}`);
  if (lab.run({ until: lab.reaches("bare"), atMost: seconds(60) }).reason !== "watch") throw new Error("not bare");
  if (lab.verify()?.verified !== true) throw new Error("the disk is not the image with the guest's writes");
  const began = (phase: string) => lab.starts.find((one) => one.phase === phase)!.at / 1e9;
  const { phases, exits, exitsAfterDevirtualization } = lab.report();
  const total = Object.values(exits).reduce((sum, n) => sum + n, 0);
  return {
    ready,
    fromBootSector: ready - began("streaming"),
    complete,
    hostSeconds: { ready: readyHost, complete: completeHost },
    extra: {
      bareAt: began("bare"),
      ...phases,
      exits: total,
      exitsPerSecond: total / phases.streaming!,
      exitsAfter: exitsAfterDevirtualization!,
    },
  };
}

export async function copyBoot(size: number): Promise<BootTimes> {
  const image = longDemo(size);
  const lan = new Lan({ ...rescueFiles(LINK.mtu), link: LINK, disks: [{ image: new ImageDisk(image) }] });
  const local = blankDisk(image.length + (16 << 20));
  const pc = await Machine.create({
    firmware,
    memory: MEMORY,
    disks: [{ medium: local, timing: "ssd" }],
    networkCards: [{ rom, port: lan.ports[0] }, {}],
    boot: ["disk", "network"],
    beside: lan,
  });
  const began = bootSector(pc);
  let host = until(pc, "COPY-BEGINS", 60);
  const copyAt = pc.now / 1e9;
  host += until(pc, "COPY-ENDS", 200);
  const complete = pc.now / 1e9;
  const copied = host;
  host += until(pc, READY, 60);
  const ready = pc.now / 1e9;
  return {
    ready,
    fromBootSector: ready - began() / 1e9,
    complete,
    hostSeconds: { ready: host, complete: copied },
    extra: {
      copyBegins: copyAt,
      copySeconds: complete - copyAt,
      megabytesPerSecond: image.length / 1e6 / (complete - copyAt),
    },
  };
}
