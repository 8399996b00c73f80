/**
 * The hypervisor's network card is not there for the guest (R10.2): its PCI configuration reads as all ones and takes no
 * writes. Everything else behind ports CF8 to CFF is the hardware's [PCI 3.2.2.3.2].
 *
 * CONFIG_ADDRESS is kept here and given to the hardware with each access, since the hypervisor uses it in between.
 */
import { PortMediator } from "../api/intercepts.ts";
import { out32 } from "../x86.ts";
import { readPort, writePort } from "./port-exits.ts";

export const CONFIG_ADDRESS: u32 = 0xcf8;
const CONFIG_DATA: u32 = 0xcfc;
const PORTS_END: u32 = 0xd00;
const ENABLED: u32 = 0x80000000;
/** Bus, device and function in CONFIG_ADDRESS. */
const PLACE: u32 = 0x00ffff00;

export class PciConcealment extends PortMediator {
  /** As the guest wrote it. */
  private address: u32 = 0;
  private concealed: u32;
  /** Off: all is passed on. */
  active: bool = true;

  /** @param concealed bus, device and function, as in CONFIG_ADDRESS; it has one function */
  constructor(concealed: u32) {
    super();
    this.concealed = concealed;
  }
  static readonly first: u32 = CONFIG_ADDRESS;
  static readonly end: u32 = PORTS_END;

  read(port: u32, bytes: u32): u32 {
    if (port === CONFIG_ADDRESS && bytes === 4) return this.address;
    if (port < CONFIG_DATA) return readPort(port, bytes);
    if (this.isConcealed()) return bytes === 1 ? 0xff : bytes === 2 ? 0xffff : 0xffffffff;
    out32(CONFIG_ADDRESS, this.address);
    return readPort(port, bytes);
  }
  write(port: u32, bytes: u32, value: u32): void {
    if (port === CONFIG_ADDRESS && bytes === 4) {
      this.address = value;
      out32(CONFIG_ADDRESS, value);
    } else if (port < CONFIG_DATA) writePort(port, bytes, value);
    else if (!this.isConcealed()) {
      out32(CONFIG_ADDRESS, this.address);
      writePort(port, bytes, value);
    }
  }
  private isConcealed(): bool {
    return this.active && (this.address & ENABLED) !== 0 && (this.address & PLACE) === this.concealed;
  }
}
