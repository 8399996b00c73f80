# Instructions that exit always, and those that a control makes exit: lengths, qualifications, and what they do without it [SDM 3C 25.1].
# model: skylake +monitor +xsave
# expect: CPUID: CPUID at +0 length 2
# expect: INVD: INVD at +0 length 2
# expect: XSETBV without OSXSAVE: vector 6 from +0
# expect: GETSEC without SMXE: vector 6 from +0
# expect: XSETBV: XSETBV at +0 length 3
# expect: HLT: HLT at +0 length 1
# expect: INVLPG, no control: VMCALL at +9 length 3
# expect: INVLPG: INVLPG at +5 length 4 qualification 12345688
# expect: INVLPG of a canonical address, no control: VMCALL at +d length 3
# expect: INVLPG of a canonical address: INVLPG at +a length 3 qualification ffff800000000000
# expect: INVLPG of one that is not canonical, no control: VMCALL at +d length 3
# expect: INVLPG of one that is not canonical: INVLPG at +a length 3 qualification 800000000000
# expect: RDPMC: RDPMC at +0 length 2
# expect: RDTSC, no control: VMCALL at +2 length 3
# expect: RDTSC: RDTSC at +0 length 2
# expect: PAUSE, no control: VMCALL at +2 length 3
# expect: PAUSE: PAUSE at +0 length 2
# expect: MONITOR, no control: VMCALL at +f length 3
# expect: MONITOR: MONITOR at +c length 3
# expect: MWAIT, nothing monitored: MWAIT at +2 length 3
# expect: MWAIT, armed: MWAIT at +f length 3 qualification 1
# expect: WBINVD, no control: VMCALL at +2 length 3
# expect: WBINVD: WBINVD at +0 length 2
# expect: RDTSCP, no control: VMCALL at +4 length 3
# expect: RDTSCP: VMCALL at +4 length 3
# expect: RDTSCP not enabled: vector 6 from +0
# expect: RDTSCP with RDTSC exiting: RDTSCP at +0 length 3
# expect: RDTSCP not enabled, with RDTSC exiting: vector 6 from +0
# expect: INVPCID: VMCALL at +f length 3
# expect: INVPCID not enabled: vector 6 from +5
# expect: INVPCID with INVLPG exiting: INVPCID at +a length 5 info 1c18100
# expect: INVPCID type 9 with INVLPG exiting: INVPCID at +c length a qualification 100 info 95418100
# expect: INVPCID not enabled, with INVLPG exiting: vector 6 from +5
# expect: CPUID in ring 3: CPUID at +15 length 2
# expect: INVD in ring 3: vector d(0) from +15
# expect: HLT in ring 3: vector d(0) from +15
# expect: INVLPG in ring 3: vector d(0) from +15
# expect: WBINVD in ring 3: vector d(0) from +15
# expect: MONITOR in ring 3: vector 6 from +15
# expect: MWAIT in ring 3: vector 6 from +15
# expect: PAUSE in ring 3: PAUSE at +15 length 2
# expect: RDTSC in ring 3: RDTSC at +15 length 2
# expect: INVPCID in ring 3: vector d(0) from +1a
# expect: RDPMC in ring 3: vector d(0) from +15
# expect: VMCALL in ring 3: VMCALL at +16 length 3
# expect: RDTSC with CR4.TSD in ring 3: vector d(0) from +15
# expect: RDTSCP with CR4.TSD in ring 3: vector d(0) from +15
# expect: RDPMC with CR4.PCE in ring 3: RDPMC at +15 length 2
# bochs: MWAIT, armed: MWAIT at +f length 3 -- it does not say whether the monitor is armed [SDM 3C 27.2.1]
# bochs: INVPCID in ring 3: INVPCID at +1a length 5 info 1c18100 -- faults based on privilege come before exits [SDM 3C 25.1.1]
.include "vmx.inc"
.macro both name, bit, code:vararg
  primary
  exits "\name, no control", \code
  primary \bit
  exits "\name", \code
.endm
.macro both2 name, bit, code:vararg
  secondary ENABLE_RDTSCP | ENABLE_INVPCID
  exits "\name, no control", \code
  secondary ENABLE_RDTSCP | ENABLE_INVPCID | (\bit)
  exits "\name", \code
