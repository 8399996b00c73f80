/*
 * guests [MODE|NAME|MODE.NAME]...: virtual machines under /dev/kvm; without names all checks in all modes. One line a
 * check: what the guest did, and if that is wrong what it should have done. The last line is KVM-OK if all are right.
 */
#include "vm.h"
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANY = (1 << MODES) - 1, PROTECTED = ANY & ~(1 << REAL), PAGING = PROTECTED & ~(1 << FLAT) };
enum { ONLY_REAL = 1 << REAL, ONLY_FLAT = 1 << FLAT, ONLY_LONG = 1 << LONG };

struct check {
  const char *name;
  unsigned modes;
  const char *entries[3]; /* for 16, 32 and 64 bits */
  unsigned devices;
  void (*play)(struct vm *vm, const char *entry); /* how the host takes part; NULL: runs it to its halt */
  const char *expected;
};

static uint32_t paging_entry(struct vm *vm, uint32_t linear) {
  return TABLES + 0x4000 + (linear >> 12) * (vm->mode == PAGED ? 4 : 8);
}

/* Each of the frames begins with another digit. */
static void fill_frames(struct vm *vm) {
  for (unsigned n = 0; n < 4; n++) *(uint32_t *)(vm->low + FRAMES + n * 0x1000) = 1u << 4 * n;
}

static void play_window(struct vm *vm, const char *entry) {
  fill_frames(vm);
  vm_enter(vm, entry, paging_entry(vm, WINDOW), WINDOW);
  vm_run(vm);
}

/* A second set of tables, in which WINDOW is another frame. */
static void play_spaces(struct vm *vm, const char *entry) {
  enum { COPY = 0x10000 };
  fill_frames(vm);
  memcpy(vm->low + TABLES + COPY, vm->low + TABLES, COPY);
  for (uint32_t at = TABLES + COPY; at < TABLES + 2 * COPY; at += vm->mode == PAGED ? 4 : 8) {
    uint32_t *entry_of_copy = (uint32_t *)(vm->low + at);
    if ((*entry_of_copy & 1) && at < TABLES + COPY + 0x4000 && !(*entry_of_copy & 0x80)) *entry_of_copy += COPY;
  }
  *(uint32_t *)(vm->low + COPY + paging_entry(vm, WINDOW)) += 0x3000;
  vm_enter(vm, entry, TABLES + COPY, WINDOW);
  vm_run(vm);
}

static void play_irq(struct vm *vm, const char *entry) {
  struct kvm_interrupt interrupt = {0x41};
  vm_enter(vm, entry, 0, 0);
  vm_run(vm);
  note(vm, " ");
  CALL(vm->cpu, KVM_INTERRUPT, &interrupt);
  vm_run(vm);
}

static void play_nmi(struct vm *vm, const char *entry) {
  vm_enter(vm, entry, 0, 0);
  vm_run(vm);
  note(vm, " ");
  CALL(vm->cpu, KVM_NMI, 0);
  vm_run(vm);
}

static void play_irq_window(struct vm *vm, const char *entry) {
  struct kvm_interrupt interrupt = {0x42};
  vm_enter(vm, entry, 0, 0);
  vm_step(vm);
  vm->run->request_interrupt_window = 1;
  while (vm_step(vm) == KVM_EXIT_IO)
    ;
  vm->run->request_interrupt_window = 0;
  CALL(vm->cpu, KVM_INTERRUPT, &interrupt);
  vm_run(vm);
}

static void debug(struct vm *vm, unsigned control, uint64_t address) {
  struct kvm_guest_debug wish = {.control = control};
  wish.arch.debugreg[0] = address;
  wish.arch.debugreg[7] = control & KVM_GUESTDBG_USE_HW_BP ? 0x402 : 0x400;
  CALL(vm->cpu, KVM_SET_GUEST_DEBUG, &wish);
}

/* Up to the HLT, which KVM's interpreter of real mode forgets under single-step. */
static void play_single_step(struct vm *vm, const char *entry) {
  vm_enter(vm, entry, 0, 0);
  debug(vm, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP, 0);
  for (int steps = 0; steps < 4; steps++) {
    struct kvm_regs regs;
    vm_step(vm);
    CALL(vm->cpu, KVM_GET_REGS, &regs);
    note(vm, "%lld ", regs.rip - vm_at(entry));
  }
  debug(vm, 0, 0);
  vm_run(vm);
}

/* By a debug register, then by INT3. */
static void play_breakpoints(struct vm *vm, const char *entry) {
  uint32_t nop = vm_at(entry);
  vm_enter(vm, entry, 0, 0);
  debug(vm, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, nop + 1);
  vm_run(vm);
  note(vm, "dr6=%llx ", vm->run->debug.arch.dr6 & 15);
  debug(vm, 0, 0);
  vm_run(vm);
  vm->low[nop] = 0xcc;
  vm_enter(vm, entry, 0, 0);
  debug(vm, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP, 0);
  note(vm, " ");
  vm_run(vm);
  note(vm, "exception=%u ", vm->run->debug.arch.exception);
  vm->low[nop] = 0x90;
  debug(vm, 0, 0);
  vm_run(vm);
}

