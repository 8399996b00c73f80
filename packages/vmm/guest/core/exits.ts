/**
 * VM exits and what is done about them (R3.1): the few that are left when a guest has nearly everything to itself. Each
 * handler goes on behind the instruction, or lets the guest try it again, or injects what a processor without VMX would
 * have raised.
 */
import { CpuidAnswer } from "../api/intercepts.ts";
import { Registry } from "../api/registry.ts";
import { EFER_LMA, SEGMENT_LONG } from "../emulate/guest.ts";
import { log, logHex } from "../log.ts";
import { panic } from "../panic.ts";
import {
  cpuid,
  rdmsr,
  readCr4,
  vmread,
  vmwrite,
  wbinvd,
  writeCr2,
  writeCr4,
  writeDr0,
  writeDr1,
  writeDr2,
  writeDr3,
  writeDr6,
  xsetbv,
} from "../x86.ts";
import {
  injectAgain,
  injectException,
  injectExceptionWithCode,
  unblockNmiOfDelivery,
  VECTOR_GP,
  VECTOR_UD,
} from "./events.ts";
import { MemoryExits } from "./memory-exits.ts";
import { PortExits } from "./port-exits.ts";
import { refuse, resetMachine } from "./refusals.ts";
import { Registers } from "./registers.ts";
import { resetGuest, setRealModeStart } from "./setup.ts";
import * as V from "./vmcs.ts";

const FEATURE_CONTROL: u32 = 0x3a;
/** IA32_FEATURE_CONTROL as the guest sees it: locked, VMX off (R3.2, R3.3). */
const LOCKED_OFF: u64 = 1;
const VMX_CAPABILITIES: u32 = 0x480;
const VMX_CAPABILITIES_END: u32 = 0x492;
const LOW: u64 = 0xffffffff;
const ACTIVE: u64 = 0;
const WAIT_FOR_SIPI: u64 = 3;
const SIGNATURE_LEAF: u32 = 1;
const CR4_OSXSAVE: u64 = 1 << 18;
const CPUID_OSXSAVE: u32 = 1 << 27;
const EXTENDED_LEAF: u32 = 0x80000001;
const CPUID_SYSCALL: u32 = 1 << 11;

/** Is the guest in 64-bit mode? */
const isLong = (): bool =>
  (vmread(V.GUEST_EFER) & EFER_LMA) !== 0 && (<u32>vmread(V.GUEST_ES_ACCESS + 2) & SEGMENT_LONG) !== 0;

/** Goes on behind the instruction that made the exit; with it the shadow of STI or MOV SS is over. */
export function skip(): void {
  const shadows: u64 = 3;
  vmwrite(V.GUEST_RIP, vmread(V.GUEST_RIP) + vmread(V.EXIT_INSTRUCTION_LENGTH));
  vmwrite(V.GUEST_INTERRUPTIBILITY, vmread(V.GUEST_INTERRUPTIBILITY) & ~shadows);
}

export class Exits {
  private answer: CpuidAnswer = changetype<CpuidAnswer>(heap.alloc(offsetof<CpuidAnswer>()));
  /** How often each reason came. */
  readonly counts: StaticArray<u32> = new StaticArray<u32>(64);

  constructor(
    private registry: Registry,
    private memory: MemoryExits,
    private ports: PortExits,
  ) {}

  /** The exit that the current VMCS tells of. */
  handle(registers: Registers): void {
    const reason = <u32>vmread(V.EXIT_REASON);
    if ((reason & V.ENTRY_FAILED) !== 0) this.stop("VM entry failed", reason);
    if (reason < 64) unchecked(this.counts[reason]++);
    unblockNmiOfDelivery();
    if (!this.dispatch(reason, registers)) this.stop("unexpected VM exit", reason);
  }

