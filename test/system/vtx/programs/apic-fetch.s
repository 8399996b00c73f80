# A fetch from the APIC-access page, with EPT and without [SDM 3C 29.4.6.1, table 27-6].
# expect: fetch, EPT: apic_access at +0 qualification 2123
# expect: fetch, no EPT: apic_access at +0 qualification 2234
# skip bochs: it stops: "prefetch: getHostMemAddr vetoed direct read"
.include "vmx.inc"
program 64
  vmx_on
  guest64
  w APIC_ACCESS, PAGE_A
  secondary USE_EPT | USE_APIC_ACCESS
  run_at "fetch, EPT", PAGE_A + 0x123
  secondary USE_APIC_ACCESS
  run_at "fetch, no EPT", PAGE_A + 0x234
done
