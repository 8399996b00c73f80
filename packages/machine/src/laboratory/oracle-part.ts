/** An oracle as a part of the machine that it watches: so a snapshot of both is one. */
import { nullable, type StateOf } from "@castaway/kit";
import type { MachinePart } from "../beside.ts";
import { type DiskOracle, oracleState } from "../oracle/oracle.ts";

const partState = nullable(oracleState);

export class OraclePart implements MachinePart {
  readonly state = partState;
  /** Parts are there before the machine, an oracle only after it; null: there is none. */
  oracle: DiskOracle | null = null;
  readonly configuration: string;

  /** @param wanted whether there will be one */
  constructor(wanted: boolean) {
    this.configuration = wanted ? "there" : "not there";
  }

  save(): StateOf<typeof partState> {
    return this.oracle?.save() ?? null;
  }
  restore(state: StateOf<typeof partState>): void {
    if (state !== null) this.oracle?.restore(state);
  }
}
