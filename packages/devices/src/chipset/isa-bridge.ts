/**
 * The ISA bridge of the PIIX3, 8086:7000 [82371SB]: routes PIRQA# to PIRQD# to the interrupt requests of ISA. What else
 * the chip holds (timers, interrupt controllers, ports 61 and 92) are parts of their own.
 */
import { type IrqLine, rw } from "@castaway/kit";
import type { Device } from "../device.ts";
import { PciFunction, type PciFunctionState } from "../pci/function.ts";

export interface IsaBridgeEnv {
  /** ISA's interrupt requests by number, of those that PIRQs may be routed to: 3-7, 9-12, 14, 15. */
  irq(n: number): IrqLine;
}

/** PIRQRC bit 7: not routed. */
const OFF = 0x80;
/** Numbers that PIRQRC may name; the others are reserved and route nowhere [82371SB 2.2, PIRQRC]. */
const ROUTABLE = [3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15];

// biome-ignore format: a table
const ROWS = {
  IORT:   rw(0x4c, 0xff, "82371SB 2.2", { size: 1, reset: 0x4d }),
  XBCS:   rw(0x4e, 0xffff, "82371SB 2.2", { size: 2, reset: 0x0003 }),
  PIRQRCA: rw(0x60, 0x8f, "82371SB 2.2", { size: 1, reset: OFF }),
  PIRQRCB: rw(0x61, 0x8f, "82371SB 2.2", { size: 1, reset: OFF }),
  PIRQRCC: rw(0x62, 0x8f, "82371SB 2.2", { size: 1, reset: OFF }),
  PIRQRCD: rw(0x63, 0x8f, "82371SB 2.2", { size: 1, reset: OFF }),
  TOM:    rw(0x69, 0xff, "82371SB 2.2", { size: 1, reset: 0x02 }),
  MSTAT:  rw(0x6a, 0xffff, "82371SB 2.2", { size: 2 }),
  MBIRQ0: rw(0x70, 0xff, "82371SB 2.2", { size: 1, reset: 0x80 }),
  MBIRQ1: rw(0x71, 0xff, "82371SB 2.2", { size: 1, reset: 0x80 }),
  MBDMA0: rw(0x76, 0x8f, "82371SB 2.2", { size: 1, reset: 0x0c }),
  MBDMA1: rw(0x77, 0x8f, "82371SB 2.2", { size: 1, reset: 0x0c }),
  PCSC:   rw(0x78, 0xffff, "82371SB 2.2", { size: 2, reset: 0x0002 }),
  APICBASE: rw(0x80, 0x7f, "82371SB 2.2", { size: 1 }),
  DLC:    rw(0x82, 0x0f, "82371SB 2.2", { size: 1 }),
  SMICNTL: rw(0xa0, 0x1f, "82371SB 2.2", { size: 1, reset: 0x08 }),
  SMIEN:  rw(0xa2, 0x00ff, "82371SB 2.2", { size: 2 }),
  SEE:    rw(0xa4, 0xffffffff, "82371SB 2.2"),
  FTMR:   rw(0xa8, 0xff, "82371SB 2.2", { size: 1, reset: 0x0f }),
  SMIREQ: rw(0xaa, 0x00ff, "82371SB 2.2", { size: 2 }),
  CTLTMR: rw(0xac, 0xff, "82371SB 2.2", { size: 1 }),
  CTHTMR: rw(0xae, 0xff, "82371SB 2.2", { size: 1 }),
};

export class IsaBridge implements Device<PciFunctionState> {
  readonly pci: PciFunction<keyof typeof ROWS>;
  /** PIRQA# to PIRQD#: where `PciBus` leads the functions' interrupts. */
  readonly pirq: readonly [IrqLine, IrqLine, IrqLine, IrqLine];
  readonly #lines = new Map<number, IrqLine>();
  readonly #levels = [false, false, false, false];

  constructor(env: IsaBridgeEnv) {
    const route = () => this.#drive();
    for (const n of ROUTABLE) this.#lines.set(n, env.irq(n));
    this.pci = new PciFunction(
      {
        vendor: 0x8086,
        device: 0x7000,
        classCode: 0x060100,
        command: 0x0007,
        status: 0x0200,
        multifunction: true,
        registers: ROWS,
        hooks: { PIRQRCA: route, PIRQRCB: route, PIRQRCC: route, PIRQRCD: route },
      },
      { mapper: { map: () => {}, unmap: () => {} } },
    );
    const input = (index: number): IrqLine => ({
      set: (asserted) => {
        this.#levels[index] = asserted;
        this.#drive();
      },
    });
    this.pirq = [input(0), input(1), input(2), input(3)];
  }

  /** The shape of what it saves. */
  get state() {
    return this.pci.state;
  }
  reset(): void {
    this.pci.reset();
    this.#drive();
  }
  save(): PciFunctionState {
    return this.pci.save();
  }
  /** The levels of PIRQs are not in the state: the functions drive them. */
  restore(state: PciFunctionState): void {
    this.pci.restore(state);
    this.#drive();
  }

  /** An interrupt request is asserted while any PIRQ is that is routed to it. */
  #drive(): void {
    const { PIRQRCA, PIRQRCB, PIRQRCC, PIRQRCD } = this.pci.config;
    const routes = [PIRQRCA, PIRQRCB, PIRQRCC, PIRQRCD];
    for (const [n, line] of this.#lines) line.set(routes.some((route, index) => route === n && this.#levels[index]));
  }
}
