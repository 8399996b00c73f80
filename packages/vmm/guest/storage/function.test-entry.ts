/** The controller's function and fw_cfg's requests, as their tests meet them. */
import { PciMediator } from "../api/intercepts.ts";
import { Registry } from "../api/registry.ts";
import { guardFwCfg } from "../core/fw-cfg.ts";
import { PciConfiguration } from "../core/pci-configuration.ts";
import { placeMemory } from "../memory.ts";
import { pciAddress } from "../pci.ts";
import { mediateAhci } from "./function.ts";
import { hideMemory } from "./guard.ts";
import { AhciMediator } from "./mediator.ts";

const registry = new Registry();
const configuration = new PciConfiguration(registry);

export function place(delta: u64, bytes: u64): void {
  placeMemory(delta);
  hideMemory(delta, bytes, (<u64>1) << 39);
}
export function mediate(device: u32, abar: u64): void {
  configuration.attach();
  mediateAhci(registry, pciAddress(0, device, 0), abar, 0xc050, new AhciMediator(abar));
}
export function guard(): bool {
  guardFwCfg(registry);
  return registry.portAt(0x514) !== null;
}
export function leave(): void {
  registry.leave();
}
export function read(device: u32, offset: u32, bytes: u32): u32 {
  configuration.write(0xcf8, 4, 0x80000000 | pciAddress(0, device, 0) | (offset & ~3));
  return configuration.read(0xcfc + (offset & 3), bytes);
}
export function write(device: u32, offset: u32, bytes: u32, value: u32): void {
  configuration.write(0xcf8, 4, 0x80000000 | pciAddress(0, device, 0) | (offset & ~3));
  configuration.write(0xcfc + (offset & 3), bytes, value);
}
export function memory32(address: u64): u32 {
  return <u32>registry.mmioAt(address)!.mediator.read(address, 4);
}
export function setMemory32(address: u64, value: u32): void {
  registry.mmioAt(address)!.mediator.write(address, 4, value);
}
export function inPort(port: u32, bytes: u32): u32 {
  return registry.portAt(port)!.read(port, bytes);
}
export function outPort(port: u32, bytes: u32, value: u32): void {
  registry.portAt(port)!.write(port, bytes, value);
}
/** Registers as it may be tried by mistake: each of these stops with a text. */
class Nobody extends PciMediator {
  read(_offset: u32, _bytes: u32): u32 {
    return 0;
  }
  write(_offset: u32, _bytes: u32, _value: u32): void {}
}
export function twice(): void {
  registry.interceptPci(8, new Nobody());
  registry.interceptPci(8, new Nobody());
}
export function late(): void {
  registry.close();
  registry.interceptPci(16, new Nobody());
}
export function tooMany(): void {
  for (let n: u32 = 0; n < 17; n++) registry.interceptPci(n << 8, new Nobody());
}
