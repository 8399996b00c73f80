# I/O instructions: unconditional exiting, bitmaps, wrap-around, string I/O with its information, permission faults before [SDM 3C 25.1.3, 27.2.1 table 27-5].
# expect: OUT imm8, AL: IO at +0 length 2 qualification 800040
# expect: OUT imm8, EAX: IO at +0 length 2 qualification ff0043
# expect: OUT DX, AX: IO at +4 length 2 qualification 12340001
# expect: IN AL, DX: IO at +4 length 1 qualification ffff0008
# expect: IN EAX, imm8: IO at +0 length 2 qualification 71004b
# expect: OUTSB: IO at +9 length 1 qualification 800010 info 18100 linear 3f000
# expect: OUTSD with FS and a 32-bit address: IO at +e length 4 qualification 800033 info 20080 linear 3f000
# expect: REP INSW: IO at +e length 3 qualification 800039 info 100 linear 3f000
# expect: RCX of REP INSW: 03
# expect: OUTSB from a page that is not there: IO at +e length 1 qualification 800010 info 18100 linear ffff80000000
# expect: OUTSB from an address that is not canonical: IO at +e length 1 qualification 800010 info 18100 linear 800000000000
# expect: bitmap, port 80: IO at +0 length 2 qualification 800040
# expect: bitmap, ports 7D to 80: IO at +0 length 2 qualification 7d004b
# expect: bitmap, ports 7E to 7F: VMCALL at +3 length 3
# expect: bitmap, ports 7C to 7F: VMCALL at +2 length 3
# expect: bitmap, port 81: VMCALL at +2 length 3
# expect: bitmap, ports 7FFC to 7FFF: IO at +4 length 1 qualification 7ffc000b
# expect: bitmap, ports 8000 to 8003: IO at +4 length 1 qualification 8000000b
# expect: bitmap, port 8001: VMCALL at +5 length 3
# expect: bitmap, port FFFF free: VMCALL at +5 length 3
# expect: bitmap, ports FFFF and 0: IO at +4 length 2 qualification ffff0009
# expect: bitmap, ports FFFD to 0: IO at +4 length 1 qualification fffd000b
# expect: no control: VMCALL at +4 length 3
# expect: ring 3, a port that the TSS allows: IO at +15 length 2 qualification e90040
# expect: ring 3, a port that it does not: vector d(0) from +15
# expect: ring 3, INSB from a port that it does not: vector d(0) from +19
# expect: ring 3, half of the port: vector d(0) from +15
# expect: 32-bit, OUTSB with ES: IO at +a length 2 qualification 3f80010 info 80 linear 3f000
# expect: 32-bit, INSD: IO at +a length 1 qualification 3f8001b info 80 linear 3f000
# expect: 32-bit, OUTSW with a 16-bit address: IO at +a length 3 qualification 3f80011 info 18000 linear 5678
# expect: 32-bit, OUTSB with a base: IO at +a length 1 qualification 3f80010 info 18080 linear 40000
# expect: 32-bit, OUTSB beyond the limit: IO at +a length 1 qualification 3f80010 info 18080 linear 3f000
# expect: real, OUT: IO at +0 length 2 qualification 800040
# expect: real, INSW: IO at +6 length 1 qualification 600019 info 0 linear 11234
# expect: real, OUTSB with a 32-bit address: IO at +9 length 2 qualification 600010 info 18080 linear 1234
.include "vmx.inc"
.macro on_port port, bit
  mov byte ptr [IO_BITMAP_PAGES + (\port) / 8], \bit << ((\port) & 7)
