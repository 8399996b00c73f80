# The program that `npm start` runs, in 64-bit mode at 10000h: counts the primes below a million with a sieve, prints
# the last ten of them and their number on the debug port E9h, and halts. primes.ts holds its bytes.
.intel_syntax noprefix
    mov edi, 0x100000               # one byte a number: 0 = may be prime
    mov ecx, 1000000
    xor eax, eax
    rep stosb
    mov edi, 0x100000
    mov esi, 2
outer:
    cmp byte ptr [rdi + rsi], 0
    jne skip
    inc r8d                         # a prime
    mov eax, esi
    imul rax, rax
inner:
    cmp rax, 1000000
    jae skip
    mov byte ptr [rdi + rax], 1
    add rax, rsi
    jmp inner
skip:
    inc esi
    cmp esi, 1000000
    jb outer
    mov r9d, 10                     # the last ten, the largest first
last:
    dec esi
    cmp byte ptr [rdi + rsi], 0
    jne last
    mov eax, esi
    call print
    mov al, ' '
    out 0xe9, al
    dec r9d
    jnz last
    mov al, 10
    out 0xe9, al
    mov eax, r8d
    call print
    mov al, 10
    out 0xe9, al
    hlt
print:                              # EAX in decimal
    mov ebx, 10
    xor ecx, ecx
digit:
    xor edx, edx
    div ebx
    add edx, '0'
    push rdx
    inc ecx
    test eax, eax
    jnz digit
emit:
    pop rax
    out 0xe9, al
    dec ecx
    jnz emit
    ret
