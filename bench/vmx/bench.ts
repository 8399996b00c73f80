/**
 * `npm run bench -- vmx [--json] [--only PART]`: what VT-x costs the host, in the interpreter. PART: trips, guests, misses.
 * Minimum of several runs, in turns; time is what the process had of a core, so that others disturb it less.
 */
import { cpus } from "node:os";
import type { Cpu } from "@castaway/cpu";
import { cpuProgramAt, type GuestOptions, machine, programAt, type Setup } from "./machine.ts";

/** Nanoseconds of the host for an instruction: the least of `runs`, the machines in turns, after a warm-up. */
function perInstruction(machines: readonly Cpu[], instructions: number, runs: number): number[] {
  const best = machines.map(() => Number.POSITIVE_INFINITY);
  for (const cpu of machines) go(cpu, 10 * instructions);
  for (let run = 0; run < runs; run++)
    machines.forEach((cpu, i) => {
      const start = process.cpuUsage(),
        done = go(cpu, instructions),
        { user, system } = process.cpuUsage(start);
      best[i] = Math.min(best[i]!, ((user + system) * 1000) / done);
    });
  return best;
}
function go(cpu: Cpu, instructions: number): number {
  const stop = cpu.run({ instructions });
  if (stop.reason !== "limit")
    throw new Error(`stopped: ${stop.reason} ${stop.detail} at ${cpu.get("RIP").toString(16)}`);
  return stop.instructions;
}
const exitsOf = (cpu: Cpu) => [...cpu.processors[0]!.vmx.exits.values()].reduce((sum, n) => sum + n, 0);

/** Many short runs: some of them nobody else disturbs. */
const RUNS = 40;
type Say = (line: string) => void;

// ---- round trips ----

const TRIPS = ["cpuid", "io", "ept"] as const;
/** Microseconds from the guest's instruction to the next: exit, a handler of seven instructions, entry. */
function roundTrip(program: string, options: GuestOptions): number {
  const cpu = machine(programAt(program), { guest: { ept: "4K", ...options } }),
    before = exitsOf(cpu),
    retired = cpu.retired;
  const [each] = perInstruction([cpu], 50_000, RUNS);
  return (each! * (cpu.retired - retired)) / (exitsOf(cpu) - before) / 1000;
}
function benchTrips(say: Say): Record<string, number> {
  const report: Record<string, number> = {};
  say("round trip   VPID  no VPID   (µs)");
  for (const name of TRIPS) {
    const tagged = roundTrip(name, { vpid: true }),
      plain = roundTrip(name, {});
    report[name] = tagged;
    report[`${name}, no VPID`] = plain;
    say(`${name.padEnd(10)}${tagged.toFixed(2).padStart(7)}${plain.toFixed(2).padStart(9)}`);
  }
  const anew = roundTrip("cpuid", { vpid: true, handler: "exitAnew" }),
    switching = machine(programAt("cpuid"), { guest: { ept: "4K", vpid: true, handler: "switching" } });
  const [each] = perInstruction([switching], 30_000, RUNS),
    checks = anew - report["cpuid"]! - (3 * each!) / 1000;
  report["checks"] = checks;
  say(`\nall checks of VM entry, beside those that a round trip makes: ${checks.toFixed(2)} µs\n`);
  return report;
}

// ---- guests that do not exit ----

const GUESTS = ["integer", "bytecode", "chase", "strings", "sse", "rep", "syscalls"];
function benchGuests(say: Say): Record<string, { root: number; guest: number; ratio: number }> {
  const report: Record<string, { root: number; guest: number; ratio: number }> = {};
  say("guest        root    guest  (MIPS)  ratio");
  for (const name of GUESTS) {
    const program = name === "syscalls" ? programAt(name) : cpuProgramAt(name),
      guest = machine(program, { guest: { vpid: true, ept: "2M" } }),
      alone = machine(program, {});
    const times = perInstruction([alone, guest], name === "rep" ? 2e7 : 1e6, RUNS);
    if (exitsOf(guest) !== 0) throw new Error(`${name}: the guest has exits`);
    const [root, nonRoot] = times.map((ns) => 1000 / ns) as [number, number];
    report[name] = { root, guest: nonRoot, ratio: nonRoot / root };
    const columns = [root.toFixed(1).padStart(9), nonRoot.toFixed(1).padStart(9), (nonRoot / root).toFixed(3)];
    say(`${name.padEnd(8)}${columns[0]}${columns[1]}          ${columns[2]}`);
  }
  return report;
}

// ---- TLB misses ----

const TABLES: readonly (readonly [name: string, setup: Setup])[] = [
  ["4K", { pages: "4K" }],
  ["2M", { pages: "2M" }],
  ["4K on EPT 4K", { pages: "4K", guest: { vpid: true, ept: "4K" } }],
  ["4K on EPT 2M", { pages: "4K", guest: { vpid: true, ept: "2M" } }],
  ["2M on EPT 2M", { pages: "2M", guest: { vpid: true, ept: "2M" } }],
];
/** Instructions of a round of the loop, in which there is one read. */
const LOOP = 4;
function benchMisses(say: Say): Record<string, number> {
  const report: Record<string, number> = {},
    hits = programAt("hits"),
    misses = programAt("misses");
  say("\nTLB miss        (ns)");
  for (const [name, setup] of TABLES) {
    const [hit, miss] = perInstruction([machine(hits, setup), machine(misses, setup)], 100_000, RUNS) as [
      number,
      number,
    ];
    report[name] = LOOP * (miss - hit);
    say(`${name.padEnd(14)}${report[name].toFixed(0).padStart(6)}`);
  }
  return report;
}

export function benchVmx(json: boolean, only: string | undefined): void {
  const say: Say = json ? () => {} : (line) => console.log(line);
  const wants = (part: string) => only === undefined || only === part;
  say(`${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}\n`);
  const report = {
    ...(wants("trips") ? { microseconds: benchTrips(say) } : {}),
    ...(wants("guests") ? { mips: benchGuests(say) } : {}),
    ...(wants("misses") ? { missNanoseconds: benchMisses(say) } : {}),
  };
  if (json) console.log(JSON.stringify(report));
}
