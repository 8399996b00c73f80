/** `castaway deploy`: from options to a laboratory, its run, and what came of it. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import {
  type BlobReader,
  Laboratory,
  loadDemoDisk,
  ms,
  type PhaseStart,
  Runner,
  traceDeployment,
  type VmmArguments,
  type Watch,
} from "castaway";
import { attended, type Console, checkWritable, clock, isInteractive, saveTo, writeReport } from "../console.ts";
import { EXIT, fileError, UserError } from "../exit.ts";
import { Script } from "../expect.ts";
import type { Front } from "../front.ts";
import { GdbPort } from "../gdb.ts";
import { openServed } from "../network.ts";
import { pcapFile } from "../pcap.ts";
import { type Ending, Session, type SessionOptions } from "../session.ts";
import { readSnapshotFile } from "../snapshots.ts";
import { SerialTerminal } from "../terminal.ts";
import { traceFile } from "../trace.ts";
import { LogFront } from "./log.ts";
import type { DeployOptions, Until } from "./options.ts";
import { DeployPanel } from "./panel.ts";
import { summary } from "./summary.ts";
import { Verdict } from "./verdict.ts";
import { phaseNames, phaseStories, time } from "./words.ts";

/** @returns the exit code; throws what `explain` turns into one */
export async function deploy(options: DeployOptions, console: Console): Promise<number> {
  for (const path of [options.save, options.json, options.pcap, options.trace]) checkWritable(path);
  const warn = (line: string) => console.err.write(`castaway: ${line}\n`);
  const interactive = isInteractive(options, console);
  const lab = await build(options, console, warn);
  if (options.load !== undefined) await lab.restore(readSnapshotFile(options.load).bytes);
  const { machine } = lab;
  const verdict = new Verdict(lab);
  const front = frontFor(lab, verdict, { options, console, interactive });
  const script = new Script(options.script);
  const pcap = options.pcap === undefined ? null : pcapFile(options.pcap, lab.lan, warn);
  const trace =
    options.trace === undefined
      ? null
      : traceFile(options.trace, machine, warn, { more: (trace) => traceDeployment(trace, lab) });
  const gdb = options.gdb === undefined ? null : await GdbPort.listen(options.gdb);
  const session = new Session(machine, new Runner(machine, clock), front, {
    script,
    interactive,
    gdb,
    host: clock,
    screen: false,
    until: ending(options, lab, interactive),
    atMost: options.atMost,
    pace: () => options.pace ?? (interactive && lab.phase === "bare" && script.over),
    check: () => verdict.problem(),
    save: () => saveTo(machine, options.save ?? "castaway.snapshot"),
  });
  greet(options, gdb, console, interactive);
  const began = clock.now();
  if (interactive) tellPhases(lab, verdict, front);
  const end = await attended(session, front, console)
    .then((end) => goOn(lab, front, end))
    .finally(() => {
      gdb?.close();
      pcap?.close();
      trace?.close();
    });
  if (options.save !== undefined && !machine.poweredOff) warn(await saveTo(machine, options.save));
  return finish(lab, verdict, end, { options, console, script, hostSeconds: (clock.now() - began) / 1000 });
}

async function build(options: DeployOptions, console: Console, onFailure: (line: string) => void): Promise<Laboratory> {
  const { image, vmm, memory, cpus, model, seed, serialConsole, link, server, diskSize, diskTiming } = options;
  const read: BlobReader = async (path) => new Uint8Array(await readFile(new URL(path, console.blobs)));
  const { blockSize: block, idle, pause, chunk, redirect, log } = options;
  const commandLine: VmmArguments = { block, idle, pause, chunk, redirect, log };
  return Laboratory.create({
    read,
    image: image === undefined ? await loadDemoDisk(read) : await openServed(image, onFailure),
    vmm: vmm === undefined ? await console.vmm() : readProgram(vmm),
    commandLine,
    disk: { size: diskSize, timing: diskTiming },
    ...{ memory, cpus, model, seed, serialConsole, link, server },
  });
}

/** Multiboot's magic number, and how far from the file's start its header may be [Multiboot 3.1.1]. */
const [MAGIC, REACH] = [0x1badb002, 8192];

/** @throws UserError if it cannot be read, or iPXE would not start it */
function readProgram(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch (error) {
    throw fileError("read", path, error);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, REACH));
  for (let at = 0; at + 4 <= view.byteLength; at += 4) if (view.getUint32(at, true) === MAGIC) return bytes;
  throw new UserError(`--vmm: ${path} is no multiboot program: it has no multiboot header`);
}

