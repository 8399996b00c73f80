/** What the hypervisor does about VM exits, in V8: the VMCS is a table, and what its extensions are asked is noted. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ENCODINGS, type FieldName } from "../../packages/cpu/src/vmx/fields.ts";
import { EXIT } from "../../packages/cpu/src/vmx/reasons.ts";
import { compileGuest } from "../../packages/vmm/guest/rig/compile.test-support.ts";
import { Machine } from "../../packages/vmm/guest/rig/machine.test-support.ts";

type Exits = { registers(): number; handle(): void; count(reason: number): number };
const compiled = await compileGuest("core/exits.test-entry.ts");

const GPR = "rax rcx rdx rbx rsp rbp rsi rdi r8".split(" ");
const CALLS = ["read", "write", "in", "out", "rdmsr", "wrmsr", "vmcall"];

class Rig {
  readonly machine = new Machine();
  readonly fields = new Map<number, bigint>();
  readonly calls: string[] = [];
  /** What whoever is asked answers. */
  answer = 0n;
  cr2 = 0n;
  /** What was written to debug registers. */
  readonly debug = new Map<number, bigint>();
  xcr0 = 1n;
  readonly vmm: Exits;

  constructor() {
    this.vmm = this.machine.load<Exits>(compiled, {
      vmread: (field: number) => this.fields.get(field) ?? 0n,
      vmwrite: (field: number, value: bigint) => void this.fields.set(field, BigInt.asUintN(64, value)),
      rdmsr: (index: number) => BigInt(index) << 32n,
      cpuid: (leaf: number, subleaf: number, to: number) => this.#cpuid(leaf, subleaf, to),
      readCr4: () => 0n,
      writeCr4: () => {},
      writeCr2: (value: bigint) => void (this.cr2 = value),
      ...Object.fromEntries(
        [0, 1, 2, 3, 6].map((n) => [`writeDr${n}`, (value: bigint) => void this.debug.set(n, value)]),
      ),
      xsetbv: (_: number, value: bigint) => void (this.xcr0 = value),
      hlt: () => {
        throw new Error("halted");
      },
      wbinvd: () => void this.calls.push("wbinvd"),
      seen: (what: number, at: bigint, bytes: number, value: bigint) => this.#seen(what, at, bytes, value),
    });
  }
  #cpuid(leaf: number, subleaf: number, to: number): void {
    const words = leaf >>> 0 === 0x80000008 ? [0x3028, 0, 0, 0] : [leaf, subleaf, 0x08000000, 0x855];
    this.machine.dma.write(this.machine.delta + to, new Uint8Array(Uint32Array.from(words).buffer));
  }
  #seen(what: number, at: bigint, bytes: number, value: bigint): bigint {
    this.calls.push(`${CALLS[what]} ${at.toString(16)} ${bytes} ${BigInt.asUintN(64, value).toString(16)}`);
    return this.answer;
  }
  get #view(): DataView {
    return new DataView((this.vmm as unknown as { memory: WebAssembly.Memory }).memory.buffer);
  }
  get(name: string): bigint {
    return this.#view.getBigUint64(this.vmm.registers() + 8 * GPR.indexOf(name), true);
  }
  set(registers: Record<string, bigint>): this {
    for (const [name, value] of Object.entries(registers))
      this.#view.setBigUint64(this.vmm.registers() + 8 * GPR.indexOf(name), value, true);
    return this;
  }
  field(name: FieldName): bigint {
    return this.fields.get(ENCODINGS[name]) ?? 0n;
  }
  /** An exit with these fields; RIP is 1000, the instruction's length 2 unless said. */
  exit(reason: number, fields: Partial<Record<FieldName, bigint>> = {}): this {
    const all = {
      GUEST_RIP: 0x1000n,
      EXIT_INSTRUCTION_LENGTH: 2n,
      ENTRY_INTERRUPTION_INFO: 0n,
      GUEST_CR0: 0x31n,
      EXIT_REASON: BigInt(reason),
      ...fields,
    };
    for (const [name, value] of Object.entries(all)) this.fields.set(ENCODINGS[name as FieldName], value);
    this.vmm.handle();
    return this;
  }
}
const UD = 0x80000306n,
  GP = 0x80000b0dn;

