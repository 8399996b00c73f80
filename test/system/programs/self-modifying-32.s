# Code that writes code [SDM 3A 11.6, 8.1.3]: the next instruction, the same one, the next block, another page, a page crossing,
# through another linear address, by REP and by a device's hand; on processors since the Pentium 4 the new bytes run, even
# without a jump, if they are written through the same linear address.
# expect: the next instruction: 01
# expect: within the block: 02
# expect: after a jump: 03
# expect: another length: 04
# expect: a loop: 0037
# expect: itself: 01
# expect: itself, again: 02
# expect: REP STOSB over what follows it: 90909090
# expect: ECX: 00000000
# expect: generated functions: 00004dbc
# expect: an instruction across pages: 1234
# expect: its second page written: 5634
# expect: its first page written: 5634
# expect: through another address: 0022
# expect: run through another address: 0033
# expect: another page in its place: 0044
# expect: and back: 0033
# expect: as 32-bit code: 30cd0001
# expect: as 16-bit code: 00000001
# expect: PUSH over the next instruction: c3
# expect: CALL over its target, the target's bytes: 00020005
.include "system.inc"
.equ CODE, 0x20000
program 32
  # the very next instruction
  xor ebx, ebx
  mov byte ptr [1f + 1], 1
1:
  mov bl, 0
  show "the next instruction", ebx, 2
  # some instructions later, within a block
  xor ebx, ebx
  mov byte ptr [1f + 1], 2
  nop
  nop
  nop
1:
  mov bl, 0
  show "within the block", ebx, 2
  # after a jump
  xor ebx, ebx
  mov byte ptr [1f + 1], 3
  jmp 1f
1:
  mov bl, 0
  show "after a jump", ebx, 2
  # the next instruction becomes one of another length
  xor ebx, ebx
  mov word ptr [1f], 0x04b3     # MOV BL, 4
1:
  nop
  nop
  show "another length", ebx, 2
  # a loop that changes itself each time
  xor ebx, ebx
  mov ecx, 10
1:
  inc byte ptr [2f + 2]
2:
  add ebx, 0
  loop 1b
  show "a loop", ebx, 4
  # an instruction that overwrites itself runs to its end once
  mov dword ptr [CODE], 0x00ff01c6      # ...
  mov esi, offset writer
  mov edi, CODE
  mov ecx, offset writer_end - writer
  rep movsb
  xor ebx, ebx
  try
  mov eax, CODE
  jmp eax
  quiet
  show "itself", ebx, 2
  try
  mov eax, CODE
  jmp eax
  quiet
  show "itself, again", ebx, 2
  # REP STOSB over what follows it. (One that overwrites itself is fetched again at once here, so that runs do not depend on
  # where they are cut; hardware goes on with what it fetched until an interrupt comes.)
  mov esi, offset rep_writer
  mov edi, CODE
  mov ecx, offset rep_writer_end - rep_writer
  rep movsb
  try
  mov eax, CODE
  jmp eax
  quiet
  mov eax, [CODE + 0x40]
  show "REP STOSB over what follows it", eax, 8
  show "ECX", ecx, 8
  # functions generated again and again in one place
  xor ebx, ebx
  xor ebp, ebp
