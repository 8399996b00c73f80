# IRET in IA-32e mode in all its forms [SDM 2A "IRET"]: from 64-bit code to 64-bit and compatibility code, of the same and of
# outer rings, with null and bad SS, operand sizes of 16, 32 and 64 bits; from compatibility code.
# expect: CS: 1eb0 of 2000 faulted, checksum 52b9dac0
# expect: SS: 0ff0 of 1000 faulted, checksum 4f6b2790
# expect: ring 0, SS 0: ok CS 0008 SS 0000 RSP 000000000000e000
# expect: ring 1, SS 0: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 2, SS 0: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 3, SS 0: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: compatibility ring 0, SS 0: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 0, SS 1: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 1, SS 1: ok CS 0099 SS 0001 RSP 000000000000e000
# expect: ring 2, SS 1: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 3, SS 1: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: compatibility ring 0, SS 1: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 0, SS 2: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 1, SS 2: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 2, SS 2: ok CS 00a2 SS 0002 RSP 000000000000e000
# expect: ring 3, SS 2: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: compatibility ring 0, SS 2: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 0, SS 3: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 1, SS 3: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 2, SS 3: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: ring 3, SS 3: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: compatibility ring 0, SS 3: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: RSP not canonical, ring 3: ok CS 003b SS 0033 RSP 123456789abcd000
# expect: RSP of 64 bits to 32-bit code: ok CS 002b SS 0033 RSP 0000000000008000
# expect: RIP not canonical: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: RIP not mapped: #PF(0014) at 0000700000000000 CS 003b SS 0033 RSP 000000000000e000
# expect: EIP of more than 32 bits: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: CS with garbage above: ok CS 003b SS 0033 RSP 000000000000e000
# expect: compatibility code beyond the limit: #GP(0000) CS 0008 SS 0010 RSP 000000000000efd8
# expect: IRETD to 64-bit ring 3: ok CS 003b SS 0033 RSP 000000000000e000
# expect: IRETW to 32-bit ring 3: ok CS 002b SS 0033 RSP 000000000000e000
# expect: with NT: #GP(0000)
# expect: from compatibility ring 0 to 64-bit code: ok CS 0008 SS 0010 RSP 000000000000f000
# expect: from compatibility ring 3 to 64-bit code: ok CS 003b SS 0033 RSP 000000000000dff8
# expect: flags by IRET in ring 3 with IOPL 0: 0000000000240cd7
# expect: flags by IRET in ring 3 with IOPL 3: 0000000000243ed7
# expect: flags by IRET in ring 0: 0000000000003ed7
# expect: all flags by IRET in ring 0: 0000000000182ed7
# qemu: SS: 0ff0 of 1000 faulted, checksum c5852b30 -- absent SS as #NP, null SS of any RPL [SDM 3A 6.15; 2A "IRET"]
# qemu: ring 1, SS 0: ok CS 0099 SS 0000 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: ring 2, SS 0: ok CS 00a2 SS 0000 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: compatibility ring 0, SS 0: ok CS 0018 SS 0000 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: ring 0, SS 1: ok CS 0008 SS 0001 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: ring 2, SS 1: ok CS 00a2 SS 0001 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: compatibility ring 0, SS 1: ok CS 0018 SS 0001 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: ring 0, SS 2: ok CS 0008 SS 0002 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: ring 1, SS 2: ok CS 0099 SS 0002 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: compatibility ring 0, SS 2: ok CS 0018 SS 0002 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: ring 0, SS 3: ok CS 0008 SS 0003 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: ring 1, SS 3: ok CS 0099 SS 0003 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: ring 2, SS 3: ok CS 00a2 SS 0003 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# qemu: compatibility ring 0, SS 3: ok CS 0018 SS 0003 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: SS: 0ff0 of 1000 faulted, checksum 514e3b30 -- absent SS as #NP, null SS of any RPL [SDM 3A 6.15; 2A "IRET"]
# bochs: ring 1, SS 0: ok CS 0099 SS 0000 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: ring 2, SS 0: ok CS 00a2 SS 0000 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: ring 0, SS 1: ok CS 0008 SS 0001 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: ring 2, SS 1: ok CS 00a2 SS 0001 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: ring 0, SS 2: ok CS 0008 SS 0002 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: ring 1, SS 2: ok CS 0099 SS 0002 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: ring 0, SS 3: ok CS 0008 SS 0003 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: ring 1, SS 3: ok CS 0099 SS 0003 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: ring 2, SS 3: ok CS 00a2 SS 0003 RSP 000000000000e000 -- a null SS must have the RPL of the new ring, and leads to 64-bit code only [SDM 2A "IRET", exceptions of 64-bit mode]
# bochs: EIP of more than 32 bits: ok CS 002b SS 0033 RSP 000000000000e000 -- all of RIP counts against the limit; so does a processor [SDM 2A "IRET"]
# qemu: CS: 1e40 of 2000 faulted, checksum 6d233900 -- it takes code segments with both L and D, and does not set their accessed bits [SDM 3A 5.2.1, 3.4.5.1]
# qemu: RIP not canonical: #GP(0000) CS 003b SS 0033 RSP 000000000000e000 -- a bad RIP is refused before the return [SDM 2A "IRET"]
# qemu: EIP of more than 32 bits: ok CS 002b SS 0033 RSP 000000000000e000 -- it checks no limits [SDM 3A 5.3]
# qemu: compatibility code beyond the limit: ok CS 0103 SS 0033 RSP 000000000000e000 -- it checks no limits [SDM 3A 5.3]
# qemu: all flags by IRET in ring 0: 0000000000012ed7 -- RF does not reach the frame of INT n; VIF and VIP can be set [SDM 3B 17.3.1.1; 2A "IRET"]
.include "system.inc"
.macro frame ss, sp, flags, cs, ip
  push \ss
  push \sp
  push \flags
  push \cs
  push \ip
