/** The demo disk through the whole chain: Linux comes up while its disk streams in, checks its files, and writes. */
import assert from "node:assert/strict";
import { seconds, us } from "@castaway/kit";
import { type Laboratory, Machine, type VmmArguments } from "castaway";
import { withFiles } from "../guests/cache.ts";
import { PROMPT, playDemo } from "../guests/demo.ts";
import { Guest } from "../guests/guest.ts";
import { blob, demoImage } from "../guests/machine.ts";
import { laboratory, nothingFound, staysBare, untilBare, verified } from "./deployment.ts";

/** So much of the disk is copied in the background that most of it is missing when Linux is up, whatever the blocks' size. */
const LINK = { bandwidth: 100_000_000 };
const moderation = (block: number) => ({ chunk: 2, pause: us(20_000) * (block / 65_536) });

export interface Demo extends VmmArguments {
  readonly cpus: number;
  /** Whether the guest computes and writes while the hypervisor leaves; else it waits at its prompt. */
  readonly busy?: boolean;
}
/** Until they are killed: something that computes, and something that writes and waits for the disk. */
const WORK = [
  "while :; do :; done & P=$!",
  "while :; do dd if=/bin/busybox of=/root/busy bs=1k count=9 conv=notrunc,fsync; usleep 9000; done 2>/dev/null & Q=$!",
];

/** A file that is written again and again, and that the cache forgets before it is compared. */
const WRITES = [
  "cd /root; for n in 1 2 3 4 5 6 7 8; do dd if=/bin/busybox of=one bs=1k count=30 skip=$n conv=notrunc,fsync; done",
  "cp one two; sync; echo 3 > /proc/sys/vm/drop_caches",
  "dd if=/bin/busybox bs=1k count=30 skip=8 | cmp - one && cmp one two && rm two && sync && echo SAME-BYTES",
].join("; ");

export async function streamsTheDemo({ cpus, busy = false, block = 65_536, redirect }: Demo): Promise<string> {
  const commandLine = { block, redirect, ...moderation(block) };
  const lab = await laboratory({ image: demoImage(), cpus, link: LINK, commandLine });
  const guest = new Guest(lab.machine);
  guest.serial("DEMO-READY", seconds(60));
  const ready = share(lab);
  assert.ok(ready < 0.6, `${percent(ready)} of the disk is there at DEMO-READY`);
  guest.serial(PROMPT, seconds(10));
  guest.serial("\nSAME-BYTES", seconds(60), `${WRITES}\n`);
  const written = share(lab);
  assert.equal(lab.phase, "streaming");
  guest.serial("CHECK-OK", seconds(60), "check\n");
  nothingFound(lab);
  if (busy) for (const line of WORK) guest.pc.com1.type(`${line}\n`);
  untilBare(lab, seconds(60));
  if (busy) guest.serial("\nALL-KILLED", seconds(10), "kill $P $Q; wait; rm /root/busy; echo ALL-KILLED\n");
  assert.ok(lab.oracle!.statistics.sectors > 100, "the guest's writes were followed");
  guest.serial("CHECK-OK", seconds(60), "check\n");
  guest.serial("\nSAME-BYTES", seconds(60), `${WRITES}\n`);
  guest.pc.com1.type("poweroff -f\n");
  guest.poweredOff(seconds(30));
  staysBare(lab);
  verified(lab);
  await bootsAlone(lab);
  const { writes, sectors } = lab.oracle!.statistics;
  const there = `${percent(ready)} there at DEMO-READY, ${percent(written)} after writing`;
  return `${there}, bare after ${bareAfter(lab)}, ${writes} writes to ${sectors} sectors; ${guest.measures()}`;
}

const PROMPTING = `\
SERIAL 0 115200
PROMPT 1
TIMEOUT 0
DEFAULT linux
LABEL linux
  KERNEL /vmlinuz
  APPEND root=/dev/sda2 rw console=ttyS0,115200
`;

/** The hypervisor leaves while SYSLINUX waits in real mode for somebody to type; Linux finds a bare machine. */
export async function leavesTheLoader(): Promise<string> {
  const image = withFiles(demoImage(), { "syslinux.cfg": PROMPTING });
  const lab = await laboratory({ image, commandLine: { idle: 0 } });
  const guest = new Guest(lab.machine);
  guest.serial("boot:", seconds(60));
  assert.equal(lab.phase, "streaming");
  untilBare(lab, seconds(60));
  lab.machine.com1.type("\n");
  playDemo(guest);
  staysBare(lab);
  verified(lab);
  return `bare after ${bareAfter(lab)}; ${guest.measures()}`;
}

/** The local disk in a machine without a network: it needs neither server nor hypervisor. */
async function bootsAlone({ disk }: Laboratory): Promise<void> {
  const firmware = { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") };
  playDemo(new Guest(await Machine.create({ firmware, disks: [{ medium: disk }] })));
}

const bareAfter = ({ starts }: Laboratory) =>
  `${(starts.find(({ phase }) => phase === "bare")!.at / 1e9).toFixed(2)} s`;
const share = ({ localBytes, image }: Laboratory) => localBytes / (image.sectors * image.sectorSize);
const percent = (part: number) => `${(100 * part).toFixed(0)} %`;
