/**
 * The VMCS of a processor: the guest begins in real-address mode as after INIT, or at a boot sector, with nothing but
 * what is unavoidable intercepted [SDM 3C 24, 26; vmm.md R2.11 to R2.14, R3].
 */
import { rdmsr, readCr0, readCr3, readCr4, sgdt, sidt, vmwrite } from "../x86.ts";
import {
  CR0_FIXED0,
  CR4_FIXED0,
  entryControls,
  exitControls,
  pinControls,
  primaryControls,
  secondaryControls,
} from "./controls.ts";
import * as V from "./vmcs.ts";

const EFER: u32 = 0xc0000080;
const PAT: u32 = 0x277;
const SYSENTER_CS: u32 = 0x174;
/** CR0 after INIT: ET; and NE, which VMX operation wants and the guest does not see. */
const CR0_AT_RESET: u64 = 0x60000010;
const NE: u64 = 0x20;
const VMXE: u64 = 0x2000;
/** Access rights of real mode: data, LDT, busy TSS. */
const REAL_DATA: u64 = 0x93;
const LDT: u64 = 0x82;
const BUSY_TSS: u64 = 0x8b;
const ES: u32 = 0;
const CS: u32 = 1;
const GS: u32 = 5;
const LDTR: u32 = 6;
const TR: u32 = 7;

/** What all processors share. */
@unmanaged
export class Shared {
  eptPointer: u64;
  ioBitmapA: u64;
  ioBitmapB: u64;
  msrBitmaps: u64;
  /** Where `vmEnter` comes back: the stub behind VMLAUNCH and VMRESUME. */
  exitStub: u64;
  /** Room for what SGDT and SIDT store. */
  table: u64;
  tableEnd: u64;
}

/** Fills the current VMCS. `vpid` is 1 or more. */
export function setUpVmcs(shared: Shared, vpid: u32): void {
  setControls(shared, vpid);
  setHost(shared);
  vmwrite(V.GUEST_PAT, rdmsr(PAT));
  vmwrite(V.GUEST_SYSENTER_CS, rdmsr(SYSENTER_CS));
  vmwrite(V.GUEST_SYSENTER_ESP, rdmsr(SYSENTER_CS + 1));
  vmwrite(V.GUEST_SYSENTER_EIP, rdmsr(SYSENTER_CS + 2));
  vmwrite(V.GUEST_DEBUGCTL, 0);
  resetGuest();
}

function setControls(shared: Shared, vpid: u32): void {
  vmwrite(V.PIN_CONTROLS, pinControls());
  vmwrite(V.PRIMARY_CONTROLS, primaryControls());
  vmwrite(V.SECONDARY_CONTROLS, secondaryControls());
  vmwrite(V.EXIT_CONTROLS, exitControls());
  vmwrite(V.ENTRY_CONTROLS, entryControls());
  vmwrite(V.VPID, vpid);
  vmwrite(V.EPT_POINTER, shared.eptPointer);
  vmwrite(V.IO_BITMAP_A, shared.ioBitmapA);
  vmwrite(V.IO_BITMAP_B, shared.ioBitmapB);
  vmwrite(V.MSR_BITMAPS, shared.msrBitmaps);
  vmwrite(V.TSC_OFFSET, 0);
  vmwrite(V.EXCEPTION_BITMAP, 0);
  vmwrite(V.PAGE_FAULT_MASK, 0);
  vmwrite(V.PAGE_FAULT_MATCH, 0);
  vmwrite(V.CR3_TARGET_COUNT, 0);
  vmwrite(V.EXIT_MSR_STORE_COUNT, 0);
  vmwrite(V.EXIT_MSR_LOAD_COUNT, 0);
  vmwrite(V.ENTRY_MSR_LOAD_COUNT, 0);
  vmwrite(V.ENTRY_INTERRUPTION_INFO, 0);
  vmwrite(V.CR0_MASK, NE);
  vmwrite(V.CR4_MASK, VMXE);
  vmwrite(V.LINK_POINTER, 0xffffffffffffffff);
}

