# Virtual-8086 mode [SDM 3A 20.2]: entered by IRET, left by events of every kind; what is sensitive to IOPL, what is not
# allowed, ports by the bitmap, page faults, alignment checks.
# expect: INT at IOPL 3: ok
# expect: frame of INT at IOPL 3: 00000 23002 01000 02800 03100 03000 03300 03400 ds 0000 es 0000 flags 00003002 esp 0000fedc
# expect: INT with flags: ok
# expect: frame of INT with flags: 00000 27ad7 01000 02800 03100 03000 03300 03400 ds 0000 es 0000 flags 000038d7 esp 0000fedc
# expect: INT through a trap gate: ok
# expect: frame of INT through a trap gate: 00000 23202 01000 02800 03100 03000 03300 03400 ds 0000 es 0000 flags 00003202 esp 0000fedc
# expect: INT through a 16-bit gate: ok
# expect: 16-bit frame: 0000 3002 1000 2800 3100 3000 3300 3400
# expect: INT through a gate of DPL 0: #GP(018a)
# expect: INT to ring 1: #GP(0078)
# expect: INT to ring 3: #GP(0028)
# expect: INT to conforming code: #GP(0100)
# expect: INT beyond the IDT: #GP(0402)
# expect: cli_: 0004 of 0004 faulted, checksum f9cb1ac8
# expect: sti_: 0004 of 0004 faulted, checksum f9ce40c8
# expect: pushf_: 0004 of 0004 faulted, checksum f9ce40cd
# expect: popf_: 0004 of 0004 faulted, checksum e472b8bf
# expect: pushfd_: 0004 of 0004 faulted, checksum f9ce40cb
# expect: popfd_: 0004 of 0004 faulted, checksum 32aefd68
# expect: int_30: 0003 of 0004 faulted, checksum fb3ec024
# expect: iret_: 0004 of 0004 faulted, checksum b37295e8
# expect: iretd_: 0004 of 0004 faulted, checksum 735fcb60
# expect: int3_: 0004 of 0004 faulted, checksum c07b2868
# expect: into_: 0004 of 0004 faulted, checksum 137202c0
# expect: int1_: 0004 of 0004 faulted, checksum c07b2868
# expect: hlt_: #GP(0000)
# expect: mov_cr: #GP(0000)
# expect: mov_dr: #GP(0000)
# expect: lmsw_: #GP(0000)
# expect: lgdt_: #GP(0000)
# expect: lidt_: #GP(0000)
# expect: clts_: #GP(0000)
# expect: invlpg_: #GP(0000)
# expect: wbinvd_: #GP(0000)
# expect: rdmsr_: #GP(0000)
# expect: wrmsr_: #GP(0000)
# expect: smsw_: ok
# expect: sgdt_: ok
# expect: sidt_: ok
# expect: lar_: #UD
# expect: lsl_: #UD
# expect: verr_: #UD
# expect: verw_: #UD
# expect: lldt_: #UD
# expect: sldt_: #UD
# expect: ltr_: #UD
# expect: str_: #UD
# expect: arpl_: #UD
# expect: sysexit_: #GP(0000)
# expect: ud2_: #UD
# expect: les_: #UD
# expect: far jump: #BP
# expect: CS after a far jump: 0010
# expect: EIP after a far jump: ffffff01
# expect: far call and return: ok
# expect: far call with 32 bits: ok
# expect: near jump beyond 64 KiB: #GP(0000)
# expect: far jump beyond 64 KiB: #GP(0000)
# expect: segment loads: ok
# expect: DS after loads: 0000
# expect: what was read: 00000000
# expect: word at FFFF: #GP(0000)
# expect: push at SP 1: #SS(0000)
# expect: above 1 MiB: ok
# expect: from above 1 MiB: 00000000
# expect: .OUT E9: ok
# expect: OUT E8: #GP(0000)
# expect: OUT E8, AX: #GP(0000)
# expect: IN beyond the bitmap: #GP(0000)
# expect: .OUT E9 at IOPL 0: #GP(0000)
# expect: IRETD within: #BP
# expect: flags after IRETD: 00023ed7
# expect: POPFD within: #BP
# expect: flags after POPFD: 00023ed7
# expect: IRET with VM in ring 3: ok
# expect: CS then: 002b
# expect: IRET beyond 64 KiB: #GP(0000)
# expect: TF: #DB
# expect: EIP after one step: 0001
# expect: misaligned with AC: #AC(0000)
# expect: misaligned without AC: ok
# expect: read of a supervisor's page: #PF(0005) at 00030010
# expect: frame of read of a supervisor's page: 00000 23002 01000 02800 03100 03000 03300 03400 ds 0000 es 0000 flags 00003002 esp 0000fedc
# expect: write of a read-only page: #PF(0007) at 00031020
# expect: read of an absent page: #PF(0004) at 00033030
# expect: write of a good page: ok
# expect: fetch from an absent page: #PF(0004) at 00033050
# expect: push to a read-only page: #PF(0007) at 00028ffe
# qemu: INT to ring 1: #GP(0010) -- the handler's segment is at fault, not the stack's [SDM 2A "INT n"]
# qemu: word at FFFF: ok -- it checks no limits of data segments [SDM 3A 5.3]
# qemu: push at SP 1: ok -- it checks no limits of code and stack segments [SDM 3A 5.3]
# qemu: IRET with VM in ring 3: #UD -- VM counts at CPL 0 only [SDM 2A "IRET"]
# qemu: IRET beyond 64 KiB: ok -- it cuts the offset [SDM 2A "IRET"]
# qemu: misaligned with AC: ok -- it does not raise #AC [SDM 3A 6.15]
# bochs: IRET beyond 64 KiB: ok -- it cuts the offset [SDM 2A "IRET"]
.include "system.inc"
.equ V_STACK, 0x2800            # segment: FREE + 8000h
.equ V_DATA, 0x3000             # segment, linear 30000
.equ PAGES, 0x40000             # directory, table for 4 MiB
# Goes to `target`, an offset in the image, with flags; ends as `ring` does
.macro v86 target, flags
  try
  mov eax, \flags
  mov ebx, offset \target
  jmp to_v86
