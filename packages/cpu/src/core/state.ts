/**
 * The state of a processor, laid out by one table in one WebAssembly memory.
 *
 * The *window* is a fixed range that holds the registers of the processor that is running; the registers of the others
 * wait in their save areas and are swapped in with one copy, so all emitted code uses constant addresses. The table
 * drives save, restore, inspection, tracing and debugging: a register that is not in the table does not exist.
 */

/** One named piece of processor state. */
export interface Field {
  readonly name: string;
  /** Byte offset from the start of the window. */
  readonly offset: number;
  /** Width in bytes. Fields wider than 8 bytes are read as bytes. */
  readonly bytes: number;
  /** True if a program can observe it; false for values that are recomputed from other fields after a restore. */
  readonly architectural: boolean;
}

/** Address of the window in the WebAssembly memory; the page below it is scratch space for calls out of emitted code. */
export const WINDOW = 0x1000;
export const WINDOW_BYTES = 0x1000;

const fields: Field[] = [];
let cursor = 0;

function place(name: string, bytes: number, architectural: boolean): number {
  const align = Math.min(bytes, 16);
  cursor = (cursor + align - 1) & -align;
  fields.push({ name, offset: cursor, bytes, architectural });
  cursor += bytes;
  if (cursor > WINDOW_BYTES) throw new Error(`processor state overflows its window at ${name}`);
  return WINDOW + fields[fields.length - 1]!.offset;
}
const reg = (name: string, bytes = 8) => place(name, bytes, true);
const derived = (name: string, bytes = 8) => place(name, bytes, false);
const many = (count: number, name: (i: number) => string, bytes: number) => {
  const first = reg(name(0), bytes);
  for (let i = 1; i < count; i++) reg(name(i), bytes);
  return first;
};

export const GPR_NAMES = "RAX RCX RDX RBX RSP RBP RSI RDI R8 R9 R10 R11 R12 R13 R14 R15".split(" ");
export const SEGMENT_NAMES = ["ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"] as const;

/** Register numbers as encoded. */
export const RAX = 0,
  RCX = 1,
  RDX = 2,
  RBX = 3,
  RSP = 4,
  RBP = 5,
  RSI = 6,
  RDI = 7;
/** Segment register numbers as encoded; LDTR and TR follow. */
export const ES = 0,
  CS = 1,
  SS = 2,
  DS = 3,
  FS = 4,
  GS = 5,
  LDTR = 6,
  TR = 7;

/** Bytes of one segment register with its hidden part; offsets of its parts. */
export const SEGMENT_BYTES = 72;
export const SEG = {
  selector: 0,
  /** Attributes as in bits 55:40 of a descriptor (type, S, DPL, P, AVL, L, D/B, G at bits 15:12), plus bit 16: unusable. */
  access: 4,
  base: 8,
  /** Limit in bytes, granularity applied. */
  limit: 16,
  /** Derived: the base that address generation adds (0 in 64-bit mode, except for FS and GS). */
  effectiveBase: 24,
  /** Derived: first and last offset that may be read, then written. An empty window (first > last) faults always. */
  readFirst: 32,
  readLast: 40,
  writeFirst: 48,
  writeLast: 56,
} as const;

function placeSegments(): number {
  let first = 0;
  for (const name of SEGMENT_NAMES) {
    const at = reg(`${name}.selector`, 4);
    if (first === 0) first = at;
    reg(`${name}.access`, 4);
    reg(`${name}.base`);
    reg(`${name}.limit`);
    derived(`${name}.effectiveBase`);
    derived(`${name}.readFirst`);
    derived(`${name}.readLast`);
    derived(`${name}.writeFirst`);
    derived(`${name}.writeLast`);
    derived(`${name}.spare`);
  }
  return first;
}

