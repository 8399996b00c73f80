import { suite } from "uvu";
import * as assert from "uvu/assert";
import { AT, is, pteOf, rig, SEL } from "../system.test-support.ts";
import { deliver, EXTERNAL, HARDWARE } from "./events.ts";
import { S } from "./state.ts";

const INT32 = 0x8e,
  TRAP32 = 0x8f,
  INT16 = 0x86,
  HANDLER = 0x20000,
  IF = 0x200,
  RF = 0x10000;

const real = suite("events in real mode");
real("INT n goes through the vector table and pushes FLAGS, CS, IP of 16 bits (SDM 3A 20.1.4)", () => {
  const r = rig("real");
  r.ram.setUint32(0x21 * 4, 0x2345_0010, true);
  r.cpu.flags = IF | 3;
  r.code("CD 21");
  r.step();
  is(r, { CS: 0x2345, RIP: 0x10, RSP: 0x7ffa, RFLAGS: 3 });
  assert.equal(r.stack(3, 2), [2, AT.code >> 4, 0x203]);
});
real("an entry beyond the limit of IDTR leads to the double fault and to shutdown (SDM 3A 6.15)", () => {
  const r = rig("real");
  r.cpu.setNumber(S.IDTR_LIMIT, 3);
  r.code("CD 21");
  r.step();
  assert.is(r.cpu.u32(S.ACTIVITY), 2);
});
real("error codes are not pushed (SDM 3A 20.3)", () => {
  const r = rig("real");
  r.ram.setUint32(13 * 4, 0x3000_0000, true);
  r.code("67 8B 05 FF FF 00 00"); // mov ax, [0xffff] crosses the limit
  r.step();
  is(r, { CS: 0x3000, RIP: 0, RSP: 0x7ffa });
  assert.equal(r.stack(2, 2), [0, AT.code >> 4]);
});
real.run();

const protectedMode = suite("events in protected mode");
protectedMode("an interrupt gate clears IF, a trap gate does not; both clear TF and NT (SDM 3A 6.12.1.2)", () => {
  for (const [access, flags] of [
    [INT32, 3],
    [TRAP32, 3 | IF],
  ] as const) {
    const r = rig("protected32");
    r.gate(0x30, SEL.code32, HANDLER, access);
    r.cpu.flags = IF | 0x4000 | 3;
    r.code("CD 30");
    r.step();
    is(r, { CS: SEL.code32, RIP: HANDLER, RFLAGS: flags, RSP: AT.stack0 - 12 });
    assert.equal(r.stack(3), [AT.code + 2, SEL.code32, 0x4203]);
  }
});
protectedMode("a 16-bit gate pushes words and cuts the offset (SDM 3A 6.11)", () => {
  const r = rig("protected32");
  r.gate(0x30, SEL.code32, 0x5_4321, INT16);
  r.code("CD 30");
  r.step();
  is(r, { RIP: 0x4321, RSP: AT.stack0 - 6 });
  assert.equal(r.stack(3, 2), [2, SEL.code32, 2]);
});
protectedMode("to an inner level the stack comes from the TSS and SS:ESP are pushed first (SDM 3A 6.12.1)", () => {
  const r = rig("protected32", { cpl: 3 });
  r.gate(0x30, SEL.code32, HANDLER, INT32 | 0x60);
  r.code("CD 30");
  r.step();
  is(r, { CS: SEL.code32, SS: SEL.data32, CPL: 0, RIP: HANDLER, RSP: AT.stack0 - 20 });
  assert.equal(r.stack(5), [AT.code + 2, SEL.user32, 2, AT.stack3, SEL.userData]);
});
protectedMode(
  "a fault pushes its error code, the address of the instruction, and RF (SDM 3A 6.12.1, 3B 17.3.1.1)",
  () => {
    const r = rig("protected32");
    r.gate(13, SEL.code32, HANDLER, INT32);
    r.code("B8 99 00 00 00 8E D8"); // mov ds, 0x98: an execute-only code segment
    r.step(2);
    is(r, { RIP: HANDLER, RSP: AT.stack0 - 16 });
    assert.equal(r.stack(4), [0x98, AT.code + 5, SEL.code32, 2 | RF]);
  },
);

