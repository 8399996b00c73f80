/** How fast a disk comes while the guest leaves it alone, held against what the wire and the disk can do. */
import { mib, ms, seconds } from "@castaway/kit";
import { isLocal, laboratory, untilBare, verified } from "../../test/system/vmm/deployment.ts";
import { programImage } from "../../test/system/vmm/programs.ts";
import { fullImage, type Say } from "./machine.ts";

const IMAGE = mib(64);
/** Bytes a second of the link, headers and gaps included, and of the SSD model. */
const LINK = 1e9 / 8;
const DISK = 500e6;

export async function benchStreaming(say: Say): Promise<unknown> {
  const rows: Record<string, unknown> = {};
  say("\nstreaming, guest idle      MB/s   of min(link, disk)");
  for (const mtu of [1500, 9000]) {
    const image = fullImage(programImage("overhead", mib(1)), IMAGE);
    const lab = await laboratory({
      image,
      memory: "64MiB",
      disk: { timing: "ssd" },
      link: { bandwidth: 8 * LINK, mtu },
      commandLine: { idle: 0 },
    });
    lab.run({ until: lab.reaches("streaming"), atMost: seconds(30) });
    const [from, there] = [lab.machine.now, lab.localBytes];
    while (!isLocal(lab) && lab.machine.now < seconds(60)) lab.run({ atMost: ms(1) });
    const rate = ((IMAGE - there) * 1e9) / (lab.machine.now - from);
    untilBare(lab, seconds(60));
    verified(lab);
    const share = rate / Math.min(LINK, DISK);
    say(
      `${`frames of ${mtu}`.padEnd(22)}${(rate / 1e6).toFixed(1).padStart(9)}${`${(100 * share).toFixed(1)} %`.padStart(12)}`,
    );
    rows[mtu] = { bytesPerSecond: rate, share };
  }
  return rows;
}
