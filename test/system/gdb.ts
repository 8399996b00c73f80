/**
 * `npm run system -- gdb`: the real gdb, in batch mode over TCP, on the machine that boots the demo disk with four
 * processors. It attaches at the reset vector, at the shell, and before the power goes off; what it prints is checked.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { type HostClock, type Machine, ms, Runner, seconds } from "castaway";
import { GdbPort } from "../../packages/cli/src/gdb.ts";
import type { Counts } from "../../scripts/counts.ts";
import type { SystemOptions } from "./cpu.ts";
import { install, isInstalled } from "./oracles.ts";
import { demoMachine } from "./pc.ts";

const SECONDS = 50;
const host: HostClock = {
  now: () => performance.now(),
  sleep: (milliseconds) =>
    new Promise((resolve) => (milliseconds > 0 ? setTimeout(resolve, milliseconds) : setImmediate(resolve))),
};

/** What gdb is told, and what it must print, in this order. */
interface Session {
  readonly about: string;
  readonly commands: readonly string[];
  readonly shows: readonly RegExp[];
  /** The same for its standard error, where `monitor` and complaints go. */
  readonly errors: readonly RegExp[];
  /** How it leaves the machine. */
  readonly end: string;
  /** Ctrl-C is sent once the machine runs, and when gdb has told of it this is typed at the serial port. */
  readonly interruptAndType?: string;
}

/** SYSLINUX's boot sector, in real mode. */
const bootSector: Session = {
  about: "real mode: breakpoint at 7C00, registers, memory, steps, a watchpoint",
  commands: [
    "p/x $pc",
    "break *0x7c00",
    "continue",
    "x/2xb 0x7dfe",
    "x/2i $pc",
    "p $cr0",
    "p/x $cs_base + $ip",
    "monitor disassemble",
    "stepi",
    "p/x $pc",
    "monitor info",
    "awatch *(unsigned short *)0x7bfe",
    "continue",
    "x/i $pc",
    "delete",
    "x/xb 0xfec00000",
    "info threads",
    "detach",
  ],
  shows: [
    /= 0xfffffff0\n/,
    /Breakpoint 1, 0x0+7c00 in/,
    /0x7dfe:\s+0x55\s+0xaa\n/,
    /=> 0x7c00:\s+xor +%eax,%eax\n/,
    /= \[ ET \]\n/,
    /= 0x7c00\n/,
    /= 0x7c02\n/,
    /Hardware access \(read\/write\) watchpoint 2: .*7bfe\n/,
    /Value = 0\n/,
    /=> 0x7c0d/, // after push es
    /\* 1 +Thread 1 \(cpu 0 running, real mode, ring 0\).*\n +2 +Thread 2 \(cpu 1 halted, 32-bit protected mode, ring 0\)/,
    /Inferior 1 .*detached/,
  ],
  errors: [
    /^7c00 +33c0 +xor ax,ax\n7c02 +fa +cli\n/m,
    /^cpu 0 running, real mode, ring 0, at 0000:7c02 \(linear 7c02\)\n/m,
    /Cannot access memory at address 0xfec00000\n/,
  ],
  end: "detached",
};

