# Reads a byte of each of 4096 pages in turn: four times what the TLB holds.
.intel_syntax noprefix
    mov ebx, 0x1000000
    xor ecx, ecx
1:  mov al, [rbx + rcx]
    add ecx, 4096
    and ecx, 16777215
    jmp 1b
