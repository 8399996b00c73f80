/** What a deployment was, for people and for programs. */
import type { DeploymentReport, Verification } from "castaway";
import { amount, count, phaseNames, time } from "./words.ts";

/**
 * A few lines.
 * @param verification null: the disk was not compared
 * @param wrongs what is wrong with it
 */
export function summary(
  report: DeploymentReport,
  verification: Verification | null,
  wrongs: readonly string[],
): string[] {
  const { phases, bytes, exits, exitsAfterDevirtualization: after } = report;
  const { network, disk, local, image } = bytes;
  const times = Object.entries(phases).map(([name, seconds]) => `${phaseNames[name]} ${time(seconds * 1e9)}`);
  const { guest } = disk;
  const writers =
    guest === null ? "" : ` (${amount(guest)} by the guest, ${amount(disk.written - guest)} by the hypervisor)`;
  const lines = [
    `times    ${times.join(", ")}`,
    `network  ${amount(network.payload)} of the image; on the wire ${amount(network.toMachine)} to the machine, ${amount(network.toNetwork)} from it`,
    `disk     ${amount(local)} of ${amount(image)} local; ${amount(disk.written)} written${writers}, ${amount(disk.read)} read`,
    `exits    ${exitsLine(exits)}${after === null ? "" : `; ${after === 0 ? "none" : count(after)} after the hypervisor was gone`}`,
  ];
  if (verification?.verified && wrongs.length === 0)
    lines.push("verified: the local disk is the image and what the guest wrote, bit for bit");
  else if (verification !== null || wrongs.length > 0) lines.push("NOT VERIFIED:", ...wrongs);
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
