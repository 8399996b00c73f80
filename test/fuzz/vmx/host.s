# The hypervisor of the random virtual machines (program.ts): logs each exit, does what the next step of its script says, and
# enters the guest again. Its bytes are host.bin: as --64 host.s; ld -Ttext 60000 --oformat binary.
.intel_syntax noprefix
.equ SAVE, 0x62000
.equ CURSOR, 0x62040
.equ LOG, 0x62048
.equ FIELDS, 0x62080
.equ POINTER, 0x62060
.equ ZEROES, 0x62070
.equ LOG_START, 0x64000
.equ LOG_END, 0x67000
start:
  jmp next
.balign 16
exit:                           # HOST_RIP
  mov [SAVE], rax
  mov [SAVE + 8], rcx
  mov [SAVE + 16], rdx
  mov [SAVE + 24], rsi
  mov esi, [LOG]
  mov ecx, FIELDS
1:
  mov edx, [rcx]
  test edx, edx
  jz 2f
  vmread [rsi], rdx
  add esi, 8
  add ecx, 4
  jmp 1b
2:
  cmp esi, LOG_END
  jb 3f
  mov esi, LOG_START
3:
  mov [LOG], esi
# A step: how many fields to write (negative: the end), what else to do, the fields as encoding and value.
next:
  mov esi, [CURSOR]
  mov ecx, [rsi]
  mov eax, [rsi + 4]
  test ecx, ecx
  js done
  add esi, 8
  test al, 1                    # on behind the instruction
  jz 4f
  mov edx, 0x440c
  vmread rcx, rdx
  mov edx, 0x681e
  push rax
  vmread rax, rdx
  add rax, rcx
  vmwrite rdx, rax
  pop rax
  mov ecx, [rsi - 8]
4:
  test al, 2
  jz 5f
  mov edx, 2
  invept rdx, [ZEROES]
5:
  test al, 4
  jz 6f
  mov edx, 2
  invvpid rdx, [ZEROES]
6:
  test al, 8
  jz 7f
  vmclear [POINTER]
  vmptrld [POINTER]
7:
  test ecx, ecx
  jz 8f
  mov rdx, [rsi]
  vmwrite rdx, [rsi + 8]
  add esi, 16
  dec ecx
  jmp 7b
8:
  mov [CURSOR], esi
  mov rax, [SAVE]
  mov rcx, [SAVE + 8]
  mov rdx, [SAVE + 16]
  mov rsi, [SAVE + 24]
  vmlaunch
  vmresume
  jmp next
done:
  hlt
  jmp done
