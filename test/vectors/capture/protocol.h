// What flows through the capture program: little-endian, packed. `../layout.ts` is the other side.
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdint.h>

#define PACKED __attribute__((packed))

enum { PROTOCOL_MAGIC = 0x31564343 }; // "CCV1"

// At the start of the stream: one setup, its mappings (each followed by its contents), its segments.
struct setup {
  uint32_t magic;
  uint32_t mappings;
  uint32_t segments;
} PACKED;

enum { READ = 1, WRITE = 2, EXECUTE = 4 };

// A range of linear addresses. Writable ones are compared after each case.
struct mapping {
  uint32_t address;
  uint32_t size;
  uint32_t protection;
} PACKED;

// The user-visible state of a CPU. Registers and segment registers stand in encoding order.
struct state {
  uint64_t gpr[16];
  uint64_t rip;
  uint64_t rflags;
  uint64_t fs_base;
  uint64_t gs_base;
  uint16_t segment[6]; // ES CS SS DS FS GS
  uint16_t reserved[2];
  uint8_t fx[416];       // as FXSAVE64 stores it: FCW .. MXCSR, ST0-7, XMM0-15
  uint8_t ymm_high[256]; // bits 255:128 of YMM0-15
} PACKED;

// One case. Its patches follow: address, length, bytes.
struct request {
  struct state state;
  uint32_t code_address; // linear
  uint8_t code_length;
  uint8_t step; // 1: regain control by EFLAGS.TF; 0: by an INT3 behind the instruction
  uint16_t patches;
  uint8_t code[16];
} PACKED;

struct patch {
  uint32_t address;
  uint32_t length;
} PACKED;

// What became of it. The changed ranges of memory follow as patches.
struct result {
  struct state state;
  uint32_t vector; // of the exception that ended the case: 3 or 1 when all went well
  uint32_t error;
  uint64_t cr2;
  uint32_t patches;
} PACKED;

#endif
