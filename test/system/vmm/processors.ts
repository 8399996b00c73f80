/** Four processors, of which the guest has started one and exchanges interrupts with it, when the hypervisor leaves. */
import assert from "node:assert/strict";
import { mib, ms, seconds } from "@castaway/kit";
import { laboratory, verified } from "./deployment.ts";
import { programImage } from "./programs.ts";

/** The guest is at work for so long before the disk becomes complete. */
const IDLE = ms(20);

/** The other two wait for a SIPI, in the virtual machine and afterwards: they start when the guest wants it. */
export async function startsProcessorsAfterwards(): Promise<string> {
  const image = programImage("processors", mib(1));
  const lab = await laboratory({ image, memory: "64MiB", cpus: 4, commandLine: { idle: IDLE } });
  const { com1 } = lab.machine;
  const runTo = (text: string) => {
    const shown = com1.shows(text);
    lab.run({ until: shown, atMost: seconds(20) });
    assert.ok(shown.seen, `no "${text.trim()}" from the guest: ${com1.text.slice(-200)}`);
  };
  runTo("STARTED 1\n");
  assert.equal(lab.phase, "streaming");
  lab.run({ until: lab.reaches("bare"), atMost: seconds(20) });
  assert.equal(lab.phase, "bare");
  const sums: string[] = [];
  for (const id of [1, 2, 3]) {
    lab.run({ atMost: ms(5) });
    com1.type("x");
    runTo(` PROCESSOR ${id}\n`);
    const [, sent, heard] = /SENT (\d+) HEARD (\d+)/.exec(com1.text.slice(com1.text.lastIndexOf("SENT")))!;
    assert.equal(sent, heard);
    sums.push(sent!);
  }
  runTo("END");
  assert.equal(lab.observer.exitsAfter, 0);
  verified(lab);
  return `${sums.join(", ")} interrupts there and back, none lost`;
}
