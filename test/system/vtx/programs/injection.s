# Injected events of every type in each mode: what is pushed, where it returns to, what it does to the VMCS [SDM 3C 24.8.3, 26.5.1].
# expect: 64-bit, external interrupt: vector 31 from +0
# expect: 64-bit, the field after it: 31
# expect: 64-bit, NMI: vector 2 from +0
# expect: 64-bit, blocking by NMI: 8
# expect: 64-bit, #DE: vector 0 from +0
# expect: 64-bit, #DB: vector 1 from +0
# expect: 64-bit, INT 30: vector 30 from +2
# expect: 64-bit, INT3: vector 3 from +1
# expect: 64-bit, INTO: vector 4 from +1
# expect: 64-bit, ICEBP: vector 1 from +1
# expect: 64-bit, #DF: vector 8(0) from +0
# expect: 64-bit, #TS: vector a(1238) from +0
# expect: 64-bit, #GP: vector d(7fff) from +0
# expect: 64-bit, #PF: vector e(1f) from +0
# expect: 64-bit, #AC: vector 11(0) from +0
# expect: CR2 after #PF: 0000
# expect: with IF: vector 32 from +0
# expect: pushed RFLAGS: 0202
# expect: IF in the handler: 2
# expect: returned: VMCALL at +1 length 3
# expect: IF after it: 202
# expect: with the bitmap set, #GP: vector d(10) from +0
# expect: with the bitmap set, INT3: vector 3 from +1
# expect: ring 3, external: vector 31 from +0
# expect: ring 3, INT 31 through a gate for ring 3: vector 31 from +2
# expect: ring 3, INT 31 through a gate for ring 0: vector d(18a) from +0
# expect: ring 3, external through a gate for ring 0: vector 31 from +0
# expect: ring 3, INT 31 through a gate for ring 0, #GP exits: exception at +0 length 2 event b0d(18a) while 431
# expect: 32-bit, external interrupt: vector 31 from +0
# expect: 32-bit, the field after it: 31
# expect: 32-bit, NMI: vector 2 from +0
# expect: 32-bit, blocking by NMI: 8
# expect: 32-bit, #DE: vector 0 from +0
# expect: 32-bit, #DB: vector 1 from +0
# expect: 32-bit, INT 30: vector 30 from +2
# expect: 32-bit, INT3: vector 3 from +1
# expect: 32-bit, INTO: vector 4 from +1
# expect: 32-bit, ICEBP: vector 1 from +1
# expect: 32-bit, #DF: vector 8(0) from +0
# expect: 32-bit, #TS: vector a(1238) from +0
# expect: 32-bit, #GP: vector d(7fff) from +0
# expect: 32-bit, #PF: vector e(1f) from +0
# expect: 32-bit, #AC: vector 11(0) from +0
# expect: real, external interrupt: vector 31 from +0
# expect: real, the field after it: 31
# expect: real, NMI: vector 2 from +0
# expect: real, blocking by NMI: 8
# expect: real, #DE: vector 0 from +0
# expect: real, #DB: vector 1 from +0
# expect: real, INT 30: vector 30 from +2
# expect: real, INT3: vector 3 from +1
# expect: real, INTO: vector 4 from +1
# expect: real, ICEBP: vector 1 from +1
# expect: real, #GP: vector d from +0
.include "vmx.inc"
.macro injected name, info, code=0, length=0
  prepare nop, nop, nop, nop
  w GUEST_RFLAGS, 0x202
  inject \info, \code, \length
  run "\name"
.endm
.macro all mode
  injected "\mode, external interrupt", EVENT | EXTERNAL | 0x31
  show_field "\mode, the field after it", ENTRY_INFO
  injected "\mode, NMI", EVENT | NMI | 2
  show_field "\mode, blocking by NMI", INTERRUPTIBILITY
  injected "\mode, #DE", EVENT | HARDWARE | 0
  injected "\mode, #DB", EVENT | HARDWARE | 1
  injected "\mode, INT 30", EVENT | SOFTWARE_INT | 0x30, 0, 2
  injected "\mode, INT3", EVENT | SOFTWARE | 3, 0, 1
  injected "\mode, INTO", EVENT | SOFTWARE | 4, 0, 1
  injected "\mode, ICEBP", EVENT | PRIVILEGED | 1, 0, 1
.endm
.macro with_codes mode
  injected "\mode, #DF", EVENT | HARDWARE | CODE | 8, 0
  injected "\mode, #TS", EVENT | HARDWARE | CODE | 10, 0x1238
  injected "\mode, #GP", EVENT | HARDWARE | CODE | 13, 0x7fff
  injected "\mode, #PF", EVENT | HARDWARE | CODE | 14, 0x1f
  injected "\mode, #AC", EVENT | HARDWARE | CODE | 17, 0
.endm
program 64
  vmx_on
  guest64
  all "64-bit"
  with_codes "64-bit"
  mov rax, cr2
  show "CR2 after #PF", rax, 4
  # INT n of ring 3 through a gate of ring 0: no privilege check but for software events
  prepare "nop"
  inject EVENT | EXTERNAL | 0x32
  w GUEST_RFLAGS, 0x202
  run "with IF"
  r GUEST_RSP, rbx
  mov rax, [rbx + 16]
  show "pushed RFLAGS", rax, 4
  show_field "IF in the handler", GUEST_RFLAGS
  skip
  w ENTRY_INFO, 0
  run "returned"
  show_field "IF after it", GUEST_RFLAGS
  # the exception bitmap does not apply to what is injected
  w EXCEPTION_BITMAP, -1
  injected "with the bitmap set, #GP", EVENT | HARDWARE | CODE | 13, 0x10
  injected "with the bitmap set, INT3", EVENT | SOFTWARE | 3, 0, 1
  w EXCEPTION_BITMAP, 0
  # a gate of ring 0 and CPL 3
  .macro from_ring_3 name, info, code=0, length=0
    prepare nop
    w GUEST_RFLAGS, 0x202
    w GUEST_CS, UCODE64
    w GUEST_CS_ACCESS, 0xa0fb
    w GUEST_SS, UDATA
    w GUEST_SS_ACCESS, 0xc0f3
    inject \info, \code, \length
    run "\name"
  .endm
  from_ring_3 "ring 3, external", EVENT | EXTERNAL | 0x31
  from_ring_3 "ring 3, INT 31 through a gate for ring 3", EVENT | SOFTWARE_INT | 0x31, 0, 2
  mov byte ptr [GUEST_IDT_64 + 0x31 * 16 + 5], 0x8e
  from_ring_3 "ring 3, INT 31 through a gate for ring 0", EVENT | SOFTWARE_INT | 0x31, 0, 2
  from_ring_3 "ring 3, external through a gate for ring 0", EVENT | EXTERNAL | 0x31
  w EXCEPTION_BITMAP, 1 << 13
  from_ring_3 "ring 3, INT 31 through a gate for ring 0, #GP exits", EVENT | SOFTWARE_INT | 0x31, 0, 2
  w EXCEPTION_BITMAP, 0
  mov byte ptr [GUEST_IDT_64 + 0x31 * 16 + 5], 0xee
  guest32
  all "32-bit"
  with_codes "32-bit"
  guest_real
  all "real"
  injected "real, #GP", EVENT | HARDWARE | 13
done
