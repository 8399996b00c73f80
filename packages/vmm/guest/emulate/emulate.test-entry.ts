/** The emulator as its tests drive it: the guest's state goes in and out through a block of 64-bit words. */
import { Emulator } from "./emulate.ts";
import { GuestContext, GuestRegisters } from "./guest.ts";
import { GuestMemory } from "./memory.ts";
import { Access, Walker } from "./walk.ts";

declare function registerRead(address: u64, bytes: u32): u32;
declare function registerWrite(address: u64, bytes: u32, value: u32): void;

const REGISTERS: u64 = 0xb000_0000;
const HIDDEN: u64 = 0x70_0000;

class TestMemory extends GuestMemory {
  isMediated(address: u64): bool {
    return address >= REGISTERS && address < REGISTERS + 0x2000;
  }
  readRegister(address: u64, bytes: u32): u64 {
    return registerRead(address, bytes);
  }
  writeRegister(address: u64, bytes: u32, value: u64): void {
    registerWrite(address, bytes, <u32>value);
  }
}

/** Sixteen general registers, RIP, RFLAGS, CR0, CR3, CR4, EFER, 4 PDPTEs, bits of physical addresses; 6 segments of 3 words. */
const words = heap.alloc(64 * 8);
const context = new GuestContext();
const registers = new GuestRegisters(words);
const memory = new TestMemory(HIDDEN, HIDDEN + 0x1000, (<u64>1) << 52);
const emulator = new Emulator(context, registers, memory);
const walker = new Walker(context, memory);

export function block(): usize {
  return words;
}
function word(n: usize): u64 {
  return load<u64>(words + 8 * n);
}
function take(): void {
  registers.rip = word(16);
  registers.rflags = word(17);
  context.cr0 = word(18);
  context.cr3 = word(19);
  context.cr4 = word(20);
  context.efer = word(21);
  for (let i = 0; i < 4; i++) context.pdptes[i] = word(22 + i);
  context.physicalBits = <u32>word(26);
  for (let i = 0; i < 6; i++) {
    const s = registers.segments[i];
    s.base = word(27 + 3 * i);
    s.limit = <u32>word(28 + 3 * i);
    s.rights = <u32>word(29 + 3 * i);
  }
}

/** Emulates; the outcome. RIP and RFLAGS are back in the block. `access` -1: nothing is known of the linear address. */
export function emulate(physical: u64, linear: u64, access: u32): u32 {
  take();
  const outcome = emulator.emulate(physical, linear, access);
  store<u64>(words + 16 * 8, registers.rip);
  store<u64>(words + 17 * 8, registers.rflags);
  return outcome;
}
export function refusal(): u32 {
  return emulator.refusal;
}
export function vector(): u32 {
  return emulator.exception.vector;
}
export function errorCode(): u32 {
  return emulator.exception.errorCode;
}
export function faultAddress(): u64 {
  return emulator.exception.address;
}
export function dropped(): u64 {
  return memory.dropped;
}

/** Translates; the kind of result. */
export function translate(linear: u64, access: u32, user: bool, overridesSmap: bool): u32 {
  take();
  return walker.translate(linear, <Access>access, user, overridesSmap);
}
export function physical(): u64 {
  return walker.physical;
}
export function walkError(): u32 {
  return walker.errorCode;
}
