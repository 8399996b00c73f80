# SSE2 floating point: a step of two bodies (subtract, multiply, square root, divide), packed and scalar.
.intel_syntax noprefix
start:
    mov eax, 0x1fa0                 # PE is set, as after the first inexact result
    mov [0x100000], eax
    ldmxcsr [0x100000]
    mov eax, 3
    cvtsi2sd xmm7, eax
    mov eax, 1000
    cvtsi2sd xmm6, eax
    divsd xmm7, xmm6                # 0.003
    unpcklpd xmm7, xmm7
    mov eax, 1
    cvtsi2sd xmm5, eax
    unpcklpd xmm5, xmm5
    movapd xmm0, xmm5
    movapd xmm1, xmm7
1:  mov ecx, 1000
    movapd xmm0, xmm5
    movapd xmm1, xmm7
2:  movapd xmm2, xmm0
    subpd xmm2, xmm1
    mulpd xmm2, xmm2
    movapd xmm3, xmm2
    unpckhpd xmm3, xmm3
    addsd xmm3, xmm2
    addsd xmm3, xmm5
    sqrtsd xmm4, xmm3
    mulsd xmm4, xmm3
    movapd xmm8, xmm5
    divsd xmm8, xmm4
    unpcklpd xmm8, xmm8
    mulpd xmm8, xmm7
    addpd xmm1, xmm8
    cvttsd2si eax, xmm4
    dec ecx
    jnz 2b
    jmp 1b
