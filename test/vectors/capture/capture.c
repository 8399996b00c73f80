// Runs one instruction at a time on this CPU and reports what it did.
//
// There is no assembly per instruction form: the kernel's own signal frames move the state. A case
// starts when the signal handler returns into a frame that holds the wanted registers, selectors
// and FPU state, and ends in the next signal, whose frame holds the results. So one mechanism
// serves 64-bit, 32-bit and 16-bit code (the latter two through the selectors of the request), and
// faults are results like any other.
//
// stdin: a setup, then requests. stdout: one result a request. See protocol.h.

#define _GNU_SOURCE
#include <asm/ldt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "protocol.h"

enum { MAX_MAPPINGS = 16, PAGE = 4096, HANG_SECONDS = 10 };
enum { TF = 1 << 8, NT = 1 << 14, RF = 1 << 16, ID = 1 << 21 };
enum { X87 = 1, SSE = 2, AVX = 4, XSTATE_BV = 512, XSTATE_YMM = 576 }; // offsets in the XSAVE area

static void fail(const char *what) {
  fprintf(stderr, "capture: %s\n", what);
  _exit(1);
}

// ---- the stream ---------------------------------------------------------------------------------

static uint8_t input[1 << 20], output[1 << 20];
static size_t input_at, input_end, output_end;

static void flush(void) {
  for (size_t at = 0; at < output_end;) {
    ssize_t n = write(1, output + at, output_end - at);
    if (n <= 0) fail("cannot write");
    at += n;
  }
  output_end = 0;
}

static void emit(const void *bytes, size_t length) {
  if (output_end + length > sizeof output) flush();
  memcpy(output + output_end, bytes, length);
  output_end += length;
}

/** Fills `to`, or answers 0 at the end of the stream. */
static int fetch(void *to, size_t length) {
  for (size_t done = 0; done < length;) {
    if (input_at == input_end) {
      ssize_t n = read(0, input, sizeof input);
      if (n < 0) fail("cannot read");
      if (n == 0) return done ? (fail("the stream ends inside a record"), 0) : 0;
      alarm(HANG_SECONDS);
      input_at = 0, input_end = n;
    }
    size_t part = input_end - input_at < length - done ? input_end - input_at : length - done;
    memcpy((uint8_t *)to + done, input + input_at, part);
    input_at += part, done += part;
  }
  return 1;
}

// ---- memory -------------------------------------------------------------------------------------

// Every mapping has twins at addresses of our own: the contents at the start of the stream, those at
// the start of the case, and a second view through which code is written that cases cannot write.
static struct range {
  uint8_t *live, *base, *before, *view;
  uint32_t size;
  int compared;
} ranges[MAX_MAPPINGS];
static unsigned range_count;

static void map(const struct mapping *m) {
  struct range *r = &ranges[range_count++];
  if (range_count > MAX_MAPPINGS) fail("too many mappings");
  r->live = (void *)(uintptr_t)m->address;
  r->size = m->size;
  r->base = malloc(m->size), r->before = malloc(m->size);
  r->compared = (m->protection & WRITE) != 0;
  int file = memfd_create("case", 0), shared = MAP_SHARED | MAP_POPULATE;
  if (file < 0 || ftruncate(file, m->size)) fail("cannot allocate");
  r->view = mmap(0, m->size, PROT_READ | PROT_WRITE, shared, file, 0);
  if (r->view == MAP_FAILED || !fetch(r->view, m->size)) fail("no contents");
  memcpy(r->base, r->view, m->size);
  memcpy(r->before, r->view, m->size);
  int protection = (m->protection & READ ? PROT_READ : 0) | (m->protection & WRITE ? PROT_WRITE : 0) |
                   (m->protection & EXECUTE ? PROT_EXEC : 0);
  if (mmap(r->live, m->size, protection, shared | MAP_FIXED_NOREPLACE, file, 0) != r->live) fail("cannot map");
}

static struct range *range_of(uint32_t address, uint32_t length) {
  for (unsigned i = 0; i < range_count; i++) {
    uint32_t offset = address - (uint32_t)(uintptr_t)ranges[i].live;
    if (offset < ranges[i].size && length <= ranges[i].size - offset) return &ranges[i];
  }
  fail("a patch or an instruction outside all mappings");
  return 0;
}

