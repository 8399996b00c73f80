/**
 * A wire with several drivers: asserted while any of them asserts it, as level-triggered PCI interrupts are and as shared
 * ISA lines want to be.
 *
 *     const irq11 = new WiredOr(pics.line(11));
 *     const ahci = new Ahci({ irq: irq11.input(), .. });
 *
 * It saves nothing: who drives it drives it anew when restored.
 */
import type { IrqLine } from "@castaway/kit";

export class WiredOr {
  readonly #line: IrqLine;
  readonly #levels: boolean[] = [];

  /** @param line what the wire leads to */
  constructor(line: IrqLine) {
    this.#line = line;
  }

  /** Whether anybody asserts it. */
  get asserted(): boolean {
    return this.#levels.includes(true);
  }

  /** One more driver of the wire, which does not assert it yet. */
  input(): IrqLine {
    const own = this.#levels.push(false) - 1;
    return {
      set: (asserted) => {
        this.#levels[own] = asserted;
        this.#line.set(this.asserted);
      },
    };
  }
}

/** One line that drives several: a PC's interrupt request goes to the 8259s and to the I/O APIC. */
export function fanOut(...lines: readonly IrqLine[]): IrqLine {
  return {
    set(asserted) {
      for (const line of lines) line.set(asserted);
    },
  };
}
