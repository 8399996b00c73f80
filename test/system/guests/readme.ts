/** The example of the README that boots a machine runs, and prints what its comments say. */
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Machine } from "castaway";
import { runExample } from "../example.ts";
import { Guest } from "./guest.ts";

export async function readme(): Promise<Guest> {
  const folder = mkdtempSync(join(tmpdir(), "castaway-readme-"));
  const write = (path: string, bytes: Uint8Array) => writeFile(join(folder, path), bytes);
  try {
    const start = performance.now();
    const pc = await runExample("README.md", "Machine.create", "pc", { writeFile: write });
    return new Guest(pc as Machine, start);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
