/*
 * Prints all that it can see of the machine, a line each, "NAME VALUE", whenever a character comes; test/system/vmm/concealment.ts
 * compares what it saw bare, in a virtual machine and afterwards.
 */
#include "runtime.h"
#include "ahci.h"
#include "fault.h"

enum { IDENTIFY = 0xec };
#define BUFFER 0x300000
/* Below the boot sector: ES is 0. */
#define ENTRY 0x7a00
#define APIC 0xfee00000

void interrupt(u32 vector, u32 *frame) {
  if (recover_at) recover(vector);
  if (!is_irq(vector)) say("EXCEPTION"), number("", vector), number("EIP", frame[1]), stop("");
  end_of_interrupt(vector);
}

static void dot(u32 n) { put('.'), hex(n); }
static void value(u32 n) { put(' '), hex(n), put('\n'); }

static void cpuid_leaf(u32 leaf) {
  for (u32 sub = 0; sub < 16; sub++) {
    u32 a, b, c, d;
    asm volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(sub));
    say("cpuid."), hex(leaf), dot(sub), put(' ');
    hex(a), put(','), hex(b), put(','), hex(c), put(','), hex(d), put('\n');
  }
}
static void msr(u32 index) {
  u32 low, high;
  if (faults_at_rdmsr(index, &low, &high)) return;
  say("msr."), hex(index), put(' '), hex(high), put(','), hex(low), put('\n');
}
static void msrs(u32 first, u32 count) {
  for (u32 n = 0; n < count; n++) msr(first + n);
}

static void memory_map(void) {
  bios_vector = 0x15;
  bios.ebx = 0;
  do {
    u32 *at = (u32 *)ENTRY;
    bios.ecx = 20, bios.edi = ENTRY;
    if (int13(0xe820, 0x534d4150) >> 31) break;
    say("e820."), hex(at[1]), dot(at[0]), put(' '), hex(at[3]), put(','), hex(at[2]), put(','), hex(at[4]), put('\n');
  } while (bios.ebx);
  bios.ebx = bios.ecx = 0;
  u32 ax = int13(0xe801, 0);
  say("e801.ax"), value(ax), say("e801.bx"), value(bios.ebx & 0xffff);
  say("88h"), value(int13(0x8800, 0));
  bios_vector = 0x12;
  say("12h"), value(int13(0, 0) & 0xffff);
  bios_vector = 0x13;
}

static void ahci_registers(const char *when) {
  for (u32 at = 0; at < 0x1000; at += 4) {
    u32 v = load(abar + at);
    if (v) say("ahci."), say(when), dot(at), value(v);
  }
}
static void identify(void) {
  u16 *words = (u16 *)BUFFER;
  fill(0, IDENTIFY, 0, 1, BUFFER, 0x10000);
  store(PORT + CI, 1);
  while (load(PORT + CI) & 1) rest();
  for (u32 n = 0; n < 256; n++) say("identify"), dot(n), value(words[n]);
}

static void control_registers(void) {
  u32 v;
  asm volatile("mov %%cr0, %0" : "=r"(v));
  say("cr0"), value(v);
  asm volatile("mov %%cr4, %0" : "=r"(v));
  say("cr4"), value(v);
  asm volatile("mov %%dr6, %0" : "=r"(v));
  say("dr6"), value(v);
  asm volatile("mov %%dr7, %0" : "=r"(v));
  say("dr7"), value(v);
}
static void vmx(void) {
  say("vmxon"), value(faults_at_vmxon(0));
  say("vmxon.vmxe"), value(faults_at_vmxon(1));
  say("vmcall"), value(faults_at_vmcall());
}

static void look(void) {
  memory_map();
  control_registers();
  for (u32 leaf = 0; leaf <= 0x20; leaf++) cpuid_leaf(leaf);
  for (u32 leaf = 0x40000000; leaf <= 0x40000002; leaf++) cpuid_leaf(leaf);
  for (u32 leaf = 0x80000000; leaf <= 0x80000008; leaf++) cpuid_leaf(leaf);
  msrs(0, 0x2000), msrs(0x40000000, 0x100), msrs(0xc0000000, 0x400), msrs(0xc0010000, 0x100);
  for (u32 at = 0; at < 256; at++) {
    if (pci_read(at, 0) == 0xffffffff) continue;
    for (u32 reg = 0; reg < 256; reg += 4) say("pci"), dot(at), dot(reg), value(pci_read(at, reg));
  }
  for (u32 at = 0; at < 0x400; at += 16) say("apic"), dot(at), value(load(APIC + at));
  abar = pci_read(pci_find(0x010601), 0x24) & ~0xfffu;
  ahci_registers("found");
  ahci_start();
  identify();
  ahci_registers("used");
  vmx();
}

void main(void) {
  begin();
  say("READY\n");
  for (;;) {
    while (!(in8(0x3fd) & 1)) rest();
    in8(0x3f8);
    say("BEGIN\n");
    look();
    say("END\n");
  }
}
