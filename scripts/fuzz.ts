/**
 * `npm run fuzz -- GROUP [--seconds N] [--seed N]`: random tests. With --seed, that one program only.
 */
import { fuzzCpu } from "../test/fuzz/cpu.ts";

const args = process.argv.slice(2);
const number = (flag: string, otherwise: number) => {
  const at = args.indexOf(flag);
  const value = at < 0 ? otherwise : Number(args[at + 1]);
  if (!Number.isFinite(value)) {
    console.error(`fuzz: ${flag} takes a number`);
    process.exit(2);
  }
  return value;
};
const groups: Record<string, (seconds: number, seed: number, only: boolean) => void> = { cpu: fuzzCpu };
const run = groups[args[0] ?? ""];
if (run === undefined) {
  console.error(`fuzz: name a group: ${Object.keys(groups).join(", ")}; for example: npm run fuzz -- cpu --seconds 20`);
  process.exit(2);
}
run(number("--seconds", 20), number("--seed", 1), args.includes("--seed"));