/** Linux at its shell. It waits for input until Ctrl-C; then a command is typed. */
const shell: Session = {
  about: "64-bit mode: Ctrl-C, four threads, a hardware breakpoint at LSTAR, steps, a watchpoint on a stack",
  commands: [
    "continue",
    "info threads",
    "thread 4",
    "hbreak *$lstar",
    "continue",
    "p $pc == $lstar",
    "p $cr0",
    "p $efer",
    "monitor translate 0",
    "x/i $pc",
    "stepi",
    "p $pc > $lstar",
    "delete",
    "awatch -l *(long *)$rsp",
    "continue",
    "delete",
    "p $mxcsr",
    "p sizeof($xmm0) + sizeof($st0)",
    "p/x $fctrl",
    "monitor inspect cpu0.LSTAR",
    "monitor screen",
    "detach",
  ],
  shows: [
    /received signal SIGINT/,
    /1 +Thread 1 \(cpu 0 .*64-bit mode, ring [03]\)(.*\n)+.* 4 +Thread 4 \(cpu 3 .*64-bit mode/,
    /Switching to thread 4/,
    /Hardware assisted breakpoint 1 at 0xffffffff81/,
    /Breakpoint 1, 0xffffffff81\w+ in/,
    /= 1\n/,
    /= \[ PE .*PG \]\n/,
    /= \[ SCE LME LMA NXE \]\n/,
    /=> 0xffffffff81\w+:\s+swapgs/,
    /= 1\n/,
    /Hardware access \(read\/write\) watchpoint 2: -location/,
    /[Vv]alue = /,
    /= \[ (PE )?IM DM ZM OM UM PM \]\n/,
    /= 26\n/,
    /= 0x37f\n/,
    /detached/,
  ],
  errors: [/^not mapped\n/m, /^0xffffffff81\w+\n/m, /castaway#/],
  end: "detached",
  interruptAndType: "echo $((6*7))\n",
};

const powerOff: Session = {
  about: "continue to power-off",
  commands: ["continue", "info threads"],
  shows: [/Inferior 1 .*exited normally/, /No threads/],
  errors: [],
  end: "ended",
};

interface Output {
  stdout: string;
  stderr: string;
}
/** All that gdb prints, to its end, which comes in time. */
function outputOf(gdb: ChildProcessWithoutNullStreams, onText: (text: string) => void): Promise<Output> {
  const alarm = setTimeout(() => gdb.kill("SIGKILL"), SECONDS * 1000);
  const output: Output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    gdb[name].on("data", (bytes: Buffer) => {
      output[name] += bytes.toString("latin1");
      onText(output[name]);
    });
  return new Promise((resolve, reject) => {
    gdb.on("error", reject);
    gdb.on("close", () => {
      clearTimeout(alarm);
      resolve(output);
    });
  });
}

/** One gdb, from attaching to its end. @throws Error that says what it did not print */
async function debug({ commands, shows, errors, end, interruptAndType }: Session, machine: Machine): Promise<void> {
  const port = await GdbPort.listen(0);
  const setup = ["set pagination off", `target remote 127.0.0.1:${port.port}`];
  const gdb = spawn("gdb", ["-nx", "-batch", ...[...setup, ...commands].flatMap((command) => ["-ex", command])]);
  const runner = new Runner(machine, host);
  let typed = interruptAndType;
  const output = outputOf(gdb, (text) => {
    if (!text.includes("SIGINT")) return;
    machine.com1.type(typed ?? "");
    typed = undefined;
  });
  if (typed !== undefined)
    runner.onSlice = () => {
      runner.onSlice = () => {};
      gdb.kill("SIGINT");
    };
  try {
    const connected = await Promise.race([port.connection().then(() => true), output.then(() => false)]);
    const left = connected ? await port.serve(machine, runner, host) : null;
    const { stdout, stderr } = await output;
    check(stdout, shows);
    check(stderr, errors);
    if (left?.reason !== end) throw new Error(`gdb left it ${left?.reason}, not ${end}`);
  } finally {
    gdb.kill("SIGKILL");
    port.close();
  }
}
function check(text: string, shows: readonly RegExp[]): void {
  let at = 0;
  for (const expected of shows) {
    const found = expected.exec(text.slice(at));
    if (found === null) throw new Error(`gdb did not print ${expected} after ${at} characters of:\n${text}`);
    at += found.index + found[0].length;
  }
}

/** To the shell's prompt, where all processors wait. */
function boot(machine: Machine): void {
  const stop = machine.run({ until: machine.com1.shows("castaway# "), atMost: seconds(30) });
  if (stop.reason !== "watch") throw new Error(`the machine did not come to its shell: ${stop.reason}`);
  machine.run({ atMost: ms(50) });
}

/** Digests of a machine, and of one that gdb has never seen, some time after the boot sector. */
function compare(machine: Machine): void {
  const until = machine.now + ms(30);
  const [seen, unseen] = [machine, demoMachine({ cpus: 4 })].map((pc) => {
    pc.run({ atMost: until - pc.now });
    return pc.digest();
  });
  if (seen !== unseen) throw new Error(`with gdb ${seen}, without ${unseen}`);
}

export async function systemGdb(_options: SystemOptions): Promise<Counts> {
  if (!isInstalled("gdb")) install(["gdb"]);
  if (!isInstalled("gdb")) throw new Error("system: gdb is not installed, and apt-get could not install it");
  const counts: Counts = { passed: 0, failed: 0 };
  const machine = demoMachine({ cpus: 4 });
  const cases: [about: string, run: () => Promise<void> | void][] = [
    [bootSector.about, () => debug(bootSector, machine)],
    ["debugging has changed nothing: the digest is that of a run without gdb", () => compare(machine)],
    ["Linux boots to its shell", () => boot(machine)],
    [shell.about, () => debug(shell, machine)],
    [
      powerOff.about,
      () => {
        machine.com1.type("poweroff -f\n");
        return debug(powerOff, machine);
      },
    ],
  ];
  for (const [about, run] of cases) {
    const begin = performance.now();
    try {
      await run();
      console.log(`ok    ${about}: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
      counts.passed++;
    } catch (e) {
      console.log(`WRONG ${about}: ${e instanceof Error ? e.message : String(e)}`);
      counts.failed++;
      break; // what follows goes on from there
    }
  }
  return counts;
}
