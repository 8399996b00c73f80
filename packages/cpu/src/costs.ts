/** The cost model: virtual time beyond one nanosecond an instruction. The one table of defaults and their reasons. */
export interface Costs {
  /** Each access to a paging structure in a page walk. */
  readonly walkStep: number;
  /** Each access to a device through memory, and each port access. */
  readonly device: number;
  readonly port: number;
  /** Leaving a guest, and entering it. */
  readonly vmExit: number;
  readonly vmEntry: number;
}

export const DEFAULT_COSTS: Costs = {
  walkStep: 2, // a page walk of four steps costs about as much as a few instructions: structures are mostly cached
  device: 500, // an uncached read over PCI takes 0.5 to 1 µs
  port: 500, // the same; it also shortens firmware's polling loops
  vmExit: 500, // the round trip takes about a microsecond on processors of the first generations with EPT
  vmEntry: 500,
};
