# A VMX abort: an exit that cannot load the host's MSRs shuts the processor down [SDM 3C 27.6, 27.7].
# expect: entered: once
# expect: shutdown
# skip bochs: it halts without a word
.include "vmx.inc"
program 64
  vmx_on
  guest64
  mov qword ptr [MSR_AREAS + 0x400], 0x1ffe
  w EXIT_LOAD_COUNT, 1
  print "entered: once\n"
  exits "an exit", cpuid
done
