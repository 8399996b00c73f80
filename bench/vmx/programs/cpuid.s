# CPUID for ever: every one is a VM exit.
.intel_syntax noprefix
    mov r15d, 2
1:  cpuid
    jmp 1b
