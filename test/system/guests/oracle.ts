/**
 * The oracle of guest writes, with a real guest and without a hypervisor: what Linux writes is right; then, each time from
 * the same moment on, what it writes is spoilt under way, and the oracle says so.
 */

import { seconds } from "@castaway/kit";
import { DiskOracle, ImageDisk, type Machine, OverlayDisk } from "castaway";
import { PROMPT } from "./demo.ts";
import { Guest } from "./guest.ts";
import { demoImage, machine } from "./machine.ts";

type Fault = "none" | "flip" | "lose" | "old";

/** 32 KiB: the demo disk has little room. */
const WRITES = "dd if=/dev/zero bs=4k count=8 2>&1 | tr '\\0' 'a' > /file; sync; echo $((6*7))-written\n";

class SpoiltDisk extends OverlayDisk {
  fault: Fault = "none";
  /** The first sector of the guest's file that was written. */
  spoilt: number | null = null;

  override write(lba: number, from: Uint8Array): boolean {
    if (this.fault === "none" || from[0] !== 0x61 || this.spoilt !== null) return super.write(lba, from);
    this.spoilt = lba;
    if (this.fault === "lose") return true;
    const data = from.slice();
    if (this.fault === "flip") data[100]! ^= 1;
    else this.base.read(lba, data.subarray(0, this.sectorSize));
    return super.write(lba, data);
  }
}

export function oracle(): Guest {
  const image = demoImage();
  const medium = new SpoiltDisk(new ImageDisk(image));
  const pc = machine(image, { disks: [medium] });
  const watching = new DiskOracle(pc, { image });
  const guest = new Guest(pc);
  guest.serial("DEMO-READY", seconds(60));
  guest.serial(PROMPT, seconds(10));
  const [state, known] = [pc.saveState(), watching.save()];
  for (const fault of ["none", "flip", "lose", "old"] as const) {
    pc.restoreState(state);
    watching.restore(known);
    Object.assign(medium, { fault, spoilt: null });
    guest.serial("42-written", seconds(10), WRITES);
    judge(pc, watching, medium);
  }
  return guest;
}

function judge({ now }: Machine, watching: DiskOracle, { fault, spoilt }: SpoiltDisk): void {
  const { verified, guestWrites, guestSectors, firstDifference } = watching.verify();
  const said = `at ${now} ns, ${guestWrites} writes of ${guestSectors} sectors, ${firstDifference?.message ?? "no difference"}`;
  if (fault === "none" && !verified)
    throw new Error(`the disk is not right: ${said}; ${JSON.stringify(watching.findings)}`);
  if (fault === "none" && guestSectors < 64) throw new Error(`too few writes were seen: ${said}`);
  if (fault !== "none" && (verified || firstDifference?.lba !== spoilt))
    throw new Error(`"${fault}" at LBA ${spoilt} was not noticed: ${said}`);
}
