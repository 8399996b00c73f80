# MSR areas of entry and exit: order, what fails and with which number, what an exit stores and loads [SDM 3C 24.7.2, 24.8.2, 26.4, 27.4, 27.6].
# expect: loaded: VMCALL at +1b length 3
# expect: LSTAR in the guest: 00003333
# expect: CSTAR in the guest: 00002222
# expect: LSTAR stored: 0000000000003333
# expect: CSTAR stored: 0000000000004444
# expect: LSTAR in the host: 00007777
# expect: CSTAR in the host: 00004444
# expect: the first, FS base: entry failed: entry_msr qualification 1
# expect: the second, GS base: entry failed: entry_msr qualification 2
# expect: the third is good, the second an SMM MSR: entry failed: entry_msr qualification 2
# expect: the second, no such MSR: entry failed: entry_msr qualification 2
# expect: the second, x2APIC's range: entry failed: entry_msr qualification 2
# expect: the second, not canonical: entry failed: entry_msr qualification 2
# expect: the second, reserved bits of EFER: entry failed: entry_msr qualification 2
# expect: the second, bits 63:32 of the number: entry failed: entry_msr qualification 2
# expect: the second, a read-only one: entry failed: entry_msr qualification 2
# expect: RIP: 001b
# expect: LSTAR of the host after a failure: 00007777
# expect: LSTAR stored before: 0000000000003333
# expect: the third, reserved bits in the slot: entry failed: entry_msr qualification 3
# expect: address not aligned: VMfail 7
# expect: address not aligned, count 0: VMCALL at +1 length 3
# expect: store address not aligned: VMfail 7
# expect: load address not aligned: VMfail 7
# expect: PAT and SYSENTER_CS: VMCALL at +14 length 3
# expect: PAT in the guest: 06060606
# expect: SYSENTER_CS in the guest: 00000055
# expect: PAT in the host: 00070406
.include "vmx.inc"
.equ STORE, MSR_AREAS
.equ EXIT_LOAD, MSR_AREAS + 0x400
.equ ENTRY_LOAD, MSR_AREAS + 0x800
.equ STAR, 0xc0000081
.equ LSTAR, 0xc0000082
.equ CSTAR, 0xc0000083
.macro slot area, n, msr, value=0
  mov rax, \msr
  mov [\area + 16 * \n], rax
  mov rax, \value
  mov [\area + 16 * \n + 8], rax
.endm
program 64
  vmx_on
  guest64
  primary USE_MSR_BITMAPS
  slot ENTRY_LOAD, 0, LSTAR, 0x1111
  slot ENTRY_LOAD, 1, CSTAR, 0x2222
  slot ENTRY_LOAD, 2, LSTAR, 0x3333
  slot STORE, 0, LSTAR
  slot STORE, 1, CSTAR
  slot EXIT_LOAD, 0, LSTAR, 0x7777
  slot EXIT_LOAD, 1, CSTAR, 0x8888
  w ENTRY_LOAD_COUNT, 3
  w EXIT_STORE_COUNT, 2
  w EXIT_LOAD_COUNT, 1
  exits "loaded", "mov ecx, 0xc0000082; rdmsr; mov rbx, rax; mov ecx, 0xc0000083; rdmsr; mov rsi, rax; mov eax, 0x4444; wrmsr"
  show_reg "LSTAR in the guest", rbx, 8
  show_reg "CSTAR in the guest", rsi, 8
  show "LSTAR stored", [STORE + 8], 16
  show "CSTAR stored", [STORE + 24], 16
  mov ecx, LSTAR
  rdmsr
  show "LSTAR in the host", rax, 8
  mov ecx, CSTAR
  rdmsr
  show "CSTAR in the host", rax, 8
  # ---- entries that fail ----
  .macro failing name, n, msr, value=0
    slot ENTRY_LOAD, \n, \msr, \value
    run "\name"
  .endm
  failing "the first, FS base", 0, 0xc0000100
  slot ENTRY_LOAD, 0, LSTAR
  failing "the second, GS base", 1, 0xc0000101
  failing "the third is good, the second an SMM MSR", 1, 0x9b
  failing "the second, no such MSR", 1, 0x1ffe
  failing "the second, x2APIC's range", 1, 0x808
  failing "the second, not canonical", 1, LSTAR, 0x800000000000
  failing "the second, reserved bits of EFER", 1, IA32_EFER, 2
  failing "the second, bits 63:32 of the number", 1, LSTAR + (1 << 32)
  failing "the second, a read-only one", 1, IA32_VMX_BASIC
  r GUEST_RIP
  sub rax, [guest_origin]
  show "RIP", rax, 4
  mov ecx, LSTAR
  rdmsr
  show "LSTAR of the host after a failure", rax, 8
  # a failure loads the exit's area, and stores nothing
  show "LSTAR stored before", [STORE + 8], 16
  slot ENTRY_LOAD, 1, CSTAR, 0x9999
  failing "the third, reserved bits in the slot", 2, LSTAR + (1 << 63)
  # reserved bits in the area's address are checked before
  w ENTRY_LOAD_COUNT, 2
  w ENTRY_LOAD_ADDRESS, ENTRY_LOAD + 8
  run "address not aligned"
  w ENTRY_LOAD_COUNT, 0
  exits "address not aligned, count 0", nop
  w ENTRY_LOAD_ADDRESS, ENTRY_LOAD
  w EXIT_STORE_ADDRESS, STORE + 4
  run "store address not aligned"
  w EXIT_STORE_ADDRESS, STORE
  w EXIT_LOAD_ADDRESS, EXIT_LOAD + 4
  run "load address not aligned"
  w EXIT_LOAD_ADDRESS, EXIT_LOAD
  # SYSENTER's, PAT and the TSC
  slot ENTRY_LOAD, 0, IA32_PAT, 0x0606060606060606
  slot ENTRY_LOAD, 1, 0x174, 0x55
  slot EXIT_LOAD, 0, IA32_PAT, 0x0007040600070406
  w ENTRY_LOAD_COUNT, 2
  exits "PAT and SYSENTER_CS", "mov ecx, IA32_PAT; rdmsr; mov rbx, rax; mov ecx, 0x174; rdmsr; mov rsi, rax"
  show_reg "PAT in the guest", rbx, 8
  show_reg "SYSENTER_CS in the guest", rsi, 8
  mov ecx, IA32_PAT
  rdmsr
  show "PAT in the host", rax, 8
done
