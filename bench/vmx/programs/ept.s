# A write to a page that the EPT does not map, as to a device that the host emulates.
.intel_syntax noprefix
    mov r15d, 2
    mov ebx, 0xfee000
1:  mov [rbx], eax
    jmp 1b
