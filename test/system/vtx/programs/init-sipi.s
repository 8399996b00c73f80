# Two processors: INIT and SIPI in root operation, in a guest, in a guest that waits for a SIPI, and at VMXOFF [SDM 3C 23.8, 25.2, 26.6.2, 27.2.1].
# expect: INIT and SIPI in root operation: nothing
# expect: INIT at the entry: INIT at +0
# expect: activity at INIT: 0
# expect: it is gone: VMCALL at +1 length 3
# expect: INIT in the guest: INIT at +c
# expect: SIPI in a guest that waits for it: SIPI at +0 qualification 3c
# expect: activity at SIPI: 3
# expect: INIT in root operation again: nothing
# expect: VMXOFF: lets INIT in
# expect: CR4.VMXE then: 0
# expect: IA32_FEATURE_CONTROL stays: 5
# bochs: INIT at the entry: VMCALL at +1 length 3 -- INIT is blocked in root operation, not lost [SDM 3C 23.8]
# bochs: activity at SIPI: 0 -- the active state returns after the exit only [SDM 3C 27.1]
# cpus: 2
.include "vmx.inc"
.include "apic.inc"
.equ STAGE, 0x3e000             # how far the other processor has got
.equ GO, 0x3e004                # how far it may go
.equ AP_STACK, 0x3e000
.equ TRAMPOLINE, 0x3c000
.equ INIT, 0x4500
.equ SIPI, 0x4600 + TRAMPOLINE / 0x1000
# To the other processor
.macro send what
  mov eax, APIC_ICR + 0x10
  mov dword ptr [eax], 1 << 24
  mov eax, APIC_ICR
  mov dword ptr [eax], \what
.endm
.macro wait_for where, n
67:
  pause
  cmp dword ptr [\where], \n
  jb 67b
.endm
program 64
  mov dword ptr [STAGE], 0
  mov dword ptr [GO], 0
  mov esi, offset trampoline
  mov edi, TRAMPOLINE
  mov ecx, 64
  rep movsb
  apic_on
  send INIT
  send SIPI
  wait_for STAGE, 1             # it is in root operation
  send INIT
  send SIPI
  mov dword ptr [GO], 1
  wait_for STAGE, 2             # its guest runs in a loop
  send SIPI
  send INIT
  wait_for STAGE, 3             # its guest waits for a SIPI, soon
1:
  send SIPI
  mov ecx, 1000
2:
  pause
  loop 2b
  cmp dword ptr [STAGE], 4
  jb 1b
  send INIT
  mov dword ptr [GO], 4
  wait_for STAGE, 5             # it is about to leave VMX operation
  mov ecx, 20000
2:
  pause
  loop 2b
  mov dword ptr [GO], 5
  send SIPI
  wait_for STAGE, 6
done

other:
  cmp dword ptr [GO], 5
  je after_vmxoff
  vmx_on
  guest64
  mov dword ptr [STAGE], 1
  wait_for GO, 1
  print "INIT and SIPI in root operation: nothing\n"
  exits "INIT at the entry", nop
  show_field "activity at INIT", ACTIVITY
  exits "it is gone", nop
  exits "INIT in the guest", "mov dword ptr [STAGE], 2; nop", "87: jmp 87b"
  prepare nop
  w ACTIVITY, 3
  mov dword ptr [STAGE], 3
  run "SIPI in a guest that waits for it"
  show_field "activity at SIPI", ACTIVITY
  mov dword ptr [STAGE], 4
  wait_for GO, 4
  print "INIT in root operation again: nothing\n"
  mov dword ptr [STAGE], 5
  vmxoff
1:
  cmp dword ptr [GO], 5
  jne 1b
  print "VMXOFF: does not let INIT in\n"
  hlt
after_vmxoff:
  print "VMXOFF: lets INIT in\n"
  mov rax, cr4
  shr eax, 13
  and eax, 1
  show "CR4.VMXE then", rax, 1
  mov ecx, IA32_FEATURE_CONTROL
  rdmsr
  and eax, 5
  show "IA32_FEATURE_CONTROL stays", rax, 1
  mov dword ptr [STAGE], 6
1:
  pause
  jmp 1b

.code16
trampoline:
  cli
  xor ax, ax
  mov ds, ax
  lgdt [gdt_pointer]
  mov eax, 0x31
  mov cr0, eax
  .byte 0xea
  .word other_32, CODE32
.code32
other_32:
  mov eax, DATA
  mov ds, eax
  mov es, eax
  mov ss, eax
  xor eax, eax
  mov fs, eax
  mov gs, eax
  mov eax, 0x620
  mov cr4, eax
  mov eax, PML4_TABLE
  mov cr3, eax
  mov ecx, IA32_EFER
  mov eax, 0x901
  xor edx, edx
  wrmsr
  mov eax, 0x80000031
  mov cr0, eax
  .byte 0xea
  .long other_64
  .word CODE64
.code64
other_64:
  lidt [idt_pointer64]
  mov rsp, AP_STACK
  jmp other
