# What the others' loops are without the exit.
.intel_syntax noprefix
    mov r15d, 2
1:  mov eax, ecx
    jmp 1b
