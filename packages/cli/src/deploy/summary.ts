/** What a deployment was, for people and for programs. */
import type { DeploymentReport } from "castaway";
import { amount, count, phaseNames, time } from "./words.ts";

/** What the comparison of the local disk said. */
export interface Verification {
  readonly verified: boolean;
  /** Of the guest's writes, as they were seen from outside; undefined: nobody counted. */
  readonly guestBytes?: number;
  /** The first things that are wrong. */
  readonly findings: readonly string[];
}

/** A few lines. @param verification null: the disk was not compared */
export function summary(report: DeploymentReport, verification: Verification | null): string[] {
  const { phases, bytes, exits, exitsAfterDevirtualization: after } = report;
  const { network, disk, local, image } = bytes;
  const times = Object.entries(phases).map(([name, seconds]) => `${phaseNames[name]} ${time(seconds * 1e9)}`);
  const writers =
    verification?.guestBytes === undefined
      ? ""
      : ` (guest ${amount(verification.guestBytes)}, hypervisor ${amount(disk.written - verification.guestBytes)})`;
  const lines = [
    `times    ${times.join(", ")}`,
    `network  ${amount(network.payload)} of the image; on the wire ${amount(network.toMachine)} to the machine, ${amount(network.toNetwork)} from it`,
    `disk     ${amount(local)} of ${amount(image)} local; ${amount(disk.written)} written${writers}, ${amount(disk.read)} read`,
    `exits    ${exitsLine(exits)}${after === null ? "" : `; ${after === 0 ? "none" : count(after)} after the hypervisor was gone`}`,
  ];
  if (verification?.verified) lines.push("verified: the local disk is the image and what the guest wrote, bit for bit");
  else if (verification !== null) lines.push("NOT VERIFIED:", ...verification.findings);
  return lines;
}

/** Reasons that are named; the others are summed up. */
const NAMED = 4;

function exitsLine(exits: DeploymentReport["exits"]): string {
  const all = Object.entries(exits);
  const sum = (list: typeof all) => list.reduce((total, [, n]) => total + n, 0);
  if (all.length === 0) return "no VM exits";
  const rest = sum(all.slice(NAMED));
  const named = all.slice(0, NAMED).map(([reason, n]) => `${reason} ${count(n)}`);
  return `${count(sum(all))} VM exits: ${[...named, ...(rest > 0 ? [`others ${count(rest)}`] : [])].join(", ")}`;
}