static void note_dirty(struct vm *vm) {
  uint64_t pages[HIGH_BYTES / 4096 / 64] = {0};
  struct kvm_dirty_log log = {.slot = 1, .dirty_bitmap = pages};
  CALL(vm->fd, KVM_GET_DIRTY_LOG, &log);
  note(vm, " %llx ", (unsigned long long)pages[0]);
}

static void play_dirty_log(struct vm *vm, const char *entry) {
  struct kvm_userspace_memory_region region = {1, KVM_MEM_LOG_DIRTY_PAGES, HIGH, HIGH_BYTES, (uintptr_t)vm->high};
  vm->high[0x5000] = 1; /* the host's writes are not in the log */
  CALL(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
  vm_enter(vm, entry, 0, 0);
  for (int times = 0; times < 3; times++) {
    vm_run(vm);
    note_dirty(vm);
  }
  vm_run(vm);
}

static void play_irq_line(struct vm *vm, const char *entry) {
  struct kvm_irq_level level = {.irq = 5, .level = 1};
  vm_enter(vm, entry, 0, 0);
  vm_step(vm);
  for (int exits = 0; vm->run->io.port != 0x10; exits++) vm_step(vm);
  CALL(vm->fd, KVM_IRQ_LINE, &level);
  level.level = 0;
  vm_step(vm); /* the handler's OUT */
  CALL(vm->fd, KVM_IRQ_LINE, &level);
  vm_run(vm);
}

static void *run_second(void *argument) {
  vm_run(argument);
  return NULL;
}

static void play_second(struct vm *vm, const char *entry) {
  struct vm second = {.fd = vm->fd, .mode = REAL};
  second.cpu = vm_processor(vm, 1, &second.run);
  pthread_t thread;
  pthread_create(&thread, NULL, run_second, &second);
  vm_enter(vm, entry, 0, 0);
  vm_run(vm);
  pthread_join(thread, NULL);
  note(vm, " second: %s", second.trace);
  vm_close(second.cpu, second.run);
}

#define GUESTS(X) \
  X(compute) X(ports) X(strings) X(mmio) X(cpuid) X(floats) X(tsc) X(msrs) X(faults) X(trap_flag) X(debug_registers) \
  X(vmcall) X(self_modifying) X(irq) X(irq_window) X(steps) X(shutdown) X(x2apic) X(irq_line) X(pit)
#define PAGED_GUESTS(X) X(remap) X(many_pages) X(spaces) X(page_faults) X(ring3) X(fast_call) X(writes)
#define DECLARE(name) extern const char name##16[], name##32[], name##64[];
#define DECLARE_PAGED(name) extern const char name##32[], name##64[];
GUESTS(DECLARE)
PAGED_GUESTS(DECLARE_PAGED)
extern const char wide64[], modes16[], unreal16[], second32[];
#define ALL(name) {name##16, name##32, name##64}
#define WIDE(name) {NULL, name##32, name##64}

static const struct check checks[] = {
    {"compute", ANY, ALL(compute), 0, NULL, "13ba 87e533 5 hlt"},
    {"ports", ANY, ALL(ports), 0, NULL, "1 c302 a1b2c304 c304 4 hlt"},
    {"strings", ANY, ALL(strings), 0, NULL,
     "63 61 73 74 74736163 79617761 a1b2c304 a1b2c303 a1b2c305 0 hlt"},
    {"mmio", ANY, ALL(mmio), 0, NULL,
     "[b0010]4=11223344 [b0014]1=44 [b0016]2=3344 [b0020]1 88 [b0024]4 55667788 [b0028]4 [b0028]4=55667798 [b0030]4 1 "
     "[b0040]4 [b0044]4 55667788 hlt"},
    {"cpuid", ANY, ALL(cpuid), 0, NULL, "ca57a4a1 12345678 9abcdef0 hlt"},
    {"floats", ANY, ALL(floats), 0, NULL, "6 159445 3 1fa0 hlt"},
    {"tsc", ANY, ALL(tsc), 0, NULL, "1 0 1234 1234 hlt"},
    {"msrs", ANY, ALL(msrs), 0, NULL, "123 70406 70406 70106 70406 #d #d #d hlt"},
    {"faults", ANY, ALL(faults), 0, NULL, "#6 #0 #3 #80 #7 #d #d hlt"},
    {"trap_flag", ANY, ALL(trap_flag), 0, NULL, "#1 #1 #1 #1 #1 hlt"},
    {"debug_registers", PROTECTED, ALL(debug_registers), 0, NULL, "7000 400 #1 ffff0ff1 hlt"},
    {"debug_registers", ONLY_REAL, ALL(debug_registers), 0, NULL, "7000 400 #1 hlt"},
    {"vmcall", ANY, ALL(vmcall), 0, NULL, "fffffc18 hlt"},
    {"self_modifying", ANY, ALL(self_modifying), 0, NULL, "4fb hlt"},
    {"irq", ANY, ALL(irq), 0, play_irq, "hlt #41 55 hlt"},
    {"nmi", ANY, ALL(irq), 0, play_nmi, "hlt #2 55 hlt"},
    {"irq_window", ANY, ALL(irq_window), 0, play_irq_window, "1 window #42 2 hlt"},
    {"single_step", ANY, ALL(steps), 0, play_single_step, "1 2 4 5 hlt"},
    {"breakpoints", ANY, ALL(steps), 0, play_breakpoints, "dr6=1 hlt exception=3 hlt"},
    /* KVM's interpreter of real mode does not look at the limit of the IDT. */
    {"shutdown", PROTECTED, ALL(shutdown), 0, NULL, "shutdown"},
    {"remap", PAGING, WIDE(remap), 0, play_window, "4444 41027 41067 41025 #e @200000 (3) 77 hlt"},
    {"many_pages", PAGING, WIDE(many_pages), 0, NULL, "4e84 hlt"},
    {"spaces", PAGING, WIDE(spaces), 0, play_spaces, "a00a hlt"},
    {"page_faults", PAGING, WIDE(page_faults), 0, play_window,
     "#e @203000 #e @203004 (2) #e @201008 (3) 1 4321 hlt"},
    {"ring3", PAGING, WIDE(ring3), 0, NULL, "42 #e @202000 (5) #80 #d 43 hlt"},
    {"fast_call", PAGING, WIDE(fast_call), 0, NULL, "8 hlt"},
    {"dirty_log", PROTECTED, WIDE(writes), 0, play_dirty_log, "end a8 end 220 end 0 hlt"},
    {"x2apic", ANY, ALL(x2apic), IRQCHIP, NULL, "50014 #42 5 #44 #43 6 end"},
    {"irq_line", ANY, ALL(irq_line), IRQCHIP, play_irq_line, "1 #45 2 end"},
    {"pit", ANY, ALL(pit), IRQCHIP | PIT, NULL, "#40 #40 #40 end"},
    {"second", ONLY_FLAT, {NULL, second32}, IRQCHIP, play_second, "50014 20 #42 7d0 end second: end"},
    {"wide", ONLY_LONG, {NULL, NULL, wide64}, 0, NULL,
     "[b0050]8=123456789abcdef0 [b0058]8 55667788 11223344 7 1234 hlt"},
    {"modes", ONLY_REAL, {modes16}, 0, NULL, "1 2 3 500 5 12345678 0 #80 7 hlt"},
    {"unreal", ONLY_REAL, {unreal16}, 0, NULL, "99887766 hlt"},
};

/* @returns whether the guest did what it should */
static int play(const struct check *check, enum mode mode) {
  const char *entry = check->entries[mode == REAL ? 0 : mode == LONG ? 2 : 1];
  struct vm *vm = vm_new(mode, check->devices);
  if (check->play) {
    check->play(vm, entry);
  } else {
    vm_enter(vm, entry, 0, 0);
    vm_run(vm);
  }
  int right = strcmp(vm->trace, check->expected) == 0;
  printf("%s %s.%s: %s\n", right ? "ok   " : "WRONG", mode_names[mode], check->name, vm->trace);
  if (!right) printf("      expected: %s\n", check->expected);
  vm_free(vm);
  return right;
}

/* Whether real mode is the processor's, not virtual-8086 mode and KVM's interpreter. */
static int unrestricted(void) {
  char answer = 0;
  FILE *file = fopen("/sys/module/kvm_intel/parameters/unrestricted_guest", "r");
  if (file == NULL) return 0;
  answer = fgetc(file);
  fclose(file);
  return answer == 'Y';
}

static int wanted(int argc, char **argv, const struct check *check, enum mode mode) {
  char name[64];
  snprintf(name, sizeof name, "%s.%s", mode_names[mode], check->name);
  if (!(check->modes & 1u << mode)) return 0;
  if (argc == 1 && strcmp(check->name, "unreal") == 0 && !unrestricted()) return 0; /* for KVM's interpreter */
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], name) == 0 || strcmp(argv[i], check->name) == 0 || strcmp(argv[i], mode_names[mode]) == 0)
      return 1;
  return argc == 1;
}

int main(int argc, char **argv) {
  int played = 0, wrong = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (enum mode mode = 0; mode < MODES; mode++)
    for (unsigned i = 0; i < sizeof checks / sizeof *checks; i++)
      if (wanted(argc, argv, &checks[i], mode)) {
        played++;
        wrong += !play(&checks[i], mode);
      }
  printf(wrong ? "KVM-WRONG %d of %d\n" : "KVM-OK\n", wrong, played);
  return wrong != 0;
}
