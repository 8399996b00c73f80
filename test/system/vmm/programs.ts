/** Small guests: boot sectors with a program behind, in C, for gcc and binutils. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../scripts/bundle.mjs";
import { command } from "../guests/cache.ts";
import { install, isInstalled } from "../oracles.ts";

const SOURCES = join(root, "test/system/vmm/programs");
const FLAGS =
  "-m32 -Os -ffreestanding -fno-pic -fno-stack-protector -fno-tree-loop-distribute-patterns -mno-sse -mno-mmx";
const WARNINGS = ["-Wall", "-Werror", "-Wno-unused-function", "-Wno-array-bounds"];
/** What INT 13h reads at once, with the boot sector. */
const LONGEST = 128 * 512;

/** A disk image that begins with a program of `programs/`. @param bytes of the whole image, the rest is zeros */
export function programImage(name: string, bytes: number): Uint8Array {
  if (!["gcc", "as", "ld"].every(isInstalled)) install(["gcc", "binutils"]);
  const folder = join(root, ".cache/system/vmm");
  mkdirSync(folder, { recursive: true });
  const at = (suffix: string) => join(folder, `${name}${suffix}`);
  command("as", ["--32", "-o", at(".start.o"), join(SOURCES, "start.s")]);
  command("gcc", [...FLAGS.split(" "), ...WARNINGS, "-c", "-o", at(".o"), join(SOURCES, `${name}.c`)]);
  command("ld", ["-m", "elf_i386", "-T", join(SOURCES, "program.ld"), "-o", at(".bin"), at(".start.o"), at(".o")]);
  const program = readFileSync(at(".bin"));
  if (program.length > Math.min(bytes, LONGEST)) throw new Error(`${name} has ${program.length} bytes`);
  const image = new Uint8Array(bytes);
  image.set(program);
  return image;
}
