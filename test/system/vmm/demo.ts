/** The demo disk through the whole chain: Linux comes up while its disk streams in, checks its files, and writes. */
import assert from "node:assert/strict";
import { ms, seconds, us } from "@castaway/kit";
import { type Laboratory, Machine, type VmmArguments } from "castaway";
import { PROMPT, playDemo } from "../guests/demo.ts";
import { Guest } from "../guests/guest.ts";
import { blob, demoImage } from "../guests/machine.ts";
import { isLocal, laboratory, nothingFound, verified } from "./deployment.ts";

/** So much of the disk is copied in the background that most of it is missing when Linux is up, whatever the blocks' size. */
const LINK = { bandwidth: 100_000_000 };
const moderation = (block: number) => ({ chunk: 2, pause: us(20_000) * (block / 65_536) });

export interface Demo extends VmmArguments {
  readonly cpus: number;
}

/** A file that is written again and again, and that the cache forgets before it is compared. */
const WRITES = [
  "cd /root; for n in 1 2 3 4 5 6 7 8; do dd if=/bin/busybox of=one bs=1k count=30 skip=$n conv=notrunc,fsync; done",
  "cp one two; sync; echo 3 > /proc/sys/vm/drop_caches",
  "dd if=/bin/busybox bs=1k count=30 skip=8 | cmp - one && cmp one two && rm two && sync && echo SAME-BYTES",
].join("; ");

export async function streamsTheDemo({ cpus, block = 65_536, redirect }: Demo): Promise<string> {
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
  wait(lab);
  assert.ok(lab.oracle!.statistics.sectors > 100, "the guest's writes were followed");
  guest.pc.com1.type("poweroff -f\n");
  guest.poweredOff(seconds(30));
  verified(lab);
  await bootsAlone(lab);
  const { writes, sectors } = lab.oracle!.statistics;
  const there = `${percent(ready)} there at DEMO-READY, ${percent(written)} after writing`;
  return `${there}, ${writes} writes to ${sectors} sectors; ${guest.measures()}`;
}

/** Until all is there. */
function wait(lab: Laboratory): void {
  const end = lab.machine.now + seconds(60);
  while (!isLocal(lab)) {
    lab.run({ atMost: ms(100) });
    assert.ok(lab.machine.now < end, `${lab.localBytes} bytes are local and it goes no further`);
  }
  nothingFound(lab);
}

/** The local disk in a machine without a network: it needs neither server nor hypervisor. */
async function bootsAlone({ disk }: Laboratory): Promise<void> {
  const firmware = { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") };
  playDemo(new Guest(await Machine.create({ firmware, disks: [{ medium: disk }] })));
}

const share = ({ localBytes, image }: Laboratory) => localBytes / (image.sectors * image.sectorSize);
const percent = (part: number) => `${(100 * part).toFixed(0)} %`;