const test = suite("vmm exits");

test("CPUID is the processor's answer, with OSXSAVE as the guest's CR4 has it, and what a handler changes (R3.2)", () => {
  const r = new Rig().set({ rax: 1n, rcx: 7n });
  r.exit(EXIT.cpuid, { GUEST_CR4: 1n << 18n });
  assert.equal(
    ["rax", "rbx", "rcx", "rdx"].map((n) => r.get(n)),
    [1n, 7n, 0x08000000n, 0x855n],
  );
  assert.is(r.field("GUEST_RIP"), 0x1002n);
  r.set({ rax: 1n }).exit(EXIT.cpuid, { GUEST_CR4: 0n });
  assert.is(r.get("rcx"), 0n);
  r.set({ rax: 0x7777n }).exit(EXIT.cpuid);
  assert.is(r.get("rcx"), 0x1234n);
  assert.is(r.vmm.count(EXIT.cpuid), 3);
});

test("CPUID shows SYSCALL to 64-bit code only, as a processor without a hypervisor does", () => {
  const r = new Rig();
  const seen = (GUEST_EFER: bigint, GUEST_CS_ACCESS: bigint) =>
    r.set({ rax: 0x80000001n }).exit(EXIT.cpuid, { GUEST_EFER, GUEST_CS_ACCESS }).get("rdx");
  assert.equal([seen(0n, 0xc09bn), seen(0x500n, 0xc09bn), seen(0x500n, 0xa09bn)], [0x55n, 0x55n, 0x855n]);
});

test("model-specific registers: VMX is locked off, its capabilities are read, handlers answer, all else is #GP (R3.3)", () => {
  const r = new Rig();
  r.set({ rcx: 0x3an }).exit(EXIT.rdmsr);
  assert.equal([r.get("rax"), r.get("rdx"), r.field("GUEST_RIP")], [1n, 0n, 0x1002n]);
  r.set({ rcx: 0x480n }).exit(EXIT.rdmsr);
  assert.equal([r.get("rax"), r.get("rdx")], [0n, 0x480n]);
  r.answer = 0x1122334455667788n;
  r.set({ rcx: 0x1bn }).exit(EXIT.rdmsr);
  assert.equal([r.get("rax"), r.get("rdx")], [0x55667788n, 0x11223344n]);
  r.set({ rax: 0xfee00900n, rdx: 1n }).exit(EXIT.wrmsr);
  assert.equal(r.calls.slice(-1), ["wrmsr 1b 8 1fee00900"]);
  r.answer = 0n;
  r.exit(EXIT.wrmsr);
  assert.equal([r.field("ENTRY_INTERRUPTION_INFO"), r.field("GUEST_RIP")], [GP, 0x1000n]);
  r.set({ rcx: 0x3an }).exit(EXIT.wrmsr);
  assert.is(r.field("ENTRY_INTERRUPTION_INFO"), GP);
  r.set({ rcx: 0x40000000n }).exit(EXIT.rdmsr);
  assert.is(r.field("ENTRY_INTERRUPTION_INFO"), GP);
});

test("CR0.NE and CR4.VMXE become what the guest wants to see of them, and its instruction is done again", () => {
  const r = new Rig().set({ rbx: 0x80000031n, rcx: 0x2620n });
  r.exit(EXIT.controlRegister, { EXIT_QUALIFICATION: 0x300n, CR0_SHADOW: 0x10n, GUEST_CR0: 0x31n });
  assert.equal([r.field("CR0_SHADOW"), r.field("GUEST_CR0"), r.field("GUEST_RIP")], [0x30n, 0x31n, 0x1000n]);
  r.exit(EXIT.controlRegister, { EXIT_QUALIFICATION: 0x104n, CR4_SHADOW: 0n });
  assert.equal([r.field("CR4_SHADOW"), r.field("GUEST_RIP")], [0x2000n, 0x1000n]);
  r.exit(EXIT.controlRegister, { EXIT_QUALIFICATION: 0x404n, GUEST_RSP: 0x620n });
  assert.is(r.field("CR4_SHADOW"), 0n);
});

