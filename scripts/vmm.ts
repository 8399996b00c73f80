/** The VMM's sources, and its image: built when they change, and kept in packages/vmm/dist. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ASSEMBLYSCRIPT, type Image } from "@castaway/vmm/compiler";
import { buildVmm, VmmImage } from "@castaway/vmm/host";
import { root } from "./bundle.mjs";

const GUEST = join(root, "packages/vmm/guest"),
  COMPILER = join(root, "packages/vmm/compiler"),
  DIST = join(root, "packages/vmm/dist");

/** TypeScript files below a folder, by path, sorted; tests and what they need are left out. */
function sourcesIn(folder: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  const entries = readdirSync(join(folder, below), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = `${below}${entry.name}`;
    if (entry.isDirectory()) Object.assign(found, sourcesIn(folder, `${path}/`));
    else if (/\.ts$/.test(path) && !/\.test(-\w+)?\.ts$/.test(path))
      found[path] = readFileSync(join(folder, path), "utf8");
  }
  return found;
}
export const vmmSources = (): Record<string, string> => sourcesIn(GUEST);

/** The image of the sources as they are: from packages/vmm/dist if it is theirs, or built, which takes seconds. */
export async function vmmImage(): Promise<VmmImage> {
  const sources = vmmSources();
  const key = createHash("sha256")
    .update(JSON.stringify([ASSEMBLYSCRIPT, sources, sourcesIn(COMPILER)]))
    .digest("hex");
  const kept = readKept(key);
  if (kept !== null) return kept;
  const image = await buildVmm({ sources });
  const { bytes, debugFile, ...facts } = image;
  mkdirSync(DIST, { recursive: true });
  writeFileSync(join(DIST, "vmm.elf"), bytes);
  writeFileSync(join(DIST, "vmm.debug.elf"), debugFile);
  writeFileSync(join(DIST, "sources.json"), JSON.stringify(sources));
  writeFileSync(join(DIST, "vmm.json"), JSON.stringify({ key, ...facts })); // last: it vouches for the others
  return image;
}

function readKept(key: string): VmmImage | null {
  const path = join(DIST, "vmm.json");
  if (!existsSync(path)) return null;
  const { key: theirs, ...facts } = JSON.parse(readFileSync(path, "utf8")) as { key: string } & Image;
  if (theirs !== key) return null;
  const [bytes, debugFile] = ["vmm.elf", "vmm.debug.elf"].map((name) => new Uint8Array(readFileSync(join(DIST, name))));
  return new VmmImage({ ...facts, bytes: bytes!, debugFile: debugFile! });
}
