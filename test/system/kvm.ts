/**
 * `npm run system -- vtx kvm [VARIANT] [--all]`: Debian's own kernel and KVM modules run virtual machines on our VT-x;
 * test/system/kvm/checks.c says what they do. One boot; the module is loaded once for each variant.
 */
import { seconds } from "@castaway/kit";
import type { Counts } from "../../scripts/counts.ts";
import { Guest } from "./guests/guest.ts";
import { machine } from "./guests/machine.ts";
import { disk } from "./kvm/disk.ts";

interface Variant {
  readonly name: string;
  /** The module's parameters. */
  readonly parameters: string;
  /** What of it the module must say that it does. */
  readonly says: string;
  /** Runs only if it is named, or with --all. */
  readonly long?: true;
}

const variants: readonly Variant[] = [
  { name: "ept", parameters: "", says: "ept=Y unrestricted_guest=Y vpid=Y eptad=Y" },
  { name: "shadow", parameters: "ept=0", says: "ept=N unrestricted_guest=N vpid=Y" },
  { name: "virtual-8086", parameters: "unrestricted_guest=0", says: "ept=Y unrestricted_guest=N", long: true },
  { name: "no-vpid", parameters: "vpid=0", says: "ept=Y vpid=N", long: true },
  { name: "shadow-no-vpid", parameters: "ept=0 vpid=0", says: "ept=N vpid=N", long: true },
  { name: "no-eptad", parameters: "eptad=0", says: "ept=Y eptad=N", long: true },
  {
    name: "plain",
    parameters: "ept=0 vpid=0 flexpriority=0 vnmi=0 preemption_timer=0",
    says: "ept=N vpid=N flexpriority=N vnmi=N preemption_timer=N",
    long: true,
  },
];

const PROMPT = "kvm# ";

/** @param only a variant's name */
export async function systemKvm(only: string | undefined, all: boolean): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0 };
  const wanted = variants.filter(({ name, long }) => (only === undefined ? all || !long : name === only));
  if (wanted.length === 0)
    throw new Error(`kvm: there is no "${only}": ${variants.map(({ name }) => name).join(", ")}`);
  const guest = new Guest(machine(disk(), { memory: "256MiB", model: "skylake" }));
  guest.serial(PROMPT, seconds(60));
  console.log(`      the kernel runs: ${guest.measures()}`);
  console.log(`      ${/vmx flags.*/.exec(guest.serial(PROMPT, seconds(5), "grep vmx.flags /proc/cpuinfo\n"))?.[0]}`);
  for (const variant of wanted) {
    const output = guest.serial(PROMPT, seconds(10), `try all ${variant.parameters}\n`);
    const problems = complaints(output, variant);
    if (problems.length === 0) counts.passed++;
    else counts.failed++;
    const checks = output.match(/^ok /gm)?.length ?? 0;
    console.log(`${problems.length === 0 ? "ok   " : "WRONG"} ${variant.name}: ${checks} checks: ${guest.measures()}`);
    console.log(`      ${output.match(/^\w+=[YN]/gm)?.join(" ")}`);
    if (problems.length > 0) console.log(problems.join("\n"));
  }
  guest.pc.com1.type("poweroff -f\n");
  guest.poweredOff(seconds(30));
  return counts;
}

/** What is wrong in the output of `try`. */
function complaints(output: string, { says }: Variant): string[] {
  const lines = output.split("\n").map((line) => line.trimEnd());
  const missing = says.split(" ").filter((line) => !lines.includes(line));
  const problems = missing.map((line) => `  the module does not say ${line}`);
  if (!lines.includes("KVM-OK")) problems.push(...lines.filter((line) => !/^ok |^\w+=[YN]$/.test(line)));
  const log = lines.slice(lines.indexOf("-- dmesg") + 1, lines.indexOf("-- end"));
  if (log.length > 0) problems.push("  the modules' messages:", ...log);
  return problems;
}
