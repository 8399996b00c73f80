/** Exceptions of a guest that the hypervisor wants [SDM 3C 25.2, 27.2.1, 27.2.2]. */
import { DR6_BD, DR6_BS } from "../core/debug.ts";
import type { Kind } from "../core/events.ts";
import { VECTORS } from "../core/exceptions.ts";
import type { Processor } from "../core/processor.ts";
import { leave } from "./exit.ts";
import { F } from "./fields.ts";
import { HAS_CODE, NMI_UNBLOCKING, pushesCode, VALID } from "./interruption.ts";
import { EXIT } from "./reasons.ts";

/** Does the exception bitmap ask for it? For page faults the error code decides too [SDM 3C 24.6.3]. */
export function intercepts(cpu: Processor, vector: number, code: number): boolean {
  const { vmx } = cpu,
    { vmcs } = vmx;
  if (!vmx.nonRoot) return false;
  const wanted = ((vmcs.low(F.EXCEPTION_BITMAP) >>> vector) & 1) !== 0;
  if (vector !== VECTORS.PF) return wanted;
  const matches = (code & vmcs.low(F.PAGE_FAULT_MASK)) >>> 0 === vmcs.low(F.PAGE_FAULT_MATCH);
  return wanted === matches;
}

/**
 * The VM exit of an exception at `ip`. What was being delivered when it came up is in `cpu.vectoring`. For a page fault the
 * address is in `cpu.pendingFault`, for #DB the conditions are in `cpu.debugBits`.
 */
export function exitByException(cpu: Processor, vector: number, kind: Kind, code: number, ip: number): void {
  const { exit } = cpu.vmx,
    hasCode = pushesCode(cpu, vector, kind);
  exit.begin(EXIT.exceptionOrNmi);
  if (vector === VECTORS.PF) {
    exit.qualificationLow = cpu.pendingFault.addressLow;
    exit.qualificationHigh = cpu.pendingFault.addressHigh;
  } else if (vector === VECTORS.DB) exit.qualificationLow = cpu.debugBits & (0xf | DR6_BD | DR6_BS);
  cpu.debugBits = 0;
  const unblocking = vector !== VECTORS.DF && cpu.vectoring === 0 && cpu.vmx.nmiUnblockedBy(cpu) ? NMI_UNBLOCKING : 0;
  exit.interruptionInfo = (VALID | (hasCode ? HAS_CODE : 0) | unblocking | (kind << 8) | vector) >>> 0;
  exit.errorCode = hasCode ? code : 0;
  leave(cpu, ip);
}
/** The same for INT3, INTO and INT1: the instruction is abandoned. */
export function exitBySoftware(cpu: Processor, vector: number, kind: Kind): never {
  const { exit } = cpu.vmx;
  exit.begin(EXIT.exceptionOrNmi);
  exit.interruptionInfo = (VALID | (kind << 8) | vector) >>> 0;
  cpu.vmx.unwindBy(cpu.pendingFault);
  throw cpu.pendingFault;
}
/** What would be the third fault [SDM 3C 25.2]. */
export function exitByTripleFault(cpu: Processor, ip: number): void {
  cpu.vectoring = 0;
  cpu.vmx.exit.begin(EXIT.tripleFault);
  leave(cpu, ip);
}
