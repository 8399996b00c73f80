# A bytecode interpreter: eight operations, dispatched through a table of addresses.
.intel_syntax noprefix
start:
    lea rbx, [rip + table]
    mov r15d, 0x100000
    lea rsi, [rip + program]
    mov rdi, r15
restart:
    lea rsi, [rip + program]
    mov r12d, 200
next:
    movzx eax, byte ptr [rsi]
    inc rsi
    movsxd rax, dword ptr [rbx + rax*4]
    add rax, rbx
    jmp rax
op_push:
    movzx eax, byte ptr [rsi]
    inc rsi
    mov [rdi], rax
    add rdi, 8
    jmp next
op_add:
    sub rdi, 8
    mov rax, [rdi]
    add [rdi - 8], rax
    jmp next
op_xor:
    sub rdi, 8
    mov rax, [rdi]
    xor [rdi - 8], rax
    jmp next
op_dup:
    mov rax, [rdi - 8]
    mov [rdi], rax
    add rdi, 8
    jmp next
op_store:
    sub rdi, 8
    mov rax, [rdi]
    mov [r15 + 4096], rax
    jmp next
op_load:
    mov rax, [r15 + 4096]
    mov [rdi], rax
    add rdi, 8
    jmp next
op_loop:
    dec r12
    jz restart
    lea rsi, [rip + program]
    jmp next
op_shift:
    rol qword ptr [rdi - 8], 3
    jmp next
.balign 8
table:
    .long op_push - table, op_add - table, op_xor - table, op_dup - table
    .long op_store - table, op_load - table, op_loop - table, op_shift - table
program:
    .byte 5, 0, 7, 1, 3, 2, 0, 13, 1, 7, 5, 2, 4, 5, 0, 3, 1, 4, 6
