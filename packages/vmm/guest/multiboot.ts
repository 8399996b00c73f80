/** What the boot loader says [Multiboot 3.3]. It lies in physical memory. */
import { log, logHex } from "./log.ts";
import { out8, physRead8, physRead32, physRead64 } from "./x86.ts";

const DEBUG_PORT: u32 = 0xe9;
const FLAGS: u64 = 0,
  CMDLINE: u64 = 16,
  MODS_COUNT: u64 = 20,
  MODS_ADDR: u64 = 24,
  MMAP_LENGTH: u64 = 44,
  MMAP_ADDR: u64 = 48;
const HAS_CMDLINE: u32 = 1 << 2,
  HAS_MODS: u32 = 1 << 3;
const MODULE_BYTES: u32 = 16;
/** The longest text that is printed. */
const LONGEST: u64 = 4096;

/** Physical address of the command line; 0: there is none. */
export function commandLineOf(information: u64): u64 {
  return (physRead32(information + FLAGS) & HAS_CMDLINE) !== 0 ? physRead32(information + CMDLINE) : 0;
}

function logText(address: u64): void {
  for (let n: u64 = 0; n < LONGEST; n++) {
    const char = physRead8(address + n);
    if (char === 0) return;
    out8(DEBUG_PORT, char);
  }
}

/** Prints all of it, a line each; numbers are hexadecimal. */
export function reportMultiboot(information: u64): void {
  const flags = physRead32(information + FLAGS);
  if (flags & HAS_CMDLINE) {
    log("command line: ");
    logText(physRead32(information + CMDLINE));
    log("\n");
  }
  if (flags & HAS_MODS) reportModules(physRead32(information + MODS_ADDR), physRead32(information + MODS_COUNT));
  reportMemory(physRead32(information + MMAP_ADDR), physRead32(information + MMAP_LENGTH));
}

function reportModules(address: u64, count: u32): void {
  for (let n: u32 = 0; n < count; n++) {
    const module = address + <u64>(n * MODULE_BYTES);
    log("module: ");
    logHex(physRead32(module));
    log(" ");
    logHex(physRead32(module + 4));
    log(" ");
    logText(physRead32(module + 8));
    log("\n");
  }
}

/** Base, length, type (1 is RAM). */
function reportMemory(address: u64, length: u32): void {
  const end = address + length;
  for (let entry = address; entry < end; entry += physRead32(entry) + 4) {
    log("memory: ");
    logHex(physRead64(entry + 4));
    log(" ");
    logHex(physRead64(entry + 12));
    log(" ");
    logHex(physRead32(entry + 20));
    log("\n");
  }
}
