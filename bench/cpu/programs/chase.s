# Pointer chase: 4,096 cells, 320 bytes apart, linked in a scrambled cycle.
.intel_syntax noprefix
start:
    mov ebx, 0x200000
    xor ecx, ecx
1:  lea eax, [rcx + rcx*4]          # next = (5 * i + 1) mod 4096: one cycle
    inc eax
    and eax, 4095
    imul edx, ecx, 320
    imul eax, eax, 320
    add rax, rbx
    mov [rbx + rdx], rax
    inc ecx
    cmp ecx, 4096
    jb 1b
2:  mov rdx, rbx
    mov ecx, 100000
3:  mov rdx, [rdx]
    dec ecx
    jnz 3b
    jmp 2b