1:
  mov byte ptr [CODE], 0xb8     # MOV EAX, imm32; RET
  mov [CODE + 1], ebp
  mov byte ptr [CODE + 5], 0xc3
  mov eax, CODE
  call eax
  add ebx, eax
  inc ebp
  cmp ebp, 200
  jb 1b
  show "generated functions", ebx, 8
  # across a page's end: each half written alone
  mov dword ptr [CODE + 0xffe], 0x3412b866 ^ 0
  mov byte ptr [CODE + 0x1002], 0xc3
  mov word ptr [CODE + 0x1000], 0x1234
  mov eax, CODE + 0xffe
  call eax
  movzx ebx, ax
  show "an instruction across pages", ebx, 4
  mov byte ptr [CODE + 0x1001], 0x56
  mov eax, CODE + 0xffe
  call eax
  movzx ebx, ax
  show "its second page written", ebx, 4
  mov word ptr [CODE + 0xffe], 0xbb66   # MOV BX instead
  xor ebx, ebx
  mov eax, CODE + 0xffe
  call eax
  show "its first page written", ebx, 4
  # through another linear address
  mov dword ptr [0x18000], 0x87
  mov dword ptr [0x18400], 0x87         # 40000000 is 0 too
  mov eax, 0x610
  mov cr4, eax
  mov eax, 0x18000
  mov cr3, eax
  mov eax, 0x80010031
  mov cr0, eax
  mov byte ptr [CODE], 0xb8
  mov dword ptr [CODE + 1], 0x11
  mov byte ptr [CODE + 5], 0xc3
  mov eax, CODE
  call eax
  mov ebx, eax
  mov byte ptr [0x40000000 + CODE + 1], 0x22
  xor eax, eax
  cpuid                                 # serializes
  mov eax, CODE
  call eax
  shl eax, 8
  mov eax, CODE
  call eax
  show "through another address", eax, 4
  mov byte ptr [CODE + 1], 0x33
  mov eax, 0x40000000 + CODE
  call eax
  show "run through another address", eax, 4
  # a page is exchanged under the code
  mov dword ptr [0x19000], 0
  mov edi, 0x19000
  mov eax, 7
1:
  stosd
  add eax, 0x1000
  cmp edi, 0x1a000
  jb 1b
  mov dword ptr [0x18000], 0x19007      # 4K pages now
  mov eax, cr3
  mov cr3, eax
  mov byte ptr [CODE + 0x2000], 0xb8
  mov dword ptr [CODE + 0x2001], 0x44
  mov byte ptr [CODE + 0x2005], 0xc3
  mov dword ptr [0x19000 + (CODE >> 12) * 4], CODE + 0x2007
  invlpg [CODE]
  mov eax, CODE
  call eax
  show "another page in its place", eax, 4
  mov dword ptr [0x19000 + (CODE >> 12) * 4], CODE + 7
  invlpg [CODE]
  mov eax, CODE
  call eax
  show "and back", eax, 4
  # the same bytes as code of 32 and of 16 bits
  mov byte ptr [CODE], 0xb8
  mov dword ptr [CODE + 1], 0x30cd0001  # 32 bits: MOV EAX, 30CD0001h; INT; 16 bits: MOV AX, 1; INT
  mov word ptr [CODE + 5], 0x30cd
  xor eax, eax
  try
  jump_far CODE32, CODE
  quiet
  show "as 32-bit code", eax, 8
  descriptor TEST0, CODE, 0xffff, 0x009b
  xor eax, eax
  try
  jump_far TEST0, 0
  quiet
  show "as 16-bit code", eax, 8
  # the stack as code, and a push over the next instruction
  mov dword ptr [CODE], 0x90909090
  mov byte ptr [CODE], 0x50             # PUSH EAX over what follows
  mov word ptr [CODE + 5], 0x30cd
  mov eax, 0x9090c3b3                   # MOV BL, C3h; NOPs
  xor ebx, ebx
  try
  mov esp, CODE + 5
  mov ecx, CODE
  jmp ecx
  quiet
  show "PUSH over the next instruction", ebx, 2
  # CALL that writes its target
  mov word ptr [CODE + 0x10], 0x30cd
  mov byte ptr [CODE], 0xe8             # CALL CODE + 4, which is where the return address goes
  mov dword ptr [CODE + 1], -1
  try
  mov esp, CODE + 8
  mov ecx, CODE
  mov byte ptr [CODE + 8], 0xcd
  mov byte ptr [CODE + 9], 0x30
  jmp ecx
  quiet
  mov eax, [CODE + 4]
  show "CALL over its target, the target's bytes", eax, 8
done
writer:                                 # MOV BYTE PTR [CODE + 7 + 1], 5; MOV BL, 0; INT BACK
  mov byte ptr ds:[CODE], 0x90          # this instruction's first byte becomes NOP
  inc ebx
  int BACK
writer_end:
rep_writer:
  mov edi, CODE + 0x12
  mov ecx, 0x32
  mov al, 0x90
  nop
  nop
  nop
  nop
  rep stosb                             # from its end on
  .fill 0x20, 1, 0xf4
  nop
  nop
  .fill 0x20, 1, 0x90
  int BACK
rep_writer_end:
