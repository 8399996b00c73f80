/**
 * QEMU's side: a machine whose processor runs one instruction at a time, with the memory map of ours and none of its own
 * devices ever asked. Its RAM is a file that is read here without asking; it is written through the stub alone once
 * code has run, so that QEMU drops what it translated.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Model } from "@castaway/cpu";
import { root } from "../../scripts/bundle.mjs";
import { install, isInstalled } from "../system/oracles.ts";
import { type Layout, readLayout } from "./layout.ts";
import { type MapState, mapCommands } from "./map.ts";
import { Remote } from "./remote.ts";
import { MigrationStream } from "./stream.ts";

const COMMAND = "qemu-system-x86_64";
/** QEMU never runs so long from one place to the next, however loaded the host is. */
const PATIENCE_SECONDS = 10;

/** Installs QEMU if need be; false if that is not possible. */
export function available(): boolean {
  if (!isInstalled(COMMAND)) install(["qemu-system-x86"]);
  return isInstalled(COMMAND);
}

/** What gates instructions or control bits, as QEMU calls it. */
// biome-ignore format: a table
const FLAGS: Readonly<Record<string, string>> = {
  cx16: "cx16", popcnt: "popcnt", movbe: "movbe", rdtscp: "rdtscp", rdpid: "rdpid", clflushopt: "clflushopt", clwb: "clwb",
  rdrand: "rdrand", rdseed: "rdseed", fsgsbase: "fsgsbase", sse3: "pni", invpcid: "invpcid", pcid: "pcid", smap: "smap",
  smep: "smep", umip: "umip", page1g: "pdpe1gb", nx: "nx", prefetchw: "3dnowprefetch", lahf64: "lahf-lm", pge: "pge", pse36: "pse36",
};
/** What QEMU's Westmere has, and none of our models. */
const WITHOUT = "ssse3 sse4.1 sse4.2 aes pclmulqdq".split(" ");

function processorArgument({ features }: Model): string {
  const own = Object.entries(FLAGS).map(
    ([feature, flag]) => `${flag}=${(features as ReadonlySet<string>).has(feature) ? "on" : "off"}`,
  );
  return ["Westmere", ...own, ...WITHOUT.map((flag) => `${flag}=off`)].join(",");
}

/** QEMU went another way than our side. */
export class Astray extends Error {}

export interface QemuOptions {
  readonly memoryBytes: number;
  readonly model: Model;
}

/** Everything of a processor that QEMU is started with. */
export interface Start {
  /** Writes the processor's state into the fields of a stream. */
  readonly patch: (stream: MigrationStream) => void;
  readonly ram: Uint8Array;
  readonly map: MapState;
}

export class Qemu {
  readonly remote: Remote;
  readonly layout: Layout;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #files: number[];
  readonly #ram: number;
  readonly #watch: Worker;
  readonly #busySince = new BigInt64Array(new SharedArrayBuffer(8));
  #map: MapState | null = null;