const refusals: [what: string, prepare: (r: ReturnType<typeof rig>) => void, cpl: 0 | 3, fault: string][] = [
  ["an entry beyond the limit: #GP(vector*8+2)", (r) => r.cpu.setNumber(S.IDTR_LIMIT, 0x30 * 8 + 6), 0, "GP(182)"],
  ["no gate: #GP(vector*8+2)", () => {}, 0, "GP(182)"],
  ["a data segment's type: #GP(vector*8+2)", (r) => r.gate(0x30, SEL.code32, 0, 0x93), 0, "GP(182)"],
  ["DPL below CPL: #GP(vector*8+2)", (r) => r.gate(0x30, SEL.code32, 0, INT32), 3, "GP(182)"],
  ["not present: #NP(vector*8+2)", (r) => r.gate(0x30, SEL.code32, 0, 0x0e), 0, "NP(182)"],
  ["DPL is checked before present", (r) => r.gate(0x30, SEL.code32, 0, 0x0e), 3, "GP(182)"],
  ["a null code segment: #GP(0)", (r) => r.gate(0x30, 0, 0, INT32), 0, "GP(0)"],
  ["a code segment beyond the GDT: #GP(selector)", (r) => r.gate(0x30, 0x1000, 0, INT32), 0, "GP(1000)"],
  ["a data segment: #GP(selector)", (r) => r.gate(0x30, SEL.data32, 0, INT32), 0, "GP(10)"],
  ["a less privileged code segment: #GP(selector)", (r) => r.gate(0x30, SEL.user32, 0, INT32), 0, "GP(18)"],
  ["a code segment that is not present: #NP(selector)", (r) => r.gate(0x30, SEL.absentCode, 0, INT32), 0, "NP(80)"],
  [
    "an offset beyond the code segment: #GP(0)",
    (r) => {
      r.descriptor(SEL.code16, 0, 0xffff, 0x9b);
      r.gate(0x30, SEL.code16, 0x10000, INT32);
    },
    0,
    "GP(0)",
  ],
  [
    "a TSS too short for the stack: #TS(TSS)",
    (r) => {
      r.gate(0x30, SEL.code32, 0, 0xee);
      r.cpu.setU32(S.SEGMENTS + 7 * 72 + 16, 7);
    },
    3,
    "TS(40)",
  ],
  [
    "a null stack segment: #TS(0)",
    (r) => {
      r.gate(0x30, SEL.code32, 0, 0xee);
      r.ram.setUint32(AT.tss + 8, 0, true);
    },
    3,
    "TS(0)",
  ],
  [
    "a stack segment of the wrong RPL: #TS(selector)",
    (r) => {
      r.gate(0x30, SEL.code32, 0, 0xee);
      r.ram.setUint32(AT.tss + 8, SEL.data32 | 1, true);
    },
    3,
    "TS(10)",
  ],
  [
    "a read-only stack segment: #TS(selector)",
    (r) => {
      r.gate(0x30, SEL.code32, 0, 0xee);
      r.ram.setUint32(AT.tss + 8, SEL.readOnly, true);
    },
    3,
    "TS(88)",
  ],
  [
    "a stack segment that is not present: #SS(selector)",
    (r) => {
      r.gate(0x30, SEL.code32, 0, 0xee);
      r.ram.setUint32(AT.tss + 8, SEL.absentData, true);
    },
    3,
    "SS(78)",
  ],
  [
    "no room on the inner stack: #SS(selector)",
    (r) => {
      r.gate(0x30, SEL.code32, 0, 0xee);
      r.descriptor(SEL.data16, 0, 0x7fff, 0x4093);
      r.ram.setUint32(AT.tss + 8, SEL.data16, true);
      r.ram.setUint32(AT.tss + 4, 0x8008, true);
    },
    3,
    "SS(a8)",
  ],
];
for (const [what, prepare, cpl, fault] of refusals) {
  protectedMode(`INT n, ${what} (SDM 2A INT n)`, () => {
    const r = rig("protected32", { cpl });
    prepare(r);
    const before = r.cpu.gpr32(4);
    assert.is(r.faults("CD 30"), fault);
    assert.is(r.cpu.gpr32(4), before);
    assert.is(r.cpu.cpl, cpl);
  });
}
protectedMode("EXT is set if the program did not ask for the event (SDM 3A 6.13)", () => {
  const r = rig("protected32");
  r.gate(13, SEL.code32, HANDLER, INT32);
  deliver(r.cpu, 0x30, EXTERNAL, 0, AT.code);
  assert.equal(r.stack(2), [0x183, AT.code]);
});
protectedMode("INT1 asks for no DPL, INT3 does (SDM 3A 6.12.1.2)", () => {
  const r = rig("protected32", { cpl: 3 });
  r.gate(1, SEL.code32, HANDLER, INT32);
  r.gate(3, SEL.code32, HANDLER, INT32);
  assert.is(r.faults("CC"), "GP(1a)");
  r.code("F1");
  r.step();
  is(r, { RIP: HANDLER, CPL: 0 });
});
protectedMode(
  "a contributory fault while another is delivered is #DF(0); a third stops the processor (SDM 3A table 6-5)",
  () => {
    const r = rig("protected32");
    r.gate(8, SEL.code32, HANDLER, INT32);
    r.code("F7 F0"); // div eax by itself, zero: #DE, whose gate is empty: #GP, so #DF
    r.step();
    is(r, { RIP: HANDLER });
    assert.equal(r.stack(2), [0, AT.code]);
    const s = rig("protected32");
    s.code("F7 F0");
    s.step();
    assert.is(s.cpu.u32(S.ACTIVITY), 2);
  },
);
protectedMode("a fault of the delivery of a benign event is served by itself (SDM 3A table 6-5)", () => {
  const r = rig("protected32");
  r.gate(13, SEL.code32, HANDLER, INT32);
  r.code("0F 0B"); // #UD has no gate
  r.step();
  is(r, { RIP: HANDLER });
  assert.equal(r.stack(2), [6 * 8 + 2 + 1, AT.code]);
});
protectedMode.run();

