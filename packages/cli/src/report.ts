/** What a run did, in numbers: for scripts, and for comparing runs. */
import type { Machine, MachineStop, VmExits } from "castaway";
import type { Script } from "./expect.ts";
import type { NetworkCounters, NetworkReport } from "./network.ts";

/** What `--json` writes. Times are in seconds; counts are of this run, so without what came before `--load`. */
export interface Report {
  readonly stop: { readonly reason: string; readonly detail: string };
  readonly exitCode: number;
  readonly expected: readonly { readonly text: string; readonly seenAt: number | null }[];
  readonly instructions: number;
  readonly virtualSeconds: number;
  readonly hostSeconds: number;
  /** Million instructions a second of the host. */
  readonly mips: number;
  /** Of all that a guest can observe, at the end; equal runs have equal digests. */
  readonly digest: string;
  readonly devices: {
    readonly disks: readonly DiskCounts[];
    readonly serial: { readonly bytesSent: number };
    /** Accesses by processors to ports, and to registers in memory. */
    readonly ports: AccessCounts;
    readonly memoryMapped: AccessCounts;
    /** Handlers that processors entered. */
    readonly interrupts: { external: number; nonMaskable: number; software: number; exceptions: number };
    readonly resets: number;
  };
  /** By reason, the most frequent first. Only if there were any. */
  readonly vmExits?: VmExits;
  /** Only with a network. */
  readonly network?: NetworkReport;
}
export interface DiskCounts {
  readonly name: string;
  commands: number;
  failed: number;
  bytesRead: number;
  bytesWritten: number;
}

export interface AccessCounts {
  reads: number;
  writes: number;
}

/** Bit 0 of ATA's status: the command failed [ATA8-ACS 6.2]. */
const ERR = 1;
/** Bytes a sector of the disks that images.ts makes. */
const SECTOR = 512;

/** Listens to a machine's probes from now on. */
export class Counters {
  readonly #machine: Machine;
  readonly #network: NetworkCounters | null;
  readonly #first: { readonly instructions: number; readonly now: number; readonly host: number };
  readonly #disks: DiskCounts[];
  readonly #interrupts = { external: 0, nonMaskable: 0, software: 0, exceptions: 0 };
  readonly #ports: AccessCounts = { reads: 0, writes: 0 };
  readonly #memoryMapped: AccessCounts = { reads: 0, writes: 0 };
  #sent = 0;
  #resets = 0;

  /** @param host the host's time in milliseconds */
  constructor(machine: Machine, names: readonly string[], network: NetworkCounters | null, host: number) {
    this.#machine = machine;
    this.#network = network;
    const { instructions, now, probes } = machine;
    this.#first = { instructions, now, host };
    this.#disks = names.map((name) => ({ name, commands: 0, failed: 0, bytesRead: 0, bytesWritten: 0 }));
    for (const [n, counts] of this.#disks.entries()) {
      probes.disks[n]!.commands.on(({ name, moved, status }) => {
        counts.commands++;
        if (status & ERR) counts.failed++;
        if (/^READ (SECTORS|DMA|MULTIPLE|FPDMA)/.test(name)) counts.bytesRead += moved * SECTOR;
        if (/^WRITE (SECTORS|DMA|MULTIPLE|FPDMA)/.test(name)) counts.bytesWritten += moved * SECTOR;
      });
    }
    probes.serial.on(() => this.#sent++);
    probes.ports.on(({ write }) => this.#count(this.#ports, write));
    probes.memory.on(({ write }) => this.#count(this.#memoryMapped, write));
    probes.resets.on(() => this.#resets++);
    probes.deliveries.on(({ kind }) => {
      this.#interrupts[(["external", null, "nonMaskable", "exceptions"] as const)[kind] ?? "software"]++;
    });
  }

  #count(counts: AccessCounts, write: boolean): void {
    if (write) counts.writes++;
    else counts.reads++;
  }

  report(stop: MachineStop, exitCode: number, script: Script, host: number): Report {
    const machine = this.#machine;
    const instructions = machine.instructions - this.#first.instructions;
    const { vmExits } = machine;
    const hostSeconds = Math.round(host - this.#first.host) / 1000;
    return {
      stop: { reason: stop.reason, detail: stop.detail },
      exitCode,
      expected: script.expectations.map(({ text, seen }) => ({ text, seenAt: seen === null ? null : seen / 1e9 })),
      instructions,
      virtualSeconds: (machine.now - this.#first.now) / 1e9,
      hostSeconds,
      mips: hostSeconds > 0 ? Number((instructions / hostSeconds / 1e6).toFixed(2)) : 0,
      digest: machine.digest(),
      devices: {
        disks: this.#disks,
        serial: { bytesSent: this.#sent },
        ports: this.#ports,
        memoryMapped: this.#memoryMapped,
        interrupts: this.#interrupts,
        resets: this.#resets,
      },
      ...(vmExits.total === 0 ? {} : { vmExits }),
      ...(this.#network === null ? {} : { network: this.#network.report() }),
    };
  }
}
