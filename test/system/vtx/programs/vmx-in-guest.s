# VMX instructions in the guest exit always: qualification and instruction information; #UD comes first [SDM 3C 25.1.2, 27.2.1, 27.2.4].
# expect: VMCALL: VMCALL at +1 length 3
# expect: VMLAUNCH: VMLAUNCH at +0 length 3
# expect: VMRESUME: VMRESUME at +0 length 3
# expect: VMXOFF: VMXOFF at +0 length 3
# expect: VMXON: VMXON at +5 length 5 qualification 8 info 1c18100
# expect: VMPTRLD: VMPTRLD at +5 length 5 qualification fffffffffffffff8 info 1c18100
# expect: VMPTRST: VMPTRST at +c length 5 info 7358103
# expect: VMCLEAR: VMCLEAR at +5 length 5 info 2410100
# expect: VMREAD to a register: VMREAD at +0 length 4 info b0000450
# expect: VMREAD to memory: VMREAD at +5 length 7 qualification 12345 info 11c18100
# expect: VMREAD to memory with GS and a 32-bit address: VMREAD at +5 length 5 info 21c28080
# expect: VMWRITE from a register: VMWRITE at +0 length 3 info 420
# expect: VMWRITE from memory: VMWRITE at +5 length 5 info f18d8100
# expect: INVEPT: INVEPT at +a length 5 info 71c18100
# expect: INVVPID: INVVPID at +5 length 7 qualification 1 info 81c18100
# expect: VMCLEAR of an address that is not canonical: VMCLEAR at +a length 4 info 1c18100
# expect: VMREAD with a displacement of 4 bytes: VMREAD at +0 length 8 qualification ffffffff80000000 info 8418100
# expect: VMPTRLD, RIP-relative, from the place: fffffffffffffff7
# expect: ring 3, VMCALL: VMCALL at +15 length 3
# expect: ring 3, VMREAD: VMREAD at +15 length 3 info 10000400
# expect: ring 3, VMXOFF: VMXOFF at +15 length 3
# expect: VMFUNC: vector 6 from +0
# expect: RSM: vector 6 from +0
# expect: 32-bit, VMREAD: VMREAD at +0 length 3 info 70000400
# expect: 32-bit, VMPTRST: VMPTRST at +5 length 4 info 1998082
# expect: 32-bit, VMXON with a 16-bit address: VMXON at +0 length 6 qualification 7f info 1c18000
# expect: 32-bit, INVEPT: INVEPT at +5 length 5 info 1c18080
# expect: 32-bit, ring 3, VMCALL: VMCALL at +15 length 3
# expect: real, VMCALL: VMCALL at +0 length 3
# expect: real, VMXOFF: vector 6 from +0
# expect: real, VMPTRST: vector 6 from +0
.include "vmx.inc"
program 64
  vmx_on
  guest64
  exits "VMCALL", "nop"
  exits "VMLAUNCH", "vmlaunch"
  exits "VMRESUME", "vmresume"
  exits "VMXOFF", "vmxoff"
  exits "VMXON", "mov ebx, SCRATCH", "vmxon [rbx + 8]"
  exits "VMPTRLD", "mov ebx, SCRATCH", "vmptrld ss:[rbx - 8]"
  exits "VMPTRST", "mov r14d, SCRATCH", "mov r13d, 2", "vmptrst [r14 + r13 * 8]"
  exits "VMCLEAR", "mov esp, SCRATCH", "vmclear [rsp]"
  exits "VMREAD to a register", "vmread r10, r11"
  exits "VMREAD to memory", "mov ebx, SCRATCH", "vmread [rbx + 0x12345], rcx"
  exits "VMREAD to memory with GS and a 32-bit address", "mov ebx, SCRATCH", "vmread gs:[ebx], rdx"
  exits "VMWRITE from a register", "vmwrite rax, rsp"
  exits "VMWRITE from memory", "mov ebx, SCRATCH", "vmwrite r15, [rbx + rbx]"
  exits "INVEPT", "mov ebx, SCRATCH", "mov edi, 7", "invept rdi, [rbx]"
  exits "INVVPID", "mov ebx, SCRATCH", "invvpid r8, [rbx + 1]"
  exits "VMCLEAR of an address that is not canonical", "mov rbx, 0x800000000000", "vmclear [rbx]"
  exits "VMREAD with a displacement of 4 bytes", "vmread [0xffffffff80000000], rax"
  prepare "vmptrld [rip - 0x10]"
  call enter_guest
  r QUALIFICATION
  sub rax, [guest_origin]
  show "VMPTRLD, RIP-relative, from the place", rax, 16
  exits3 "ring 3, VMCALL", "vmcall"
  exits3 "ring 3, VMREAD", "vmread rax, rcx"
  exits3 "ring 3, VMXOFF", "vmxoff"
  exits "VMFUNC", ".byte 0x0f, 0x01, 0xd4"
  exits "RSM", "rsm"
  guest32
  exits "32-bit, VMREAD", "vmread eax, edi"
  exits "32-bit, VMPTRST", "mov ebx, SCRATCH", "vmptrst [ebx + esi * 4]"
  exits "32-bit, VMXON with a 16-bit address", "vmxon [bx + 0x7f]"
  exits "32-bit, INVEPT", "mov ebx, SCRATCH", "invept eax, [ebx]"
  exits3 "32-bit, ring 3, VMCALL", "nop"
  guest_real
  exits "real, VMCALL", "vmcall"
  exits "real, VMXOFF", "vmxoff"
  exits "real, VMPTRST", "vmptrst [bx]"
done