.endm
.macro show_state name
  print "\name: "
  outcome
  print " CS "
  hex [trap_cs], 4
  print " SS "
  hex [trap_ss], 4
  print " RSP "
  hex [trap_sp], 16
  nl
.endm
program 64
  mov r15, offset ends
  mov r14, offset change_flags
  # every access byte with D and L, and RPL, as CS
  xor ebp, ebp
1:
  mov dword ptr [gdt + TEST0], 0xffff
  mov eax, ebp
  and eax, 0xff
  shl eax, 8
  mov ecx, ebp
  and ecx, 0x300
  shl ecx, 13
  or eax, ecx
  or eax, 0x008f0000
  mov [gdt + TEST0 + 4], eax
  xor ebx, ebx
2:
  lea ecx, [TEST0 + rbx]
  mov edx, [stacks + ebx * 4]
  try
  frame rdx, USER_STACK, 2, rcx, r15
  iretq
  quiet
  call weigh
  try
  push rdx
  push USER_STACK
  push rcx
  push offset ends
  retfq
  quiet
  call weigh
  inc ebx
  cmp ebx, 4
  jb 2b
  inc ebp
  cmp ebp, 0x400
  jb 1b
  show_counts "CS"

  # every access byte and RPL as SS, for 64-bit and 32-bit code of ring 3, and of ring 0
  xor ebp, ebp
1:
  mov dword ptr [gdt + TEST0], 0xffff
  mov eax, ebp
  shl eax, 8
  or eax, 0x00cf0000
  mov [gdt + TEST0 + 4], eax
  xor ebx, ebx
