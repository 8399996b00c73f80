/**
 * What a machine tells those who watch it: typed events, at no cost while nobody listens. A watched machine runs exactly as an
 * unwatched one; a listener may read and remember, and may call `machine.pause()`.
 *
 *     machine.probes.ports.on(({ write, address, value }) => ..);
 *     machine.probes.disks[0].commands.on(({ name, lba, sectors }) => ..);
 */
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
    deliveries: board.cpu.probes.deliveries,
    /** By disk: commands that ended, and failures of the medium behind it. */
    disks: board.drives.map(({ commands, failures }) => ({ commands, failures })),
    /** By network card: frames on the wire and frames that were dropped. */
    networkCards: board.networkCards.map(({ mac: { sent, received, dropped } }) => ({ sent, received, dropped })),
    /** Somebody typed on the serial port or the keyboard, or pressed a button. */
    input: new Probe<void>("input"),
    keyboardLights: board.keyboard.lights,
  };
}
export type MachineProbes = ReturnType<typeof machineProbes>;