const long = suite("events in IA-32e mode");
long("SS:RSP are always pushed, on a stack aligned to 16 bytes (SDM 3A 6.14.2)", () => {
  const r = rig("long");
  r.gate(0x30, SEL.code64, HANDLER, INT32);
  r.cpu.setNumber(S.GPR + 32, AT.stack0 - 5);
  r.code("CD 30");
  r.step();
  is(r, { RIP: HANDLER, RSP: AT.stack0 - 16 - 40, SS: SEL.data32 });
  assert.equal(r.stack(5, 8), [AT.code + 2, SEL.code64, 2, AT.stack0 - 5, SEL.data32]);
});
long("to an inner level SS becomes null with the new RPL; IST gives its own stack (SDM 3A 6.14.4, 6.14.5)", () => {
  for (const [ist, top] of [
    [0, AT.stack0],
    [2, 0],
    [1, AT.ist],
  ] as const) {
    const r = rig("long", { cpl: 3 });
    r.ram.setUint32(AT.tss + 4 + 8 * 4, AT.ist, true);
    r.gate(0x30, SEL.code64, HANDLER, INT32 | 0x60, ist);
    if (ist === 2) {
      r.ram.setUint32(AT.tss + 4 + 8 * 5, 0, true);
      r.ram.setUint32(AT.tss + 8 + 8 * 5, 0x00009000, true); // not canonical
      assert.is(r.faults("CD 30"), "SS(0)");
      continue;
    }
    r.code("CD 30");
    r.step();
    is(r, { CPL: 0, SS: 0, CS: SEL.code64, RSP: top - 40 });
    assert.equal(r.stack(5, 8), [AT.code + 2, SEL.user64, 2, AT.stack3, SEL.userData]);
  }
});
long("a handler must be 64-bit code (SDM 3A 6.14.1)", () => {
  const r = rig("long");
  r.gate(0x30, SEL.code32, HANDLER, INT32);
  assert.is(r.faults("CD 30"), "GP(8)");
});
long("from compatibility mode the handler runs in 64-bit mode and IRETQ goes back (SDM 3A 6.14)", () => {
  const r = rig("compatibility", { cpl: 3 });
  r.gate(0x30, SEL.code64, HANDLER, INT32 | 0x60);
  r.code("48 CF", HANDLER);
  r.code("CD 30");
  r.step();
  is(r, { CPL: 0, CS: SEL.code64 });
  assert.is(r.cpu.long, true);
  r.step();
  is(r, { CPL: 3, CS: SEL.user32, SS: SEL.userData, RIP: AT.code + 2, RSP: AT.stack3 });
  assert.is(r.cpu.long, false);
});
long("a page fault leaves its address in CR2 and pushes its code (SDM 3A 6.15)", () => {
  const r = rig("long");
  r.gate(14, SEL.code64, HANDLER, INT32);
  r.ram.setUint32(pteOf(0x50000), 0, true);
  r.code("88 04 25 34 02 05 00"); // mov [0x50234], al
  r.step();
  is(r, { RIP: HANDLER });
  assert.is(r.cpu.number(S.CR2), 0x50234);
  assert.equal(r.stack(4, 8), [2, AT.code, SEL.code64, 2 | RF]);
});
long("a page fault while a page fault is delivered is a double fault, on its IST stack (SDM 3A table 6-5)", () => {
  const r = rig("long");
  r.gate(14, SEL.code64, HANDLER, INT32);
  r.gate(8, SEL.code64, HANDLER + 0x100, INT32, 1);
  r.ram.setUint32(AT.tss + 4 + 8 * 4, AT.ist, true);
  r.cpu.setNumber(S.GPR + 32, 0x50000);
  r.ram.setUint32(pteOf(0x4f000), 0, true);
  r.code("50"); // push rax
  r.step();
  is(r, { RIP: HANDLER + 0x100, RSP: AT.ist - 48 });
  assert.is(r.cpu.number(S.CR2), 0x4fff8); // the first push of the delivery faulted
  assert.equal(r.stack(5, 8), [0, AT.code, SEL.code64, 2, 0x50000]);
});
long("a frame that crosses into an absent page writes nothing", () => {
  const r = rig("long");
  r.gate(0x30, SEL.code64, HANDLER, INT32);
  r.cpu.setNumber(S.GPR + 32, 0x50010);
  r.ram.setUint32(pteOf(0x4f000), 0, true);
  assert.is(r.faults("CD 30"), "PF(2)");
  assert.is(r.cpu.pendingFault.addressLow, 0x4fff8);
  assert.is(r.ram.getUint32(0x50008, true), 0);
});
long.run();

