# Limits of data segments, expand-up and expand-down, in bytes and pages [SDM 3A 5.3]: each size at each edge.
# skip qemu: it checks neither limits nor rights of segments on data accesses
# expect: limit 00000 attributes 4093: 00f9 of 00fd faulted, checksum 4a5a314e
# expect: limit 00001 attributes 4093: 00f3 of 00fd faulted, checksum e148d23a
# expect: limit 00fff attributes 4093: 00b0 of 00fd faulted, checksum 2fe266b0
# expect: limit 0ffff attributes 0093: 00a3 of 00fd faulted, checksum 91b5143a
# expect: limit 10000 attributes 0093: 009c of 00fd faulted, checksum cedc376c
# expect: limit fffff attributes 4093: 0082 of 00fd faulted, checksum 4ff364fc
# expect: limit 00000 attributes c093: 00b0 of 00fd faulted, checksum 2fe266b0
# expect: limit 00001 attributes c093: 00b0 of 00fd faulted, checksum 2fe266b0
# expect: limit ffffe attributes c093: 0063 of 00fd faulted, checksum 20a66956
# expect: limit fffff attributes c093: 001c of 00fd faulted, checksum 5ec92abc
# expect: limit 00fff attributes 4091: 00d9 of 00fd faulted, checksum 2d0acc0e
# expect: limit 00fff attributes 409b: 00d9 of 00fd faulted, checksum 2d0acc0e
# expect: limit 00fff attributes 409f: 00d9 of 00fd faulted, checksum 2d0acc0e
# expect: limit 00000 attributes 0097: 00cf of 00fd faulted, checksum 13fd1b7e
# expect: limit 00fff attributes 0097: 00cf of 00fd faulted, checksum 13fd1b7e
# expect: limit 0fffe attributes 0097: 00f9 of 00fd faulted, checksum 5fd92b16
# expect: limit 0ffff attributes 0097: 00fd of 00fd faulted, checksum a76b383e
# expect: limit 10000 attributes 0097: 00fd of 00fd faulted, checksum a76b383e
# expect: limit 00000 attributes 4097: 0053 of 00fd faulted, checksum 2faa83d6
# expect: limit 0ffff attributes 4097: 00a3 of 00fd faulted, checksum 100d09f2
# expect: limit fffff attributes 4097: 00b9 of 00fd faulted, checksum 0d78f58a
# expect: limit 00000 attributes c097: 0082 of 00fd faulted, checksum 4f0dd088
# expect: limit ffffe attributes c097: 00cf of 00fd faulted, checksum 5e49cde2
# expect: limit fffff attributes c097: 00fd of 00fd faulted, checksum a76b383e
# expect: limit 00000 attributes 8097: 00cf of 00fd faulted, checksum 13fd1b7e
# expect: limit 0000e attributes 8097: 00cf of 00fd faulted, checksum 13fd1b7e
# expect: limit 0000f attributes 8097: 00fd of 00fd faulted, checksum a76b383e
# expect: limit 00fff attributes 4095: 00bb of 00fd faulted, checksum 99499ab2
.include "system.inc"
program 32
  mov esi, offset cases
next:
  movzx eax, word ptr [esi]     # limit 15:0
  or eax, (0x200000 & 0xffff) << 16
  mov [gdt + TEST0], eax
  mov eax, [esi]
  and eax, 0xf0000
  or eax, 0x00000020            # base 200000h
  or eax, [esi + 4]
  mov [gdt + TEST0 + 4], eax
  mov eax, TEST0
  mov fs, eax
  mov ebp, [esi + 8]            # the edge: last byte, or first byte if it expands down
  mov ecx, -9
1:
  lea ebx, [ebp + ecx]
  call sizes
  inc ecx
  cmp ecx, 2
  jle 1b
  mov ebx, 0
  call sizes
  mov edi, offset fixed
1:
  mov ebx, [edi]
  call sizes
  add edi, 4
  cmp edi, offset fixed_end
  jb 1b
  print "limit "
  hex [esi], 5
  print " attributes "
  mov eax, [esi + 4]
  shr eax, 8
  hex eax, 4
  show_counts ""
  add esi, 12
  cmp esi, offset cases_end
  jb next
done

# Loads and stores of 1, 2, 4, 8, 10 and 16 bytes at fs:[ebx]
sizes:
  probe "mov al, fs:[ebx]"
  probe "mov ax, fs:[ebx]"
  probe "mov eax, fs:[ebx]"
  probe "movq mm0, fs:[ebx]"
  probe "fld tbyte ptr fs:[ebx]"
  probe "movups xmm0, fs:[ebx]"
  fninit
  probe "mov fs:[ebx], al"
  probe "mov fs:[ebx], ax"
  probe "mov fs:[ebx], eax"
  probe "add dword ptr fs:[ebx], 1"
  probe "cmpxchg8b fs:[ebx]"
  ret

fixed: .long 0xfffc, 0xfffd, 0xffff, 0x10000, 0xfffff, 0x100000, 0x7fffffff, 0xfffffffc, 0xfffffffd, 0xffffffff
fixed_end:

.macro case limit, attributes, edge
  .long \limit, (\attributes & 0xf0ff) << 8, \edge
.endm
# attributes: G 8000, B 4000, present 80, S 10; types: 1 read-only, 3 writable, 5 and 7 expand-down, b and f readable code
cases:
  case 0x00000, 0x4093, 0
  case 0x00001, 0x4093, 1
  case 0x00fff, 0x4093, 0xfff
  case 0x0ffff, 0x0093, 0xffff
  case 0x10000, 0x0093, 0x10000
  case 0xfffff, 0x4093, 0xfffff
  case 0x00000, 0xc093, 0xfff
  case 0x00001, 0xc093, 0x1fff
  case 0xffffe, 0xc093, 0xffffefff
  case 0xfffff, 0xc093, 0xfffffff5 # beyond FFFFFFFF processors may do either
  case 0x00fff, 0x4091, 0xfff
  case 0x00fff, 0x409b, 0xfff
  case 0x00fff, 0x409f, 0xfff
  case 0x00000, 0x0097, 1
  case 0x00fff, 0x0097, 0x1000
  case 0x0fffe, 0x0097, 0xffff
  case 0x0ffff, 0x0097, 0x10000
  case 0x10000, 0x0097, 0x10001
  case 0x00000, 0x4097, 1
  case 0x0ffff, 0x4097, 0x10000
  case 0xfffff, 0x4097, 0x100000
  case 0x00000, 0xc097, 0x1000
  case 0xffffe, 0xc097, 0xfffff000
  case 0xfffff, 0xc097, 0
  case 0x00000, 0x8097, 0x1000
  case 0x0000e, 0x8097, 0xf000
  case 0x0000f, 0x8097, 0x10000
  case 0x00fff, 0x4095, 0x1000
cases_end:
