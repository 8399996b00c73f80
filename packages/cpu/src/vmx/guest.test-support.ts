/**
 * A guest for the tests of address translation: a processor in non-root operation whose guest-physical page n, of the first
 * 2 MiB, is physical page n + 256, and whose linear page 5 is guest-physical page 7.
 */

import type { Rights } from "../core/access.ts";
import { VECTORS } from "../core/exceptions.ts";
import type { Processor } from "../core/processor.ts";
import { S } from "../core/state.ts";
import { ENTRY, EXECUTE, READ, WRITE } from "../core/tlb.ts";
import { Cpu } from "../cpu.ts";
import { type ControlName, controlNamed } from "./controls.ts";
import { F } from "./fields.ts";
import { enterGuestSpace, leaveGuestSpace } from "./spaces.ts";
import { NON_ROOT, ROOT, VM_EXIT } from "./vmx.ts";

/** Physical addresses of the EPT's tables, which map guest-physical addresses from 0 on; level 4 to 1. */
export const EPT_TABLE = [0, 0x13000, 0x12000, 0x11000, 0x10000] as const;
/** Guest-physical addresses of the guest's tables. */
export const GUEST_TABLE = [0, 0x23000, 0x22000, 0x21000, 0x20000] as const;
/** How far a guest-physical address of the first 2 MiB is from the physical one. */
export const OFFSET = 0x100000;
export const LINEAR = 0x5000,
  GUEST_PHYSICAL = 0x7000;
/** Where the second translation of LINEAR ends: the EPT's entry, and the guest's. */
export const EPT_LEAF = EPT_TABLE[1] + 8 * 7;
export const GUEST_LEAF = OFFSET + GUEST_TABLE[1] + 8 * 5;
/** An EPT entry of a writable page of memory type WB: read, write, execute. */
export const RWX = 7,
  WRITE_BACK = 6 << 3,
  LARGE_PAGE = 0x80;
const MARKS = 0x40;

export interface Guest {
  readonly cpu: Cpu;
  readonly p: Processor;
}
export interface GuestOptions {
  controls?: readonly ControlName[];
  vpid?: number;
  /** EPT with accessed and dirty flags. */
  marks?: boolean;
}

export const read = ({ p }: Guest, address: number) => p.memory.read32(address);
/** Writes an entry of 64 bits by physical address. */
export function entry({ p }: Guest, at: number, low: number, high = 0): void {
  p.memory.write32(at, low);
  p.memory.write32(at + 4, high);
}

/** A guest in 64-bit mode, all of whose tables' entries are writable, for users, and accessed and dirty. */
export function guest({ controls = ["enable EPT"], vpid = 0, marks = false }: GuestOptions = {}): Guest {
  const cpu = new Cpu({ memory: "8MiB", executor: "evaluator" });
  cpu.enter("long", 0);
  const p = cpu.processors[0]!,
    r = { cpu, p };
  for (const level of [4, 3, 2]) entry(r, EPT_TABLE[level]!, EPT_TABLE[level - 1]! | RWX);
  for (let page = 0; page < 512; page++) entry(r, EPT_TABLE[1] + 8 * page, (OFFSET + 0x1000 * page) | RWX | WRITE_BACK);
  for (const level of [4, 3, 2]) entry(r, OFFSET + GUEST_TABLE[level]!, GUEST_TABLE[level - 1]! | 0x67);
  entry(r, GUEST_LEAF, GUEST_PHYSICAL | 0x67);
  p.setNumber(S.CR3, GUEST_TABLE[4]);
  p.vmx.vmcs.setNumber(F.EPT_POINTER, EPT_TABLE[4] | 0x1e | (marks ? MARKS : 0));
  p.vmx.vmcs.set32(F.VPID, vpid);
  setControls(r, vpid === 0 ? controls : [...controls, "enable VPID"]);
  enter(r);
  return r;
}
export function setControls({ p }: Guest, names: readonly ControlName[]): void {
  const words = { pin: 0, primary: 1 << 31, secondary: 0, exit: 0, entry: 0 };
  for (const name of names) {
    const { word, bit } = controlNamed(name);
    words[word] |= 1 << bit;
  }
  p.vmx.vmcs.set32(F.PRIMARY_CONTROLS, words.primary);
  p.vmx.vmcs.set32(F.SECONDARY_CONTROLS, words.secondary);
}
/** What a VM entry and a VM exit do that concerns translation. */
export function enter({ p }: Guest): void {
  p.vmx.operation = NON_ROOT;
  p.vmx.loadControls();
  enterGuestSpace(p);
  p.refresh();
}
export function leave({ p }: Guest): void {
  leaveGuestSpace(p);
  p.vmx.stopGuest();
  p.vmx.operation = ROOT;
  p.refresh();
}

export const ACCESSES = [READ, WRITE, EXECUTE] as const;
/** Physical address that an access leads to, or what became of it: "PF 2", "exit 48". */
export function reach(
  { p }: Guest,
  access: 0 | 1 | 2,
  linear: number = LINEAR,
  rights: Rights = "current",
): number | string {
  const found = p.access.look(access, linear, rights);
  if (found !== 0) return p.u32(found + ENTRY.page) * 0x1000 + (linear & 0xfff);
  const { vector, code } = p.pendingFault;
  return vector === VM_EXIT ? exitOf(p) : vector === VECTORS.PF ? `PF ${code}` : `vector ${vector}`;
}
/** Forgets what is cached and asks anew. */
export function reachAnew(r: Guest, access: 0 | 1 | 2, linear: number = LINEAR): number | string {
  r.p.access.tlb.invalidate(linear);
  return reach(r, access, linear);
}
function exitOf({ vmx: { exit } }: Processor): string {
  return `exit ${exit.reason}`;
}
export const setCpl = ({ p }: Guest, cpl: number) => p.setU32(S.CPL, cpl);
