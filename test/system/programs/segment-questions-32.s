# LAR, LSL, VERR, VERW with every access byte and RPL, in rings 0 to 3 [SDM 2A, 2B]; ARPL with every pair of RPLs.
# expect: ring 0: cf1caae8
# expect: ring 1: d161ec84
# expect: ring 2: 56538dfc
# expect: ring 3: 7c754990
# expect: ARPL: 3c7134e8
# expect: LAR of null: 0
# expect: LSL beyond the limit: 0
# expect: VERR beyond the limit: 0
# expect: EAX after them: ffffffff
# expect: LAR with 16 bits: 1
# expect: its value: fffff300
# expect: LSL with 16 bits: ffffffff
# expect: LSL in pages: ffffffff
# expect: LSL of the TSS: 0000008f
.include "system.inc"
.macro show_zf name
  setz cl
  movzx ecx, cl
  show "\name", ecx, 1
.endm
program 32
  call sweep
  show_checksum "ring 0"
  ring CODE1, DATA1, outer
  quiet
  show_checksum "ring 1"
  ring CODE2, DATA2, outer
  quiet
  show_checksum "ring 2"
  user outer
  quiet
  show_checksum "ring 3"

  mov ecx, 0
1:
  mov eax, ecx
  and eax, 3
  or eax, 0xabc0
  mov edx, ecx
  shr edx, 2
  arpl ax, dx
  pushfd
  pop edx
  and edx, 0x40
  shl edx, 16
  or eax, edx
  sum eax
  inc ecx
  cmp ecx, 16
  jb 1b
  show_checksum "ARPL"

  mov eax, 0xffffffff
  mov ebx, 0
  lar eax, ebx
  show_zf "LAR of null"
  mov ebx, 0x200
  lsl eax, ebx
  show_zf "LSL beyond the limit"
  verr bx
  show_zf "VERR beyond the limit"
  show "EAX after them", eax, 8
  mov ebx, UDATA
  mov eax, 0xffffffff
  lar ax, bx
  show_zf "LAR with 16 bits"
  show "its value", eax, 8
  mov eax, 0xffffffff
  lsl ax, bx
  show "LSL with 16 bits", eax, 8
  lsl eax, ebx
  show "LSL in pages", eax, 8
  mov ebx, TSS
  lsl eax, ebx
  show "LSL of the TSS", eax, 8
done

outer:
  call sweep
  back

sweep:
  mov ebp, 0
1:
  mov ecx, 0
2:
  mov dword ptr [gdt + TEST0], 0x1234
  mov eax, ebp
  shl eax, 8
  or eax, 0x00c00000           # what LAR shows of limit 19:16 is undefined
  mov [gdt + TEST0 + 4], eax
  lea ebx, [TEST0 + ecx]
  mov eax, 0x87654321
  lar eax, ebx
  call answer
  mov eax, 0x87654321
  lsl eax, ebx
  call answer
  mov eax, 0
  verr bx
  call answer
  verw bx
  call answer
  inc ecx
  cmp ecx, 4
  jb 2b
  inc ebp
  cmp ebp, 0x100
  jb 1b
  ret
answer:
  mov edx, 0
  setz dl
  ror edx, 4
  xor eax, edx
  sum eax
  ret
