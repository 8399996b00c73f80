/**
 * PCI configuration by ports CF8 to CFF [PCI 3.2.2.3.2]: what is meant for a function with a mediator goes there,
 * everything else to the hardware.
 *
 * CONFIG_ADDRESS is kept here and given to the hardware with each access, since the hypervisor uses it in between.
 */
import { Course } from "../api/extension.ts";
import { PciMediator, PortMediator } from "../api/intercepts.ts";
import { Registry } from "../api/registry.ts";
import { out32 } from "../x86.ts";
import { readPort, writePort } from "./port-exits.ts";

const CONFIG_ADDRESS: u32 = 0xcf8;
const CONFIG_DATA: u32 = 0xcfc;
const END: u32 = 0xd00;
const ENABLED: u32 = 0x80000000;
/** Bus, device and function in CONFIG_ADDRESS; and the register, without the two lowest bits. */
const FUNCTION: u32 = 0x00ffff00;
const REGISTER: u32 = 0xfc;

export class PciConfiguration extends PortMediator {
  /** As the guest wrote it. */
  private address: u32 = 0;

  constructor(private registry: Registry) {
    super();
  }
  /** Takes the ports. */
  attach(): void {
    this.registry.interceptPorts(CONFIG_ADDRESS, END - CONFIG_ADDRESS, this);
    this.registry.tell(new Restore(this));
  }

  read(port: u32, bytes: u32): u32 {
    if (!straddles(port, bytes)) return this.readWithin(port, bytes);
    let value: u32 = 0;
    for (let i: u32 = 0; i < bytes; i++) value |= this.readWithin(port + i, 1) << (8 * i);
    return value;
  }
  write(port: u32, bytes: u32, value: u32): void {
    if (!straddles(port, bytes)) this.writeWithin(port, bytes, value);
    else for (let i: u32 = 0; i < bytes; i++) this.writeWithin(port + i, 1, (value >> (8 * i)) & 0xff);
  }

  private readWithin(port: u32, bytes: u32): u32 {
    if (port === CONFIG_ADDRESS && bytes === 4) return this.address;
    const mediator = this.mediatorAt(port);
    if (mediator !== null) return mediator.read(this.registerAt(port), bytes);
    if (isData(port)) this.restore();
    return readPort(port, bytes);
  }
  private writeWithin(port: u32, bytes: u32, value: u32): void {
    if (port === CONFIG_ADDRESS && bytes === 4) {
      this.address = value;
      this.restore();
      return;
    }
    const mediator = this.mediatorAt(port);
    if (mediator !== null) {
      mediator.write(this.registerAt(port), bytes, value);
      return;
    }
    if (isData(port)) this.restore();
    writePort(port, bytes, value);
  }
  private mediatorAt(port: u32): PciMediator | null {
    return isData(port) && (this.address & ENABLED) !== 0 ? this.registry.pciAt(this.address & FUNCTION) : null;
  }

  /** The hardware's CONFIG_ADDRESS is the guest's. */
  restore(): void {
    out32(CONFIG_ADDRESS, this.address);
  }
  private registerAt(port: u32): u32 {
    return (this.address & REGISTER) | (port & 3);
  }
}

const isData = (port: u32): bool => port >= CONFIG_DATA && port < END;
/** Does the access reach from one of address, data and what follows into the next? */
const straddles = (port: u32, bytes: u32): bool => (port & 3) + bytes > 4;

class Restore extends Course {
  constructor(private configuration: PciConfiguration) {
    super();
  }
  leaving(): void {
    this.configuration.restore();
  }
}
