/** A deployment's phases, disk commands, frames and progress as tracks of a trace. */
import type { Trace } from "../trace.ts";
import type { Laboratory } from "./laboratory.ts";
import type { PhaseStart } from "./phases.ts";

/** EtherTypes, at bytes 12 and 13 of a frame. */
const protocols: Readonly<Record<number, string>> = { 34978: "AoE", 2048: "IPv4", 2054: "ARP", 34525: "IPv6" };

/**
 * Adds to a trace from now on.
 * @returns a function that ends it, before the trace is closed
 */
export function traceDeployment(trace: Trace, lab: Laboratory): () => void {
  const { machine, lan, image, observer } = lab;
  let phase: PhaseStart = observer.starts.at(-1)!;
  const next = (start: PhaseStart) => {
    trace.slice("deployment", phase.phase, phase.at, start.at);
    phase = start;
  };
  // A look at the whole disk after each hundredth of it that was written.
  const step = (image.sectors * image.sectorSize) / 100;
  let looked = -step;
  const progress = () => {
    const { written } = observer.disk;
    if (written - looked < step) return;
    looked = written;
    trace.counter("local MB", machine.now, lab.localBytes / 1e6);
  };
  const ends = [
    observer.onPhase(next),
    machine.probes.disks[0]!.commands.on(({ name, lba, sectors, status, issued, ended }) => {
      trace.overlapping("local disk", name, issued, ended, { lba, sectors, status });
      progress();
    }),
    lan.taps[0]!.seen.on(({ time, frame, direction }) => {
      const name = protocols[(frame[12]! << 8) | frame[13]!] ?? "frame";
      const from = direction === "in" ? "machine" : "network";
      trace.instant("deployment cable", name, time, { from, bytes: frame.length });
    }),
  ];
  return () => {
    for (const end of ends) end();
    next({ phase: phase.phase, at: machine.now });
  };
}