const boundary = suite("events at instruction boundaries");
const NMI = 1;
boundary("an NMI is taken at once and blocks others until IRET (SDM 3A 6.7.1)", () => {
  const r = rig("long");
  r.gate(2, SEL.code64, HANDLER, INT32);
  r.code("90 48 CF", HANDLER);
  r.code("90 90 90");
  r.cpu.signal(NMI);
  r.step();
  is(r, { RIP: HANDLER });
  r.cpu.signal(NMI);
  r.step();
  is(r, { RIP: HANDLER + 1, RSP: AT.stack0 - 40 });
  r.step(); // iretq, which unblocks
  is(r, { RIP: HANDLER, RSP: AT.stack0 - 40 });
  assert.is(r.stack(1, 8)[0], AT.code);
});
boundary("STI holds an interrupt back for one instruction; STI; NOP; CLI takes it (SDM 2B STI)", () => {
  const r = rig("long", { apic: true });
  r.gate(0x70, SEL.code64, HANDLER, INT32);
  const apic = r.cpu.apic!;
  apic.write(0xfee000f0, 4, 0x1ff);
  apic.write(0xfee00350, 4, 0x700); // LINT0: ExtINT
  apic.setLine(0, true);
  r.code("FB 90 FA");
  r.step(); // sti
  is(r, { RIP: AT.code + 1 });
  r.step(); // nop, in the shadow
  is(r, { RIP: HANDLER });
  assert.is(r.stack(1, 8)[0], AT.code + 2);
});
boundary("without a nop between them, CLI after STI takes none", () => {
  const r = rig("long", { apic: true });
  const apic = r.cpu.apic!;
  apic.write(0xfee000f0, 4, 0x1ff);
  apic.write(0xfee00350, 4, 0x700);
  apic.setLine(0, true);
  r.code("FB FA 90");
  r.step(3);
  is(r, { RIP: AT.code + 3 });
});
boundary("MOV SS holds events back, NMI too; a second one right after does not go on (SDM 3A 6.8.3)", () => {
  const r = rig("protected32");
  r.gate(2, SEL.code32, HANDLER, INT32);
  r.cpu.setGpr32(0, SEL.data32);
  r.code("8E D0 8E D0 90");
  r.step();
  r.cpu.signal(NMI);
  is(r, { RIP: AT.code + 2 });
  r.step();
  is(r, { RIP: HANDLER });
  assert.is(r.stack(1)[0], AT.code + 4);
});
boundary("HLT waits for an interrupt, which returns to the instruction after it (SDM 2A HLT)", () => {
  const r = rig("long", { apic: true });
  r.gate(0x70, SEL.code64, HANDLER, INT32);
  const apic = r.cpu.apic!;
  apic.write(0xfee000f0, 4, 0x1ff);
  apic.write(0xfee00350, 4, 0x700);
  r.cpu.flags = IF;
  r.code("F4 90");
  r.step(3);
  assert.is(r.cpu.u32(S.ACTIVITY), 1);
  apic.setLine(0, true);
  r.step();
  is(r, { RIP: HANDLER });
  assert.is(r.stack(1, 8)[0], AT.code + 1);
  assert.is(r.cpu.u32(S.ACTIVITY), 0);
});
boundary("INIT sends an application processor to wait for SIPI, which starts it in real mode (SDM 3A 8.4.2)", () => {
  const r = rig("long");
  r.cpu.setU32(S.APIC_BASE, 0xfee00800);
  r.cpu.signal(4, 0x55); // SIPI without INIT: ignored
  r.step();
  is(r, { CS: SEL.code64 });
  r.cpu.signal(2);
  r.step();
  assert.is(r.cpu.u32(S.ACTIVITY), 3);
  r.cpu.signal(4, 0x12);
  r.code("F4", 0x12000);
  r.step();
  is(r, { CS: 0x1200 });
  assert.is(r.cpu.protectedMode, false);
  assert.is(r.cpu.number(S.SEGMENTS + 72 + 8), 0x12000);
});
boundary("in shutdown only NMI and INIT are heard (SDM 3A 6.15)", () => {
  const r = rig("protected32", { apic: true });
  r.code("F7 F0");
  r.step();
  assert.is(r.cpu.u32(S.ACTIVITY), 2);
  r.gate(2, SEL.code32, HANDLER, INT32);
  r.cpu.signal(NMI);
  r.step();
  is(r, { RIP: HANDLER });
});
boundary("a fault that is delivered during HARDWARE events keeps the first return address", () => {
  const r = rig("protected32");
  r.gate(13, SEL.code32, HANDLER, INT32);
  deliver(r.cpu, 6, HARDWARE, 0, 0x1234);
  assert.equal(r.stack(2), [6 * 8 + 3, 0x1234]);
});
boundary.run();
