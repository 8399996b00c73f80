# A second exception while the first is delivered [SDM 3A tables 6-4, 6-5]: every first exception that an instruction can
# cause, with each second one; what is serial, what a double fault, and the error code that is left.
# expect: de, then np_gate: #DF(0000)
# expect: bp, then np_gate: #NP(001a)
# expect: ud, then np_gate: #NP(0033)
# expect: ts, then np_gate: #DF(0000)
# expect: np, then np_gate: #DF(0000)
# expect: ss, then np_gate: #DF(0000)
# expect: gp, then np_gate: #DF(0000)
# expect: pf, then np_gate: #DF(0000)
# expect: ac, then np_gate: #NP(008b)
# expect: de, then np_segment: #DF(0000)
# expect: bp, then np_segment: #NP(0100)
# expect: ud, then np_segment: #NP(0101)
# expect: ts, then np_segment: #DF(0000)
# expect: np, then np_segment: #DF(0000)
# expect: ss, then np_segment: #DF(0000)
# expect: gp, then np_segment: #DF(0000)
# expect: pf, then np_segment: #DF(0000)
# expect: ac, then np_segment: #NP(0101)
# expect: de, then gp: #DF(0000)
# expect: bp, then gp: #GP(0010)
# expect: ud, then gp: #GP(0011)
# expect: ts, then gp: #DF(0000)
# expect: np, then gp: #DF(0000)
# expect: ss, then gp: #DF(0000)
# expect: gp, then gp: #DF(0000)
# expect: pf, then gp: #DF(0000)
# expect: ac, then gp: #GP(0011)
# expect: de, then pf: #PF(0000) at 00400000
# expect: bp, then pf: #PF(0000) at 00400000
# expect: ud, then pf: #PF(0000) at 00400000
# expect: ts, then pf: #PF(0000) at 00400000
# expect: np, then pf: #PF(0000) at 00400000
# expect: ss, then pf: #PF(0000) at 00400000
# expect: gp, then pf: #PF(0000) at 00400000
# expect: pf, then pf: #DF(0000)
# expect: ac, then pf: #PF(0000) at 00400000
# qemu: ud, then np_gate: #NP(0032) -- it leaves EXT clear [SDM 3A 6.13]
# qemu: ac, then np_gate: #PF(0004) at 89555350 -- it has no alignment checks [SDM 3A 6.15]
# qemu: ud, then np_segment: #NP(0100) -- it leaves EXT clear [SDM 3A 6.13]
# qemu: ac, then np_segment: #PF(0004) at 89555350 -- it has no alignment checks [SDM 3A 6.15]
# qemu: ud, then gp: #GP(0010) -- it leaves EXT clear [SDM 3A 6.13]
# qemu: ac, then gp: #PF(0004) at 89555350 -- it has no alignment checks [SDM 3A 6.15]
# qemu: ac, then pf: #PF(0004) at 89555350 -- it has no alignment checks [SDM 3A 6.15]
.include "system.inc"
.equ UNMAPPED, 0x400000
.macro pair first, second
  call restore_idt
  mov ebx, vector_of_\first
  call spoil_\second
  user do_\first
  quiet
  print "\first, then \second: "
  outcome
  nl
.endm
.set vector_of_de, 0
.set vector_of_bp, 3
.set vector_of_ud, 6
.set vector_of_ts, 10
.set vector_of_np, 11
.set vector_of_ss, 12
.set vector_of_gp, 13
.set vector_of_pf, 14
.set vector_of_ac, 17
program 32
  # paging, so that there are page faults: 4 MiB of 4K pages would do, but only one table
  mov edi, 0x18000
  xor eax, eax
  mov ecx, 0x400
  rep stosd
  mov dword ptr [0x18000], 0x87
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, 0x18000
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80040000            # AM too
  mov cr0, eax

  # The GDT moves up to the end of what is mapped: reading selector 200 is a page fault.
  descriptor TEST0, 0, 0xfffff, 0xc01b   # absent code
  descriptor TEST0+8, 0, 0xfffff, 0xc073
  descriptor TEST0+0x18, 0, 0, 0xec # a gate to ring 1, which has no stack
  mov word ptr [gdt + TEST0 + 0x1a], CODE1
  mov dword ptr [tss32 + 16], 0
  mov esi, offset gdt
  mov edi, UNMAPPED - 0x200
  mov ecx, 0x80
  rep movsd
  mov word ptr [gdt_pointer], 0xffff
  mov dword ptr [gdt_pointer + 2], UNMAPPED - 0x200
  lgdt [gdt_pointer]
  .irp second, np_gate, np_segment, gp, pf
  .irp first, de, bp, ud, ts, np, ss, gp, pf, ac
  pair \first, \second
  .endr
  .endr
done
do_de:
  xor eax, eax
  div eax
do_bp:
  int3
do_ud:
  ud2
do_ts:
  call_far TEST0+0x1b, 0
do_np:
  mov ax, TEST0 + 8 + 3
  mov ds, ax
do_ss:
  mov ax, TEST0 + 8 + 3
  mov ss, ax
do_gp:
  hlt
do_pf:
  mov eax, [UNMAPPED]
do_ac:
  push 0x40002
  popfd
  mov eax, ss:[0x1001]

# The gates as they should be
restore_idt:
  .irp vector, 0, 3, 6, 10, 11, 12, 13, 14, 17
  mov word ptr [IDT_32 + \vector * 8 + 2], CODE32
  mov byte ptr [IDT_32 + \vector * 8 + 5], 0xee
  .endr
  ret
spoil_np_gate:
  mov byte ptr [IDT_32 + ebx * 8 + 5], 0x6e
  ret
spoil_np_segment:
  mov word ptr [IDT_32 + ebx * 8 + 2], TEST0
  ret
spoil_gp:
  mov word ptr [IDT_32 + ebx * 8 + 2], DATA
  ret
spoil_pf:
  mov word ptr [IDT_32 + ebx * 8 + 2], 0x200
  ret
