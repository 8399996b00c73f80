/** PCI configuration space by mechanism 1: ports CF8 and CFC [PCI 3.0 3.2.2.3.2]. */
import { in8, in16, in32, out8, out16, out32 } from "./x86.ts";

const CONFIG_ADDRESS: u32 = 0xcf8;
const CONFIG_DATA: u32 = 0xcfc;
const ENABLE: u32 = 0x8000_0000;

/** Offsets of the header, and bits of the command register [PCI 3.0 6.1, 6.2.2]. */
export const PCI_ID: u32 = 0x00;
export const PCI_COMMAND: u32 = 0x04;
export const PCI_CLASS: u32 = 0x08;
export const PCI_HEADER_TYPE: u32 = 0x0c;
export const PCI_BAR0: u32 = 0x10;
export const PCI_BARS: u32 = 6;
export const PCI_ROM: u32 = 0x30;
export const PCI_CAPABILITIES: u32 = 0x34;
export const COMMAND_IO: u32 = 1 << 0;
export const COMMAND_MEMORY: u32 = 1 << 1;
export const COMMAND_MASTER: u32 = 1 << 2;
export const COMMAND_INTX_DISABLE: u32 = 1 << 10;

/** What {@link findPci} answers if there is none. */
export const NOWHERE: u32 = 0xffff_ffff;

/** A function's number, as CONFIG_ADDRESS has it: bus, device, function at bits 16, 11 and 8. */
export function pciAddress(bus: u32, device: u32, fn: u32): u32 {
  return (bus << 16) | (device << 11) | (fn << 8);
}

export function pciRead32(at: u32, offset: u32): u32 {
  out32(CONFIG_ADDRESS, ENABLE | at | offset);
  return in32(CONFIG_DATA);
}

export function pciWrite32(at: u32, offset: u32, value: u32): void {
  out32(CONFIG_ADDRESS, ENABLE | at | offset);
  out32(CONFIG_DATA, value);
}

/** 1, 2 or 4 bytes within the four at `offset & ~3`. */
export function pciRead(at: u32, offset: u32, bytes: u32): u32 {
  out32(CONFIG_ADDRESS, ENABLE | at | (offset & ~3));
  const port = CONFIG_DATA | (offset & 3);
  return bytes === 1 ? in8(port) : bytes === 2 ? in16(port) : in32(port);
}

export function pciWrite(at: u32, offset: u32, bytes: u32, value: u32): void {
  out32(CONFIG_ADDRESS, ENABLE | at | (offset & ~3));
  const port = CONFIG_DATA | (offset & 3);
  if (bytes === 1) out8(port, value);
  else if (bytes === 2) out16(port, value);
  else out32(port, value);
}

/**
 * Sets and clears bits of the command register. The status register above it is written 0: its bits clear by a 1
 * [PCI 3.0 6.2.3].
 */
export function pciCommand(at: u32, set: u32, clear: u32): void {
  const before = pciRead32(at, PCI_COMMAND) & 0xffff;
  pciWrite32(at, PCI_COMMAND, (before | set) & ~clear);
}

/** The first function of this class, as the upper 24 bits of its register have it; or {@link NOWHERE}. */
export function findPciClass(code: u32): u32 {
  return find(PCI_CLASS, 8, code, 0);
}

/** The `skip`-th function (from 0) whose vendor and device are `id`, device in the high half; or {@link NOWHERE}. */
export function findPci(id: u32, skip: u32): u32 {
  return find(PCI_ID, 0, id, skip);
}

function find(register: u32, shift: u32, wanted: u32, skip: u32): u32 {
  let left = skip;
  for (let bus: u32 = 0; bus < 256; bus++) {
    for (let device: u32 = 0; device < 32; device++) {
      const first = pciAddress(bus, device, 0);
      if (pciRead32(first, PCI_ID) === 0xffff_ffff) continue;
      const functions: u32 = pciRead32(first, PCI_HEADER_TYPE) & 0x0080_0000 ? 8 : 1;
      for (let fn: u32 = 0; fn < functions; fn++) {
        const at = pciAddress(bus, device, fn);
        if (pciRead32(at, register) >> shift !== wanted) continue;
        if (left === 0) return at;
        left--;
      }
    }
  }
  return NOWHERE;
}
