/** `npm run bench -- GROUP [--json] [--only NAME]`: programs that measure; what they last printed is in bench/. */
import { benchBoot } from "../bench/boot/bench.ts";
import { benchCpu } from "../bench/cpu/bench.ts";
import { benchDeploy } from "../bench/deploy/bench.ts";
import { benchNet } from "../bench/net/bench.ts";
import { benchVmx } from "../bench/vmx/bench.ts";

const args = process.argv.slice(2);
const only = args.includes("--only") ? args[args.indexOf("--only") + 1] : undefined;
type Bench = (json: boolean, only: string | undefined) => void | Promise<void>;
const groups: Record<string, Bench> = {
  boot: benchBoot,
  cpu: benchCpu,
  deploy: benchDeploy,
  net: benchNet,
  vmx: benchVmx,
};
const run = groups[args[0] ?? ""];
if (run === undefined) {
  console.error(`bench: name a group: ${Object.keys(groups).join(", ")}; for example: npm run bench -- cpu --json`);
  process.exit(2);
}
await run(args.includes("--json"), only);