.endm
.macro frame name
  print "frame of \name: "
  call show_frame
.endm
program 32
  jmp begin
to_v86:
  push 0x3400                   # gs, fs, ds, es, ss, esp, eflags, cs, eip
  push 0x3300
  push V_DATA
  push 0x3100
  push V_STACK
  push 0x1000
  or eax, 0x20002
  push eax
  push 0
  push ebx
  mov eax, 0x11223344
  iretd
begin:
  handler BACK, leaving
  gate 3, 0xee
  gate 4, 0xee
  gate 0x31, 0xee

  # in and out
  v86 nothing, 0x3000
  caught "INT at IOPL 3"
  frame "INT at IOPL 3"
  v86 nothing, 0x7ad5
  caught "INT with flags"
  frame "INT with flags"
  gate 0x30, 0xef
  v86 nothing, 0x3200
  caught "INT through a trap gate"
  frame "INT through a trap gate"
  gate 0x30, 0xee
  mov byte ptr [IDT_32 + 0x31 * 8 + 5], 0xe6
  handler 0x31, leaving16
  v86 int_31, 0x3000
  caught "INT through a 16-bit gate"
  call frame16
  handler 0x31, leaving
  gate 0x31, 0x8e
  v86 int_31, 0x3000
  caught "INT through a gate of DPL 0"
  gate 0x31, 0xee
  mov word ptr [IDT_32 + 0x31 * 8 + 2], CODE1
  v86 int_31, 0x3000
  caught "INT to ring 1"
  mov word ptr [IDT_32 + 0x31 * 8 + 2], UCODE32
  v86 int_31, 0x3000
  caught "INT to ring 3"
  mov word ptr [IDT_32 + 0x31 * 8 + 2], TEST0
  descriptor TEST0, 0, 0xfffff, 0xc09f
  v86 int_31, 0x3000
  caught "INT to conforming code"
  mov word ptr [IDT_32 + 0x31 * 8 + 2], CODE32
  v86 int_80, 0x3000
  caught "INT beyond the IDT"

  # sensitive instructions at each IOPL
  .irp what, cli_, sti_, pushf_, popf_, pushfd_, popfd_, int_30, iret_, iretd_, int3_, into_, int1_
  .irp iopl, 0, 1, 2, 3
  v86 \what, \iopl << 12 | 0x200
  quiet
  note
  mov eax, [trap_flags]
  and eax, ~0x10000             # RF is not every emulator's
  sum eax
  mov eax, [trap_ip]
  sub eax, offset \what
  sum eax
  .endr
  show_counts "\what"
  .endr

  # what is privileged, and what there is not
  .irp what, hlt_, mov_cr, mov_dr, lmsw_, lgdt_, lidt_, clts_, invlpg_, wbinvd_, rdmsr_, wrmsr_, smsw_, sgdt_, sidt_, lar_, lsl_, verr_, verw_, lldt_, sldt_, ltr_, str_, arpl_, sysexit_, ud2_, les_
  v86 \what, 0x3000
  caught "\what"
  .endr

  # transfers
  v86 far_jump, 0x3000
  caught "far jump"
  show "CS after a far jump", [trap_cs], 4
  sub dword ptr [trap_ip], offset landed
  show "EIP after a far jump", [trap_ip], 8
  v86 far_call, 0x3000
  caught "far call and return"
  v86 far_call32, 0x3000
  caught "far call with 32 bits"
  v86 beyond, 0x3000
  caught "near jump beyond 64 KiB"
  v86 beyond_far, 0x3000
  caught "far jump beyond 64 KiB"
  v86 load_segments, 0x3000
  caught "segment loads"
  show "DS after loads", [v_ds], 4
  show "what was read", [seen_eax], 8
  v86 read_ffff, 0x3000
  caught "word at FFFF"
  v86 push_1, 0x3000
  caught "push at SP 1"
  v86 wraps, 0x3000
  caught "above 1 MiB"
  show "from above 1 MiB", [seen_eax], 8

  # ports: the bitmap, whatever IOPL
  v86 out_e9, 0x3000
  caught "OUT E9"
  v86 out_e8, 0x3000
  caught "OUT E8"
  v86 out_e8w, 0x3000
  caught "OUT E8, AX"
  v86 in_500, 0x3000
  caught "IN beyond the bitmap"
  v86 out_e9, 0
  caught "OUT E9 at IOPL 0"

  # IRET within
  v86 iret_within, 0x3000
  caught "IRETD within"
  show "flags after IRETD", [trap_flags], 8
  v86 popfd_within, 0x3000
  caught "POPFD within"
  show "flags after POPFD", [trap_flags], 8

  # IRET with VM from ring 3 and with 16 bits: VM is not there
  user iret_user
  caught "IRET with VM in ring 3"
  show "CS then", [trap_cs], 4
  mov word ptr [FREE], 0x30cd   # INT BACK, for a machine that goes there, or to 0
  mov word ptr [0], 0x30cd
  try
  mov eax, 0x23000
  mov ebx, FREE
  jmp to_v86
  caught "IRET beyond 64 KiB"

  # single step, alignment
  v86 stepped, 0x3100
  caught "TF"
  sub dword ptr [trap_ip], offset stepped
  show "EIP after one step", [trap_ip], 4
  mov eax, cr0
  or eax, 0x40000
  mov cr0, eax
  v86 misaligned, 0x43000
  caught "misaligned with AC"
  v86 misaligned, 0x3000
  caught "misaligned without AC"

  # paging
  mov edi, PAGES
  mov dword ptr [edi], PAGES + 0x1000 + 7
  add edi, 0x1000
  mov eax, 7
