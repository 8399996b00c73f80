# The boot sector of the small guests: loads what is behind it by INT 13h, enters protected mode, and calls main. From there
# int13() is the way back to the firmware; interrupts go to interrupt(vector).
        .intel_syntax noprefix
        .set CODE, 0x08
        .set DATA, 0x10
        .set CODE16, 0x18
        .set DATA16, 0x20

        .section .boot, "ax"
        .code16
        .globl _start
_start:
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, 0x7c00
        jmp 0:1f
1:      sti
        mov si, offset load
        mov ah, 0x42
        mov dl, 0x80
        int 0x13
        jc failed
        cli
        call protect
        .code32
        mov esp, 0x80000
        call main
2:      cli
        hlt
        jmp 2b

        .code16
failed: mov dx, 0x3f8
        mov al, '!'
        out dx, al
        hlt
        jmp failed

# To protected mode with flat segments; goes back to where it was called, in 32-bit code. Destroys EAX.
protect:
        lgdt [gdt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp CODE:1f
        .code32
1:      mov eax, DATA
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        lidt [idt_pointer]
        movzx eax, word ptr [esp]
        add esp, 2
        jmp eax

# unsigned int13(unsigned eax, unsigned edx): with DS:SI at packet, and EBX, ECX, EDI in `bios`, where they are left as well.
# Returns AX, and in bit 31 the carry flag. Another call of the firmware's is made by writing its number to bios_vector.
        .globl int13
int13:  mov eax, [esp + 4]
        mov edx, [esp + 8]
        pushad
        mov [saved_esp], esp
        mov [given_eax], eax
        mov [given_edx], edx
        lidt [real_idt]
        jmp CODE16:1f
        .code16
1:      mov ax, DATA16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov eax, cr0
        and al, 0xfe
        mov cr0, eax
        jmp 0:2f
2:      xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov esp, 0x7c00
        mov eax, [given_eax]
        mov edx, [given_edx]
        mov ebx, [bios]
        mov ecx, [bios + 4]
        mov edi, [bios + 8]
        mov si, offset packet
        sti
        .globl bios_vector
        .set bios_vector, . + 1
        int 0x13
        cli
        mov [bios], ebx
        mov [bios + 4], ecx
        mov byte ptr [carry], 0
        adc byte ptr [carry], 0
        mov [given_eax], eax
        call protect
        .code32
        mov esp, [saved_esp]
        popad
        mov eax, [given_eax]
        and eax, 0xffff
        cmp byte ptr [carry], 0
        je 3f
        or eax, 0x80000000
3:      ret

        .balign 8
gdt:    .quad 0
        .quad 0x00cf9b000000ffff
        .quad 0x00cf93000000ffff
        .quad 0x00009b000000ffff
        .quad 0x000093000000ffff
        .globl gdt_pointer, idt_pointer
gdt_pointer:
        .word . - gdt - 1
        .long gdt
real_idt:
        .word 0x3ff
        .long 0
idt_pointer:
        .word 256 * 8 - 1
        .long idt
load:   .byte 16, 0                     # the program: as many sectors from sector 1 on
        .word program_sectors
        .word 0x7e00, 0
        .quad 1
        .org 510
        .word 0xaa55

        .section .text
# Of each vector: its number, and on to the common part. Exceptions with an error code leave it on the stack for nobody.
        .globl vectors
vectors:
        .set n, 0
        .rept 256
        push n
        jmp common
        .balign 16
        .set n, n + 1
        .endr
common: pushad
        cld
        lea eax, [esp + 32]
        push eax
        push [esp + 36]
        call interrupt
        add esp, 8
        popad
        add esp, 4
        iretd

        .section .bss
        .balign 8
        .globl idt
idt:    .skip 256 * 8
        .globl packet
packet: .skip 16
        .globl bios
bios:   .skip 12
saved_esp: .skip 4
given_eax: .skip 4
given_edx: .skip 4
carry:  .skip 1
