/** All that an extension needs of the hypervisor: docs/extensions.md. Instructions are in `../x86.ts`. */
import { Blocks } from "../deploy/blocks.ts";
import { log, logHex, logNumber, tells } from "../log.ts";
import { allocate, physicalOf } from "../memory.ts";
import { panic } from "../panic.ts";
import { pciAddress, pciRead, pciWrite } from "../pci.ts";
import { rdtsc } from "../x86.ts";
import { CopyPolicy, DiskObserver } from "./disk.ts";
import { Course, Extension, register } from "./extension.ts";
import {
  CpuidAnswer,
  CpuidHandler,
  HypercallHandler,
  MmioMediator,
  MsrHandler,
  PciMediator,
  Periodic,
  PortMediator,
} from "./intercepts.ts";
import { Registry } from "./registry.ts";

/** Time in nanoseconds, from power-on; it stands still with the machine. */
export function now(): u64 {
  return rdtsc();
}

export {
  allocate,
  Blocks,
  CopyPolicy,
  Course,
  CpuidAnswer,
  CpuidHandler,
  DiskObserver,
  Extension,
  HypercallHandler,
  log,
  logHex,
  logNumber,
  MmioMediator,
  MsrHandler,
  PciMediator,
  Periodic,
  PortMediator,
  panic,
  pciAddress,
  pciRead,
  pciWrite,
  physicalOf,
  Registry,
  register,
  tells,
};
