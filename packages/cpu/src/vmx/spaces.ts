/** Which translations are in use, and which must go: VPIDs and EPT pointers as realms of the TLB [SDM 3C 28.3]. */
import { spaceOf } from "../core/control.ts";
import { refreshContext } from "../core/modes.ts";
import { PHYSICAL_BITS } from "../core/paging.ts";
import { PAGE } from "../core/physical.ts";
import type { Processor } from "../core/processor.ts";
import { NO_EPT } from "../core/tlb.ts";
import { maskOf } from "./controls.ts";
import { F } from "./fields.ts";

const ENABLE_EPT = maskOf("enable EPT"),
  ENABLE_VPID = maskOf("enable VPID");

/** The guest's VPID (0: it has none), and the page of its EPT's root. */
function guestRealm({ vmx: { vmcs, controls } }: Processor): { vpid: number; ept: number } {
  return {
    vpid: controls.secondary & ENABLE_VPID ? vmcs.low(F.VPID) : 0,
    ept: controls.secondary & ENABLE_EPT ? Math.floor(vmcs.number(F.EPT_POINTER) / PAGE) : NO_EPT,
  };
}

/** VM entry: without a VPID all that VPID 0 has is forgotten, the host's translations too [SDM 3C 28.3.3.1]. */
export function enterGuestSpace(cpu: Processor): void {
  const { vpid, ept } = guestRealm(cpu);
  resumeGuestSpace(cpu);
  cpu.access.tlb.enterRealm(vpid, ept, spaceOf(cpu), vpid === 0);
}
/** What translates the guest's physical addresses, and its APIC-access page: also after a state was restored. */
export function resumeGuestSpace(cpu: Processor): void {
  cpu.translation.resume();
}
/** VM exit, with the host's control registers loaded and the guest's controls still known. */
export function leaveGuestSpace(cpu: Processor): void {
  const { vpid } = guestRealm(cpu);
  cpu.translation.stop();
  cpu.access.tlb.enterRealm(0, NO_EPT, spaceOf(cpu), vpid === 0);
}

/** Would VM entry accept this EPT pointer? Its type is UC or WB, its walk has four steps [SDM 3C 26.2.1.1]. */
export function isEptPointer(pointer: bigint): boolean {
  const low = Number(pointer & 0xfffn),
    type = low & 7;
  return (type === 0 || type === 6) && (low & 0xfb8) === 3 << 3 && pointer >> BigInt(PHYSICAL_BITS) === 0n;
}
/** INVEPT; null: of all EPT pointers. */
export function invalidateEpt(cpu: Processor, pointer: bigint | null): void {
  const { tlb } = cpu.access;
  if (pointer === null) tlb.dropEpts();
  else tlb.dropEpt(Number(pointer >> 12n));
}
/** INVVPID, by its type. */
export function invalidateVpid(cpu: Processor, type: number, vpid: number, linear: number): void {
  const { tlb } = cpu.access;
  if (type === 0) tlb.invalidate(linear, vpid);
  else if (type === 1) tlb.dropVpid(vpid);
  else if (type === 2) tlb.dropVpids();
  else tlb.dropVpidSpaces(vpid);
  refreshContext(cpu);
}
