/** The multiboot program, assembled and linked with GNU binutils. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../../../scripts/bundle.mjs";
import { command } from "../../guests/cache.ts";
import { install, isInstalled } from "../../oracles.ts";

const SOURCES = join(root, "test/system/net/pxe");
const PARTS = ["entry", "console", "report", "real-mode"];

/** @returns the ELF file */
export function multibootProgram(): Uint8Array {
  if (!isInstalled("as") || !isInstalled("ld")) install(["binutils"]);
  const folder = join(root, ".cache/system/pxe");
  mkdirSync(folder, { recursive: true });
  const objects = PARTS.map((part) => join(folder, `${part}.o`));
  for (const [n, part] of PARTS.entries())
    command("as", ["--32", "-I", SOURCES, "-o", objects[n]!, join(SOURCES, `${part}.s`)]);
  const program = join(folder, "program.elf");
  command("ld", ["-m", "elf_i386", "-N", "-T", join(SOURCES, "program.ld"), "-o", program, ...objects]);
  return new Uint8Array(readFileSync(program));
}
