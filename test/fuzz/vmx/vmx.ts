/**
 * `npm run fuzz -- vmx`: random virtual machines, guest and host, on the evaluator and the interpreter. The interpreter's
 * run is cut elsewhere, and it goes on from saved states, its own and the evaluator's, in another machine. No exception of the host, no
 * hang, virtual time goes on, and equal digests. `--seed N` repeats one machine.
 */
import { Cpu, modelNamed, withFeatures } from "@castaway/cpu";
import { Random } from "@castaway/kit";
import { exitName } from "../../../packages/cpu/src/vmx/reasons.ts";
import { NON_ROOT } from "../../../packages/cpu/src/vmx/vmx.ts";
import { type Counts, finish } from "../../../scripts/counts.ts";
import { difference } from "../cpu.ts";
import { MEMORY } from "../program.ts";
import { loadMachine } from "./program.ts";

const SLICES = 10;
const NANOSECONDS = 100_000;
const model = withFeatures(modelNamed("skylake"), ["vmx", "ept", "vpid", "unrestrictedGuest", "monitor"]);
const machineOf = (executor: "evaluator" | "interpreter") => new Cpu({ memory: MEMORY, model, executor });

/** A machine as it is made: nothing of one seed is left for the next. */
const blank = machineOf("evaluator").save();

/** How the interpreter's run differs from the evaluator's, bit by bit. */
const CUT = 1,
  RESTORED = 2;
/** The spare one was left as it was when the other took its place. */
type Machines = readonly [oracle: Cpu, subject: Cpu, spare: Cpu];

/** Something from outside, the same for every processor: an NMI, an interrupt, INIT or SIPI. */
function disturb(cpu: Cpu, random: Random): void {
  const p = cpu.processors[0]!;
  const kind = random.below(16),
    vector = 16 + random.below(240);
  if (kind < 2) p.signal(1);
  else if (kind < 4) p.apic!.accept({ mode: 0, vector, logical: false, destination: 0, level: false, assert: true });
  else if (kind === 5 && random.below(4) === 0) p.signal(2);
  else if (kind === 6 && random.below(4) === 0) p.signal(4, vector);
}

/** To where the other one is, in pieces. */
function follow(cpu: Cpu, target: Cpu, random: Random): void {
  for (let piece = 0; piece < 200; piece++) {
    const instructions = target.retired - cpu.retired,
      nanoseconds = target.now - cpu.now;
    if (nanoseconds <= 0 && instructions <= 0) return;
    const { reason } = cpu.run({
      instructions: instructions > 0 ? 1 + random.below(instructions) : 1,
      nanoseconds: Math.max(1, nanoseconds),
    });
    if (reason !== "limit") return;
  }
}

/** One machine on both; the failure, or "". */
function runSeed(seed: number, machines: Machines, how: number): string {
  let name = "";
  for (const cpu of machines) {
    cpu.restore(blank);
    name = loadMachine(cpu, new Random(seed));
    cpu.processors[0]!.apic!.write(0xfee000f0, 4, 0x1ff);
  }
  const [oracle] = machines;
  let [, subject, spare] = machines;
  const random = new Random(seed ^ 0x2f6b3a91),
    cuts = new Random(seed);
  for (let slice = 0; slice < SLICES; slice++) {
    const instructions = 1 + random.below(1500),
      before = oracle.retired + oracle.now,
      place = `seed ${seed}, ${name}, slice ${slice}`,
      disturbance = random.u32();
    let reason: string;
    try {
      if (seed & 4) for (const cpu of [oracle, subject]) disturb(cpu, new Random(disturbance));
      reason = oracle.run({ instructions, nanoseconds: NANOSECONDS }).reason;
      if (how & CUT && reason === "limit") follow(subject, oracle, cuts);
      else subject.run({ instructions, nanoseconds: NANOSECONDS });
      if (how & RESTORED && cuts.below(2) === 0) {
        spare.restore((cuts.below(2) === 0 ? oracle : subject).save());
        [subject, spare] = [spare, subject];
      }
    } catch (e) {
      return `${place}: the host threw ${e instanceof Error ? e.stack : String(e)}`;
    }
    if (oracle.digest() !== subject.digest())
      return `${place} (${reason}):\n    ${difference(oracle, subject)}\n    ${vmcsDifference(oracle, subject)}`;
    if (reason !== "limit") break;
    if (oracle.retired + oracle.now <= before) return `${place}: time stands still`;
  }
  return "";
}
function vmcsDifference(a: Cpu, b: Cpu): string {
  const [x, y] = [a, b].map((cpu) => cpu.processors[0]!.vmx) as [
    Cpu["processors"][0]["vmx"],
    Cpu["processors"][0]["vmx"],
  ];
  const bytes = [...x.vmcs.bytes.keys()].filter((i) => x.vmcs.bytes[i] !== y.vmcs.bytes[i]);
  return `operation ${x.operation} and ${y.operation}, VMCS fields that differ: ${[...new Set(bytes.map((i) => i >> 3))]}`;
}

/** `seconds` of seeds from `first` on. */
export function fuzzVmx(seconds: number, first: number, only: boolean): void {
  const counts: Counts = { passed: 0, failed: 0 },
    exits = new Map<string, number>();
  let entries = 0,
    refusals = 0,
    inGuest = 0;
  const fresh = (): Machines => {
    const made = [machineOf("evaluator"), machineOf("interpreter"), machineOf("interpreter")] as const;
    const { probes } = made[0];
    probes.vmExit.on(({ reason }) => exits.set(exitName(reason), (exits.get(exitName(reason)) ?? 0) + 1));
    probes.vmEntry.on(() => entries++);
    probes.vmRefused.on(() => refusals++);
    return made;
  };
  let machines = fresh();
  const end = Date.now() + seconds * 1000;
  for (let seed = first; Date.now() < end && counts.failed < 10; seed++) {
    const how = seed % 4,
      failure = runSeed(seed, machines, how);
    if (machines[0].processors[0]!.vmx.operation === NON_ROOT) inGuest++;
    if (failure === "") counts.passed++;
    else {
      counts.failed++;
      console.log(failure);
      machines = fresh();
      if (how !== 0)
        console.log(`    ${runSeed(seed, machines, 0) === "" ? "equal" : "different"} if it is run straight`);
      machines = fresh();
    }
    if (only) break;
  }
  const reasons = [...exits].sort((a, b) => b[1] - a[1]).map(([name, n]) => `${name} ${n}`);
  console.log(
    `seeds ${first} to ${first + counts.passed + counts.failed - 1}: random virtual machines, evaluator against interpreter: ` +
      `${entries} entries, ${refusals} refused, ${inGuest} machines ended in the guest; exits: ${reasons.join(", ")}`,
  );
  finish(counts);
}
