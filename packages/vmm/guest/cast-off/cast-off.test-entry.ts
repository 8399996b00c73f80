/**
 * A small hypervisor for tests: one processor, whose guest's state is in a table, as VMCS fields and values, that the test has
 * written; it runs until the preemption timer is over, and then tries to get rid of itself at every exit.
 */
import { Registry } from "../api/registry.ts";
import { MsrBitmap, PortBitmap } from "../core/bitmaps.ts";
import { Ept } from "../core/ept.ts";
import { Exits } from "../core/exits.ts";
import { MemoryExits } from "../core/memory-exits.ts";
import { PortExits } from "../core/port-exits.ts";
import { Registers } from "../core/registers.ts";
import { Shared, setUpVmcs } from "../core/setup.ts";
import * as V from "../core/vmcs.ts";
import { loadInterrupts, onInterrupt } from "../interrupts.ts";
import { allocate, physicalOf, placeMemory } from "../memory.ts";
import {
  addr_vmExit,
  endAllocation,
  physCopy,
  physRead32,
  physRead64,
  physWrite32,
  rdmsr,
  readCr4,
  vmclear,
  vmEnter,
  vmptrld,
  vmread,
  vmwrite,
  vmxon,
  writeCr4,
  wrmsr,
} from "../x86.ts";
import { CastOff } from "./cast-off.ts";
import { Refusal } from "./context.ts";
import { WaysOut } from "./scrub.ts";

export { onInterrupt };

/** What the test has written: how long the guest runs as one, is it the last processor, its registers, fields. */
const PLAN: u64 = 0x8000;
const LAST: u64 = PLAN + 4;
const COUNT: u64 = PLAN + 8;
const GENERAL: u64 = PLAN + 16;
const FIELDS: u64 = GENERAL + 128;
/** What it reads: exits, and refusals by their reasons. */
const REPORT: u64 = 0x9000;
/** Linear address of the lock. */
const LOCK: u64 = 0x9080;
/** Between forced exits. */
const INTERVAL: u64 = 300;
const REACH: u64 = 0x100000000;
const VMXE: u64 = 0x2000;
const EFER_LMA: u64 = 1 << 10;
const IA32E_GUEST: u64 = 1 << 9;

export function main(_information: u32, base: u32): void {
  placeMemory(base);
  loadInterrupts();
  wrmsr(0x3a, 5);
  writeCr4(readCr4() | VMXE);
  const on = region(),
    vmcs = region();
  vmxon(on);
  vmclear(vmcs);
  vmptrld(vmcs);
  setUp();
  const registers = changetype<Registers>(allocate(offsetof<Registers>(), 16)),
    registry = new Registry(),
    memoryExits = new MemoryExits(registry, base, <u64>base + 0x1000000, REACH),
    exits = new Exits(registry, memoryExits, new PortExits(registry, memoryExits)),
    lock = allocate(4, 4),
    castOff = new CastOff(new WaysOut(2), memoryExits.memory, vmcs, lock);
  endAllocation();
  store<u32>(lock, 1);
  physWrite32(LOCK, lock);
  applyPlan(registers);
  run(registers, exits, castOff);
}
function region(): u64 {
  const at = allocate(4096, 4096);
  store<u32>(at, <u32>rdmsr(0x480));
  return physicalOf(at);
}
function setUp(): void {
  const shared = changetype<Shared>(allocate(offsetof<Shared>(), 16));
  shared.eptPointer = new Ept(REACH).pointer;
  shared.ioBitmapA = new PortBitmap().a;
  shared.ioBitmapB = shared.ioBitmapA + 4096;
  shared.msrBitmaps = new MsrBitmap().at;
  shared.exitStub = addr_vmExit();
  setUpVmcs(shared, 1);
}
function applyPlan(registers: Registers): void {
  physCopy(physicalOf(changetype<usize>(registers)), GENERAL, 128);
  for (let i: u32 = 0; i < physRead32(COUNT); i++) {
    const at = FIELDS + 16 * i;
    vmwrite(physRead32(at), physRead64(at + 8));
  }
  const isLong = (vmread(V.GUEST_EFER) & EFER_LMA) !== 0;
  if (isLong) vmwrite(V.ENTRY_CONTROLS, vmread(V.ENTRY_CONTROLS) | IA32E_GUEST);
  vmwrite(V.PREEMPTION_TIMER, physRead32(PLAN));
}
function run(registers: Registers, exits: Exits, castOff: CastOff): void {
  let begun = false,
    count: u32 = 0;
  for (let launched: u32 = 0; ; launched = 1) {
    if (vmEnter(changetype<usize>(registers), launched) !== 0) unreachable();
    if (<u32>vmread(V.EXIT_REASON) === V.EXIT_PREEMPTION_TIMER) {
      begun = true;
      vmwrite(V.PREEMPTION_TIMER, INTERVAL);
    }
    physWrite32(REPORT, ++count);
    if (begun) {
      for (let i: i32 = 0; i <= Refusal.INTERRUPTED; i++) physWrite32(REPORT + 4 + 4 * i, castOff.refusals[i]);
      castOff.attempt(registers, physRead32(LAST) !== 0);
      if (CastOff.isOwnExit()) continue;
    }
    exits.handle(registers);
  }
}
