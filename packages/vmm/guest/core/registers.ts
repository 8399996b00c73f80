/** The guest's general registers, in encoding order, as `vmEnter` loads and stores them. */
@unmanaged
export class Registers {
  rax: u64;
  rcx: u64;
  rdx: u64;
  rbx: u64;
  /** Not used: the guest's RSP is in the VMCS. */
  rsp: u64;
  rbp: u64;
  rsi: u64;
  rdi: u64;
  r8: u64;
  r9: u64;
  r10: u64;
  r11: u64;
  r12: u64;
  r13: u64;
  r14: u64;
  r15: u64;
}