test("VMX instructions are undefined for the guest, VMXON is #GP once CR4.VMXE is set; hypercalls are whose they are", () => {
  const r = new Rig();
  for (const reason of [EXIT.vmclear, EXIT.vmxoff, EXIT.vmxon, EXIT.invept, EXIT.invvpid, EXIT.vmcall]) {
    r.exit(reason, { CR4_SHADOW: 0n });
    assert.is(r.field("ENTRY_INTERRUPTION_INFO"), UD, String(reason));
  }
  r.exit(EXIT.vmxon, { CR4_SHADOW: 0x2000n });
  assert.is(r.field("ENTRY_INTERRUPTION_INFO"), GP);
  r.answer = 1n;
  r.set({ rax: 5n, rbx: 6n }).exit(EXIT.vmcall);
  assert.equal([r.calls.slice(-1)[0], r.field("GUEST_RIP")], ["vmcall 5 8 6", 0x1002n]);
});

test("INIT parks a processor, SIPI starts it at its page (R2.16)", () => {
  const r = new Rig().set({ rbx: 5n });
  r.exit(EXIT.init, { GUEST_PAT: 7n, ENTRY_CONTROLS: 0x200n });
  assert.equal([r.field("GUEST_ACTIVITY"), r.field("GUEST_CS_ACCESS"), r.field("GUEST_PAT")], [3n, 0x93n, 7n]);
  assert.is(r.field("ENTRY_CONTROLS") & 0x200n, 0n, "not in long mode");
  assert.equal([r.get("rbx"), r.get("rdx"), r.debug.get(3), r.debug.get(6)], [0n, 1n, 0n, 0xffff0ff0n]);
  r.exit(EXIT.sipi, { EXIT_QUALIFICATION: 0x9an });
  assert.equal(
    [r.field("GUEST_ACTIVITY"), r.field("GUEST_CS_SELECTOR"), r.field("GUEST_CS_BASE"), r.field("GUEST_RIP")],
    [0n, 0x9a00n, 0x9a000n, 0n],
  );
});

test("ports: IN merges into RAX by its width, OUT is cut to it; what nobody mediates is the hardware's", () => {
  const r = new Rig();
  r.answer = 0xaabbccddn;
  for (const [bytes, rax] of [
    [1, 0x11223344556677ddn],
    [2, 0x112233445566ccddn],
    [4, 0xaabbccddn],
  ] as const) {
    r.set({ rax: 0x1122334455667788n }).exit(EXIT.io, { EXIT_QUALIFICATION: 0x0cfc0008n | BigInt(bytes - 1) });
    assert.is(r.get("rax"), rax);
  }
  r.set({ rax: 0x8877n }).exit(EXIT.io, { EXIT_QUALIFICATION: 0x0cf80000n });
  assert.equal(r.calls.slice(-1), ["out cf8 1 77"]);
  r.set({ rax: 0x41n }).exit(EXIT.io, { EXIT_QUALIFICATION: 0x00e90000n });
  assert.is(r.machine.log, "A");
});

/** A 32-bit guest without paging whose code is at 1000. */
const FLAT: Partial<Record<FieldName, bigint>> = {
  GUEST_CR0: 0x31n,
  GUEST_RFLAGS: 2n,
  ...Object.fromEntries(
    ["ES", "CS", "SS", "DS", "FS", "GS"].flatMap((n) => [
      [`GUEST_${n}_LIMIT`, 0xffffffffn],
      [`GUEST_${n}_ACCESS`, n === "CS" ? 0xc09bn : 0xc093n],
    ]),
  ),
};
function run(r: Rig, hex: string, physical: bigint, more: Partial<Record<FieldName, bigint>> = {}): Rig {
  r.machine.dma.write(
    0x1000,
    Uint8Array.from(hex.split(" "), (b) => Number.parseInt(b, 16)),
  );
  return r.exit(EXIT.eptViolation, { ...FLAT, GUEST_PHYSICAL_ADDRESS: physical, GUEST_INTERRUPTIBILITY: 1n, ...more });
}

