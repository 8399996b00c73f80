/** The example of docs/netboot.md: a network for one machine, which serves the multiboot program. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Machine } from "castaway";
import { root } from "../../../../scripts/bundle.mjs";
import { runExample } from "../../example.ts";
import { multibootProgram } from "./build.ts";

export async function netbootExample(): Promise<string> {
  const program = multibootProgram();
  const names = { readFile: async (path: string) => (path === "vmm.elf" ? program : await readFile(join(root, path))) };
  const pc = (await runExample("docs/netboot.md", "vmm.elf greeting", "pc", names)) as Machine;
  return `${(pc.now / 1e9).toFixed(2)} s of virtual time`;
}
