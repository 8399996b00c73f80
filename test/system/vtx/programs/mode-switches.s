# An unrestricted guest goes from real mode to 32-bit, PAE and 64-bit mode and back, without an exit: what the VMCS says in each [SDM 3C 27.3.1, 27.3.2, 31.8].
# expect: real mode: VMCALL at +0 length 3
# expect: real mode, CR0: 30
# expect: real mode, CR4: 2000
# expect: real mode, EFER: 0
# expect: real mode, CS: 0
# expect: real mode, CS access: 0093
# expect: real mode, SS access: 93
# expect: real mode, IA-32e mode guest: 0
# expect: protected, CS of real mode: VMCALL at +10 length 3
# expect: protected, CS of real mode, CR0: 31
# expect: protected, CS of real mode, CR4: 2000
# expect: protected, CS of real mode, EFER: 0
# expect: protected, CS of real mode, CS: 0
# expect: protected, CS of real mode, CS access: 0093
# expect: protected, CS of real mode, SS access: 93
# expect: protected, CS of real mode, IA-32e mode guest: 0
# expect: 32-bit: VMCALL at +21 length 3
# expect: 32-bit, CR0: 31
# expect: 32-bit, CR4: 2000
# expect: 32-bit, EFER: 0
# expect: 32-bit, CS: 18
# expect: 32-bit, CS access: c093
# expect: 32-bit, SS access: c093
# expect: 32-bit, IA-32e mode guest: 0
# expect: 32-bit, PAE: VMCALL at +3f length 3
# expect: 32-bit, PAE, CR0: 80000031
# expect: 32-bit, PAE, CR4: 2020
# expect: 32-bit, PAE, EFER: 0
# expect: 32-bit, PAE, CS: 18
# expect: 32-bit, PAE, CS access: c093
# expect: 32-bit, PAE, SS access: c093
# expect: 32-bit, PAE, IA-32e mode guest: 0
# expect: compatibility mode: VMCALL at +6e length 3
# expect: compatibility mode, CR0: 80000031
# expect: compatibility mode, CR4: 2020
# expect: compatibility mode, EFER: 500
# expect: compatibility mode, CS: 18
# expect: compatibility mode, CS access: c093
# expect: compatibility mode, SS access: c093
# expect: compatibility mode, IA-32e mode guest: 1
# expect: 64-bit: VMCALL at +78 length 3
# expect: 64-bit, CR0: 80000031
# expect: 64-bit, CR4: 2020
# expect: 64-bit, EFER: 500
# expect: 64-bit, CS: 8
# expect: 64-bit, CS access: a093
# expect: 64-bit, SS access: c093
# expect: 64-bit, IA-32e mode guest: 1
# expect: compatibility mode again: VMCALL at +84 length 3
# expect: compatibility mode again, CR0: 80000031
# expect: compatibility mode again, CR4: 2020
# expect: compatibility mode again, EFER: 500
# expect: compatibility mode again, CS: 18
# expect: compatibility mode again, CS access: c093
# expect: compatibility mode again, SS access: c093
# expect: compatibility mode again, IA-32e mode guest: 1
# expect: 32-bit, no paging again: VMCALL at +9d length 3
# expect: 32-bit, no paging again, CR0: 31
# expect: 32-bit, no paging again, CR4: 2020
# expect: 32-bit, no paging again, EFER: 0
# expect: 32-bit, no paging again, CS: 18
# expect: 32-bit, no paging again, CS access: c093
# expect: 32-bit, no paging again, SS access: c093
# expect: 32-bit, no paging again, IA-32e mode guest: 0
# expect: real mode again: VMCALL at +bd length 3
# expect: real mode again, CR0: 30
# expect: real mode again, CR4: 2020
# expect: real mode again, EFER: 0
# expect: real mode again, CS: 0
# expect: real mode again, CS access: 0093
# expect: real mode again, SS access: 93
# expect: real mode again, IA-32e mode guest: 0
.include "vmx.inc"
.macro state name
  run "\name"
  show_field "\name, CR0", GUEST_CR0
  show_field "\name, CR4", GUEST_CR4
  show_field "\name, EFER", GUEST_EFER
  show_field "\name, CS", GUEST_CS
  r GUEST_CS_ACCESS
  and eax, ~8                   # real mode has no code segments
  show "\name, CS access", rax, 4
  show_field "\name, SS access", GUEST_SS_ACCESS
  r ENTRY_CONTROLS
  shr eax, 9
  and eax, 1
  show "\name, IA-32e mode guest", rax, 1
  skip
.endm
program 64
  vmx_on
  guest_real
  secondary USE_EPT | UNRESTRICTED, USE_MSR_BITMAPS
  w CR4_MASK, 0x2000            # VMXE belongs to the host
  w CR0_MASK, 0x20
  mov rax, offset guest_begin
  mov [guest_origin], rax
  prepare nop
  at guest_begin
  state "real mode"
  state "protected, CS of real mode"
  state "32-bit"
  state "32-bit, PAE"
  state "compatibility mode"
  state "64-bit"
  state "compatibility mode again"
  state "32-bit, no paging again"
  state "real mode again"
done
.pushsection .text.guest, "ax"
.code16
guest_begin:
  vmcall
  lgdt [gdt_pointer]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  vmcall
  .byte 0xea
  .word guest_32, CODE32
.code32
guest_32:
  mov eax, DATA
  mov ss, eax
  mov ds, eax
  vmcall
  mov eax, 0x20
  mov cr4, eax
  mov eax, GUEST_PDPT
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  vmcall
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  mov eax, PML4_TABLE
  mov cr3, eax
  mov ecx, IA32_EFER
  mov eax, 0x100
  xor edx, edx
  wrmsr
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  vmcall
  .byte 0xea
  .long guest_64
  .word CODE64
.code64
guest_64:
  vmcall
  push CODE32
  push offset guest_compatible
  rex.W lret
.code32
guest_compatible:
  vmcall
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  mov ecx, IA32_EFER
  xor eax, eax
  xor edx, edx
  wrmsr
  vmcall
  mov eax, DATA16
  mov ss, eax
  mov ds, eax
  .byte 0xea
  .long 1f
  .word CODE16
.code16
1:
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  .byte 0xea
  .word 1f, 0
1:
  vmcall
.code64
.popsection