  /** False: nobody expects this reason. */
  private dispatch(reason: u32, registers: Registers): bool {
    switch (reason) {
      case V.EXIT_EPT_VIOLATION:
        this.memory.handle(registers);
        return true;
      case V.EXIT_PREEMPTION_TIMER:
        injectAgain();
        return true;
      case V.EXIT_IO:
        this.ports.handle(registers);
        return true;
      case V.EXIT_CPUID:
        return this.onCpuid(registers);
      case V.EXIT_RDMSR:
        return this.onMsrRead(registers);
      case V.EXIT_WRMSR:
        return this.onMsrWrite(registers);
      case V.EXIT_CONTROL_REGISTER:
        return onControlRegister(registers);
      case V.EXIT_INIT:
        return onInit(registers);
      case V.EXIT_SIPI:
        return onSipi();
      case V.EXIT_XSETBV:
        return onXsetbv(registers);
      case V.EXIT_INVD:
        wbinvd(); // never loses what the hypervisor has written (R3.4)
        skip();
        return true;
      case V.EXIT_VMCALL:
        return this.onVmcall(registers);
      case V.EXIT_TRIPLE_FAULT:
        resetMachine("the guest's processor shuts down");
        return true;
      case V.EXIT_TASK_SWITCH:
        refuse("a task switch by hardware");
        return true;
      default:
        return onVmxInstruction(reason);
    }
  }

  /** The processor's own answer, so that nothing changes when the hypervisor is gone (R3.2); handlers may change it. */
  private onCpuid(registers: Registers): bool {
    const leaf = <u32>registers.rax,
      subleaf = <u32>registers.rcx,
      answer = this.answer;
    cpuid(leaf, subleaf, changetype<usize>(answer));
    if (leaf === SIGNATURE_LEAF) {
      const enabled = (vmread(V.GUEST_CR4) & CR4_OSXSAVE) !== 0;
      answer.ecx = enabled ? answer.ecx | CPUID_OSXSAVE : answer.ecx & ~CPUID_OSXSAVE;
    }
    // SYSCALL is there in 64-bit mode only, where the hypervisor asks [SDM 2A table 3-8].
    if (leaf === EXTENDED_LEAF && !isLong()) answer.edx &= ~CPUID_SYSCALL;
    this.registry.answerCpuid(leaf, subleaf, answer);
    registers.rax = answer.eax;
    registers.rbx = answer.ebx;
    registers.rcx = answer.ecx;
    registers.rdx = answer.edx;
    skip();
    return true;
  }

  private onMsrRead(registers: Registers): bool {
    const index = <u32>registers.rcx,
      handler = this.registry.msr(index);
    const isCapability = index >= VMX_CAPABILITIES && index < VMX_CAPABILITIES_END;
    let value: u64 = 0;
    if (handler !== null && handler.read(index)) value = handler.value;
    else if (handler === null && index === FEATURE_CONTROL) value = LOCKED_OFF;
    else if (handler === null && isCapability) value = rdmsr(index);
    else {
      injectExceptionWithCode(VECTOR_GP, 0);
      return true;
    }
    registers.rax = value & LOW;
    registers.rdx = value >> 32;
    skip();
    return true;
  }
  /** What is intercepted without a handler cannot be written: IA32_FEATURE_CONTROL is locked. */
  private onMsrWrite(registers: Registers): bool {
    const index = <u32>registers.rcx,
      handler = this.registry.msr(index);
    if (handler !== null && handler.write(index, (registers.rdx << 32) | (registers.rax & LOW))) skip();
    else injectExceptionWithCode(VECTOR_GP, 0);
    return true;
  }

  private onVmcall(registers: Registers): bool {
    if (this.registry.call(registers.rax, registers.rbx)) skip();
    else injectException(VECTOR_UD);
    return true;
  }

  /** What cannot go on is reported with all that helps, and stops (R3.1). */
  private stop(what: string, reason: u32): void {
    log("\n");
    log(what);
    log(": reason ");
    logHex(reason);
    log(" qualification ");
    logHex(vmread(V.EXIT_QUALIFICATION));
    log(" RIP ");
    logHex(vmread(V.GUEST_RIP));
    log(" CR0 ");
    logHex(vmread(V.GUEST_CR0));
    log(" CR3 ");
    logHex(vmread(V.GUEST_CR3));
    log(" CR4 ");
    logHex(vmread(V.GUEST_CR4));
    log(" EFER ");
    logHex(vmread(V.GUEST_EFER));
    log("\n");
    panic(what);
  }
}

