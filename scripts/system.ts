/**
 * `npm run system -- GROUP [NAME] [--all] [--oracles] [--raw] [--verbose]`: suites that need a whole machine.
 *
 *     npm run system -- cpu                    the processor, see docs/system-tests.md
 *     npm run system -- vtx                    VT-x, by small hypervisors
 *     npm run system -- vtx kvm [VARIANT]      VT-x, by Debian's KVM; --all: with all of the module's parameters
 *     npm run system -- pc                     real guests, those that take seconds; --all: all of them
 *     npm run system -- pc debian              this one
 *     npm run system -- browser                the same machine in Node, in worker_threads and in Chromium
 *     npm run system -- determinism            one boot has one digest, however it is run
 *     npm run system -- gdb                    the real gdb debugs the machine, see docs/debugging.md
 *     npm run system -- lockstep               a boot beside QEMU, instruction by instruction, see docs/lockstep.md
 *     npm run system -- net                    machines on a simulated network
 *     npm run system -- vmm [NAME]             the hypervisor: deployments of real and of hostile guests
 *     npm run system -- faults --seeds 20      deployments over a network that fails; --seed N: this one again
 *     npm run system -- cpu paging             the programs whose name contains "paging"; also: --only paging
 *     npm run system -- cpu --oracles          asks QEMU and Bochs too, and installs them if need be
 *     npm run system -- cpu --raw              what each of them prints; --verbose: each outcome that is summed up too
 */
import { systemBrowser } from "../test/system/browser.ts";
import { type SystemOptions, systemCpu, systemVtx } from "../test/system/cpu.ts";
import { systemDeterminism } from "../test/system/determinism.ts";
import { systemFaults } from "../test/system/faults.ts";
import { systemGdb } from "../test/system/gdb.ts";
import { systemLockstep } from "../test/system/lockstep.ts";
import { systemNet } from "../test/system/net.ts";
import { systemPc } from "../test/system/pc.ts";
import { systemVmm } from "../test/system/vmm.ts";
import { type Counts, finish } from "./counts.ts";

/** A later group is a line here. */
const groups: Record<string, (options: SystemOptions) => Promise<Counts>> = {
  cpu: systemCpu,
  vtx: systemVtx,
  pc: systemPc,
  browser: systemBrowser,
  gdb: systemGdb,
  lockstep: systemLockstep,
  determinism: systemDeterminism,
  net: systemNet,
  vmm: systemVmm,
  faults: systemFaults,
};

const args = process.argv.slice(2);
const run = groups[args[0] ?? ""];
if (run === undefined) {
  console.error(`system: name a group: ${Object.keys(groups).join(", ")}; for example: npm run system -- cpu`);
  process.exit(2);
}
const name = args.includes("--only") ? args[args.indexOf("--only") + 1] : args[1];
const only = name === undefined || name.startsWith("--") ? {} : { only: name };
const variant = args[2] === undefined || args[2].startsWith("--") ? {} : { variant: args[2] };
const has = (flag: string) => args.includes(flag);
const number = (flag: string) => (has(flag) ? Number(args[args.indexOf(flag) + 1]) : undefined);
finish(
  await run({
    ...only,
    ...variant,
    seeds: number("--seeds"),
    seed: number("--seed"),
    all: has("--all"),
    oracles: has("--oracles"),
    raw: has("--raw"),
    verbose: has("--verbose"),
  }),
);