static uint8_t *view_of(uint32_t address, uint32_t length) {
  struct range *r = range_of(address, length);
  return r->view + (address - (uint32_t)(uintptr_t)r->live);
}

/** Writes the memory of a case: its patches, from the stream. */
static void patch_memory(unsigned count) {
  while (count--) {
    struct patch p;
    uint8_t bytes[PAGE];
    if (!fetch(&p, sizeof p) || p.length > sizeof bytes || !fetch(bytes, p.length)) fail("bad patch");
    struct range *r = range_of(p.address, p.length);
    if (!r->compared) fail("a patch in memory that is not writable");
    uint32_t offset = p.address - (uint32_t)(uintptr_t)r->live;
    memcpy(r->live + offset, bytes, p.length);
    memcpy(r->before + offset, bytes, p.length);
  }
}

/** Reports what changed as patches (runs of differing bytes) and counts them. */
static unsigned emit_changes(struct range *r) {
  unsigned count = 0;
  if (!memcmp(r->live, r->before, r->size)) return 0;
  for (uint32_t at = 0; at < r->size; at++) {
    if (r->live[at] == r->before[at]) continue;
    uint32_t end = at + 1;
    while (end < r->size && r->live[end] != r->before[end]) end++;
    struct patch p = {(uint32_t)(uintptr_t)r->live + at, end - at};
    emit(&p, sizeof p);
    emit(r->live + at, p.length);
    count++, at = end;
  }
  return count;
}

static void restore(struct range *r) {
  if (memcmp(r->live, r->base, r->size)) memcpy(r->live, r->base, r->size);
  if (memcmp(r->before, r->base, r->size)) memcpy(r->before, r->base, r->size);
}

// ---- segments -----------------------------------------------------------------------------------

static void make_segment(void) {
  struct user_desc d;
  if (!fetch(&d, sizeof d)) fail("no segment");
  if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d)) fail("this kernel refuses modify_ldt");
}

// ---- one case -----------------------------------------------------------------------------------

// Read and written by the entry stub: what a signal frame does not hold.
struct {
  uint64_t fs_base, gs_base; // 0
  uint64_t es, ds, fs, gs;   // 16
  uint64_t flags;            // 48
  uint64_t load_bases;       // 56
} aside;
uint64_t own_fs_base;

static struct request request;
static int running;

static void start(ucontext_t *u) {
  const struct state *s = &request.state;
  greg_t *g = u->uc_mcontext.gregs;
  static const uint8_t order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (int i = 0; i < 16; i++) g[order[i]] = s->gpr[i];
  g[REG_RIP] = s->rip;
  g[REG_EFL] = (s->rflags & ~(uint64_t)TF) | (request.step ? TF : 0);
  g[REG_CSGSFS] = s->segment[1] | (uint64_t)s->segment[2] << 48;
  u->uc_flags |= 6; // UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
  uint8_t *fx = (uint8_t *)u->uc_mcontext.fpregs;
  memcpy(fx, s->fx, sizeof s->fx);
  memcpy(fx + XSTATE_YMM, s->ymm_high, sizeof s->ymm_high);
  *(uint64_t *)(fx + XSTATE_BV) = X87 | SSE | AVX;
  aside.es = s->segment[0], aside.ds = s->segment[3], aside.fs = s->segment[4], aside.gs = s->segment[5];
  aside.fs_base = s->fs_base, aside.gs_base = s->gs_base;
  aside.load_bases = !(s->segment[4] | s->segment[5]);
  aside.flags = 2 | (s->rflags & (ID | NT));
  memcpy(view_of(request.code_address, request.code_length), request.code, request.code_length);
  running = 1;
}

