/** `npm run system -- vmm [NAME]`: the VMM's image on whole machines, see docs/system-tests.md. */
import type { Counts } from "../../scripts/counts.ts";
import type { SystemOptions } from "./cpu.ts";
import { bootVmm, bootWithoutVtx } from "./vmm/boot.ts";
import { linesForGdb } from "./vmm/gdb.ts";
import { hideMemory } from "./vmm/memory-map.ts";

interface Case {
  readonly name: string;
  readonly about: string;
  /** @returns what is worth telling. @throws Error that says what went wrong */
  readonly play: () => string | Promise<string>;
}

const cases: readonly Case[] = [
  { name: "boot", about: "iPXE starts the image, which boots the local disk", play: bootVmm },
  { name: "no-vtx", about: "the same without VT-x", play: bootWithoutVtx },
  { name: "memory-map", about: "Linux gets a map with hidden memory", play: hideMemory },
  { name: "gdb", about: "gdb reads lines and symbols from both files", play: linesForGdb },
];

export async function systemVmm({ only }: SystemOptions): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  for (const { name, about, play } of cases) {
    if (only !== undefined && !name.includes(only)) continue;
    try {
      console.log(`ok    ${name}: ${about}: ${await play()}`);
      counts.passed++;
    } catch (error) {
      console.log(`WRONG ${name}: ${about}: ${error instanceof Error ? error.message : String(error)}`);
      counts.failed++;
    }
  }
  return counts;
}
