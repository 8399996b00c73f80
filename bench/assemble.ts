/** Assembles a program of a bench with GNU binutils. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The bytes of an assembly source that is to run at `origin`, which is also its entry. */
export function assemble(source: string, origin: number): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "castaway-bench-"));
  const object = join(folder, "program.o");
  const flat = join(folder, "program.bin");
  const at = origin.toString(16);
  try {
    execFileSync("as", ["--64", "-o", object, source]);
    execFileSync("ld", ["-Ttext", at, "--oformat", "binary", "-e", `0x${at}`, "-o", flat, object]);
    return new Uint8Array(readFileSync(flat));
  } catch (e) {
    throw new Error(`cannot assemble ${source}: is binutils installed (apt-get install binutils)?`, { cause: e });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
