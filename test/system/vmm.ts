/** `npm run system -- vmm [NAME] [--all]`: the VMM's image on whole machines, see docs/system-tests.md. */
import type { Counts } from "../../scripts/counts.ts";
import { type Case, playCases } from "./cases.ts";
import type { SystemOptions } from "./cpu.ts";
import { standsAttacks } from "./vmm/attacks.ts";
import { bootVmm, bootWithoutVtx } from "./vmm/boot.ts";
import { deployByCommand } from "./vmm/command.ts";
import { concealsItself } from "./vmm/concealment.ts";
import { confines } from "./vmm/confinement.ts";
import { type Demo, leavesTheLoader, streamsTheDemo } from "./vmm/demo.ts";
import { linesForGdb } from "./vmm/gdb.ts";
import { hideMemory } from "./vmm/memory-map.ts";
import { costsNothing, needsNoVmx } from "./vmm/overhead.ts";
import { startsProcessorsAfterwards } from "./vmm/processors.ts";
import { profileBoot } from "./vmm/profile.ts";

const demo = (name: string, about: string, options: Demo, long = false): Case<string> => ({
  name,
  about: `the demo disk streams in, ${about}`,
  long,
  play: () => streamsTheDemo(options),
});

const cases: readonly Case<string>[] = [
  { name: "boot", about: "iPXE starts the image, which boots the local disk", play: bootVmm },
  { name: "no-vtx", about: "the same without VT-x", play: bootWithoutVtx },
  { name: "memory-map", about: "Linux gets a map with hidden memory", play: hideMemory },
  { name: "gdb", about: "gdb reads lines and symbols from both files", play: linesForGdb },
  { name: "command", about: "castaway deploy, its log, report, capture and trace", play: deployByCommand },
  { name: "concealment", about: "what a guest sees: bare, in a virtual machine, afterwards", play: concealsItself },
  { name: "confinement", about: "a guest and a station are after the hypervisor", play: confines },
  {
    name: "attacks",
    about: "a guest tries all that an instruction, a register or a transfer can do",
    play: standsAttacks,
  },
  {
    name: "processors",
    about: "four processors, two not started, interrupts between two",
    play: startsProcessorsAfterwards,
  },
  demo("demo", "1 processor", { cpus: 1 }),
  demo("demo-4", "4 processors, reads answered beside a dummy read, blocks of 4 KiB", {
    cpus: 4,
    redirect: "dummy",
    block: 4096,
    busy: true,
  }),
  { name: "overhead", about: "a program takes as long afterwards as on a bare machine", play: costsNothing },
  { name: "unplugged", about: "afterwards Linux goes on alike without VMX", play: () => needsNoVmx(200e6) },
  { name: "unplugged-long", about: "the same for 10^9 instructions", long: true, play: () => needsNoVmx(1e9) },
  { name: "loader", about: "the hypervisor leaves while SYSLINUX waits", play: leavesTheLoader },
  demo("demo-2", "2 processors, blocks of 1 MiB", { cpus: 2, block: 1 << 20 }, true),
  demo("demo-dummy", "1 processor, reads answered beside a dummy read", { cpus: 1, redirect: "dummy" }, true),
  demo("demo-dummy-1MiB", "the same with blocks of 1 MiB", { cpus: 1, redirect: "dummy", block: 1 << 20 }, true),
  demo("demo-4096", "4 processors, blocks of 4 KiB", { cpus: 4, block: 4096 }, true),
  { name: "profile", about: "an extension tells what a boot touches", play: profileBoot },
];

export const systemVmm = (options: SystemOptions): Promise<Counts> => playCases(cases, options, (said) => said);
