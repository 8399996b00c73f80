# SYSENTER and SYSEXIT in protected mode [SDM 2B; 3A 5.8.7], and SYSCALL, which is there in 64-bit mode only.
# expect: SYSENTER from ring 3: ok
# expect: CS: 0018
# expect: SS: 0020
# expect: ESP: 0000f000
# expect: flags: 00003cd7
# expect: SYSENTER from ring 0: ok
# expect: SYSENTER with RPL 1: ok
# expect: CS with RPL 1: 0018
# expect: SYSENTER with more than 16 bits: ok
# expect: CS with more than 16 bits: 0018
# expect: SYSEXIT: ok
# expect: CS after it: 002b
# expect: SS after it: 0033
# expect: ESP after it: 0000e000
# expect: SYSEXIT in ring 3: #GP(0000)
# expect: SYSENTER with CS 0: #GP(0000)
# expect: SYSEXIT with CS 0: #GP(0000)
# expect: SYSCALL: #UD
# expect: SYSRET: #UD
.include "system.inc"
.macro msr index, high, low
  mov ecx, \index
  mov edx, \high
  mov eax, offset \low
  wrmsr
.endm
program 32
  msr 0x174, 0, CODE32
  msr 0x175, 0, STACK
  msr 0x176, 0, entered
  user enters, 0x3ed7
  caught "SYSENTER from ring 3"
  show "CS", [seen_cs], 4
  show "SS", [seen_ss], 4
  show "ESP", [seen_sp], 8
  show "flags", [seen_flags], 8
  try
  sysenter
  caught "SYSENTER from ring 0"
  msr 0x174, 0, CODE32 + 1
  user enters
  caught "SYSENTER with RPL 1"
  show "CS with RPL 1", [seen_cs], 4
  msr 0x174, 0xffff, 0x12340000+CODE32
  user enters
  caught "SYSENTER with more than 16 bits"
  show "CS with more than 16 bits", [seen_cs], 4
  msr 0x174, 0, CODE32
  try
  mov edx, offset returned
  mov ecx, USER_STACK
  .byte 0x0f, 0x35
  caught "SYSEXIT"
  show "CS after it", [trap_cs], 4
  show "SS after it", [trap_ss], 4
  show "ESP after it", [trap_sp], 8
  user exits
  caught "SYSEXIT in ring 3"
  msr 0x174, 0, 0
  user enters
  caught "SYSENTER with CS 0"
  try
  .byte 0x0f, 0x35
  caught "SYSEXIT with CS 0"
  try
  .byte 0x0f, 0x05
  caught "SYSCALL"
  try
  .byte 0x0f, 0x07
  caught "SYSRET"
done
entered:
  mov [seen_sp], esp
  pushfd
  pop dword ptr [seen_flags]
  mov eax, cs
  mov [seen_cs], eax
  mov eax, ss
  mov [seen_ss], eax
  back
enters:
  sysenter
exits:
  .byte 0x0f, 0x35
returned:
  back
.data
.balign 8
seen_sp: .long 0
seen_flags: .long 0
seen_cs: .long 0
seen_ss: .long 0
