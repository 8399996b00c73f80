/** What a deployment did, in numbers. */
import type { Laboratory } from "./laboratory.ts";
import type { Phase } from "./phases.ts";

export interface DeploymentReport {
  /** Where it is: the phase, or "off". */
  readonly phase: string;
  /** Seconds of virtual time that each phase took so far; a phase that came twice, after a reset, with both. */
  readonly phases: Readonly<Partial<Record<Phase, number>>>;
  readonly bytes: {
    readonly image: number;
    /** Of the image's part of the local disk what was ever written. */
    readonly local: number;
    /** What the AoE server read for its answers, and every frame on the deployment card's cable, both directions. */
    readonly network: { readonly payload: number; readonly toMachine: number; readonly toNetwork: number };
    /** What the local drive moved for both; and what it wrote for the guest, null without the oracle: the rest is the hypervisor's. */
    readonly disk: { readonly read: number; readonly written: number; readonly guest: number | null };
  };
  /** VM exits by reason, the most frequent first. */
  readonly exits: Readonly<Record<string, number>>;
  /** Null: the hypervisor is still there. */
  readonly exitsAfterDevirtualization: number | null;
  readonly instructions: number;
  readonly virtualSeconds: number;
}

export function reportOf({
  machine,
  lan,
  image,

  observer,
  oracle,
  phase,
  localBytes,
}: Laboratory): DeploymentReport {
  const { toA, toB } = lan.net.links[0]!;
  return {
    phase,
    phases: durations(observer.starts, machine.now),
    bytes: {
      image: image.sectors * image.sectorSize,
      local: localBytes,
      network: {
        payload: lan.aoe?.statistics.bytesRead ?? 0,
        toMachine: toB.statistics.sentBytes,
        toNetwork: toA.statistics.sentBytes,
      },
      disk: { ...observer.disk, guest: oracle?.statistics.bytes ?? null },
    },
    exits: observer.exits,
    exitsAfterDevirtualization: observer.exitsAfter,
    instructions: machine.instructions,
    virtualSeconds: machine.now / 1e9,
  };
}

function durations(starts: Laboratory["starts"], now: number): Partial<Record<Phase, number>> {
  const sums: Partial<Record<Phase, number>> = {};
  for (const [n, { phase, at }] of starts.entries()) {
    const end = starts[n + 1]?.at ?? Math.max(now, at);
    sums[phase] = (sums[phase] ?? 0) + end - at;
  }
  for (const phase of Object.keys(sums) as Phase[]) sums[phase]! /= 1e9;
  return sums;
}