.endm
program 64
  vmx_on
  guest64
  # ---- every port ----
  primary ON_IO
  exits "OUT imm8, AL", "out 0x80, al"
  exits "OUT imm8, EAX", "out 0xff, eax"
  exits "OUT DX, AX", "mov dx, 0x1234", "out dx, ax"
  exits "IN AL, DX", "mov dx, 0xffff", "in al, dx"
  exits "IN EAX, imm8", "in eax, 0x71"
  exits "OUTSB", "mov dx, 0x80", "mov esi, SCRATCH", "outsb"
  exits "OUTSD with FS and a 32-bit address", "mov dx, 0x80", "mov esi, SCRATCH", "mov ecx, 2", "rep outsd dx, dword ptr fs:[esi]"
  exits "REP INSW", "mov dx, 0x80", "mov edi, SCRATCH", "mov ecx, 3", "rep insw"
  show_reg "RCX of REP INSW", rcx, 2
  exits "OUTSB from a page that is not there", "mov dx, 0x80", "mov rsi, 0xffff80000000", "outsb"
  exits "OUTSB from an address that is not canonical", "mov dx, 0x80", "mov rsi, 0x800000000000", "outsb"
  # ---- bitmaps; they overrule unconditional exiting ----
  primary USE_IO_BITMAPS | ON_IO
  on_port 0x80, 1
  on_port 0x7fff, 1
  on_port 0x8000, 1
  on_port 0xffff, 1
  exits "bitmap, port 80", "out 0x80, al"
  exits "bitmap, ports 7D to 80", "in eax, 0x7d"
  exits "bitmap, ports 7E to 7F", "in ax, 0x7e"
  exits "bitmap, ports 7C to 7F", "in eax, 0x7c"
  exits "bitmap, port 81", "in al, 0x81"
  exits "bitmap, ports 7FFC to 7FFF", "mov dx, 0x7ffc", "in eax, dx"
  exits "bitmap, ports 8000 to 8003", "mov dx, 0x8000", "in eax, dx"
  exits "bitmap, port 8001", "mov dx, 0x8001", "in al, dx"
  on_port 0xffff, 0
  exits "bitmap, port FFFF free", "mov dx, 0xffff", "in al, dx"
  exits "bitmap, ports FFFF and 0", "mov dx, 0xffff", "in ax, dx"
  exits "bitmap, ports FFFD to 0", "mov dx, 0xfffd", "in eax, dx"
  primary
  exits "no control", "in al, 0x80", "in eax, 0x7d"
  # ---- privilege before the exit: the TSS allows E9 only ----
  primary ON_IO
  exits3 "ring 3, a port that the TSS allows", "out 0xe9, al"
  exits3 "ring 3, a port that it does not", "out 0x80, al"
  exits3 "ring 3, INSB from a port that it does not", "mov dx, 0x80", "insb"
  exits3 "ring 3, half of the port", "out 0xe9, ax"
  # ---- other modes ----
  guest32
  primary ON_IO
  exits "32-bit, OUTSB with ES", "mov edx, 0x3f8", "mov esi, SCRATCH", "outsb dx, byte ptr es:[esi]"
  exits "32-bit, INSD", "mov edx, 0x3f8", "mov edi, SCRATCH", "insd"
  exits "32-bit, OUTSW with a 16-bit address", "mov edx, 0x3f8", "mov esi, 0x12345678", "outsw dx, word ptr [si]"
  w GUEST_DS_BASE, 0x1000
  exits "32-bit, OUTSB with a base", "mov edx, 0x3f8", "mov esi, SCRATCH", "outsb"
  w GUEST_DS_BASE, 0
  w GUEST_DS_LIMIT, 0xfff
  w GUEST_DS_ACCESS, 0x4093
  exits "32-bit, OUTSB beyond the limit", "mov edx, 0x3f8", "mov esi, SCRATCH", "outsb"
  guest_real
  secondary USE_EPT | UNRESTRICTED, ON_IO
  exits "real, OUT", "out 0x80, al"
  w GUEST_ES, 0x1000
  w GUEST_ES_BASE, 0x10000
  exits "real, INSW", "mov dx, 0x60", "mov di, 0x1234", "insw"
  exits "real, OUTSB with a 32-bit address", "mov dx, 0x60", "mov esi, 0x1234", "outsb dx, byte ptr [esi]"
done
