# Reads a byte of each of 16 pages in turn: they stay in the TLB.
.intel_syntax noprefix
    mov ebx, 0x1000000
    xor ecx, ecx
1:  mov al, [rbx + rcx]
    add ecx, 4096
    and ecx, 65535
    jmp 1b
