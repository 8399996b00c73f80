/**
 * Memory as a debugger sees it through a processor's page tables, in a guest through EPT too: nothing is marked, cached,
 * charged or read twice.
 */
import { EFER_LMA, type Tables, Walker } from "./paging.ts";
import { PAGE, type PhysicalMemory } from "./physical.ts";
import type { Processor } from "./processor.ts";
import { S } from "./state.ts";
import { READ } from "./tlb.ts";

const PAGES = 2 ** 20;
const AS_SUPERVISOR = { access: READ, user: false, writeProtect: false, smap: false, smep: false } as const;

/** Page tables as they are in memory; those in a device's pages are taken for empty. */
function tablesOf(memory: PhysicalMemory): Tables {
  return {
    u32: memory.u32,
    read32(address) {
      const host = hostOf(memory.readHost, address);
      return host === 0 ? 0 : memory.u32[host >>> 2]!;
    },
    write32() {},
    hostOf: (page) => memory.hostOf(page),
  };
}
function hostOf(hosts: Uint32Array, physical: number): number {
  const page = Math.floor(physical / PAGE),
    host = page < PAGES ? hosts[page]! : 0;
  return host === 0 ? 0 : host + (physical % PAGE);
}

/**
 * The physical address that a linear one leads to by the page tables as they are now, whatever the rights; null if none.
 * The processor's registers are in the window.
 */
export function linearToPhysical(cpu: Processor, linear: number): number | null {
  const long = (cpu.u32(S.EFER) & EFER_LMA) !== 0;
  if (long ? linear < -(2 ** 47) || linear >= 2 ** 47 : linear < 0 || linear >= 2 ** 32) return null;
  const tables = tablesOf(cpu.memory),
    walker = new Walker(tables);
  walker.nested = cpu.access.nested?.observer(tables) ?? null;
  return walker.walk(linear, AS_SUPERVISOR) ? walker.page * PAGE + (linear & (PAGE - 1)) : null;
}

/** Where `length` bytes from a linear address on are in physical memory, page by page; null if one of them is nowhere. */
function pieces(cpu: Processor, linear: number, length: number, hosts: Uint32Array) {
  const found: { physical: number; host: number; bytes: number }[] = [];
  for (let done = 0; done < length; ) {
    const at = linear + done,
      bytes = Math.min(length - done, PAGE - (at & (PAGE - 1))),
      physical = linearToPhysical(cpu, at);
    if (physical === null || Math.floor(physical / PAGE) === cpu.access.tlb.localPage) return null;
    const host = hostOf(hosts, physical);
    if (host === 0) return null;
    found.push({ physical, host, bytes });
    done += bytes;
  }
  return found;
}

/** Bytes by linear address; null if one of them is not mapped, or is a device's. */
export function peek(cpu: Processor, linear: number, length: number): Uint8Array | null {
  const found = pieces(cpu, linear, length, cpu.memory.readHost);
  if (found === null) return null;
  const bytes = new Uint8Array(length);
  let done = 0;
  for (const piece of found) {
    bytes.set(cpu.memory.u8.subarray(piece.host, piece.host + piece.bytes), done);
    done += piece.bytes;
  }
  return bytes;
}

/** Writes RAM by linear address, whatever the rights; false, with nothing written, if a byte is not mapped, or not RAM. */
export function poke(cpu: Processor, linear: number, bytes: Uint8Array): boolean {
  const found = pieces(cpu, linear, bytes.length, cpu.memory.writeHost);
  if (found === null) return false;
  let done = 0;
  for (const piece of found) {
    cpu.memory.dmaWrite(piece.physical, bytes.subarray(done, done + piece.bytes));
    done += piece.bytes;
  }
  return true;
}
