/**
 * What the guest's code can do beyond its own memory: each of these is a machine instruction or a few. Addresses are
 * physical, values are zero-extended.
 */
export declare function physRead8(address: u64): u32;
export declare function physRead16(address: u64): u32;
export declare function physRead32(address: u64): u32;
export declare function physRead64(address: u64): u64;
export declare function physWrite8(address: u64, value: u32): void;
export declare function physWrite16(address: u64, value: u32): void;
export declare function physWrite32(address: u64, value: u32): void;
export declare function physWrite64(address: u64, value: u64): void;
/** Both addresses are physical; the ranges do not overlap. */
export declare function physCopy(to: u64, from: u64, bytes: u32): void;
export declare function physFill(to: u64, value: u32, bytes: u32): void;
export declare function mmioRead32(address: u64): u32;
export declare function mmioWrite32(address: u64, value: u32): void;
export declare function in8(port: u32): u32;
export declare function in16(port: u32): u32;
export declare function in32(port: u32): u32;
export declare function out8(port: u32, value: u32): void;
export declare function out16(port: u32, value: u32): void;
export declare function out32(port: u32, value: u32): void;
/** The time-stamp counter: 1 GHz. */
export declare function rdtsc(): u64;
export declare function pause(): void;

// ---- the processor, and VT-x; what fails stops at a known address ----

export declare function rdmsr(index: u32): u64;
export declare function wrmsr(index: u32, value: u64): void;
/** EAX, EBX, ECX, EDX go to four words at a linear address. */
export declare function cpuid(leaf: u32, subleaf: u32, to: usize): void;
export declare function readCr0(): u64;
export declare function writeCr0(value: u64): void;
export declare function readCr3(): u64;
export declare function readCr4(): u64;
export declare function readCr2(): u64;
export declare function writeCr2(value: u64): void;
export declare function writeCr4(value: u64): void;
export declare function xsetbv(index: u32, value: u64): void;
export declare function wbinvd(): void;
/** Selector in TR. */
export declare function str(): u32;
/** Limit and base go to ten bytes at a linear address. */
export declare function lgdt(from: usize): void;
export declare function sgdt(to: usize): void;
export declare function sidt(to: usize): void;
/** VMX operation and the VMCS at a physical address. */
export declare function vmxon(region: u64): void;
export declare function vmxoff(): void;
export declare function vmclear(region: u64): void;
export declare function vmptrld(region: u64): void;
/** `descriptor`: 16 bytes at a linear address. */
export declare function invept(type: u32, descriptor: usize): void;
export declare function invvpid(type: u32, descriptor: usize): void;
/** Enters the guest with these registers; 0 after an exit, 1 or 2 if the entry is not tried. */
export declare function vmEnter(registers: usize, launched: u32): u32;
export declare function vmread(field: u32): u64;
export declare function vmwrite(field: u32, value: u64): void;
export declare function lidt(from: usize): void;
/** What was at a linear address, which gets a new value; locked. */
export declare function xchg32(at: usize, value: u32): u32;
/** What was at a linear address, which becomes `value` if it was `expected`; locked. */
export declare function cmpxchg32(at: usize, expected: u32, value: u32): u32;
export declare function readDr0(): u64;
export declare function readDr1(): u64;
export declare function readDr2(): u64;
export declare function readDr3(): u64;
export declare function writeDr0(value: u64): void;
export declare function writeDr1(value: u64): void;
export declare function writeDr2(value: u64): void;
export declare function writeDr3(value: u64): void;
export declare function writeDr6(value: u64): void;
export declare function cli(): void;
export declare function hlt(): void;
/** From now on `new` stops: there is no memory left. */
export declare function endAllocation(): void;
/** Continues at a linear address with an argument in RDI; never comes back. */
export declare function jump(linear: usize, argument: usize): void;

// ---- linear addresses of assembler stubs ----

/** The entry for vector 0; each has 16 bytes. */
export declare function addr_vectors(): usize;
/** Runs in its page of the low window: back to real mode, and on with the first disk's boot sector. */
export declare function addr_bootDisk(): usize;
export declare function addr_bootDiskEnd(): usize;
/** Runs there too, where a guest in real mode begins, at 9000:D000 or 9D00:0: on with the first disk's boot sector. */
export declare function addr_startGuest(): usize;
export declare function addr_startGuestEnd(): usize;
/** Where a VM exit leads to: behind `vmEnter`'s VMLAUNCH. */
export declare function addr_vmExit(): usize;
/** The start of another processor, copied to its page; its parameters are there: CR3, RSP, id. */
export declare function addr_apStart(): usize;
export declare function addr_apStartEnd(): usize;
export declare function addr_apParameters(): usize;
/** Runs there too: leaves there what INT 15h E820 says. */
export declare function addr_biosMemoryMap(): usize;
export declare function addr_biosMemoryMapEnd(): usize;
/** Calls what was copied to that page, which goes to real mode and comes back. Not in VMX operation, nor with CR4 changed. */
export declare function callRealMode(): void;
/** The hook of INT 15h, which runs in its own page. */
export declare function addr_int15(): usize;
export declare function addr_int15End(): usize;
