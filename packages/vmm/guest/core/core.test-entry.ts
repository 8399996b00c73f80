/** The core's guest code as its test calls it. */
import { Registry } from "../api/registry.ts";
import { placeMemory } from "../memory.ts";
import { pciAddress } from "../pci.ts";
import { MsrBitmap, PortBitmap } from "./bitmaps.ts";
import { conceal } from "./concealment.ts";
import { missingFeature } from "./controls.ts";
import { ALL_RIGHTS, Ept, EXECUTE, READ, UNCACHEABLE, WRITE_BACK } from "./ept.ts";
import { MemoryTypes, setTypes } from "./mtrr.ts";
import { PciConfiguration } from "./pci-configuration.ts";
import { Shared, setRealModeStart, setUpVmcs } from "./setup.ts";

let ept: Ept | null = null;
let ports: PortBitmap | null = null;
let msrs: MsrBitmap | null = null;

export function place(delta: u64): void {
  placeMemory(delta);
}
/** 0, or the length of the text that says what is missing. */
export function missing(leaf1Ecx: u32): u32 {
  return missingFeature(leaf1Ecx).length;
}
export function makeEpt(top: u64): u64 {
  const made = new Ept(top);
  ept = made;
  return made.pointer;
}
export function setMemory(first: u64, end: u64): void {
  ept!.setMemory(first, end);
}
/** Types as the MTRRs have them. */
export function setTypesOfMtrrs(top: u64): void {
  setTypes(ept!, new MemoryTypes(), top);
}
export function close(at: u64): void {
  ept!.close(at);
}
export function open(at: u64): void {
  ept!.open(at, UNCACHEABLE);
}
/** Another page in its place, which can be read and executed. */
export function replace(at: u64, to: u64): void {
  ept!.setPage(at, to, READ | EXECUTE, WRITE_BACK);
}
export function makePortBitmap(): u64 {
  const made = new PortBitmap();
  ports = made;
  return made.a;
}
export function setPorts(first: u32, count: u32, exits: bool): void {
  ports!.set(first, count, exits);
}
export function makeMsrBitmap(): u64 {
  const made = new MsrBitmap();
  msrs = made;
  return made.at;
}
export function setMsr(index: u32, reads: bool, writes: bool): void {
  msrs!.set(index, reads, writes);
}
/** Fills the VMCS; the guest begins at segment:offset. */
export function setUp(eptPointer: u64, segment: u64, offset: u64): void {
  const shared = changetype<Shared>(heap.alloc(offsetof<Shared>()));
  shared.eptPointer = eptPointer;
  shared.ioBitmapA = ports!.a;
  shared.ioBitmapB = ports!.b;
  shared.msrBitmaps = msrs!.at;
  shared.exitStub = 0x3000;
  setUpVmcs(shared, 1);
  setRealModeStart(segment, offset);
}
export const rights: u64 = ALL_RIGHTS;

const registry = new Registry();
const configuration = new PciConfiguration(registry);
export function concealCard(bus: u32, device: u32, func: u32): void {
  conceal(registry, pciAddress(bus, device, func));
}
/** First address and end of the memory that is intercepted. */
export function hiddenMemory(end: bool): u64 {
  const range = registry.memory[0]!;
  return end ? range.end : range.first;
}
export function registerRead(address: u64, bytes: u32): u64 {
  return registry.mmioAt(address)!.mediator.read(address, bytes);
}
export function registerWrite(address: u64, bytes: u32, value: u64): void {
  registry.mmioAt(address)!.mediator.write(address, bytes, value);
}
/** Of a concealed port. */
export function hiddenPort(port: u32, bytes: u32): u32 {
  const mediator = registry.portAt(port);
  return mediator === null ? 0 : mediator.read(port, bytes);
}
export function portRead(port: u32, bytes: u32): u32 {
  return configuration.read(port, bytes);
}
export function portWrite(port: u32, bytes: u32, value: u32): void {
  configuration.write(port, bytes, value);
}