.endm
program 64
  vmx_on
  guest64
  # ---- always ----
  exits "CPUID", "cpuid"
  exits "INVD", "invd"
  exits "XSETBV without OSXSAVE", "xsetbv"
  exits "GETSEC without SMXE", "getsec"
  w GUEST_CR4, 0x42620
  reg rcx, 0
  exits "XSETBV", "xsetbv"
  w GUEST_CR4, 0x2620
  # ---- with a control ----
  primary ON_HLT
  exits "HLT", "hlt"
  both "INVLPG", ON_INVLPG, "mov ebx, 0x12345678", "invlpg [rbx + 0x10]"
  both "INVLPG of a canonical address", ON_INVLPG, "mov rbx, 0xffff800000000000", "invlpg [rbx]"
  both "INVLPG of one that is not canonical", ON_INVLPG, "mov rbx, 0x800000000000", "invlpg [rbx]"
  primary ON_RDPMC
  exits "RDPMC", "rdpmc"
  both "RDTSC", ON_RDTSC, "rdtsc"
  both "PAUSE", ON_PAUSE, "pause"
  both "MONITOR", ON_MONITOR, "xor ecx, ecx", "xor edx, edx", "lea rax, [0x1000]", "monitor"
  primary ON_MWAIT
  exits "MWAIT, nothing monitored", "xor ecx, ecx", "mwait"
  exits "MWAIT, armed", "xor ecx, ecx", "xor edx, edx", "lea rax, [0x1000]", "monitor", "mwait"
  # ---- secondary ----
  both2 "WBINVD", ON_WBINVD, "wbinvd"
  both2 "RDTSCP", 0, "rdtscp", "nop"
  secondary ENABLE_INVPCID
  exits "RDTSCP not enabled", "rdtscp"
  secondary ENABLE_RDTSCP, ON_RDTSC
  exits "RDTSCP with RDTSC exiting", "rdtscp"
  secondary 0, ON_RDTSC
  exits "RDTSCP not enabled, with RDTSC exiting", "rdtscp"
  secondary ENABLE_INVPCID
  exits "INVPCID", "mov eax, 2", "invpcid rax, [SCRATCH]"
  secondary 0
  exits "INVPCID not enabled", "mov eax, 2", "invpcid rax, [SCRATCH]"
  secondary ENABLE_INVPCID, ON_INVLPG
  exits "INVPCID with INVLPG exiting", "mov eax, 2", "mov ebx, SCRATCH", "invpcid rax, [rbx]"
  exits "INVPCID type 9 with INVLPG exiting", "mov r9d, 9", "mov r10d, SCRATCH - 0x100", "invpcid r9, [r10 + 0x100]"
  secondary 0, ON_INVLPG
  exits "INVPCID not enabled, with INVLPG exiting", "mov eax, 2", "invpcid rax, [SCRATCH]"
  # ---- in ring 3 the exception comes first, except for those without a privilege ----
  secondary ON_WBINVD | ENABLE_INVPCID | ENABLE_RDTSCP, ON_HLT | ON_INVLPG | ON_RDPMC | ON_RDTSC | ON_MONITOR | ON_MWAIT | ON_PAUSE
  exits3 "CPUID in ring 3", "cpuid"
  exits3 "INVD in ring 3", "invd"
  exits3 "HLT in ring 3", "hlt"
  exits3 "INVLPG in ring 3", "invlpg [0]"
  exits3 "WBINVD in ring 3", "wbinvd"
  exits3 "MONITOR in ring 3", "monitor"
  exits3 "MWAIT in ring 3", "mwait"
  exits3 "PAUSE in ring 3", "pause"
  exits3 "RDTSC in ring 3", "rdtsc"
  exits3 "INVPCID in ring 3", "mov ebx, SCRATCH", "invpcid rax, [rbx]"
  exits3 "RDPMC in ring 3", "rdpmc"
  exits3 "VMCALL in ring 3", "nop"
  w GUEST_CR4, 0x2724
  exits3 "RDTSC with CR4.TSD in ring 3", "rdtsc"
  exits3 "RDTSCP with CR4.TSD in ring 3", "rdtscp"
  exits3 "RDPMC with CR4.PCE in ring 3", "rdpmc"
done
