/** A machine as a party of a network. */
import type { Party } from "@castaway/net";
import type { Machine, Watch } from "castaway";

/** @param until what ends the network's run */
export const machineParty = (pc: Machine, until: Watch[] = []): Party => ({
  clock: pc.board.clock,
  get now() {
    return pc.now;
  },
  get waitsUntil() {
    return pc.waitsUntil;
  },
  get poweredOff() {
    return pc.poweredOff;
  },
  run: (time) => void pc.run({ until, atMost: time - pc.now }),
});
