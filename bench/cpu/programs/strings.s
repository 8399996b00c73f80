# Strings: byte-wise length and copy, then length and comparison by 16 bytes with SSE2.
.intel_syntax noprefix
start:
    mov edi, 0x100000
    mov ecx, 1000
    lea rdx, [rdi]
1:  mov byte ptr [rdx], 'a'
    inc rdx
    dec ecx
    jnz 1b
    mov byte ptr [rdx], 0
again:
    mov rdx, rdi
2:  cmp byte ptr [rdx], 0
    je 3f
    inc rdx
    jmp 2b
3:  mov rsi, rdi
    lea rdx, [rdi + 0x1000]
4:  mov al, [rsi]
    mov [rdx], al
    inc rsi
    inc rdx
    test al, al
    jnz 4b
    mov r8d, 8
5:  pxor xmm0, xmm0
    mov rsi, rdi
6:  movdqu xmm1, [rsi]
    pcmpeqb xmm1, xmm0
    pmovmskb eax, xmm1
    add rsi, 16
    test eax, eax
    jz 6b
    xor ecx, ecx
7:  movdqu xmm1, [rdi + rcx]
    movdqu xmm2, [rdi + rcx + 0x1000]
    pcmpeqb xmm1, xmm2
    pmovmskb eax, xmm1
    add ecx, 16
    cmp eax, 0xffff
    jne 8f
    cmp ecx, 992
    jb 7b
8:  dec r8d
    jnz 5b
    jmp again
