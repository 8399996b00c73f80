/* A virtual machine under /dev/kvm with one mode to start in, and what its guest does as text. */
#include <linux/kvm.h>
#include <stdint.h>

enum mode { REAL, FLAT, PAGED, PAE, LONG, MODES };
extern const char *const mode_names[MODES];

/* Guest-physical addresses. The first slot ends where the MMIO begins. */
enum {
  GDT = 0x400,
  TSS = 0x500,
  STACK = 0x2000,
  IDT = 0x2000,
  CODE = 0x8000,
  BUFFER = 0x7000,
  TABLES = 0x20000,
  FRAMES = 0x40000,
  MMIO = 0xb0000,
  LOW_BYTES = 0xa0000,
  HIGH = 0x100000,
  HIGH_BYTES = 0x100000,
};
/* Linear addresses of modes that page; everything below 2 MiB is mapped one to one. */
enum {
  WINDOW = 0x200000,   /* to the first of FRAMES */
  READ_ONLY = 0x201000, /* to the second one */
  SUPERVISOR = 0x202000, /* to the third one, the only page that is not user's */
  NOT_PRESENT = 0x203000,
  LARGE = 0x400000, /* a large page to 0 */
};

/* An OUT to it ends vm_run: for guests whose HLT is the in-kernel local APIC's business. */
enum { END_PORT = 0x15 };

struct vm {
  int fd, cpu;
  struct kvm_run *run;
  uint8_t *low, *high; /* memory at 0 and at HIGH */
  enum mode mode;
  uint32_t input;   /* what the next IN reads */
  char trace[4096]; /* what the guest did since the machine was made */
};

enum { IRQCHIP = 1, PIT = 2 };

struct vm *vm_new(enum mode mode, unsigned devices);
void vm_free(struct vm *vm);
/* The address in the guest of something in guest.S. */
uint32_t vm_at(const char *symbol);
/* Sets RIP and the registers that guests take arguments in. */
void vm_enter(struct vm *vm, const char *entry, uint64_t rsi, uint64_t rdi);
/* Until the guest halts, writes END_PORT, stops for debugging, or something is wrong. @returns the exit's reason */
unsigned vm_run(struct vm *vm);
/* Once: up to the next exit, whatever it is. */
unsigned vm_step(struct vm *vm);
/* Another processor, not yet started. @returns its file and, in `run`, its page */
int vm_processor(struct vm *vm, int id, struct kvm_run **run);
void vm_close(int cpu, struct kvm_run *run);
void note(struct vm *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));
int call(int fd, unsigned long request, const void *argument, const char *name);
#define CALL(fd, request, argument) call(fd, request, (const void *)(uintptr_t)(argument), #request)
