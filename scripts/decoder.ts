/**
 * `npm run decoder`: the decoder and its texts against objdump, on real code and on byte strings; see docs/decoder.md.
 *
 *     npm run decoder                          a million instructions of this machine's libc and programs, 200,000 strings
 *     npm run decoder -- --kernel              fetches a Debian kernel first, if the cache has none; then half is from it
 *     npm run decoder -- --strings 5000000     more strings
 *     npm run decoder -- --instructions 10000  less code
 *     npm run decoder -- --accepted            prints how often each accepted difference was met
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { ACCEPTED } from "../test/decoder/accepted.ts";
import { Comparison, type Difference, FORMS } from "../test/decoder/compare.ts";
import { fetchKernel, install } from "../test/decoder/kernel.ts";
import { type Bits, listRaw, objdumpVersion } from "../test/decoder/objdump.ts";
import { compareRealCode } from "../test/decoder/sources.ts";
import { byteStrings, STRIDE } from "../test/decoder/strings.ts";
import { finish } from "./counts.ts";

const CACHE = ".cache/decoder";
const VMLINUX = `${CACHE}/vmlinux`;
const SHARES: [bits: Bits, share: number][] = [
  [64, 0.5],
  [32, 0.3],
  [16, 0.2],
];
const SHOWN = 60;

const options = { strings: 200_000, instructions: 1_000_000, kernel: false, accepted: false };
const rest = process.argv.slice(2);
while (rest.length > 0) {
  const name = rest.shift()!.replace(/^--/, "");
  if (name === "kernel" || name === "accepted") options[name] = true;
  else if ((name === "strings" || name === "instructions") && Number(rest[0]) >= 0)
    options[name] = Number(rest.shift());
  else throw new Error(`decoder: what is "${name}"? The head of scripts/decoder.ts has the options`);
}

async function compareStrings(comparison: Comparison, bits: Bits, count: number): Promise<void> {
  const file = `${CACHE}/strings-${bits}.bin`;
  const bytes = byteStrings(bits, count);
  writeFileSync(file, bytes);
  await listRaw(file, bits, (line) => {
    const at = Number.parseInt(line.address, 16);
    if (at % STRIDE === 0) comparison.compare(bytes, at, line, bits);
    return false;
  });
}

/** One line for each pair of mnemonics, with one example. */
function report(differences: readonly Difference[]): void {
  const groups = new Map<string, Difference[]>();
  for (const difference of differences) {
    const key = [difference.ours, difference.theirs]
      .map((text) => text.replace(/^lock /, "").split(" ")[0])
      .join(" | ");
    groups.set(key, [...(groups.get(key) ?? []), difference]);
  }
  const sorted = [...groups.values()].sort((a, b) => b.length - a.length);
  for (const group of sorted.slice(0, SHOWN)) {
    const { bits, bytes, ours, theirs, lengths } = group[0]!;
    console.log(`  ${group.length} × like ${bytes} (${bits} bits)`);
    console.log(`    ours    ${ours}, ${lengths[0]} bytes\n    objdump ${theirs}, ${lengths[1]} bytes`);
  }
  if (sorted.length > SHOWN) console.log(`  and ${sorted.length - SHOWN} other kinds`);
}

const number = (n: number) => n.toLocaleString("en");

async function main(): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  if (options.kernel) {
    install("objdump", "binutils");
    if (!existsSync(VMLINUX)) console.log(`kernel: ${fetchKernel(CACHE)}`);
  }
  const version = objdumpVersion();
  if (version === undefined) {
    console.log("decoder: there is no objdump here (Debian's package binutils has it), so nothing was compared");
    return finish({ passed: 0, failed: 0 });
  }
  console.log(version);

  const real = new Comparison();
  const sources = await compareRealCode(real, VMLINUX, options.instructions);
  const from = sources.map(({ name, instructions }) => `${name} ${number(instructions)}`).join(", ");
  console.log(`real code: ${number(real.compared)} instructions (${from})`);

  const chance = new Comparison();
  for (const [bits, share] of SHARES) await compareStrings(chance, bits, Math.round(options.strings * share));
  console.log(`byte strings: ${number(chance.compared)}`);

  const met = ACCEPTED.map((each) => ({ ...each, count: [real, chance].map((c) => c.accepted.get(each) ?? 0) }));
  const accepted = met.reduce((sum, { count }) => sum + count[0]! + count[1]!, 0);
  const classes = met.filter(({ count }) => count[0]! + count[1]! > 0).length;
  console.log(`accepted differences: ${number(accepted)} in ${classes} of ${ACCEPTED.length} classes`);
  if (options.accepted)
    for (const { reason, count } of met) console.log(`${count.map((n) => number(n).padStart(9)).join("")}  ${reason}`);

  const unmet = FORMS.filter((_, id) => !real.forms.has(id) && !chance.forms.has(id));
  console.log(`forms met: ${number(FORMS.length - unmet.length)} of ${number(FORMS.length)}`);
  for (const form of unmet) console.log(`  never met: ${form}`);

  const differences = [...real.differences, ...chance.differences];
  report(differences);
  const failed = differences.length + unmet.length;
  finish({ passed: real.compared + chance.compared + FORMS.length - failed, failed });
}

await main();
