# In real mode an exception whose frame does not fit below SP = 3 cannot be delivered: shutdown [SDM 3A 6.15, 20.1.4].
# expect: before: ok
# expect: shutdown
# skip qemu: it checks no limits of segments on data accesses
.include "system.inc"
program 16
  try
  caught "before"
  mov sp, 3
  ud2
  print "after: wrong\n"
done
