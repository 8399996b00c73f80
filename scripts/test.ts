/**
 * `npm test`: the suites that CI runs, one after the other, each within its time budget.
 * Each suite is an npm script that prints `N passed, M failed` as its last line; the sum is printed at the end.
 *
 *     npm test                     all suites
 *     npm test -- unit vectors     those named
 */
import { spawn } from "node:child_process";
import { UNIMPLEMENTED } from "@castaway/cpu";
import { root } from "./bundle.mjs";
import { type Counts, closingLine, finish, readClosingLine } from "./counts.ts";

type Suite = { name: string; command: string; minutes: number };

const suites: Suite[] = [
  { name: "unit", command: "npm run --silent unit", minutes: 5 },
  { name: "fuzz", command: "npm run --silent fuzz -- cpu --seconds 20", minutes: 2 },
  { name: "devices", command: "npm run --silent fuzz -- devices --seconds 20", minutes: 2 },
  { name: "compiler", command: "npm run --silent fuzz -- compiler --seconds 20", minutes: 2 },
  { name: "net-fuzz", command: "npm run --silent fuzz -- net --seconds 20", minutes: 2 },
  { name: "vmx-fuzz", command: "npm run --silent fuzz -- vmx --seconds 20", minutes: 2 },
  { name: "system", command: "npm run --silent system -- cpu", minutes: 4 },
  { name: "vtx", command: "npm run --silent system -- vtx", minutes: 4 },
  { name: "kvm", command: "npm run --silent system -- vtx kvm", minutes: 5 },
  { name: "pc", command: "npm run --silent system -- pc", minutes: 4 },
  { name: "determinism", command: "npm run --silent system -- determinism", minutes: 4 },
  { name: "net", command: "npm run --silent system -- net", minutes: 6 },
  { name: "vmm", command: "npm run --silent system -- vmm", minutes: 8 },
  { name: "faults", command: "npm run --silent system -- faults --seeds 20", minutes: 6 },
  { name: "browser", command: "npm run --silent system -- browser", minutes: 3 },
  { name: "gdb", command: "npm run --silent system -- gdb", minutes: 4 },
  { name: "lockstep", command: "npm run --silent system -- lockstep", minutes: 4 },
  { name: "decoder", command: "npm run --silent decoder", minutes: 4 },
  { name: "vectors", command: "npm run --silent vectors", minutes: 4 },
];

function run({ command, minutes }: Suite): Promise<{ counts: Counts | undefined; exit: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, { cwd: root, shell: true, detached: true, stdio: ["ignore", "pipe", "inherit"] });
    let tail = "";
    let overtime = false;
    const alarm = setTimeout(() => {
      overtime = true;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL"); // the shell and all that it started
    }, minutes * 60_000);
    child.stdout.on("data", (bytes: Buffer) => {
      process.stdout.write(bytes);
      tail = (tail + bytes.toString()).slice(-1000);
    });
    child.on("close", (code, signal) => {
      clearTimeout(alarm);
      let exit = code === 0 ? "" : `ended with ${code ?? signal}`;
      if (overtime) exit = `used up its ${minutes} minutes`;
      resolve({ counts: readClosingLine(tail), exit });
    });
  });
}

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (suites.some((suite) => suite.name === name)) continue;
  console.error(`test: there is no suite "${name}"; there are: ${suites.map((suite) => suite.name).join(", ")}`);
  process.exit(2);
}

const total: Counts = { passed: 0, failed: 0 };
const report: string[] = [];
for (const suite of suites.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  console.log(`\n== ${suite.name} ==\n`);
  const start = Date.now();
  const { counts, exit } = await run(suite);
  const seconds = ((Date.now() - start) / 1000).toFixed(1);
  const failed = counts?.failed || (exit !== "" || counts === undefined ? 1 : 0); // a crash counts as one failure
  total.passed += counts?.passed ?? 0;
  total.failed += failed;
  const why = exit !== "" ? exit : counts === undefined ? "printed no closing line" : "";
  report.push(
    `  ${suite.name.padEnd(10)} ${closingLine({ passed: counts?.passed ?? 0, failed })} in ${seconds} s of ${suite.minutes * 60} s` +
      (why && !counts?.failed ? ` (${why})` : ""),
  );
}
console.log("\nNot implemented yet (a guest that asks for it stops with a typed outcome):");
for (const [what, when] of Object.entries(UNIMPLEMENTED)) console.log(`  ${what}: ${when}`);
console.log(`\n== all suites ==\n\n${report.join("\n")}\n`);
finish(total);
