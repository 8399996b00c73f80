/* See vm.h. */
#include "vm.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

const char *const mode_names[MODES] = {"real", "flat", "paged", "pae", "long"};

extern const char guest_start[], guest_end[];
extern const char vectors16[], vectors32[], vectors64[];
/* No guest needs more; one that faults for ever is stopped. */
enum { MOST_EXITS = 200 };
enum { VECTORS = 0x82, VECTOR_BYTES = 16 };
enum { CODE_SELECTOR = 0x08, DATA_SELECTOR = 0x10, TSS_SELECTOR = 0x20 };

int call(int fd, unsigned long request, const void *argument, const char *name) {
  int result = ioctl(fd, request, argument);
  if (result < 0) {
    printf("WRONG %s: %s\n", name, strerror(errno));
    exit(1);
  }
  return result;
}

static int system_fd(void) {
  static int fd = -1;
  if (fd < 0) fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    printf("WRONG /dev/kvm: %s\n", strerror(errno));
    exit(1);
  }
  return fd;
}

uint32_t vm_at(const char *symbol) { return CODE + (symbol - guest_start); }

void note(struct vm *vm, const char *format, ...) {
  size_t used = strlen(vm->trace);
  va_list list;
  va_start(list, format);
  vsnprintf(vm->trace + used, sizeof vm->trace - used, format, list);
  va_end(list);
}

static void put32(struct vm *vm, uint32_t at, uint32_t value) { memcpy(vm->low + at, &value, 4); }
static void put64(struct vm *vm, uint32_t at, uint64_t value) { memcpy(vm->low + at, &value, 8); }

