/** Exits as their test makes them: one mediated page of registers, one port, one MSR, one hypercall, one CPUID leaf. */
import {
  CpuidAnswer,
  CpuidHandler,
  HypercallHandler,
  MmioMediator,
  MsrHandler,
  PortMediator,
} from "../api/intercepts.ts";
import { Registry } from "../api/registry.ts";
import { Exits } from "./exits.ts";
import { MemoryExits } from "./memory-exits.ts";
import { PortExits } from "./port-exits.ts";
import { Registers } from "./registers.ts";

declare function seen(what: u32, at: u64, bytes: u32, value: u64): u64;

class TestRegisters extends MmioMediator {
  read(address: u64, bytes: u32): u64 {
    return seen(0, address, bytes, 0);
  }
  write(address: u64, bytes: u32, value: u64): void {
    seen(1, address, bytes, value);
  }
}
class TestPorts extends PortMediator {
  read(port: u32, bytes: u32): u32 {
    return <u32>seen(2, port, bytes, 0);
  }
  write(port: u32, bytes: u32, value: u32): void {
    seen(3, port, bytes, value);
  }
}
class TestMsr extends MsrHandler {
  read(index: u32): bool {
    this.value = seen(4, index, 8, 0);
    return true;
  }
  write(index: u32, value: u64): bool {
    return seen(5, index, 8, value) !== 0;
  }
}
class TestCall extends HypercallHandler {
  call(number: u64, argument: u64): bool {
    return seen(6, number, 8, argument) !== 0;
  }
}
class TestCpuid extends CpuidHandler {
  answer(leaf: u32, _subleaf: u32, answer: CpuidAnswer): void {
    if (leaf === 0x7777) answer.ecx = 0x1234;
  }
}

const registry = new Registry();
registry.interceptMemory(0xfebf_1000, 0x1000, new TestRegisters());
registry.interceptPorts(0xcf8, 8, new TestPorts());
registry.interceptMsr(0x1b, new TestMsr());
registry.interceptHypercalls(new TestCall());
registry.interceptCpuid(new TestCpuid());
const seenMemory = new MemoryExits(registry, 0x300_0000, 0x400_0000, (<u64>1) << 39);
const exits = new Exits(registry, seenMemory, new PortExits(registry, seenMemory));
const general = heap.alloc(offsetof<Registers>());
memory.fill(general, 0, offsetof<Registers>());

export function registers(): usize {
  return general;
}
export function handle(): void {
  exits.handle(changetype<Registers>(general));
}
export function count(reason: u32): u32 {
  return exits.counts[reason];
}
