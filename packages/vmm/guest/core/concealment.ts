/**
 * The hypervisor's network card is not there for the guest (R10.2): its PCI configuration and what its base address
 * registers lead to read as all ones and take no writes. It has one function.
 */
import { MmioMediator, PciMediator, PortMediator } from "../api/intercepts.ts";
import { Registry } from "../api/registry.ts";
import {
  COMMAND_IO,
  COMMAND_MEMORY,
  PCI_BAR0,
  PCI_BARS,
  PCI_COMMAND,
  PCI_ROM,
  pciCommand,
  pciRead32,
  pciWrite32,
} from "../pci.ts";

const IO_BAR: u32 = 1;
const WIDE_BAR: u32 = 4;
const KIND: u32 = 6;
const PAGE: u64 = 4096;
const ROM_ENABLE: u32 = 1;
const ONES: u32 = 0xffffffff;

const ones = (bytes: u32): u32 => ONES >> (32 - 8 * bytes);

class NoConfiguration extends PciMediator {
  read(_offset: u32, bytes: u32): u32 {
    return ones(bytes);
  }
  write(_offset: u32, _bytes: u32, _value: u32): void {}
}
class NoMemory extends MmioMediator {
  read(_address: u64, bytes: u32): u64 {
    return bytes === 8 ? u64.MAX_VALUE : ones(bytes);
  }
  write(_address: u64, _bytes: u32, _value: u64): void {}
}
class NoPorts extends PortMediator {
  read(_port: u32, bytes: u32): u32 {
    return ones(bytes);
  }
  write(_port: u32, _bytes: u32, _value: u32): void {}
}

/** Boot; nobody uses the function meanwhile. @param at bus, device and function, as in CONFIG_ADDRESS */
export function conceal(registry: Registry, at: u32): void {
  registry.interceptPci(at, new NoConfiguration());
  pciWrite32(at, PCI_ROM, pciRead32(at, PCI_ROM) & ~ROM_ENABLE);
  const decoded = pciRead32(at, PCI_COMMAND) & (COMMAND_MEMORY | COMMAND_IO);
  pciCommand(at, 0, decoded);
  for (let n: u32 = 0; n < PCI_BARS; n++) n += concealRange(registry, at, PCI_BAR0 + 4 * n);
  pciCommand(at, decoded, 0);
}

/** @returns how many more registers it took: 1 if the address has 64 bits */
function concealRange(registry: Registry, at: u32, bar: u32): u32 {
  const value = pciRead32(at, bar);
  pciWrite32(at, bar, ONES);
  const size = pciRead32(at, bar);
  pciWrite32(at, bar, value);
  if ((value & IO_BAR) !== 0) {
    const first = value & 0xfffc,
      count = (~(size & 0xfffc) & 0xffff) + 1;
    if (first !== 0) registry.interceptPorts(first, count, new NoPorts());
    return 0;
  }
  const wide: u32 = (value & KIND) === WIDE_BAR ? 1 : 0;
  if (wide !== 0 && pciRead32(at, bar + 4) !== 0) return wide; // above 4 GiB: no page of it can be taken out
  const first: u64 = value & ~0xf;
  if (first !== 0) {
    const bytes: u64 = ~(size & ~0xf) + 1;
    registry.interceptMemory(first & ~(PAGE - 1), (bytes + PAGE - 1) & ~(PAGE - 1), new NoMemory());
  }
  return wide;
}
