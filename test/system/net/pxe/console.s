# The debug port E9, on which a byte is a character. Arguments are on the stack and released; EAX, ECX, EDX are lost.
.intel_syntax noprefix

  .text
  .code32
  .globl print
print: # (address of a text that ends with 0)
  mov edx, [esp + 4]
1:
  mov al, [edx]
  inc edx
  test al, al
  jz 2f
  out 0xe9, al
  jmp 1b
2:
  ret 4

  .globl print_hex
print_hex: # (number): eight digits
  mov edx, [esp + 4]
  mov ecx, 8
1:
  rol edx, 4
  mov eax, edx
  and eax, 15
  mov al, [digits + eax]
  out 0xe9, al
  loop 1b
  ret 4

  .section .rodata
digits: .ascii "0123456789abcdef"
