/** Exits by port accesses [SDM 3C table 27-5]: mediators answer them; what nobody mediates goes to the hardware. */
import { Registry } from "../api/registry.ts";
import { in8, in16, in32, out8, out16, out32, vmread } from "../x86.ts";
import { skip } from "./exits.ts";
import { Registers } from "./registers.ts";
import * as V from "./vmcs.ts";

const IN: u32 = 8;
const STRING: u32 = 16;

export class PortExits {
  constructor(private registry: Registry) {}

  /** False for INS and OUTS: no mediated register is accessed by strings. */
  handle(registers: Registers): bool {
    const qualification = <u32>vmread(V.EXIT_QUALIFICATION),
      bytes = (qualification & 7) + 1,
      port = qualification >> 16;
    if ((qualification & STRING) !== 0) return false;
    const mediator = this.registry.portAt(port);
    if ((qualification & IN) !== 0) {
      const value = mediator !== null ? mediator.read(port, bytes) : readPort(port, bytes);
      registers.rax = merged(registers.rax, value, bytes);
    } else {
      const value = truncated(<u32>registers.rax, bytes);
      if (mediator !== null) mediator.write(port, bytes, value);
      else writePort(port, bytes, value);
    }
    skip();
    return true;
  }
}
/** RAX after a value of `bytes` bytes came into its lower part: 32 bits clear the upper half. */
function merged(rax: u64, value: u32, bytes: u32): u64 {
  if (bytes === 4) return value;
  const mask: u64 = bytes === 1 ? 0xff : 0xffff;
  return (rax & ~mask) | (<u64>value & mask);
}
const truncated = (value: u32, bytes: u32): u32 => (bytes === 1 ? value & 0xff : bytes === 2 ? value & 0xffff : value);

export function readPort(port: u32, bytes: u32): u32 {
  return bytes === 1 ? in8(port) : bytes === 2 ? in16(port) : in32(port);
}
export function writePort(port: u32, bytes: u32, value: u32): void {
  if (bytes === 1) out8(port, value);
  else if (bytes === 2) out16(port, value);
  else out32(port, value);
}