/** Qualification of a string instruction at CFC, its address size and segment. */
const string = (kind: "ins" | "outs", bytes: number, { repeated = false, address = 1, segment = 3 } = {}) => ({
  ...FLAT,
  EXIT_QUALIFICATION: BigInt(0x0cfc0010 | (kind === "ins" ? 8 : 0) | (repeated ? 0x20 : 0) | (bytes - 1)),
  EXIT_INSTRUCTION_INFO: BigInt((address << 7) | (segment << 15)),
});

test("INS and OUTS of mediated ports go an element at a time, and repeat until RCX is 0", () => {
  const r = new Rig();
  r.machine.dma.write(0x2000, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  r.set({ rsi: 0x2000n, rcx: 2n });
  r.exit(EXIT.io, string("outs", 4, { repeated: true }));
  assert.equal([r.get("rsi"), r.get("rcx"), r.field("GUEST_RIP")], [0x2004n, 1n, 0x1000n]);
  r.exit(EXIT.io, string("outs", 4, { repeated: true }));
  assert.equal([r.get("rsi"), r.get("rcx"), r.field("GUEST_RIP")], [0x2008n, 0n, 0x1002n]);
  assert.equal(r.calls, ["out cfc 4 4030201", "out cfc 4 8070605"]);
  r.answer = 0xbbaan;
  r.set({ rdi: 0xffff3000n, rcx: 0x10005n });
  r.exit(EXIT.io, { ...string("ins", 2, { repeated: true, address: 0 }), GUEST_RFLAGS: 0x402n });
  assert.equal([r.get("rdi"), r.get("rcx"), r.field("GUEST_RIP")], [0xffff2ffen, 0x10004n, 0x1000n]);
  assert.equal([...r.machine.peek(0x3000, 2)], [0xaa, 0xbb]);
  r.exit(EXIT.io, string("ins", 1));
  assert.is(r.field("GUEST_RIP"), 0x1002n);
});

test("an element that the guest's memory refuses is its exception, and the port is left alone", () => {
  const r = new Rig().set({ rsi: 0x2000n });
  r.exit(EXIT.io, { ...string("outs", 4, { segment: 4 }), GUEST_FS_LIMIT: 0x2002n });
  assert.equal([r.field("ENTRY_INTERRUPTION_INFO"), r.get("rsi"), r.calls], [GP, 0x2000n, []]);
  r.exit(EXIT.io, { ...string("ins", 4), GUEST_CR0: 0x80000031n, GUEST_CR3: 0x5000n });
  assert.equal([r.field("ENTRY_INTERRUPTION_INFO"), r.calls], [0x80000b0en, []]);
});

test("a driver's accesses to mediated registers are emulated, and the guest goes on behind them (R4.4)", () => {
  const r = new Rig();
  r.answer = 0xcafen;
  run(r.set({ rbx: 0xfebf1000n }), "8B 43 10", 0xfebf1010n);
  assert.equal([r.calls, r.get("rax"), r.field("GUEST_RIP")], [["read febf1010 4 0"], 0xcafen, 0x1003n]);
  assert.is(r.field("GUEST_INTERRUPTIBILITY"), 0n, "the shadow is over");
  run(r, "C7 43 38 01 00 00 00", 0xfebf1038n, { GUEST_RFLAGS: 0x102n });
  assert.equal([r.calls.slice(-1), r.field("GUEST_RIP")], [["write febf1038 4 1"], 0x1007n]);
  assert.is(r.field("GUEST_PENDING_DEBUG"), 0x4000n, "a single step is over");
});

test("the hypervisor's own memory reads as zeros and takes nothing (R2.7)", () => {
  const r = new Rig();
  r.machine.dma.write(0x3800000, Uint8Array.of(1, 2, 3, 4));
  run(r.set({ rax: 0x99n, rbx: 0x3800000n }), "89 03", 0x3800000n);
  assert.equal([...r.machine.peek(0x3800000, 4)], [1, 2, 3, 4]);
  assert.is(r.field("GUEST_RIP"), 0x1002n);
  run(r, "8B 03", 0x3800000n);
  assert.is(r.get("rax"), 0n);
});

const fault = (r: Rig) => [r.field("ENTRY_INTERRUPTION_INFO"), r.field("GUEST_RIP")];

test("what is not emulated is #GP for the guest, and no end of the hypervisor's: SSE, code in registers, task switches", () => {
  const r = new Rig().set({ rbx: 0xfebf1000n });
  assert.equal(fault(run(r, "0F 11 03", 0xfebf1000n)), [GP, 0x1000n]);
  assert.match(r.machine.log, /^refused: an instruction that is not emulated at RIP 1000$/m);
  assert.equal(fault(run(r, "90", 0xfebf1000n, { EXIT_QUALIFICATION: 4n })), [GP, 0x1000n]);
  assert.equal(fault(r.exit(EXIT.taskSwitch)), [GP, 0x1000n]);
  for (let n = 0; n < 3000; n++) run(r, "90", 0xfebf1000n, { EXIT_QUALIFICATION: 4n });
  assert.ok(r.machine.log.length < 2000, "it is not said for ever");
});

test("an event that leads into registers becomes a double fault, and that one a reset, as a processor's shutdown does", () => {
  const r = new Rig();
  run(r, "90", 0xfebf1000n, { IDT_VECTORING_INFO: 0x80000020n });
  assert.is(r.field("ENTRY_INTERRUPTION_INFO"), 0x80000b08n);
  for (const end of [
    () => run(r, "90", 0xfebf1000n, { IDT_VECTORING_INFO: 0x80000b08n }),
    () => r.exit(EXIT.tripleFault, { IDT_VECTORING_INFO: 0n }),
  ]) {
    const written: number[] = [];
    r.machine.map("io", 0xcf9, 1, { read: () => 0, write: (_, __, value) => void written.push(value) });
    assert.throws(end, /halted/);
    assert.equal(written, [2, 6]);
  }
});

test("exceptions of a guest in real mode have no error code, with which a VM entry would fail", () => {
  const r = new Rig().set({ rcx: 0x3an });
  r.exit(EXIT.wrmsr, { GUEST_CR0: 0x30n });
  assert.is(r.field("ENTRY_INTERRUPTION_INFO"), 0x8000030dn);
});

test("paging structures in a device's registers are what the mediator says, and its registers are not touched", () => {
  const r = new Rig();
  let touched = 0;
  const read = () => {
    touched++;
    return 0x67;
  };
  r.machine.map("memory", 0xfebf1000, 0x1000, { read, write: read });
  r.answer = 0xfebf1001n;
  run(r.set({ rbx: 0xfebf1000n }), "8B 03", 0xfebf1000n, { GUEST_CR0: 0x80000031n, GUEST_CR3: 0xfebf1000n });
  assert.equal(r.calls.slice(0, 2), ["read febf1000 4 0", "read febf1004 4 0"]);
  assert.is(touched, 0);
});

test("the preemption timer injects again what it interrupted; what is unknown stops with the guest's state in the log", () => {
  const r = new Rig();
  r.exit(EXIT.preemptionTimer, { IDT_VECTORING_INFO: 0x80000b0en, IDT_VECTORING_ERROR_CODE: 2n });
  assert.equal([r.field("ENTRY_INTERRUPTION_INFO"), r.field("ENTRY_ERROR_CODE")], [0x80000b0en, 2n]);
  r.exit(EXIT.preemptionTimer, { IDT_VECTORING_INFO: 0x80001202n, GUEST_INTERRUPTIBILITY: 8n });
  assert.equal([r.field("ENTRY_INTERRUPTION_INFO"), r.field("GUEST_INTERRUPTIBILITY")], [0x80000202n, 0n]);
  assert.throws(() => r.exit(EXIT.eptMisconfiguration, { IDT_VECTORING_INFO: 0n }));
  assert.match(r.machine.log, /unexpected VM exit: reason 31 .*RIP 1000 /);
  assert.throws(() => r.exit(0x80000021));
});
test.run();