static void finish(const ucontext_t *u) {
  struct result r;
  struct state *s = &r.state;
  const greg_t *g = u->uc_mcontext.gregs;
  const uint8_t *fx = (const uint8_t *)u->uc_mcontext.fpregs;
  memset(&r, 0, sizeof r);
  static const uint8_t order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (int i = 0; i < 16; i++) s->gpr[i] = g[order[i]];
  s->rip = g[REG_RIP];
  s->rflags = g[REG_EFL];
  s->fs_base = aside.fs_base, s->gs_base = aside.gs_base;
  s->segment[0] = aside.es, s->segment[1] = g[REG_CSGSFS], s->segment[2] = g[REG_CSGSFS] >> 48;
  s->segment[3] = aside.ds, s->segment[4] = aside.fs, s->segment[5] = aside.gs;
  memcpy(s->fx, fx, sizeof s->fx);
  if (*(const uint64_t *)(fx + XSTATE_BV) & AVX) memcpy(s->ymm_high, fx + XSTATE_YMM, sizeof s->ymm_high);
  r.vector = g[REG_TRAPNO], r.error = g[REG_ERR];
  if (r.vector == 14) r.cr2 = g[REG_CR2];

  if (output_end + (sizeof output >> 1) > sizeof output) flush(); // so that the record stays in one piece
  size_t at = output_end;
  emit(&r, sizeof r);
  for (unsigned i = 0; i < range_count; i++) {
    if (!ranges[i].compared) continue;
    r.patches += emit_changes(&ranges[i]);
    restore(&ranges[i]);
  }
  memcpy(output + at, &r, sizeof r);
  memset(view_of(request.code_address, request.code_length), 0xcc, request.code_length);
}

/** Called by the entry stub for every signal: reports the case that ended, starts the next one. */
__attribute__((used)) static void turn(int signal, ucontext_t *u) {
  if (signal == SIGALRM) flush(), fail("no case ended for too long: an instruction that does not?");
  if (running) finish(u);
  else if (signal != SIGTRAP) fail("a fault of our own");
  running = 0;
  if (!fetch(&request, sizeof request)) {
    flush();
    _exit(0);
  }
  patch_memory(request.patches);
  start(u);
}

// Saves what the frame does not hold (data selectors, FS and GS base), makes the world safe for C
// (flags, FS base), and the reverse. RSP is back at the frame when the kernel takes it.
void entry(void);
__asm__(".globl entry\n"
        "entry:\n"
        "  pushq $2; popfq\n"
        "  lea aside(%rip), %rbx\n"
        "  rdfsbase %rax; mov %rax, 0(%rbx)\n"
        "  rdgsbase %rax; mov %rax, 8(%rbx)\n"
        "  xor %eax, %eax\n"
        "  mov %es, %ax; mov %rax, 16(%rbx)\n"
        "  mov %ds, %ax; mov %rax, 24(%rbx)\n"
        "  mov %fs, %ax; mov %rax, 32(%rbx)\n"
        "  mov %gs, %ax; mov %rax, 40(%rbx)\n"
        "  mov own_fs_base(%rip), %rax; wrfsbase %rax\n"
        "  mov %rdx, %rsi\n"
        "  sub $8, %rsp; call turn; add $16, %rsp\n"
        "  mov 16(%rbx), %rax; mov %eax, %es\n"
        "  mov 24(%rbx), %rax; mov %eax, %ds\n"
        "  mov 32(%rbx), %rax; mov %eax, %fs\n"
        "  mov 40(%rbx), %rax; mov %eax, %gs\n"
        "  cmpq $0, 56(%rbx); je 1f\n"
        "  mov 0(%rbx), %rax; wrfsbase %rax\n"
        "  mov 8(%rbx), %rax; wrgsbase %rax\n"
        "1: pushq 48(%rbx); popfq\n"
        "  mov $15, %eax; syscall\n"); // rt_sigreturn

int main(void) {
  struct setup setup;
  if (!fetch(&setup, sizeof setup) || setup.magic != PROTOCOL_MAGIC) fail("no setup");
  while (setup.mappings--) {
    struct mapping m;
    if (!fetch(&m, sizeof m)) fail("no mapping");
    map(&m);
  }
  while (setup.segments--) make_segment();

  __asm__("rdfsbase %0" : "=r"(own_fs_base));
  stack_t stack = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
  action.sa_sigaction = (void (*)(int, siginfo_t *, void *))entry;
  static const int signals[] = {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP, SIGALRM};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  __asm__ volatile("int3"); // into turn(), which never comes back here
  return 1;
}
