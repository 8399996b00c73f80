# A page fault while a double fault is delivered shuts the processor down [SDM 3A 6.15]; machines then reset.
# expect: before: ok
# expect: shutdown
.include "system.inc"
program 64
  try
  caught "before"
  mov rsp, 0x200000000          # nothing is mapped there
  push rax
  print "after: wrong\n"
done
