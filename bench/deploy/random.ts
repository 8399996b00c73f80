/** What mediation adds to a guest's reads of what is local: 4 KiB at random, one after the other, by interrupts. */
import { mib, ms, seconds } from "@castaway/kit";
import type { Machine } from "castaway";
import { Guest } from "../../test/system/guests/guest.ts";
import { laboratory, untilBare } from "../../test/system/vmm/deployment.ts";
import { programImage } from "../../test/system/vmm/programs.ts";
import { fullImage, plainMachine } from "./machine.ts";

const MEMORY = "64MiB";

/** Nanoseconds of a read: bare, while the hypervisor is there, and when it has gone. */
export async function randomReads(): Promise<{ bare: number; mediated: number; afterwards: number }> {
  const image = fullImage(programImage("latency", mib(1) / 16), mib(8));
  const bare = reads(await plainMachine([image], { memory: MEMORY }));
  const commandLine = { chunk: 1, pause: ms(500) };
  const lab = await laboratory({ image, memory: MEMORY, disk: { timing: "ssd" }, commandLine });
  const mediated = reads(lab.machine);
  if (lab.phase !== "streaming") throw new Error(`the deployment is over too early: ${lab.phase}`);
  untilBare(lab, seconds(200));
  return { bare, mediated, afterwards: reads(lab.machine) };
}

/** Nanoseconds of a read. */
function reads(machine: Machine): number {
  const guest = new Guest(machine);
  guest.serial("READY\n", seconds(20));
  return Number(/TOOK (\d+) ns/.exec(guest.serial(" ns\n", seconds(60), "x"))![1]);
}