static uint8_t *slot(struct vm *vm, unsigned number, uint64_t base, size_t bytes) {
  uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct kvm_userspace_memory_region region = {number, 0, base, bytes, (uintptr_t)memory};
  CALL(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
  return memory;
}

/* GDT: 8 code, 10 data, 18 16-bit code, 20 TSS (two entries), 30 and 38 code and data of ring 3, 40 32-bit code. */
static void make_tables(struct vm *vm) {
  int is_long = vm->mode == LONG;
  put64(vm, GDT + 0x08, is_long ? 0x00af9b000000ffff : 0x00cf9b000000ffff);
  put64(vm, GDT + 0x10, 0x00cf93000000ffff);
  put64(vm, GDT + 0x18, 0x00009b000000ffff);
  put64(vm, GDT + 0x20, 0x00008b0000000067 | TSS << 16);
  put64(vm, GDT + 0x30, is_long ? 0x00affb000000ffff : 0x00cffb000000ffff);
  put64(vm, GDT + 0x38, 0x00cff3000000ffff);
  put64(vm, GDT + 0x40, 0x00cf9b000000ffff);
  put64(vm, GDT + 0x48, 0x00af9b000000ffff); /* 64-bit code */
  put64(vm, GDT + 0x50, 0x000093000000ffff); /* data with a limit of 64 KiB */
  put32(vm, TSS + 4, STACK);
  if (!is_long) put32(vm, TSS + 8, DATA_SELECTOR);
  for (uint32_t vector = 0; vector < VECTORS; vector++) {
    uint32_t offset = vector * VECTOR_BYTES, code = is_long ? vm_at(vectors64) : vm_at(vectors32);
    put32(vm, 4 * vector, vector < 0x100 ? vm_at(vectors16) + offset : 0); /* the real-mode table, segment 0 */
    uint32_t gate = IDT + vector * (is_long ? 16 : 8);
    put32(vm, gate, CODE_SELECTOR << 16 | ((code + offset) & 0xffff));
    put32(vm, gate + 4, ((code + offset) & 0xffff0000) | 0xee00);
    if (is_long) put64(vm, gate + 8, 0);
  }
}

/* Page tables of all three forms in the same place: the root first. @returns CR3 */
static void make_paging(struct vm *vm) {
  unsigned size = vm->mode == PAGED ? 4 : 8;
  uint32_t table = TABLES + 0x4000, directory = TABLES + 0x1000;
  unsigned entries = 4096 / size;
  if (vm->mode == LONG) {
    put64(vm, TABLES, (TABLES + 0x3000) | 7);
    put64(vm, TABLES + 0x3000, directory | 7);
  } else if (vm->mode == PAE) {
    put64(vm, TABLES, directory | 1);
  } else {
    directory = TABLES;
  }
  for (uint32_t linear = 0; linear < LARGE; linear += 0x1000) {
    uint32_t page = linear >> 12, entry = linear | 7;
    if (linear == WINDOW) entry = FRAMES | 7;
    else if (linear == READ_ONLY) entry = (FRAMES + 0x1000) | 5;
    else if (linear == SUPERVISOR) entry = (FRAMES + 0x2000) | 3;
    else if (linear > WINDOW) entry = 0;
    put32(vm, table + page * size, entry);
    if (page % entries == 0) put32(vm, directory + page / entries * size, (table + page * size) | 7);
  }
  put32(vm, directory + LARGE / 0x1000 / entries * size, 0x87);
}

static struct kvm_segment segment(unsigned selector, uint64_t base, unsigned type, int is_code, enum mode mode) {
  int real = mode == REAL;
  return (struct kvm_segment){.base = base,
                              .limit = real ? 0xffff : 0xffffffff,
                              .selector = selector,
                              .type = type,
                              .present = 1,
                              .db = !real && !(is_code && mode == LONG),
                              .s = 1,
                              .l = is_code && mode == LONG,
                              .g = !real};
}

static void set_mode(struct vm *vm) {
  enum mode mode = vm->mode;
  struct kvm_sregs sregs;
  CALL(vm->cpu, KVM_GET_SREGS, &sregs);
  int real = mode == REAL;
  sregs.cs = segment(real ? 0 : CODE_SELECTOR, 0, 11, 1, mode);
  sregs.ds = sregs.es = sregs.ss = sregs.gs = segment(real ? 0 : DATA_SELECTOR, 0, 3, 0, mode);
  sregs.fs = segment(real ? MMIO >> 4 : DATA_SELECTOR, MMIO, 3, 0, mode);
  sregs.gdt = (struct kvm_dtable){GDT, 0x57, {0}};
  sregs.idt = (struct kvm_dtable){real ? 0 : IDT, real ? 0x3ff : VECTORS * (mode == LONG ? 16 : 8) - 1, {0}};
  if (!real) {
    sregs.tr = (struct kvm_segment){.base = TSS, .limit = 0x67, .selector = TSS_SELECTOR, .type = 11, .present = 1};
  }
  sregs.cr0 = real ? 0x10 : mode == FLAT ? 0x11 : 0x80010011;
  sregs.cr3 = mode >= PAGED ? TABLES : 0;
  sregs.cr4 = 0x600 | (mode == PAGED ? 0x10 : mode > PAGED ? 0x20 : 0); /* OSFXSR, OSXMMEXCPT; PSE; PAE */
  sregs.efer = mode == LONG ? 0x501 : 0;                               /* LMA, LME, SCE */
  CALL(vm->cpu, KVM_SET_SREGS, &sregs);
}

/* What KVM supports, with a signature of ours in leaf 40000000. */
static void set_cpuid(int cpu) {
  struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entries[100]; } cpuid = {.head = {.nent = 100}};
  CALL(system_fd(), KVM_GET_SUPPORTED_CPUID, &cpuid);
  for (unsigned i = 0; i < cpuid.head.nent; i++) {
    if (cpuid.entries[i].function != 0x40000000) continue;
    cpuid.entries[i].ebx = 0xca57a4a1;
    cpuid.entries[i].ecx = 0x12345678;
    cpuid.entries[i].edx = 0x9abcdef0;
  }
  CALL(cpu, KVM_SET_CPUID2, &cpuid);
}

