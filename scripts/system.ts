/**
 * `npm run system -- GROUP [--only NAME] [--oracles] [--raw] [--verbose]`: suites that need a whole machine.
 *
 *     npm run system -- cpu                    the processor, see docs/system-tests.md
 *     npm run system -- pc                     SeaBIOS boots Linux from the demo disk
 *     npm run system -- cpu --only paging      the programs whose name contains "paging"
 *     npm run system -- cpu --oracles          asks QEMU and Bochs too, and installs them if need be
 *     npm run system -- cpu --raw              what each of them prints; --verbose: each outcome that is summed up too
 */
import { type SystemOptions, systemCpu } from "../test/system/cpu.ts";
import { systemPc } from "../test/system/pc.ts";
import { type Counts, finish } from "./counts.ts";

/** A later group is a line here. */
const groups: Record<string, (options: SystemOptions) => Promise<Counts>> = { cpu: systemCpu, pc: systemPc };

const args = process.argv.slice(2);
const run = groups[args[0] ?? ""];
if (run === undefined) {
  console.error(`system: name a group: ${Object.keys(groups).join(", ")}; for example: npm run system -- cpu`);
  process.exit(2);
}
const at = args.indexOf("--only");
const only = at < 0 ? {} : { only: args[at + 1] ?? "" };
const has = (flag: string) => args.includes(flag);
finish(await run({ ...only, oracles: has("--oracles"), raw: has("--raw"), verbose: has("--verbose") }));