1:
  mov [edi], eax
  add edi, 4
  add eax, 0x1000
  cmp eax, 0x400007
  jb 1b
  mov dword ptr [PAGES + 0x1000 + 4 * (V_DATA >> 8)], V_DATA * 16 + 3
  mov dword ptr [PAGES + 0x1000 + 4 * 0x31], 0x31005
  mov dword ptr [PAGES + 0x1000 + 4 * 0x33], 0
  mov eax, PAGES
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  v86 read_ds, 0x3000
  caught "read of a supervisor's page"
  frame "read of a supervisor's page"
  v86 write_es, 0x3000
  caught "write of a read-only page"
  v86 read_fs, 0x3000
  caught "read of an absent page"
  v86 write_gs, 0x3000
  caught "write of a good page"
  v86 jump_fs, 0x3000
  caught "fetch from an absent page"
  mov dword ptr [PAGES + 0x1000 + 4 * 0x28], 0x28005
  mov eax, cr3
  mov cr3, eax
  v86 pushes, 0x3000
  caught "push to a read-only page"
done

show_frame:                     # CS to GS as they were pushed; what `leaving` saw
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7
  mov eax, [TRAP_STACK - 32 + 4 * \n]
  and eax, ~0x10000             # RF is not every emulator's
  hex eax, 5
  print " "
  .endr
  print "ds "
  mov eax, [v_ds]
  hex eax, 4
  print " es "
  mov eax, [v_es]
  hex eax, 4
  print " flags "
  mov eax, [v_flags]
  hex eax, 8
  print " esp "
  mov eax, [v_esp]
  hex eax, 8
  nl
  ret
frame16:
  print "16-bit frame:"
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7
  print " "
  movzx eax, word ptr [TRAP_STACK - 16 + 2 * \n]
  hex eax, 4
  .endr
  nl
  ret

