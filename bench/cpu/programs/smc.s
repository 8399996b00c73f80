# Writes a small function and calls it, 64 places in turn.
.intel_syntax noprefix
start:
    xor r8d, r8d
1:  mov edi, r8d
    and edi, 63
    shl edi, 6
    add edi, 0x300000
    mov byte ptr [rdi], 0xb8        # mov eax, r8d
    mov [rdi + 1], r8d
    mov dword ptr [rdi + 5], 0xc301c083 # add eax, 1; ret
    call rdi
    add r9, rax
    inc r8d
    jmp 1b