// ---- control registers: the guest has its own view of CR0.NE and CR4.VMXE, which VMX operation fixes ----

// The view is changed, and the instruction done again: now it changes nothing that is not the guest's, and does not exit.
// So what else it does, to paging and long mode, or which exception it raises, is the processor's business. If it faults
// the view has changed all the same.

const NE: u64 = 0x20;
const VMXE: u64 = 0x2000;
const MOV_TO_CR: u32 = 0;
const LMSW: u32 = 3;

function onControlRegister(registers: Registers): bool {
  const qualification = <u32>vmread(V.EXIT_QUALIFICATION),
    n = qualification & 15,
    access = (qualification >> 4) & 3;
  if (access === LMSW || access !== MOV_TO_CR) return false; // NE and VMXE are beyond what LMSW and CLTS reach
  const from = (qualification >> 8) & 15,
    value = from === 4 ? vmread(V.GUEST_RSP) : load<u64>(changetype<usize>(registers) + 8 * from);
  if (n === 0) vmwrite(V.CR0_SHADOW, (vmread(V.CR0_SHADOW) & ~NE) | (value & NE));
  else if (n === 4) vmwrite(V.CR4_SHADOW, (vmread(V.CR4_SHADOW) & ~VMXE) | (value & VMXE));
  else return false;
  injectAgain();
  return true;
}

// ---- start-up messages [SDM 3C 25.2, 26.6.2; 3A table 9-1]: R2.16 ----

const DR6_AT_RESET: u64 = 0xffff0ff0;
const signatureAnswer: usize = heap.alloc(16);

/** What EDX has after INIT: family, model, stepping. */
function signature(): u32 {
  cpuid(SIGNATURE_LEAF, 0, signatureAnswer);
  return load<u32>(signatureAnswer);
}

function onInit(registers: Registers): bool {
  resetGuest();
  memory.fill(changetype<usize>(registers), 0, offsetof<Registers>());
  registers.rdx = signature();
  writeCr2(0);
  writeDr0(0);
  writeDr1(0);
  writeDr2(0);
  writeDr3(0);
  writeDr6(DR6_AT_RESET);
  vmwrite(V.GUEST_ACTIVITY, WAIT_FOR_SIPI);
  return true;
}
function onSipi(): bool {
  const vector = vmread(V.EXIT_QUALIFICATION) & 0xff;
  resetGuest();
  setRealModeStart(vector << 8, 0);
  vmwrite(V.GUEST_ACTIVITY, ACTIVE);
  return true;
}

/** XSETBV exits always: executed here if the processor would (R3.4). */
function onXsetbv(registers: Registers): bool {
  const value = (registers.rdx << 32) | (registers.rax & LOW),
    x87: u64 = 1,
    sse: u64 = 2,
    avx: u64 = 4;
  const legal = <u32>registers.rcx === 0 && (value & x87) !== 0 && (value & ~(x87 | sse | avx)) === 0;
  if (!legal || ((value & avx) !== 0 && (value & sse) === 0)) {
    injectExceptionWithCode(VECTOR_GP, 0);
    return true;
  }
  writeCr4(readCr4() | CR4_OSXSAVE);
  xsetbv(0, value);
  skip();
  return true;
}

/** VMX is off for the guest: its instructions are undefined, as they are while CR4.VMXE is 0; VMXON is #GP(0) with it. */
function onVmxInstruction(reason: u32): bool {
  const isVmx =
    (reason >= V.EXIT_VMCLEAR && reason <= V.EXIT_VMXON) || reason === V.EXIT_INVEPT || reason === V.EXIT_INVVPID;
  if (!isVmx) return false;
  if (reason === V.EXIT_VMXON && (vmread(V.CR4_SHADOW) & VMXE) !== 0) injectExceptionWithCode(VECTOR_GP, 0);
  else injectException(VECTOR_UD);
  return true;
}
