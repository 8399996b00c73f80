/**
 * The same registers through two ports, an index and its data: for software that cannot reach memory, and past the
 * mediator if nobody stood here. [AHCI 2.4]
 */
import { PortMediator } from "../api/intercepts.ts";
import { AhciMediator } from "./mediator.ts";

export class IndexPair extends PortMediator {
  private readonly ahci: AhciMediator;
  private readonly first: u32;
  /** The offset that the data port reaches. */
  private index: u32 = 0;

  /** @param first port of the pair: BAR 4 and what the SATA capability says */
  constructor(ahci: AhciMediator, first: u32) {
    super();
    this.ahci = ahci;
    this.first = first;
  }

  read(port: u32, bytes: u32): u32 {
    if (bytes !== 4) return 0;
    if (port === this.first) return this.index;
    return port === this.first + 4 ? <u32>this.ahci.readAt(this.index) : 0;
  }

  write(port: u32, bytes: u32, value: u32): void {
    if (bytes !== 4) return;
    if (port === this.first) this.index = value & 0xffc;
    else if (port === this.first + 4) this.ahci.writeAt(this.index, value);
  }
}
