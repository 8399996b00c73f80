/** `npm run system -- pc`: real firmware boots real Linux from the demo disk, with one and with four processors. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { seconds } from "@castaway/kit";
import { ImageDisk, Machine, type MachineOptions, OverlayDisk } from "castaway";
import { root } from "../../scripts/bundle.mjs";
import type { Counts } from "../../scripts/counts.ts";

const blob = (path: string) => new Uint8Array(readFileSync(join(root, "firmware-blobs", path)));

/** The demo disk under a copy-on-write overlay. */
export function demoMachine(options: Partial<MachineOptions> = {}): Machine {
  const image = new Uint8Array(gunzipSync(blob("demo/demo.img.gz")));
  return new Machine({
    firmware: { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") },
    disks: [new OverlayDisk(new ImageDisk(image))],
    ...options,
  });
}

/** Lines of a kernel's log that tell of trouble with clocks, APICs or interrupts. */
const TROUBLE =
  /unstable|calibration (deviates|not consistent)|spurious|lost interrupt|nobody cared|APIC error|WARNING|BUG:|Call Trace/i;

function boot(options: Partial<MachineOptions>): string {
  const pc = demoMachine(options);
  const wait = (text: string, atMost: number, type = "") => {
    const until = pc.com1.shows(text);
    if (type !== "") pc.com1.type(type);
    const stop = pc.run({ until, atMost });
    if (stop.reason !== "watch")
      throw new Error(`no "${text}": ${stop.reason} ${stop.detail}; the last lines are:\n${pc.com1.text.slice(-600)}`);
  };
  wait("DEMO-READY", seconds(60));
  wait("castaway# ", seconds(10));
  wait("CHECK-OK", seconds(60), "check\n");
  pc.com1.type("poweroff -f\n");
  const stop = pc.run({ atMost: seconds(30) });
  if (stop.reason !== "powered off") throw new Error(`poweroff ended with ${stop.reason}`);
  const trouble = pc.com1.text.split("\n").filter((line) => TROUBLE.test(line));
  if (trouble.length > 0) throw new Error(`the kernel log complains:\n${trouble.join("\n")}`);
  return pc.board.cpu.digest();
}

export async function systemPc({ only }: { only?: string }): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  const cases: [string, Partial<MachineOptions>][] = [
    ["demo disk to DEMO-READY, check, poweroff: 1 processor, MSI", {}],
    ["the same with INTx", { msi: false }],
    ["the same with 4 processors", { cpus: 4 }],
  ];
  for (const [name, options] of cases) {
    if (only !== undefined && !name.includes(only)) continue;
    const start = performance.now();
    try {
      const digest = boot(options);
      console.log(`ok    ${name}: ${((performance.now() - start) / 1000).toFixed(1)} s, digest ${digest}`);
      counts.passed++;
    } catch (e) {
      console.log(`WRONG ${name}: ${e instanceof Error ? e.message : String(e)}`);
      counts.failed++;
    }
  }
  return counts;
}
