# System calls: SYSCALL from ring 3, a handler with a few accesses to memory, SYSRET.
.intel_syntax noprefix
    mov ecx, 0xc0000081         # STAR
    xor eax, eax
    mov edx, 0x00130008
    wrmsr
    inc ecx                     # LSTAR
    lea rax, [rip + handler]
    xor edx, edx
    wrmsr
    mov ecx, 0xc0000084         # FMASK: IF, DF
    mov eax, 0x600
    wrmsr
    mov r10d, 0x100000
    lea rcx, [rip + user]
    mov r11d, 2
    sysretq
user:
    mov edi, 7
    mov eax, 39
    syscall
    add rbx, rax
    jmp user
.balign 4096                    # a kernel has pages of its own
handler:
    mov [r10], rsp
    push rcx
    push r11
    mov eax, [r10 + 16]
    add eax, edi
    mov [r10 + 16], eax
    pop r11
    pop rcx
    sysretq
