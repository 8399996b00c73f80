# x87: a polynomial by Horner's rule, and a square root, in 80-bit precision.
.intel_syntax noprefix
start:
    fninit
    mov dword ptr [0x100000], 3
    mov dword ptr [0x100004], 7
1:  mov ecx, 1000
    fild dword ptr [0x100000]
    fild dword ptr [0x100004]
    fdivp st(1), st
2:  fld1
    fmul st, st(1)
    fadd st, st(1)
    fmul st, st(1)
    fsub st, st(1)
    fmul st, st(1)
    fadd st, st(1)
    fabs
    fsqrt
    fstp qword ptr [0x100008]
    dec ecx
    jnz 2b
    fstp st(0)
    jmp 1b