function frontFor(
  lab: Laboratory,
  verdict: Verdict,
  { options, console, interactive }: { options: DeployOptions; console: Console; interactive: boolean },
): Front {
  if (!interactive) return new LogFront(lab, console.out, console.err, (options.log ?? 0) > 0);
  if ((options.log ?? 0) > 0)
    lab.machine.debugLog.onByte((byte) => console.out.write(byte === 0x0a ? "\r\n" : Uint8Array.of(byte)));
  return new SerialTerminal(lab.machine, console, options.panel ? new DeployPanel(lab, verdict, clock.now) : null);
}

/** What the run is for; undefined: the script, or nothing. */
function ending({ until, script, gdb }: DeployOptions, lab: Laboratory, interactive: boolean): SessionOptions["until"] {
  const endless = interactive || gdb !== undefined || script.at(-1)?.kind === "expect";
  if (until === undefined) return endless ? undefined : endingOf({ kind: "devirtualized" }, lab);
  return endingOf(until, lab);
}
const endingOf = (until: Until, lab: Laboratory) => ({ name: nameOf(until), watch: watchOf(until, lab) });
const nameOf = (until: Until) =>
  until.kind === "text" ? JSON.stringify(until.text) : until.kind === "time" ? time(until.time) : until.kind;

function watchOf(until: Until, lab: Laboratory): Watch {
  const { machine } = lab;
  switch (until.kind) {
    case "devirtualized":
      return lab.observer.reaches("bare", nameOf(until));
    case "text":
      return machine.com1.shows(until.text);
    case "power-off":
      return when("power-off", () => machine.poweredOff);
    case "time":
      return when(nameOf(until), () => machine.now >= until.time);
  }
}
/** Looked at every 10 ms of virtual time, and whenever the machine stops. */
function when(name: string, happened: () => boolean): Watch {
  const watch = {
    name,
    seen: false,
    look: () => {
      watch.seen ||= happened();
    },
  };
  return watch;
}

function greet({ image }: DeployOptions, gdb: GdbPort | null, { err }: Console, interactive: boolean): void {
  if (interactive) err.write(`castaway: ${image ?? "demo disk"}, to an empty disk; Ctrl-A x quits, Ctrl-A h helps\n`);
  if (gdb !== null) err.write(`castaway: the machine waits for gdb: target remote localhost:${gdb.port}\n`);
}

/** In the terminal: what begins; and when the hypervisor is gone what it did, while the user goes on with the guest. */
function tellPhases(lab: Laboratory, verdict: Verdict, front: Front): void {
  const tell = ({ phase, at }: PhaseStart) => front.note(`${time(at)}, ${phaseNames[phase]}: ${phaseStories[phase]}`);
  for (const start of lab.starts) tell(start);
  lab.observer.onPhase((start) => {
    tell(start);
    if (start.phase !== "bare") return;
    lab.machine.pause(); // from now on time may be held back, and the disk can be compared
    verdict.whenBare((verification) => {
      for (const line of summary(lab.report(), verification, verdict.wrongs(verification))) front.note(line);
    });
  });
}

/** How long a run that was to end with the hypervisor goes on without it, so that no VM exits afterwards means something. */
const AFTERWARDS = ms(50);

function goOn(lab: Laboratory, front: Front, end: Ending): Ending {
  if (end.stop.reason !== "watch" || end.stop.detail !== "devirtualized") return end;
  lab.run({ atMost: AFTERWARDS });
  front.close();
  return end;
}

interface Outcome {
  readonly options: DeployOptions;
  readonly console: Console;
  readonly script: Script;
  readonly hostSeconds: number;
}

/** Compares the disk, reports, and decides how the command ends. */
function finish(lab: Laboratory, verdict: Verdict, end: Ending, outcome: Outcome): number {
  const { options, console, script, hostSeconds } = outcome;
  const verification = verdict.compare();
  const wrongs = verdict.wrongs(verification);
  const wrong = wrongs.length > 0 || verification?.verified === false;
  const code = wrong && end.code < 128 ? EXIT.differs : end.code;
  const report = lab.report();
  if (end.problem !== null) console.err.write(`castaway: ${end.problem}\n`);
  for (const line of summary(report, verification, wrongs)) console.out.write(`${line}\n`);
  if (options.json !== undefined) {
    const { stop } = end;
    const json = {
      stop: { reason: stop.reason, detail: stop.detail },
      exitCode: code,
      verified: wrong ? false : (verification?.verified ?? null),
      ...report,
      ...(verification === null ? {} : { verification }),
      wrongs,
      expected: script.expectations.map(({ text, seen }) => ({ text, seenAt: seen === null ? null : seen / 1e9 })),
      hostSeconds: Number(hostSeconds.toFixed(3)),
      mips: Number((report.instructions / hostSeconds / 1e6).toFixed(2)),
      digest: lab.machine.digest(),
    };
    writeReport(json, options.json, console, true);
  }
  return code;
}
