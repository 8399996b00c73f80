/** Real code: which files, and how much of each. */
import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import type { Comparison } from "./compare.ts";
import { codeSections } from "./elf.ts";
import { listSection } from "./objdump.ts";

export interface Source {
  readonly name: string;
  readonly instructions: number;
}

const LIBRARIES = "/lib/x86_64-linux-gnu";
const PROGRAMS = "/usr/bin";
const SECTION = ".text";
/** Bytes of a section for each instruction, padding included: from it follows how many to pass over. */
const BYTES_PER_INSTRUCTION = 6;

/** What is compared first, and at most how many instructions of it. */
const preferred = (vmlinux: string): [file: string, quota: number][] => [
  [vmlinux, 500_000],
  [`${LIBRARIES}/libc.so.6`, 400_000],
  [`${LIBRARIES}/libm.so.6`, 100_000],
];
const OTHERS_QUOTA = 100_000;

/** Programs of this machine, the largest first, but none so large that its listing takes long. */
function programs(): string[] {
  const files = readdirSync(PROGRAMS).map((name) => ({
    file: `${PROGRAMS}/${name}`,
    ...statOf(`${PROGRAMS}/${name}`),
  }));
  const fitting = files.filter(({ size }) => size > 50_000 && size < 8_000_000);
  return fitting.sort((a, b) => b.size - a.size || (a.file < b.file ? -1 : 1)).map(({ file }) => file);
}
function statOf(file: string): { size: number } {
  const stat = lstatSync(file);
  return { size: stat.isFile() ? stat.size : 0 };
}

/** Compares at least `wanted` instructions, if the machine has so much code; says where they are from. */
export async function compareRealCode(comparison: Comparison, vmlinux: string, wanted: number): Promise<Source[]> {
  const sources: Source[] = [];
  const all = [...preferred(vmlinux), ...programs().map((file): [string, number] => [file, OTHERS_QUOTA])];
  for (const [file, quota] of all) {
    const missing = wanted - comparison.compared;
    if (missing <= 0) break;
    if (!existsSync(file)) continue;
    const before = comparison.compared;
    await compareFile(comparison, file, Math.min(quota, missing));
    if (comparison.compared > before)
      sources.push({ name: file.split("/").at(-1)!, instructions: comparison.compared - before });
  }
  return sources;
}

/** About `quota` instructions, evenly spread over the file; padding with INT3 does not count. */
async function compareFile(comparison: Comparison, file: string, quota: number): Promise<void> {
  const section = codeSections(readFileSync(file)).find(({ name }) => name === SECTION);
  if (!section) return;
  const every = Math.ceil(section.bytes.length / BYTES_PER_INSTRUCTION / quota);
  let count = 0;
  let taken = 0;
  await listSection(file, SECTION, (line) => {
    if (line.text.startsWith("int3") || count++ % every !== 0) return false;
    const at = Number(BigInt(`0x${line.address}`) - section.address);
    comparison.compare(section.bytes, at, line, 64);
    return ++taken === quota;
  });
}