/** Absolute addresses, in the WebAssembly memory, of the running processor's state. */
export const S = {
  GPR: many(16, (i) => GPR_NAMES[i]!, 8),
  /** Always zero: stands for an absent base or index register. */
  ZERO: derived("zero"),
  /** Instruction pointer; while a block runs, the address of the block's first instruction. */
  RIP: reg("RIP"),
  /** Arithmetic flags in lazy form: see flags.ts. Digests hash RFLAGS, never these. */
  LAZY_RESULT: derived("lazy.result"),
  LAZY_AUX: derived("lazy.aux"),
  /** RFLAGS without the six arithmetic flags, which live in lazy form. Bit 1 is set. */
  FLAGS: derived("flags.system"),
  /** RFLAGS as a whole: only valid in a save area; the window keeps the three fields above. */
  RFLAGS: reg("RFLAGS"),
  SEGMENTS: placeSegments(),
  GDTR_BASE: reg("GDTR.base"),
  GDTR_LIMIT: reg("GDTR.limit"),
  IDTR_BASE: reg("IDTR.base"),
  IDTR_LIMIT: reg("IDTR.limit"),
  CR0: reg("CR0"),
  CR2: reg("CR2"),
  CR3: reg("CR3"),
  CR4: reg("CR4"),
  /** PDPTE registers of PAE paging [SDM 3A 4.4.1]. */
  PDPTE: many(4, (i) => `PDPTE${i}`, 8),
  XCR0: reg("XCR0"),
  DR0: many(4, (i) => `DR${i}`, 8),
  DR6: reg("DR6"),
  DR7: reg("DR7"),
  EFER: reg("EFER"),
  STAR: reg("STAR"),
  LSTAR: reg("LSTAR"),
  CSTAR: reg("CSTAR"),
  FMASK: reg("FMASK"),
  KERNEL_GS_BASE: reg("KERNEL_GS_BASE"),
  TSC_AUX: reg("TSC_AUX"),
  SYSENTER_CS: reg("SYSENTER_CS"),
  SYSENTER_ESP: reg("SYSENTER_ESP"),
  SYSENTER_EIP: reg("SYSENTER_EIP"),
  PAT: reg("PAT"),
  /** Added to virtual time in TSC ticks gives the time-stamp counter; IA32_TSC_ADJUST and TSC_DEADLINE beside it. */
  TSC_OFFSET: reg("TSC.offset"),
  TSC_ADJUST: reg("TSC_ADJUST"),
  TSC_DEADLINE: reg("TSC_DEADLINE"),
  MISC_ENABLE: reg("MISC_ENABLE"),
  BIOS_SIGN_ID: reg("BIOS_SIGN_ID"),
  FEATURE_CONTROL: reg("FEATURE_CONTROL"),
  APIC_BASE: reg("APIC_BASE"),
  SPEC_CTRL: reg("SPEC_CTRL"),
  FEATURE_CONFIG: reg("FEATURE_CONFIG"),
  MTRR_DEF_TYPE: reg("MTRR_DEF_TYPE"),
  MTRR_PHYS: many(16, (i) => `MTRR_PHYS${i >> 1}.${i & 1 ? "mask" : "base"}`, 8),
  MTRR_FIX: many(11, (i) => `MTRR_FIX${i}`, 8),
  MCG_STATUS: reg("MCG_STATUS"),
  MCG_CTL: reg("MCG_CTL"),
  MC: many(40, (i) => `MC${i >> 2}.${"CTL STATUS ADDR MISC".split(" ")[i & 3]}`, 8),
  /** 0 running, 1 HLT, 2 shutdown, 3 wait-for-SIPI: the encoding of the VMCS activity state [SDM 3C 24.4.2]; 4 MWAIT. */
  ACTIVITY: reg("activity", 4),
  /** Bit 0 blocking by STI, bit 1 by MOV SS, bit 3 by NMI: as in the VMCS [SDM 3C 24.4.2]. */
  INTERRUPTIBILITY: reg("interruptibility", 4),
  /** Debug exceptions that wait for the end of the instruction: DR6 bits, bit 12 enabled breakpoint, bit 14 BS. */
  PENDING_DEBUG: reg("pendingDebug", 4),
  /** Latched events from outside: bit 0 NMI, bit 1 INIT, bit 2 SIPI, bit 3 SMI; vector of the SIPI. */
  PENDING: reg("pendingEvents", 4),
  SIPI_VECTOR: reg("sipiVector", 4),
  /** 1: a repeated string instruction was left between two iterations; no instruction began and no event was taken since. */
  MID_REPEAT: reg("midRepeat", 4),
  /** MONITOR's armed address and whether it is armed. */
  MONITOR_ADDRESS: reg("monitor.address"),
  MONITOR_ARMED: reg("monitor.armed", 4),
  FCW: reg("FCW", 2),
  FSW: reg("FSW", 2),
  /** Abridged tag: bit i set = physical register i is not empty [SDM 1 10.5.1.1]. */
  FTW: reg("FTW", 2),
  FOP: reg("FOP", 2),
  FCS: reg("FCS", 2),
  FDS: reg("FDS", 2),
  MXCSR: reg("MXCSR", 4),
  FIP: reg("FIP"),
  FDP: reg("FDP"),
  /** Physical x87 registers R0..R7, 16 bytes apart: significand (also MMX register) then sign and exponent. */
  FPR: many(8, (i) => `R${i}`, 16),
  /** XMM0..15, each the low half of a 32-byte YMM register. */
  YMM: many(16, (i) => `YMM${i}`, 32),
  /** State of the seeded generator behind RDRAND and RDSEED. */
  RANDOM: reg("random"),
  /** Derived: all ones in 64-bit mode, FFFFFFFF elsewhere; ANDed onto linear addresses. */
  LINEAR_MASK: derived("linearMask"),
  /** Derived: mask of the stack pointer (SS.B; all ones in 64-bit mode). */
  STACK_MASK: derived("stackMask"),
  /** Derived: number of the TLB context for data accesses, instruction fetches and implicit supervisor accesses. */
  TLB_CONTEXT: derived("tlb.context"),
  TLB_EXEC_CONTEXT: derived("tlb.execContext"),
  /** Derived: address of the running processor's TLB (read, write and execute arrays). */
  TLB_BASE: derived("tlb.base", 4),
  /** Derived: mode bits that are part of a block's key, see block.ts. */
  MODE: derived("mode", 4),
  CPL: derived("CPL", 4),
  /** Derived: 1 in VMX non-root operation. */
  NON_ROOT: derived("vmx.nonRoot", 4),
  /** Derived, nonzero where such an instruction faults: vector to raise (6 #UD or 7 #NM) for x87, MMX, SSE, AVX and WAIT. */
  X87_TRAP: derived("x87.trap", 4),
  MMX_TRAP: derived("mmx.trap", 4),
  SSE_TRAP: derived("sse.trap", 4),
  AVX_TRAP: derived("avx.trap", 4),
  WAIT_TRAP: derived("wait.trap", 4),
  /** Derived: 1 if SSE arithmetic may take its fast path (MXCSR: nearest, all masked, PE set, no DAZ or FTZ). */
  SSE_FAST: derived("sse.fast", 4),
  /** Instructions that may still be retired before the next event. Negative or zero: leave at the block boundary. */
  BUDGET: derived("budget", 4),
  /** Nonzero: leave at the block boundary and look for events; says nothing about whether there are any. */
  ATTENTION: derived("attention", 4),
  /** Derived: last offset in CS that may be fetched (all ones in 64-bit mode). */
  CODE_LAST: derived("code.last"),
  /** Record of the instruction that called out of emitted code. */
  RECORD: derived("record", 4),
  /** Up to 36 stack slots on their way to or from memory, 8 bytes each, see stack.ts. */
  FRAME: derived("frame", 288),
  /** Arguments and results of calls out of emitted code. */
  VECTOR_A: derived("vectorA", 16),
  VECTOR_B: derived("vectorB", 16),
  ARG0: derived("arg0", 16),
  ARG1: derived("arg1", 16),
  ARG2: derived("arg2", 16),
  RESULT: derived("result", 16),
} as const;

/** Every field in the order of its offset. */
export const STATE_TABLE: readonly Field[] = fields;

/** Address of a segment register's hidden part. */
export const segment = (n: number) => S.SEGMENTS + n * SEGMENT_BYTES;

const byName = new Map(fields.map((f) => [f.name, f]));
/** The field with that name, or undefined. */
export const fieldNamed = (name: string): Field | undefined => byName.get(name);
