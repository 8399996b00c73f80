# Integer mix: a sieve, collatz chains and a shift-and-add hash over an array; loads, stores, branches, calls.
.intel_syntax noprefix
start:
    mov edi, 0x100000
sieve:
    mov ecx, 8192
    lea rdx, [rdi]
1:  mov byte ptr [rdx], 1
    inc rdx
    dec ecx
    jnz 1b
    mov esi, 2
2:  cmp byte ptr [rdi + rsi], 0
    je 4f
    lea rdx, [rsi + rsi]
3:  cmp rdx, 8192
    jae 4f
    mov byte ptr [rdi + rdx], 0
    add rdx, rsi
    jmp 3b
4:  inc rsi
    cmp rsi, 128
    jb 2b
collatz:
    mov r8d, 27
5:  mov rax, r8
    xor ecx, ecx
6:  inc ecx
    test al, 1
    jz 7f
    lea rax, [rax + rax*2 + 1]
    jmp 6b
7:  shr rax, 1
    cmp rax, 1
    ja 6b
    add r9, rcx
    inc r8
    cmp r8, 127
    jb 5b
hash:
    mov ecx, 4096
    mov eax, 5381
8:  movzx edx, byte ptr [rdi + rcx - 1]
    mov ebx, eax
    shl ebx, 5
    add eax, ebx
    add eax, edx
    push rax
    call mix
    pop rbx
    xor eax, ebx
    dec ecx
    jnz 8b
    mov [rdi + 8192], rax
    jmp sieve
mix:
    imul eax, eax, 0x9e3779b1
    rol eax, 13
    sub eax, ecx
    ret
