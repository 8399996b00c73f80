/** A machine as a party of a network. */
import { type Machine, type MachineParty, networkParty, type Watch } from "castaway";

/** @param until what ends the network's run */
export const machineParty = (pc: Machine, until: readonly Watch[] = []): MachineParty => networkParty(pc, { until });