/** The processor as it is now. */
function setHost(shared: Shared): void {
  const CODE: u64 = 0x08,
    DATA: u64 = 0x10,
    TASK: u64 = 0x30;
  vmwrite(V.HOST_CR0, readCr0());
  vmwrite(V.HOST_CR3, readCr3());
  vmwrite(V.HOST_CR4, readCr4());
  for (let n: u32 = ES; n <= GS; n++) vmwrite(V.HOST_ES_SELECTOR + 2 * n, DATA);
  vmwrite(V.HOST_CS_SELECTOR, CODE);
  vmwrite(V.HOST_TR_SELECTOR, TASK); // must not be 0; nothing is ever looked up in it
  vmwrite(V.HOST_EFER, rdmsr(EFER));
  vmwrite(V.HOST_PAT, rdmsr(PAT));
  vmwrite(V.HOST_FS_BASE, 0);
  vmwrite(V.HOST_GS_BASE, 0);
  vmwrite(V.HOST_TR_BASE, 0);
  const table = changetype<usize>(shared) + offsetof<Shared>("table");
  sgdt(table);
  vmwrite(V.HOST_GDTR_BASE, load<u64>(table + 2));
  sidt(table);
  vmwrite(V.HOST_IDTR_BASE, load<u64>(table + 2));
  vmwrite(V.HOST_RIP, shared.exitStub);
}

/**
 * The guest as after INIT, but at 0000:0000; the caller says where it begins. Model-specific registers stay
 * [SDM 3A table 9-1], but for those that belong to long mode.
 */
export function resetGuest(): void {
  vmwrite(V.ENTRY_CONTROLS, entryControls());
  for (let n: u32 = ES; n <= TR; n++) setSegment(n, 0, 0, 0xffff, n === LDTR ? LDT : n === TR ? BUSY_TSS : REAL_DATA);
  vmwrite(V.GUEST_CR0, CR0_AT_RESET | NE | (rdmsr(CR0_FIXED0) & ~(<u64>0x80000001)));
  vmwrite(V.CR0_SHADOW, CR0_AT_RESET);
  vmwrite(V.GUEST_CR3, 0);
  vmwrite(V.GUEST_CR4, rdmsr(CR4_FIXED0));
  vmwrite(V.CR4_SHADOW, 0);
  vmwrite(V.GUEST_EFER, 0);
  vmwrite(V.GUEST_DR7, 0x400);
  vmwrite(V.GUEST_GDTR_BASE, 0);
  vmwrite(V.GUEST_GDTR_LIMIT, 0xffff);
  vmwrite(V.GUEST_IDTR_BASE, 0);
  vmwrite(V.GUEST_IDTR_LIMIT, 0x3ff);
  vmwrite(V.GUEST_RSP, 0);
  vmwrite(V.GUEST_RIP, 0);
  vmwrite(V.GUEST_RFLAGS, 2);
  vmwrite(V.GUEST_ACTIVITY, 0);
  vmwrite(V.GUEST_INTERRUPTIBILITY, 0);
  vmwrite(V.GUEST_PENDING_DEBUG, 0);
}

export function setSegment(n: u32, selector: u64, base: u64, limit: u64, access: u64): void {
  vmwrite(V.GUEST_ES_SELECTOR + 2 * n, selector);
  vmwrite(V.GUEST_ES_BASE + 2 * n, base);
  vmwrite(V.GUEST_ES_LIMIT + 2 * n, limit);
  vmwrite(V.GUEST_ES_ACCESS + 2 * n, access);
}
/** Real mode at segment:0, as a SIPI leaves a processor, or a boot sector begins. */
export function setRealModeStart(segment: u64, offset: u64): void {
  setSegment(CS, segment, segment << 4, 0xffff, 0x9b);
  vmwrite(V.GUEST_RIP, offset);
}
