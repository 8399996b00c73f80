/* Instructions that may fault: interrupt() calls recover() if recover_at is not 0, and the instruction returns its vector. */
static volatile u32 recover_at __attribute__((used)), recover_esp __attribute__((used));

static void __attribute__((noreturn)) recover(u32 vector) {
  u32 at = recover_at;
  recover_at = 0;
  asm volatile("movl %0, %%esp; jmp *%1" : : "r"(recover_esp), "r"(at), "a"(vector + 1));
  __builtin_unreachable();
}
/* EAX is 0 if `code` was carried out, else the vector and 1; all other registers may have changed. */
#define TRY(code) \
  "pushl %%ebp; movl $1f, recover_at; movl %%esp, recover_esp; " code "; xorl %%eax, %%eax; movl %%eax, recover_at; 1: popl %%ebp"

static inline u32 faults_at_rdmsr(u32 index, u32 *low, u32 *high) {
  u32 why;
  asm volatile(TRY("rdmsr; movl %%eax, %%ecx") : "=a"(why), "+c"(index), "=d"(*high) : : "ebx", "esi", "edi", "memory", "cc");
  *low = index;
  return why;
}
static inline u32 faults_at_vmxon(int enabled) {
  static u64 nowhere;
  u32 why, cr4;
  asm volatile("movl %%cr4, %0" : "=r"(cr4));
  u32 set = cr4 | (enabled ? 0x2000 : 0);
  void *at = &nowhere;
  asm volatile(TRY("movl %1, %%cr4; vmxon (%2)") : "=a"(why), "+d"(set), "+c"(at) : : "ebx", "esi", "edi", "memory", "cc");
  asm volatile("movl %0, %%cr4" : : "r"(cr4));
  return why;
}
static inline u32 faults_at_vmcall(void) {
  u32 why;
  asm volatile(TRY("vmcall") : "=a"(why) : : "ebx", "ecx", "edx", "esi", "edi", "memory", "cc");
  return why;
}
