/** `castaway boot`: from options to a machine, its run, and what is left of it. */
import { readFile } from "node:fs/promises";
import { type Disk, loadDemoDisk, loadFirmware, Machine, type MachineOptions, Runner } from "castaway";
import { attended, type Console, checkWritable, clock, isInteractive, saveTo, writeReport } from "./console.ts";
import { Script } from "./expect.ts";
import { type Front, PlainFront } from "./front.ts";
import { GdbPort } from "./gdb.ts";
import { checkDistinct, openImage } from "./images.ts";
import { type BuiltNetwork, buildNetwork, NetworkCounters } from "./network.ts";
import { type BootDevice, wantsNetwork } from "./network-options.ts";
import type { BootOptions } from "./options.ts";
import { pcapFile } from "./pcap.ts";
import { Counters } from "./report.ts";
import { ScreenTerminal } from "./screen.ts";
import { type Ending, Session } from "./session.ts";
import { readSnapshotFile, type Snapshot, savedOptions, writeWhole } from "./snapshots.ts";
import { Status } from "./status.ts";
import { SerialTerminal, statusPanel } from "./terminal.ts";
import { traceFile } from "./trace.ts";

/** @returns the exit code; throws what `explain` turns into one */
export async function boot(options: BootOptions, console: Console): Promise<number> {
  for (const path of [options.save, options.screenshot, options.json, options.pcap, options.trace]) checkWritable(path);
  const snapshot = options.load === undefined ? undefined : readSnapshotFile(options.load);
  const warn = (line: string) => console.err.write(`castaway: ${line}\n`);
  const { settings, network } = await machineOptions(options, snapshot, console.blobs, warn);
  const machine = await Machine.create(settings);
  if (snapshot !== undefined) await machine.restore(snapshot.bytes);

  const interactive = isInteractive(options, console);
  const front = frontFor(machine, options, console, interactive);
  const names = (settings.disks as Disk[]).map(({ name = "" }) => name);
  const script = new Script(options.script);
  const counting = network === null ? null : new NetworkCounters(network.lan);
  const counters = options.json === undefined ? null : new Counters(machine, names, counting, clock.now());
  const pcap = options.pcap === undefined || network === null ? null : pcapFile(options.pcap, network.lan, warn);
  const gdb = options.gdb === undefined ? null : await GdbPort.listen(options.gdb);
  const trace = options.trace === undefined ? null : traceFile(options.trace, machine, warn);
  const session = new Session(machine, new Runner(machine, clock), front, {
    ...options,
    script,
    interactive,
    gdb,
    host: clock,
    save: () => saveTo(machine, options.save ?? "castaway.snapshot"),
  });
  copyLogs(machine, options, console, interactive);
  greet(options, names, gdb, console, interactive);
  const ending = await attended(session, front, console).finally(() => {
    gdb?.close();
    pcap?.close();
    trace?.close();
  });

  if (options.screen && !interactive) console.out.write(`${machine.screen.text}\n`);
  if (options.save !== undefined && !machine.poweredOff) warn(await saveTo(machine, options.save));
  if (options.screenshot !== undefined) await writeScreenshot(machine, options.screenshot);
  if (ending.problem !== null) warn(ending.problem);
  else if (interactive) warn(summary(machine, ending));
  if (counters !== null) {
    const lineEnds = !(front instanceof PlainFront) || front.atLineStart;
    writeReport(counters.report(ending.stop, ending.code, script, clock.now()), options.json!, console, lineEnds);
  }
  return ending.code;
}

/** @throws ConfigError, UserError */
async function machineOptions(
  options: BootOptions,
  snapshot: Snapshot | undefined,
  blobs: URL,
  onFailure: (line: string) => void,
): Promise<{ settings: MachineOptions; network: BuiltNetwork | null }> {
  const read = async (path: string) => new Uint8Array(await readFile(new URL(path, blobs)));
  const { timing: savedTiming, display, network: savedNetwork, ...saved } = savedOptions(snapshot);
  const timing = options.diskTiming ?? savedTiming;
  const boot = options.boot ?? saved.boot ?? defaultBoot(options);
  const { image, write, memory, cpus, model, executor, startDate, seed = saved.seed } = options;
  const serialConsole = options.serialConsole ?? saved.serialConsole ?? boot[0] === "network";
  const paths = image === undefined ? options.disk : [image, ...options.disk];
  if (write) checkDistinct(paths);
  const demo = image === undefined && boot.includes("disk");
  const disks: Disk[] = demo ? [{ name: "demo disk", medium: await loadDemoDisk(read), timing }] : [];
  for (const path of paths) disks.push(await openImage(path, { write, timing, onFailure }));
  const firmware = await loadFirmware(read, { display: display && options.display });
  const wanted = wantsNetwork(options) || options.boot?.includes("network") || savedNetwork.net;
  const network = wanted
    ? await buildNetwork({ ...savedNetwork, ...defined(options) }, { seed, read, onFailure })
    : null;
  const given = { memory, cpus, model, executor, startDate, seed, serialConsole, msi: options.msi ? undefined : false };
  const around = network === null ? {} : { networkCards: network.networkCards, beside: network.lan };
  return { settings: { firmware, disks, ...saved, ...defined(given), boot, ...around }, network };
}

/** Without what is undefined, which is as good as not given. */
function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}

/** A network that has something to boot is tried first. */
const defaultBoot = ({ bootFile, rootPath }: BootOptions): BootDevice[] =>
  bootFile === undefined && rootPath === undefined ? ["disk", "network"] : ["network", "disk"];

function frontFor(machine: Machine, options: BootOptions, console: Console, interactive: boolean): Front {
  if (!interactive) return new PlainFront(machine, console.out, console.err, options.screen);
  const status = options.status ? new Status(machine, clock.now) : null;
  if (options.screen) return new ScreenTerminal(machine, console, status);
  return new SerialTerminal(machine, console, status && statusPanel(status));
}

function greet(
  { script, atMost }: BootOptions,
  disks: readonly string[],
  gdb: GdbPort | null,
  { err }: Console,
  interactive: boolean,
): void {
  if (interactive) err.write(`castaway: ${disks[0] ?? "the network"}; Ctrl-A x quits, Ctrl-A h helps\n`);
  else if (script.length === 0 && atMost === undefined && gdb === null)
    err.write(
      "castaway: no terminal, so this runs until the guest powers off; --expect and --at-most end it earlier\n",
    );
  if (gdb !== null) err.write(`castaway: the machine waits for gdb: target remote localhost:${gdb.port}\n`);
}

function copyLogs(machine: Machine, { log }: BootOptions, { err }: Console, raw: boolean): void {
  for (const name of new Set(log)) {
    const transcript = name === "firmware" ? machine.firmwareLog : machine.debugLog;
    transcript.onByte((byte) => err.write(raw && byte === 0x0a ? "\r\n" : Uint8Array.of(byte)));
  }
}

async function writeScreenshot(machine: Machine, path: string): Promise<void> {
  const { encode } = await import("fast-png");
  const { width, height, rgba } = machine.screen.picture()!; // --no-display and --screenshot exclude each other
  writeWhole(path, encode({ width, height, data: rgba, channels: 4, depth: 8 }));
}

function summary(machine: Machine, { stop }: Ending): string {
  const end = stop.reason === "powered off" ? "powered off" : stop.reason === "watch" ? "seen" : "quit";
  return `${end}: ${(stop.instructions / 1e6).toFixed(0)} million instructions, ${(machine.now / 1e9).toFixed(2)} s of virtual time`;
}