2:
  .irp code, CODE64, UCODE64, UCODE32, CODE1_64
  lea ecx, [TEST0 + rbx]
  try
  frame rcx, USER_STACK, 2, \code, r15
  iretq
  quiet
  call weigh
  .endr
  inc ebx
  cmp ebx, 4
  jb 2b
  inc ebp
  cmp ebp, 0x100
  jb 1b
  show_counts "SS"

  # null SS
  .irp ss, 0, 1, 2, 3
  try
  frame \ss, USER_STACK, 2, CODE64, r15
  iretq
  quiet
  show_state "ring 0, SS \ss"
  try
  frame \ss, USER_STACK, 2, CODE1_64, r15
  iretq
  quiet
  show_state "ring 1, SS \ss"
  try
  frame \ss, USER_STACK, 2, CODE2_64, r15
  iretq
  quiet
  show_state "ring 2, SS \ss"
  try
  frame \ss, USER_STACK, 2, UCODE64, r15
  iretq
  quiet
  show_state "ring 3, SS \ss"
  try
  frame \ss, USER_STACK, 2, CODE32, r15
  iretq
  quiet
  show_state "compatibility ring 0, SS \ss"
  .endr

  # upper halves
  mov rax, 0x123456789abcd000
  try
  frame UDATA, rax, 2, UCODE64, r15
  iretq
  quiet
  show_state "RSP not canonical, ring 3"
  mov rax, 0x1234567800008000
  try
  frame UDATA, rax, 2, UCODE32, r15
  iretq
  quiet
  show_state "RSP of 64 bits to 32-bit code"
  mov rax, 0x0000800000000000
  try
  frame UDATA, USER_STACK, 2, UCODE64, rax
  iretq
  quiet
  show_state "RIP not canonical"
  mov rax, 0x0000700000000000
  try
  frame UDATA, USER_STACK, 2, UCODE64, rax
  iretq
  quiet
  show_state "RIP not mapped"
  mov eax, 1
  shl rax, 32
  add rax, r15
  try
  frame UDATA, USER_STACK, 2, UCODE32, rax
  iretq
  quiet
  show_state "EIP of more than 32 bits"
  mov rax, 0x3b003b
  shl rax, 16
  or rax, UCODE64
  try
  frame UDATA, USER_STACK, 2, rax, r15
  iretq
  quiet
  show_state "CS with garbage above"
  descriptor TEST0, 0, 0x10, 0x40fb
  mov word ptr [0x11], 0x30cd   # INT BACK, for a machine that goes there
  try
  frame UDATA, USER_STACK, 2, TEST0+3, 0x11
  iretq
  quiet
  show_state "compatibility code beyond the limit"

  # 32-bit and 16-bit operands
  try
  sub rsp, 20
  mov dword ptr [rsp + 16], UDATA
  mov dword ptr [rsp + 12], USER_STACK
  mov dword ptr [rsp + 8], 2
  mov dword ptr [rsp + 4], UCODE64
  mov dword ptr [rsp], r15d
  iretd
  quiet
  show_state "IRETD to 64-bit ring 3"
  try
  sub rsp, 10
  mov word ptr [rsp + 8], UDATA
  mov word ptr [rsp + 6], USER_STACK
  mov word ptr [rsp + 4], 2
  mov word ptr [rsp + 2], UCODE32
  mov word ptr [rsp], r15w
  iretw
  quiet
  show_state "IRETW to 32-bit ring 3"
  # NT
  try
  frame DATA, STACK, 2, CODE64, r15
  push 0x4002
  popfq
  iretq
  caught "with NT"

  # from compatibility code of ring 0 and ring 3
  try
  push CODE32
  push offset from_compatibility
  retfq
  mode 32
from_compatibility:
  pushfd
  push CODE64
  push offset 1f
  iretd
  mode 64
1:
  int BACK
  quiet
  show_state "from compatibility ring 0 to 64-bit code"
  ring UCODE32, UDATA, outer
  quiet
  show_state "from compatibility ring 3 to 64-bit code"

  # flags
  .irp iopl, 0, 3
  try
  frame UDATA, USER_STACK, \iopl<<12|2, UCODE64, r14
  iretq
  quiet
  mov rax, [trap_flags]
  show "flags by IRET in ring 3 with IOPL \iopl", rax, 16
  .endr
  try
  frame DATA, STACK, 0x3ed7&~0x100, CODE64, r15
  iretq
  quiet
  mov rax, [trap_flags]
  show "flags by IRET in ring 0", rax, 16
  mov rax, 0xffffffffffdbaed7   # VM, reserved bits; no TF, NT
  try
  frame DATA, STACK, rax, CODE64, r15
  iretq
  quiet
  mov rax, [trap_flags]
  show "all flags by IRET in ring 0", rax, 16
done
stacks: .long DATA, DATA1, DATA2, UDATA
ends:
  int BACK
change_flags:
  frame UDATA, USER_STACK, 0x243ed7&~0x100, UCODE64, r15
  iretq
weigh:
  note
  mov eax, [gdt + TEST0 + 4]
  sum eax
  mov eax, [trap_cs]
  sum eax
  mov eax, [trap_ss]
  sum eax
  mov eax, [trap_sp]
  sum eax
  mov eax, ebp
  mov byte ptr [gdt + TEST0 + 5], al
  ret
  mode 32
outer:
  push UDATA
  push USER_STACK
  push 2
  push UCODE64
  push offset ends
  iretd
