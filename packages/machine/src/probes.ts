/**
 * What a machine tells those who watch it: typed events, at no cost while nobody listens. A watched machine runs exactly as an
 * unwatched one; a listener may read and remember, and may call `machine.pause()`.
 *
 *     machine.probes.ports.on(({ write, address, value }) => ..);
 *     machine.probes.vmExit.on(({ reason, qualification, ip, time }) => console.log(time, exitName(reason)));
 *     machine.probes.disks[0].commands.on(({ name, lba, sectors }) => ..);
 */
import { exitName } from "@castaway/cpu";
import type { Nanoseconds } from "@castaway/kit";
import { Probe } from "@castaway/kit";
import type { Board } from "./board.ts";

/** The machine was reset. */
export interface Reset {
  readonly by: "guest" | "triple fault" | "user";
  readonly now: Nanoseconds;
}

/** @returns the probes of a board's parts under names of the machine */
export function machineProbes(board: Board) {
  const { deliveries, vmxOperation, vmExit, vmEntry, vmRefused } = board.cpu.probes;
  return {
    /** Bytes that the guest sends on COM1, and those on the debug ports 402 and E9. */
    serial: board.serialOutput,
    firmwareLog: board.firmwareLog,
    debugPort: board.debugLog,
    resets: new Probe<Reset>("resets"),
    /** Accesses by processors to ports, and to registers in memory. */
    ports: board.ports.accesses,
    memory: board.memoryMap.accesses,
    /** Interrupts and exceptions that processors take. */
    deliveries,
    /**
     * VT-x: VMXON and VMXOFF; VM exits (`exitName(reason)` tells the reason), VM entries, and entries that were refused, with
     * the rule of the manual that the VMCS breaks.
     */
    vmxOperation,
    vmExit,
    vmEntry,
    vmRefused,
    /** By disk: commands that ended, what they stored on the medium behind it, and its failures. */
    disks: board.drives.map(({ commands, writes, failures }) => ({ commands, writes, failures })),
    /** By network card: frames on the wire and frames that were dropped. */
    networkCards: board.networkCards.map(({ mac: { sent, received, dropped } }) => ({ sent, received, dropped })),
    /** Somebody typed on the serial port or the keyboard, or pressed a button. */
    input: new Probe<void>("input"),
    keyboardLights: board.keyboard.lights,
  };
}

/** VM exits by basic reason, as `exitName` names it; the most frequent first. */
export interface VmExits {
  readonly total: number;
  readonly byReason: Readonly<Record<string, number>>;
}
/** Sums up what the processors counted since the machine was built. */
export function countVmExits({ cpu }: Board): VmExits {
  const counts = new Map<number, number>();
  for (const { vmx } of cpu.processors) {
    for (const [reason, count] of vmx.exits) counts.set(reason, (counts.get(reason) ?? 0) + count);
  }
  const sorted = [...counts].sort(([r1, n1], [r2, n2]) => n2 - n1 || r1 - r2);
  return {
    total: sorted.reduce((sum, [, count]) => sum + count, 0),
    byReason: Object.fromEntries(sorted.map(([reason, count]) => [exitName(reason), count])),
  };
}
export type MachineProbes = ReturnType<typeof machineProbes>;
