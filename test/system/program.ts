/** A system test: an assembly file, what its head says, and the ROM image that it is assembled into. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { root } from "../../scripts/bundle.mjs";

/** Where the programs of a group are, and what they include besides `test/system/include`. */
export interface ProgramFolder {
  readonly group: string;
  readonly programs: string;
  readonly includes: readonly string[];
}
export const CPU_PROGRAMS: ProgramFolder = { group: "cpu", programs: "test/system/programs", includes: [] };
export const VTX_PROGRAMS: ProgramFolder = {
  group: "vtx",
  programs: "test/system/vtx/programs",
  includes: ["test/system/vtx/include"],
};
export const IMAGE_BYTES = 0x10000;

export type OracleName = "qemu" | "bochs";

export interface Program {
  readonly name: string;
  /** The head's first line: what it tests. */
  readonly title: string;
  /** `# expect: LINE`, in order. */
  readonly expected: readonly string[];
  /** `# model: NAME`: the processor model here. */
  readonly model: string;
  /** `# cpus: N`: logical processors; 1 unless it says so. */
  readonly cpus: number;
  /** `# qemu: LINE -- REASON`: the line that this oracle prints instead of the expected one of the same label. */
  readonly differences: Record<OracleName, ReadonlyMap<string, Difference>>;
  /** `# skip qemu: REASON`: the program means nothing there. */
  readonly skipped: Record<OracleName, string | null>;
}
interface Difference {
  readonly line: string;
  readonly reason: string;
}

export const programNames = ({ programs }: ProgramFolder): string[] =>
  readdirSync(`${root}/${programs}`)
    .filter((file) => file.endsWith(".s"))
    .map((file) => file.slice(0, -2))
    .sort();

/** What stands before the first ": " of a line tells it from the others of its program. */
export const labelOf = (line: string): string => line.split(": ")[0]!;

export function readProgram({ programs }: ProgramFolder, name: string): Program {
  const text = readFileSync(`${root}/${programs}/${name}.s`, "utf8");
  const head = text.split("\n");
  head.length = head.findIndex((line) => !line.startsWith("#"));
  const wrong = (what: string): never => {
    throw new Error(`${programs}/${name}.s: ${what}`);
  };
  const all = (key: string) =>
    head.filter((line) => line.startsWith(`# ${key}:`)).map((line) => line.slice(key.length + 3).trim());
  const expected = all("expect"),
    labels = expected.map(labelOf);
  for (const [i, label] of labels.entries()) if (labels.indexOf(label) !== i) wrong(`two lines begin with "${label}"`);
  const differences = (oracle: OracleName) =>
    new Map(
      all(oracle).map((entry): [string, Difference] => {
        const [line, reason] = entry.split(" -- ");
        if (reason === undefined) wrong(`"${entry}" gives no reason after " -- "`);
        if (!labels.includes(labelOf(line!))) wrong(`${oracle} differs in "${line}", which no expected line is about`);
        return [labelOf(line!), { line: line!, reason: reason! }];
      }),
    );
  return {
    name,
    title: head[0]!.slice(1).trim(),
    expected,
    model: all("model")[0] ?? "skylake",
    cpus: Number(all("cpus")[0] ?? 1),
    differences: { qemu: differences("qemu"), bochs: differences("bochs") },
    skipped: { qemu: all("skip qemu")[0] ?? null, bochs: all("skip bochs")[0] ?? null },
  };
}

/** Runs a tool; what it complains about becomes the error's text. */
function call(tool: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(tool, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${tool}: ${error?.message ?? stderr}`);
}

/** Assembles and links; the path of the image. `symbols` are defined as 1. */
export function assemble(
  { group, programs, includes }: ProgramFolder,
  name: string,
  symbols: readonly string[] = [],
): string {
  const folder = `${root}/.cache/system/${group}`,
    image = `${folder}/${name}.rom`,
    object = `${folder}/${name}.o`,
    here = `${root}/test/system`;
  mkdirSync(folder, { recursive: true });
  const defined = symbols.flatMap((symbol) => ["--defsym", `${symbol}=1`]);
  const searched = [`${here}/include`, ...includes.map((path) => `${root}/${path}`)].flatMap((path) => ["-I", path]);
  call("as", ["--64", ...defined, ...searched, "-o", object, `${root}/${programs}/${name}.s`]);
  call("ld", ["-T", `${here}/image.ld`, "-o", image, object]);
  return image;
}

/** What a program printed: what is between its first and its last mark, see boot.inc. */
export function outputOf(text: string): string[] {
  const begin = text.indexOf("\x01") + 1,
    end = text.indexOf("\x02");
  return text
    .slice(begin, end < 0 ? undefined : end)
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "");
}

/** The first lines in which two outputs differ, for people. */
export function difference(expected: readonly string[], actual: readonly string[]): string | null {
  const lines: string[] = [];
  for (let i = 0; i < Math.max(expected.length, actual.length) && lines.length < 24; i++) {
    if (expected[i] === actual[i]) continue;
    lines.push(`    expected  ${expected[i] ?? "(nothing)"}`, `    printed   ${actual[i] ?? "(nothing)"}`);
  }
  return lines.length === 0 ? null : lines.join("\n");
}
