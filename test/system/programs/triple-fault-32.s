# A fault while a double fault is delivered shuts the processor down [SDM 3A 6.15]; machines then reset.
# expect: before: ok
# expect: shutdown
.include "system.inc"
program 32
  try
  caught "before"
  lidt [empty]
  int3
  print "after: wrong\n"
done
empty: .word 0
  .long 0
