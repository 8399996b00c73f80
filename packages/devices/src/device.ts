/**
 * What the board asks of a chip. A chip is pure: it is given its ports (kit: `Dma`, `IrqLine`, `BlockDevice`, a `Clock`)
 * when it is made, it holds no address and no interrupt number, and it knows nobody else. The board's table says where
 * its registers are and where its lines lead.
 */

/** Registers in port or memory space, by their offset within the range that the board mapped. */
export interface RegisterSpace {
  /**
   * Reads 1, 2 or 4 bytes (`bytes`) at `offset`; the answer is unsigned. Odd sizes and misfits are the guest's doing: they
   * answer what hardware would, and never throw.
   */
  read(offset: number, bytes: number): number;
  write(offset: number, bytes: number, value: number): void;
}

/** What every chip can do besides its registers. `S` is plain data, of a shape made with kit's `record`. */
export interface Device<S> {
  /** As RESET# leaves it. Media and configuration stay. */
  reset(): void;
  save(): S;
  /** The state of a chip of the same configuration; lines are driven anew. */
  restore(state: S): void;
}
