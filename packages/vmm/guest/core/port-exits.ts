/** Exits by port accesses [SDM 3C table 27-5]: mediators answer them; what nobody mediates goes to the hardware. */
import { Registry } from "../api/registry.ts";
import { in8, in16, in32, out8, out16, out32, vmread } from "../x86.ts";
import { skip } from "./exits.ts";
import { MemoryExits } from "./memory-exits.ts";
import { Registers } from "./registers.ts";
import { StringIo } from "./string-io.ts";
import * as V from "./vmcs.ts";

const IN: u32 = 8;
const STRING: u32 = 16;

export class PortExits {
  private readonly strings: StringIo;

  constructor(
    private registry: Registry,
    memory: MemoryExits,
  ) {
    this.strings = new StringIo(memory);
  }

  handle(registers: Registers): void {
    const qualification = <u32>vmread(V.EXIT_QUALIFICATION),
      bytes = (qualification & 7) + 1,
      port = qualification >> 16;
    if ((qualification & STRING) !== 0) {
      this.moveElement(registers, qualification, port, bytes);
      return;
    }
    if ((qualification & IN) !== 0) registers.rax = merged(registers.rax, this.read(port, bytes), bytes);
    else this.write(port, bytes, truncated(<u32>registers.rax, bytes));
    skip();
  }
  private moveElement(registers: Registers, qualification: u32, port: u32, bytes: u32): void {
    const strings = this.strings;
    if (!strings.begin(registers, qualification, bytes)) return;
    if ((qualification & IN) !== 0) strings.operand.write(this.read(port, bytes));
    else this.write(port, bytes, <u32>strings.operand.read());
    strings.end();
  }
  private read(port: u32, bytes: u32): u32 {
    const mediator = this.registry.portAt(port);
    return mediator !== null ? mediator.read(port, bytes) : readPort(port, bytes);
  }
  private write(port: u32, bytes: u32, value: u32): void {
    const mediator = this.registry.portAt(port);
    if (mediator !== null) mediator.write(port, bytes, value);
    else writePort(port, bytes, value);
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
