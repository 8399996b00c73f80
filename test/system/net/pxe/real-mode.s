# Back to real mode, and on with the boot sector of the first disk, as the BIOS would have gone on by itself.
.intel_syntax noprefix
.include "segments.inc"

.equ LOW, 0x8000                        # where the code below goes: RAM that neither BIOS nor boot sector uses
.equ BOOT_SECTOR, 0x7c00
.equ FIRST_DISK, 0x80

  .text
  .code32
  .globl boot_disk
boot_disk: # never returns
  mov esi, offset low
  mov edi, LOW
  mov ecx, offset low_end - low
  rep movsb
  mov ecx, DATA16                       # limits and attributes that real mode keeps [SDM 3A 9.9.2, step 4]
  mov ds, ecx
  mov es, ecx
  mov fs, ecx
  mov gs, ecx
  mov ss, ecx
  jmp CODE16:LOW

low:
  .code16
  lidt cs:[LOW + (ivt - low)]
  mov eax, cr0
  and al, 0xfe                          # PE; paging is off already
  mov cr0, eax
  jmp 0:LOW + (real - low)
real:
  xor ax, ax
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  mov sp, BOOT_SECTOR
  sti
  mov si, LOW + (real_text - low)
  call say
  mov ax, 0x0201                        # INT 13h: read one sector
  mov cx, 0x0001                        # of cylinder 0, from sector 1 on
  mov dx, FIRST_DISK                    # of head 0
  mov bx, BOOT_SECTOR                   # to ES:BX
  int 0x13
  mov si, LOW + (unreadable_text - low)
  jc failed
  mov si, LOW + (unbootable_text - low)
  cmp word ptr [BOOT_SECTOR + 510], 0xaa55
  jne failed
  mov si, LOW + (boot_text - low)
  call say
  mov dx, FIRST_DISK
  jmp 0:BOOT_SECTOR
failed:
  call say
1:
  hlt
  jmp 1b

say: # SI: a text that ends with 0; AL and SI are lost
  lodsb
  test al, al
  jz 1f
  out 0xe9, al
  jmp say
1:
  ret

ivt:
  .word 0x3ff                           # the BIOS's 256 vectors at 0
  .long 0
real_text: .asciz "real mode\n"
unreadable_text: .asciz "the first disk cannot be read\n"
unbootable_text: .asciz "the first disk has no boot sector\n"
boot_text: .asciz "to the boot sector\n"
low_end:
