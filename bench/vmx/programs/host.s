# A hypervisor as small as it gets: VMXON, fields from a list, VMLAUNCH; each exit goes on behind the instruction, whose
# length the guest has in R15. bench.ts lays out the memory.
.intel_syntax noprefix
.equ VMXON_REGION, 0xa10000
.equ VMCS_A, 0xa11000
.equ VMCS_B, 0xa12000
.equ FIELDS, 0xa20000           # encoding and value, 8 bytes each; ends with an encoding of -1
.equ POINTERS, 0xa21000         # of the VMXON region and both VMCSs
.equ EXIT_REASON, 0x4402
.equ GUEST_RIP, 0x681e
start:
    mov ecx, 0x480              # IA32_VMX_BASIC: the revision
    rdmsr
    mov [VMXON_REGION], eax
    mov [VMCS_A], eax
    mov [VMCS_B], eax
    mov ecx, 0x3a               # IA32_FEATURE_CONTROL: VMX outside of SMX, locked
    mov eax, 5
    xor edx, edx
    wrmsr
    vmxon [POINTERS]
    vmclear [POINTERS + 16]
    vmclear [POINTERS + 8]
    vmptrld [POINTERS + 8]
    mov esi, FIELDS
1:  mov rdx, [rsi]
    cmp rdx, -1
    je 2f
    vmwrite rdx, [rsi + 8]
    jbe failed
    add esi, 16
    jmp 1b
2:  vmlaunch
failed:
    ud2
.balign 64
exit:                           # HOST_RIP: start + 0x80, at least
    mov ecx, EXIT_REASON
    vmread rax, rcx
    mov ecx, GUEST_RIP
    vmread rdx, rcx
    test eax, eax
    js failed
    add rdx, r15
    vmwrite rcx, rdx
    vmresume
    jmp failed
.balign 64
exit_anew:                      # the same, but every field counts as changed: the checks of VM entry are made anew
    mov ecx, GUEST_RIP
    vmread rdx, rcx
    add rdx, r15
    vmwrite rcx, rdx
    vmptrld [POINTERS + 16]
    vmptrld [POINTERS + 8]
    vmresume
    jmp failed
.balign 64
exit_switch:                    # the two VMPTRLDs by themselves, for ever
    vmptrld [POINTERS + 16]
    vmptrld [POINTERS + 8]
    jmp exit_switch
