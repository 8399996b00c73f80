/**
 * `npm run fuzz -- GROUP [--seconds N] [--seed N] [--only NAME]`: random tests. With --seed, that one program only.
 * --only narrows `devices` to those of that name. Groups: cpu, devices, net (the simulated network and its servers),
 * vmx (virtual machines), compiler (that of the VMM).
 */
import { fuzzCompiler } from "../test/fuzz/compiler/compiler.ts";
import { fuzzCpu } from "../test/fuzz/cpu.ts";
import { fuzzDevices } from "../test/fuzz/devices/devices.ts";
import { fuzzNet } from "../test/fuzz/net/net.ts";
import { fuzzVmx } from "../test/fuzz/vmx/vmx.ts";

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
const text = (flag: string) => (args.includes(flag) ? (args[args.indexOf(flag) + 1] ?? "") : "");
type Group = (seconds: number, seed: number, single: boolean, only: string) => void | Promise<void>;
const groups: Record<string, Group> = {
  cpu: fuzzCpu,
  compiler: fuzzCompiler,
  devices: fuzzDevices,
  net: fuzzNet,
  vmx: fuzzVmx,
};
const run = groups[args[0] ?? ""];
if (run === undefined) {
  console.error(`fuzz: name a group: ${Object.keys(groups).join(", ")}; for example: npm run fuzz -- cpu --seconds 20`);
  process.exit(2);
}
await run(number("--seconds", 20), number("--seed", 1), args.includes("--seed"), text("--only"));