# Handlers of the way out: eax is kept for what was read
leaving16:
  mov ss:[seen_eax], eax
  mov eax, DATA
  mov ds, eax
  mov dword ptr [trap_vector], BACK
  mov es, eax
  jmp dword ptr [resume]
leaving:
  mov ss:[seen_eax], eax
  mov ss:[v_ds], ds
  mov ss:[v_es], es
  mov ss:[v_esp], esp
  pushfd
  pop dword ptr ss:[v_flags]
  push -1
  push BACK
  jmp trap32

iret_user:
  push UDATA
  push USER_STACK
  push 0x20002
  push UCODE32
  push offset back_32
  iretd
back_32:
  back

# ---- 8086 code; CS is 0 ----
  mode 16
nothing:
  int BACK
int_30:
  int BACK
int_31:
  int 0x31
int_80:
  int 0x80
cli_:
  cli
  int3
sti_:
  sti
  int3
pushf_:
  pushf
  pop ax
  mov cs:[0x20], ax
  int3
popf_:
  push 0xed7
  popf
  int3
pushfd_:
  pushfd
  pop eax
  int3
popfd_:
  pushd 0x240ed7
  popfd
  int3
iret_:
  push 0x4ed7
  push 0
  push offset int3_
  iret
iretd_:
  pushd 0x240ed7
  pushd 0
  pushd offset int3_
  iretd
int3_:
  int3
into_:
  mov al, 0x7f
  inc al
  into
int1_:
  int3
hlt_:
  hlt
  int BACK
mov_cr:
  mov eax, cr0
  int BACK
mov_dr:
  mov eax, dr7
  int BACK
lmsw_:
  lmsw ax
  int BACK
lgdt_:
  lgdt [0]
  int BACK
lidt_:
  lidt [0]
  int BACK
clts_:
  clts
  int BACK
invlpg_:
  invlpg [0]
  int BACK
wbinvd_:
  wbinvd
  int BACK
rdmsr_:
  rdmsr
  int BACK
wrmsr_:
  wrmsr
  int BACK
smsw_:
  smsw ax
  int BACK
sgdt_:
  sgdt [0]
  int BACK
sidt_:
  sidt [0]
  int BACK
lar_:
  lar ax, ax
  int BACK
lsl_:
  lsl ax, ax
  int BACK
verr_:
  verr ax
  int BACK
verw_:
  verw ax
  int BACK
lldt_:
  lldt ax
  int BACK
sldt_:
  sldt ax
  int BACK
ltr_:
  ltr ax
  int BACK
str_:
  str ax
  int BACK
arpl_:
  .byte 0x63, 0xc0
  int BACK
sysexit_:
  .byte 0x0f, 0x35
  int BACK
ud2_:
  ud2
les_:
  .byte 0xc5, 0xf8              # LDS with a register: #UD, not VEX
  int BACK
far_jump:
  .byte 0xea
  .word landed - 0x100, 0x10
landed:
  int3
far_call:
  .byte 0x9a
  .word 2f, 0
  int BACK
far_call32:
  .byte 0x66, 0x9a
  .long 3f
  .word 0
  int BACK
2:
  retf
3:
  retfd
beyond:
  mov eax, 0x10000
  jmp eax
beyond_far:
  .byte 0x66, 0xea
  .long 0x10000
  .word 0
load_segments:
  mov ax, 0x1234
  mov ds, ax
  mov eax, [0]
  int BACK
read_ffff:
  mov ax, [0xffff]
  int BACK
push_1:
  mov sp, 1
  push ax
  int BACK
wraps:
  mov ax, 0xffff
  mov ds, ax
  mov eax, [0x10]
  int BACK
out_e9:
  mov al, '.'
  out 0xe9, al
  int BACK
out_e8:
  out 0xe8, al
  int BACK
out_e8w:
  out 0xe8, ax
  int BACK
in_500:
  mov dx, 0x500
  in al, dx
  int BACK
iret_within:
  pushd 0x1a0ed7
  pushd 0
  pushd offset int3_
  iretd
popfd_within:
  pushd 0x1a0ed7
  popfd
  int3
stepped:
  nop
  nop
misaligned:
  mov ax, [1]
  int BACK
read_ds:
  mov al, [0x10]
  int BACK
write_es:
  mov es:[0x20], al
  int BACK
read_fs:
  mov al, fs:[0x30]
  int BACK
write_gs:
  mov gs:[0x40], al
  int BACK
jump_fs:
  .byte 0xea
  .word 0x50, 0x3300
pushes:
  push ax
  int BACK
  mode 32
.data
.balign 4
seen_eax: .long 0
v_ds: .long 0
v_es: .long 0
v_esp: .long 0
v_flags: .long 0
