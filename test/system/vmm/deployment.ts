/** A laboratory for the system tests: firmware and hypervisor of this tree, and what must be true of every deployment. */
import assert from "node:assert/strict";
import type { Nanoseconds } from "@castaway/kit";
import { Laboratory, type LaboratoryOptions } from "castaway";
import { vmmImage } from "../../../scripts/vmm.ts";
import { blob } from "../guests/machine.ts";

/** A machine that is switched on, and whose deployment card has what iPXE is to load. */
export async function laboratory(options: Omit<LaboratoryOptions, "read" | "vmm">): Promise<Laboratory> {
  return Laboratory.create({ read: async (path) => blob(path), vmm: await vmmImage(), ...options });
}

/** @throws Error with the first findings of the oracle, if there are any */
export function nothingFound({ oracle, machine }: Laboratory): void {
  const findings = oracle?.findings ?? [];
  if (findings.length === 0) return;
  const first = findings.slice(0, 3).map(({ message }) => message);
  throw new Error(`${findings.length} findings by ${(machine.now / 1e9).toFixed(3)} s: ${first.join("; ")}`);
}

/** The disk is the image overlaid by what the guest wrote, and nothing went wrong on the way. @throws Error */
export function verified(lab: Laboratory): void {
  nothingFound(lab);
  const { verified, firstDifference, differences } = lab.verify()!;
  assert.ok(verified, `${differences} sectors differ: ${firstDifference?.message}`);
}

/** Runs until the hypervisor is gone. @throws Error if that takes longer */
export function untilBare(lab: Laboratory, atMost: Nanoseconds): void {
  const stop = lab.run({ until: lab.reaches("bare"), atMost });
  const state = `${lab.phase}, ${lab.localBytes} bytes are local`;
  assert.equal(lab.phase, "bare", `${stop.reason} ${stop.detail}: ${state}\n${lab.machine.debugLog.text.slice(-500)}`);
  nothingFound(lab);
}

/** Nothing of the hypervisor is left: no processor is in VMX operation, and none has left a guest since. @throws Error */
export function staysBare(lab: Laboratory): void {
  assert.equal(lab.phase === "off" ? "bare" : lab.phase, "bare");
  assert.equal(lab.observer.exitsAfter, 0, "VM exits since VMXOFF");
  for (const { vmx, id } of lab.machine.board.cpu.processors) assert.equal(vmx.vmxonPointer, -1, `processor ${id}`);
}
