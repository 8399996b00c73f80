/** VMCS fields that the hypervisor uses, by their encodings [SDM 3C appendix B], and exit reasons [appendix C]. */

// ---- control ----
export const VPID: u32 = 0x0000;
export const IO_BITMAP_A: u32 = 0x2000;
export const IO_BITMAP_B: u32 = 0x2002;
export const MSR_BITMAPS: u32 = 0x2004;
export const TSC_OFFSET: u32 = 0x2010;
export const EPT_POINTER: u32 = 0x201a;
export const PIN_CONTROLS: u32 = 0x4000;
export const PRIMARY_CONTROLS: u32 = 0x4002;
export const EXCEPTION_BITMAP: u32 = 0x4004;
export const PAGE_FAULT_MASK: u32 = 0x4006;
export const PAGE_FAULT_MATCH: u32 = 0x4008;
export const CR3_TARGET_COUNT: u32 = 0x400a;
export const EXIT_CONTROLS: u32 = 0x400c;
export const EXIT_MSR_STORE_COUNT: u32 = 0x400e;
export const EXIT_MSR_LOAD_COUNT: u32 = 0x4010;
export const ENTRY_CONTROLS: u32 = 0x4012;
export const ENTRY_MSR_LOAD_COUNT: u32 = 0x4014;
export const ENTRY_INTERRUPTION_INFO: u32 = 0x4016;
export const ENTRY_ERROR_CODE: u32 = 0x4018;
export const ENTRY_INSTRUCTION_LENGTH: u32 = 0x401a;
export const SECONDARY_CONTROLS: u32 = 0x401e;
export const CR0_MASK: u32 = 0x6000;
export const CR4_MASK: u32 = 0x6002;
export const CR0_SHADOW: u32 = 0x6004;
export const CR4_SHADOW: u32 = 0x6006;

// ---- what an exit says ----
export const GUEST_PHYSICAL_ADDRESS: u32 = 0x2400;
export const INSTRUCTION_ERROR: u32 = 0x4400;
export const EXIT_REASON: u32 = 0x4402;
export const EXIT_INTERRUPTION_INFO: u32 = 0x4404;
export const IDT_VECTORING_INFO: u32 = 0x4408;
export const IDT_VECTORING_ERROR_CODE: u32 = 0x440a;
export const EXIT_INSTRUCTION_LENGTH: u32 = 0x440c;
export const EXIT_INSTRUCTION_INFO: u32 = 0x440e;
export const EXIT_QUALIFICATION: u32 = 0x6400;
export const GUEST_LINEAR_ADDRESS: u32 = 0x640a;

// ---- the guest ----
/** ES, CS, SS, DS, FS, GS, LDTR, TR follow each other by 2. */
export const GUEST_ES_SELECTOR: u32 = 0x0800;
export const GUEST_ES_LIMIT: u32 = 0x4800;
export const GUEST_ES_ACCESS: u32 = 0x4814;
export const GUEST_ES_BASE: u32 = 0x6806;
export const LINK_POINTER: u32 = 0x2800;
export const GUEST_DEBUGCTL: u32 = 0x2802;
export const GUEST_PAT: u32 = 0x2804;
export const GUEST_EFER: u32 = 0x2806;
export const GUEST_PDPTE0: u32 = 0x280a;
export const GUEST_GDTR_LIMIT: u32 = 0x4810;
export const GUEST_IDTR_LIMIT: u32 = 0x4812;
export const GUEST_INTERRUPTIBILITY: u32 = 0x4824;
export const GUEST_ACTIVITY: u32 = 0x4826;
export const GUEST_SYSENTER_CS: u32 = 0x482a;
export const PREEMPTION_TIMER: u32 = 0x482e;
export const GUEST_CR0: u32 = 0x6800;
export const GUEST_CR3: u32 = 0x6802;
export const GUEST_CR4: u32 = 0x6804;
export const GUEST_GDTR_BASE: u32 = 0x6816;
export const GUEST_IDTR_BASE: u32 = 0x6818;
export const GUEST_DR7: u32 = 0x681a;
export const GUEST_RSP: u32 = 0x681c;
export const GUEST_RIP: u32 = 0x681e;
export const GUEST_RFLAGS: u32 = 0x6820;
export const GUEST_PENDING_DEBUG: u32 = 0x6822;
export const GUEST_SYSENTER_ESP: u32 = 0x6824;
export const GUEST_SYSENTER_EIP: u32 = 0x6826;

// ---- the host ----
/** ES, CS, SS, DS, FS, GS, TR follow each other by 2. */
export const HOST_ES_SELECTOR: u32 = 0x0c00;
export const HOST_CS_SELECTOR: u32 = 0x0c02;
export const HOST_SS_SELECTOR: u32 = 0x0c04;
export const HOST_TR_SELECTOR: u32 = 0x0c0c;
export const HOST_PAT: u32 = 0x2c00;
export const HOST_EFER: u32 = 0x2c02;
export const HOST_CR0: u32 = 0x6c00;
export const HOST_CR3: u32 = 0x6c02;
export const HOST_CR4: u32 = 0x6c04;
export const HOST_FS_BASE: u32 = 0x6c06;
export const HOST_GS_BASE: u32 = 0x6c08;
export const HOST_TR_BASE: u32 = 0x6c0a;
export const HOST_GDTR_BASE: u32 = 0x6c0c;
export const HOST_IDTR_BASE: u32 = 0x6c0e;
export const HOST_RIP: u32 = 0x6c16;

// ---- exit reasons ----
export const EXIT_EXCEPTION: u32 = 0;
export const EXIT_EXTERNAL_INTERRUPT: u32 = 1;
export const EXIT_TRIPLE_FAULT: u32 = 2;
export const EXIT_INIT: u32 = 3;
export const EXIT_SIPI: u32 = 4;
export const EXIT_TASK_SWITCH: u32 = 9;
export const EXIT_CPUID: u32 = 10;
export const EXIT_INVD: u32 = 13;
export const EXIT_VMCALL: u32 = 18;
export const EXIT_VMCLEAR: u32 = 19;
export const EXIT_VMXON: u32 = 27;
export const EXIT_CONTROL_REGISTER: u32 = 28;
export const EXIT_IO: u32 = 30;
export const EXIT_RDMSR: u32 = 31;
export const EXIT_WRMSR: u32 = 32;
export const EXIT_MONITOR_TRAP: u32 = 37;
export const EXIT_EPT_VIOLATION: u32 = 48;
export const EXIT_EPT_MISCONFIGURATION: u32 = 49;
export const EXIT_INVEPT: u32 = 50;
export const EXIT_PREEMPTION_TIMER: u32 = 52;
export const EXIT_INVVPID: u32 = 53;
export const EXIT_XSETBV: u32 = 55;
/** Bit 31 of the reason: the VM entry failed. */
export const ENTRY_FAILED: u32 = 0x80000000;
