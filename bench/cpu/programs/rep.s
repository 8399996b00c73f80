# REP STOSB, STOSQ, MOVSB and MOVSQ over 1 MiB, page-aligned and not.
.intel_syntax noprefix
start:
    cld
1:  mov edi, 0x400000
    mov ecx, 131072
    mov eax, 0x55
    rep stosq
    mov esi, 0x400000
    mov edi, 0x600000
    mov ecx, 131072
    rep movsq
    mov esi, 0x600003
    mov edi, 0x400005
    mov ecx, 1048000
    rep movsb
    mov edi, 0x400001
    mov ecx, 1048000
    rep stosb
    jmp 1b