int vm_processor(struct vm *vm, int id, struct kvm_run **run) {
  int cpu = CALL(vm->fd, KVM_CREATE_VCPU, id);
  *run = mmap(NULL, CALL(system_fd(), KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
  set_cpuid(cpu);
  return cpu;
}

struct vm *vm_new(enum mode mode, unsigned devices) {
  struct vm *vm = calloc(1, sizeof *vm);
  vm->mode = mode;
  vm->input = 0xa1b2c301;
  vm->fd = CALL(system_fd(), KVM_CREATE_VM, 0);
  uint64_t identity = 0xfffbc000;
  CALL(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
  CALL(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000);
  if (devices & IRQCHIP) CALL(vm->fd, KVM_CREATE_IRQCHIP, 0);
  struct kvm_pit_config pit = {0};
  if (devices & PIT) CALL(vm->fd, KVM_CREATE_PIT2, &pit);
  vm->low = slot(vm, 0, 0, LOW_BYTES);
  vm->high = slot(vm, 1, HIGH, HIGH_BYTES);
  memcpy(vm->low + CODE, guest_start, guest_end - guest_start);
  make_tables(vm);
  if (mode >= PAGED) make_paging(vm);
  vm->cpu = vm_processor(vm, 0, &vm->run);
  set_mode(vm);
  return vm;
}

void vm_close(int cpu, struct kvm_run *run) {
  munmap(run, CALL(system_fd(), KVM_GET_VCPU_MMAP_SIZE, 0));
  close(cpu);
}

void vm_free(struct vm *vm) {
  vm_close(vm->cpu, vm->run);
  close(vm->fd);
  munmap(vm->low, LOW_BYTES);
  munmap(vm->high, HIGH_BYTES);
  free(vm);
}

void vm_enter(struct vm *vm, const char *entry, uint64_t rsi, uint64_t rdi) {
  struct kvm_regs regs = {.rip = vm_at(entry), .rsp = STACK, .rsi = rsi, .rdi = rdi, .rflags = 2};
  CALL(vm->cpu, KVM_SET_REGS, &regs);
}

/* Ports: 10 values, 11 input, 12 the vector of an exception, 13 its error code, 14 CR2. */
static void port(struct vm *vm) {
  static const char *const formats[] = {"%x ", "", "#%x ", "(%x) ", "@%x "};
  struct kvm_run *run = vm->run;
  uint8_t *data = (uint8_t *)run + run->io.data_offset;
  for (unsigned i = 0; i < run->io.count; i++, data += run->io.size) {
    uint32_t value = 0;
    if (run->io.direction == KVM_EXIT_IO_IN) {
      memcpy(data, &vm->input, run->io.size);
      vm->input++;
      continue;
    }
    memcpy(&value, data, run->io.size);
    if (run->io.port >= 0x10 && run->io.port <= 0x14) note(vm, formats[run->io.port - 0x10], value);
    else if (run->io.port == END_PORT) note(vm, "end");
    else note(vm, "port %x=%x ", run->io.port, value);
  }
}

static void mmio(struct vm *vm) {
  struct kvm_run *run = vm->run;
  uint64_t value = 0x1122334455667788;
  if (run->mmio.is_write) {
    value = 0;
    memcpy(&value, run->mmio.data, run->mmio.len);
    note(vm, "[%llx]%u=%llx ", run->mmio.phys_addr, run->mmio.len, (unsigned long long)value);
  } else {
    memcpy(run->mmio.data, &value, run->mmio.len);
    note(vm, "[%llx]%u ", run->mmio.phys_addr, run->mmio.len);
  }
}

unsigned vm_step(struct vm *vm) {
  struct kvm_run *run = vm->run;
  int result;
  do result = ioctl(vm->cpu, KVM_RUN, 0);
  while (result < 0 && errno == EAGAIN); /* a processor that was just started */
  if (result < 0) {
    note(vm, "KVM_RUN: %s", strerror(errno));
    return run->exit_reason = KVM_EXIT_UNKNOWN;
  }
  switch (run->exit_reason) {
  case KVM_EXIT_IO: port(vm); break;
  case KVM_EXIT_MMIO: mmio(vm); break;
  case KVM_EXIT_HLT: note(vm, "hlt"); break;
  case KVM_EXIT_SHUTDOWN: note(vm, "shutdown"); break;
  case KVM_EXIT_IRQ_WINDOW_OPEN: note(vm, "window "); break;
  case KVM_EXIT_DEBUG: break;
  case KVM_EXIT_FAIL_ENTRY: note(vm, "entry failed: %llx", run->fail_entry.hardware_entry_failure_reason); break;
  case KVM_EXIT_INTERNAL_ERROR:
    note(vm, "internal error %u:", run->internal.suberror);
    for (unsigned i = 0; i < run->internal.ndata; i++) note(vm, " %llx", run->internal.data[i]);
    break;
  default: note(vm, "exit %u", run->exit_reason);
  }
  return run->exit_reason;
}

unsigned vm_run(struct vm *vm) {
  for (int exits = 0;; exits++) {
    if (exits == MOST_EXITS) {
      note(vm, "...");
      return KVM_EXIT_UNKNOWN;
    }
    unsigned reason = vm_step(vm);
    if (reason != KVM_EXIT_IO && reason != KVM_EXIT_MMIO) return reason;
    if (reason == KVM_EXIT_IO && vm->run->io.port == END_PORT) return reason;
  }
}