  private constructor(options: QemuOptions, incoming: Buffer | null, ram: Uint8Array | null) {
    this.#folder = mkdtempSync(join(tmpdir(), "lockstep-"));
    const path = (name: string) => join(this.#folder, name);
    for (const name of ["gdb.in", "gdb.out"]) spawnSync("mkfifo", [path(name)]);
    writeFileSync(path("ram"), "");
    truncateSync(path("ram"), options.memoryBytes);
    this.#ram = openSync(path("ram"), "r+");
    if (ram !== null) writeSync(this.#ram, ram, 0, ram.length, 0);
    if (incoming !== null) writeFileSync(path("state"), incoming);
    const errors = openSync(path("errors"), "w+");
    const args = argumentsOf(options, path, incoming !== null);
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", COMMAND, ...args], { stdio: ["ignore", errors, errors] });
    if (this.#child.pid === undefined) throw new Error(`${COMMAND} does not start`);
    this.#watch = watchOver(this.#child.pid, this.#folder, this.#busySince);
    const [output, input] = [openSync(path("gdb.in"), "w"), openSync(path("gdb.out"), "r")];
    this.#files = [output, input, errors, this.#ram];
    this.remote = new Remote(input, output);
    try {
      this.remote.ask("qSupported:xmlRegisters=i386");
    } catch (e) {
      throw new Error(`${e instanceof Error ? e.message : e}: ${this.messages()}`);
    }
    rmSync(path("ram")); // whoever has it open goes on with it, and nothing is left behind
    this.remote.monitor("migrate_set_capability x-ignore-shared on");
    if (incoming !== null) this.remote.monitor(`migrate_incoming "exec:cat ${path("state")}"`);
    this.layout = readLayout(this.remote);
    this.remote.tell("Qqemu.PhyMemMode:1");
    this.remote.tell("Qqemu.sstep=7"); // single-step, without interrupts, without timers
  }

  /** A QEMU whose processor, memory and memory map are as they are here. */
  static start(options: QemuOptions, start: Start): Qemu {
    const stream = new MigrationStream(template(options));
    start.patch(stream);
    const qemu = new Qemu(options, stream.bytes, start.ram);
    qemu.waitForState();
    qemu.setMap(start.map);
    for (const mask of [0x21, 0xa1]) qemu.remote.monitor(`o /b 0x${mask.toString(16)} 0xff`); // its timer is not ours
    return qemu;
  }
  /** The state of one that has not run yet. */
  static emptyState(options: QemuOptions): Buffer {
    const qemu = new Qemu(options, null, null);
    try {
      const file = join(qemu.#folder, "template");
      qemu.remote.monitor(`migrate "exec:cat > ${file}"`);
      qemu.waitForState();
      return readFileSync(file);
    } finally {
      qemu.end();
    }
  }

  /** Until a migration, in either direction, is over. */
  waitForState(): void {
    for (let tries = 0; tries < 1000; tries++) {
      const text = this.remote.monitor("info migrate");
      if (/status: completed/i.test(text)) return;
      if (/status: failed/i.test(text)) throw new Error(`QEMU does not take the state: ${text} ${this.messages()}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
    throw new Error("QEMU does not finish its migration");
  }
  /** What it printed. */
  messages(): string {
    return readFileSync(join(this.#folder, "errors"), "utf8");
  }

  // ---- running ----

  /** One instruction, or the delivery of the fault that it raises. */
  step(): void {
    this.#run("s");
  }
  #run(command: string, before: readonly string[] = []): void {
    Atomics.store(this.#busySince, 0, BigInt(Date.now()));
    const answer = this.remote.ask(command, before);
    Atomics.store(this.#busySince, 0, 0n);
    if (/^[ST]05/.test(answer)) return;
    throw new Astray(`QEMU did not come to the same place; it stopped with "${answer}"`);
  }
  /** Runs until the instruction at a linear address is next. @throws Error if it never comes */
  runTo(linear: number): void {
    const where = `0,${BigInt.asUintN(64, BigInt(linear)).toString(16)},1`;
    this.#run("c", [`Z${where}`]);
    this.remote.tell(`z${where}`);
  }

  // ---- registers and memory ----

  registers(): Buffer {
    return Buffer.from(this.remote.ask("g"), "hex");
  }
  /** Writes those registers whose bytes differ; mode before width: segments first. */
  setRegisters(was: Buffer, wanted: Buffer): void {
    const changed = this.layout.places.filter(
      ({ offset, bytes }) => was.compare(wanted, offset, offset + bytes, offset, offset + bytes) !== 0,
    );
    const rank = (name: string) => (/^(cr\d|efer)$/.test(name) ? 0 : /^[c-gs]s$/.test(name) ? 1 : 2);
    this.remote.tellAll(
      changed
        .sort((a, b) => rank(a.name) - rank(b.name))
        .map(
          ({ number, offset, bytes }) => `P${number.toString(16)}=${wanted.toString("hex", offset, offset + bytes)}`,
        ),
    );
  }
  /** RAM by physical address. */
  read(physical: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    readSync(this.#ram, bytes, 0, length, physical);
    return bytes;
  }
  readInto(physical: number, into: Uint8Array): void {
    readSync(this.#ram, into, 0, into.length, physical);
  }
  write(physical: number, bytes: Uint8Array): void {
    const MOST = 1024;
    const packets: string[] = [];
    for (let at = 0; at < bytes.length; at += MOST) {
      const some = Buffer.from(bytes.subarray(at, at + MOST));
      packets.push(`M${(physical + at).toString(16)},${some.length.toString(16)}:${some.toString("hex")}`);
    }
    this.remote.tellAll(packets);
  }
  /** Shadowing of C0000 to FFFFF, and gate A20. */
  setMap(map: MapState): void {
    for (const command of mapCommands(this.#map, map)) this.remote.monitor(command);
    this.#map = map;
  }
  /** What the monitor shows of the processor, hidden parts included. */
  details(): string {
    return this.remote.monitor("info registers");
  }

  end(): void {
    this.#child.kill("SIGKILL");
    void this.#watch.terminate();
    for (const file of this.#files) closeSync(file);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const templates = new Map<string, Buffer>();
function template(options: QemuOptions): Buffer {
  const key = `${options.memoryBytes} ${options.model.name}`;
  let found = templates.get(key);
  if (found === undefined) templates.set(key, (found = Qemu.emptyState(options)));
  return found;
}

function argumentsOf(options: QemuOptions, path: (name: string) => string, waits: boolean): string[] {
  const { memoryBytes, model } = options;
  return [
    ..."-S -nodefaults -no-user-config -display none -accel tcg".split(" "),
    ...["-chardev", `pipe,id=gdb,path=${path("gdb")}`, "-gdb", "chardev:gdb"],
    ...["-machine", "pc,smm=off,hpet=off,vmport=off,memory-backend=ram", "-m", `${memoryBytes / 2 ** 20}M`],
    ...["-object", `memory-backend-file,id=ram,size=${memoryBytes},mem-path=${path("ram")},share=on`],
    ...["-cpu", processorArgument(model), "-bios", join(root, "firmware-blobs/seabios/bios.bin")],
    ...(waits ? ["-incoming", "defer"] : []),
  ];
}

/**
 * Our questions block. So another thread interrupts a QEMU that runs and runs, as Ctrl-C does, and ends it if that does not
 * help either; and if QEMU has ended before it opened the FIFOs, it opens them in its place, so that we learn of it.
 */
function watchOver(pid: number, folder: string, busySince: BigInt64Array): Worker {
  const text = `const { workerData: { pid, folder, busySince, patience } } = require("node:worker_threads");
    const { appendFileSync, openSync, readFileSync } = require("node:fs");
    let interrupted = 0n;
    const ended = () => { try { return /\\) Z/.test(readFileSync("/proc/" + pid + "/stat", "latin1")); } catch { return true; } };
    const timer = setInterval(() => {
      const since = Atomics.load(busySince, 0), late = since === 0n ? 0 : Date.now() - Number(since);
      if (ended()) {
        clearInterval(timer);
        try { openSync(folder + "/gdb.in", "r+"); appendFileSync(folder + "/gdb.out", ""); } catch {}
      } else if (late > 2 * patience) { try { process.kill(pid, "SIGKILL"); } catch {} }
      else if (late > patience && interrupted !== since) { interrupted = since; appendFileSync(folder + "/gdb.in", "\\x03"); }
    }, 500);`;
  const worker = new Worker(text, {
    eval: true,
    workerData: { pid, folder, busySince, patience: PATIENCE_SECONDS * 1000 },
  });
  worker.unref();
  return worker;
}
