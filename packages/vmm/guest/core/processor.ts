/**
 * One logical processor: into VMX operation, and the loop that runs its guest [SDM 3C 23.7, 31.5; vmm.md R2.9, R1.6].
 *
 * Nothing of the hypervisor runs by itself: it polls when the guest exits, and the VMX-preemption timer makes it exit when
 * something is due. One processor polls, the others only look now and then whether it still does.
 */

import { CastOff } from "../cast-off/cast-off.ts";
import { Refusal } from "../cast-off/context.ts";
import { allocate, physicalOf } from "../memory.ts";
import { panic } from "../panic.ts";
import {
  out8,
  physWrite32,
  rdmsr,
  rdtsc,
  readCr0,
  readCr4,
  vmclear,
  vmEnter,
  vmptrld,
  vmread,
  vmwrite,
  vmxoff,
  vmxon,
  writeCr0,
  writeCr4,
} from "../x86.ts";
import { allowVmx, CR0_FIXED0, CR0_FIXED1, CR4_FIXED0, CR4_FIXED1 } from "./controls.ts";
import { Stage } from "./departure.ts";
import { Hypervisor } from "./hypervisor.ts";
import { Registers } from "./registers.ts";
import { setUpVmcs } from "./setup.ts";
import * as V from "./vmcs.ts";

const PAGE: u32 = 4096;
const VMX_BASIC: u32 = 0x480;
const VMX_MISC: u32 = 0x485;
const REVISION: u64 = 0x7fffffff;
const VMXE: u64 = 0x2000;
const LONGEST_TIMER: u64 = 0xffffffff;
/** A processor that does not poll looks after so long whether the one that does is late, in ns. */
const WATCH: u64 = 10_000_000;
/** The same when it is leaving: every processor has to come by soon. */
const HURRY: u64 = 50_000;
const WAIT_FOR_SIPI: u64 = 3;
/** An INIT for the first processor means that the machine begins anew (R2.16) [82371AB 4.2.7]. */
const RESET_CONTROL: u32 = 0xcf9;
const RESET: u32 = 6;
const IF: u64 = 0x200;
/** Halted with interrupts off for so many times of {@link WATCH}, a processor is taken to be halted until INIT. */
const DEAD: u32 = 20;
/** What `vmEnter` returns. */
const EXITED: u32 = 0;

export class VirtualProcessor {
  readonly registers: Registers;
  private vmxonRegion: u64;
  private vmcsRegion: u64;
  private launched: bool = false;
  /** The timer counts when this bit of the time-stamp counter changes: from IA32_VMX_MISC [SDM 3C A.6]. */
  private timerShift: u64 = 0;
  private castOff!: CastOff;
  /** It waits for the guest's SIPI, and exits for nothing else. */
  parked: bool = false;
  /** It can leave when an interrupt comes, which exits. */
  private waits: bool = false;
  /** Its last exit was a SIPI. */
  private startsUp: bool = false;
  private deadTime: u32 = 0;
  /** Out of VMX operation for good. */
  gone: bool = false;
  /** The departure's: it has been told to leave; it has dropped what it had cached of EPT. */
  called: bool = false;
  holds: bool = false;

  /** Memory is allocated here: at boot. `index` counts from 0. */
  constructor(
    private hypervisor: Hypervisor,
    readonly index: u32,
  ) {
    this.registers = changetype<Registers>(allocate(offsetof<Registers>(), 64));
    this.vmxonRegion = physicalOf(allocate(PAGE, PAGE));
    this.vmcsRegion = physicalOf(allocate(PAGE, PAGE));
    this.castOff = new CastOff(hypervisor.ways, hypervisor.exits.memory.memory, this.vmcsRegion, hypervisor.lock.word);
  }

  /** On the processor itself: VMX operation. */
  enterVmx(): void {
    allowVmx();
    const revision = <u32>(rdmsr(VMX_BASIC) & REVISION);
    writeCr0((readCr0() | rdmsr(CR0_FIXED0)) & rdmsr(CR0_FIXED1));
    writeCr4((readCr4() | rdmsr(CR4_FIXED0)) & rdmsr(CR4_FIXED1));
    physWrite32(this.vmxonRegion, revision);
    physWrite32(this.vmcsRegion, revision);
    vmxon(this.vmxonRegion);
    this.timerShift = rdmsr(VMX_MISC) & 31;
  }
  /** Out of it again: there will be no guest. */
  leaveVmx(): void {
    vmxoff();
    writeCr4(readCr4() & ~VMXE);
  }

  /** A VMCS that is filled in but for where the guest begins. */
  makeGuest(): void {
    vmclear(this.vmcsRegion);
    vmptrld(this.vmcsRegion);
    setUpVmcs(this.hypervisor.shared, this.index + 1);
  }

  /** Never comes back. */
  run(): void {
    const lock = this.hypervisor.lock;
    lock.acquire();
    for (;;) {
      this.setTimer(this.poll(rdtsc()));
      lock.release();
      const outcome = vmEnter(changetype<usize>(this.registers), this.launched ? 1 : 0);
      lock.acquire();
      if (outcome !== EXITED) panic("VM entry is refused");
      this.launched = true;
      this.onExit();
    }
  }

  private onExit(): void {
    const departure = this.hypervisor.departure;
    if (this.index === 0 && <u32>vmread(V.EXIT_REASON) === V.EXIT_INIT) out8(RESET_CONTROL, RESET);
    if (departure.stage === Stage.LEAVING) this.tryToLeave();
    if (departure.isCalled()) this.retire();
    if (!departure.holdsBack() && !CastOff.isOwnExit() && !this.isLateInit())
      this.hypervisor.exits.handle(this.registers);
    this.parked = vmread(V.GUEST_ACTIVITY) === WAIT_FOR_SIPI;
    departure.step(this);
  }

  /**
   * The INIT that came before the SIPI: while a processor waits for a SIPI an INIT is blocked [SDM 3C 24.4.2], and it may come up
   * when that is over. Nothing was executed in between, so it is over too.
   */
  private isLateInit(): bool {
    const reason = <u32>vmread(V.EXIT_REASON),
      isLate = reason === V.EXIT_INIT && this.startsUp && vmread(V.GUEST_RIP) === 0;
    this.startsUp = reason === V.EXIT_SIPI;
    return isLate;
  }

  /** Comes back if the guest cannot go on by itself yet. */
  private tryToLeave(): void {
    const departure = this.hypervisor.departure,
      last = departure.isLast;
    this.gone = true;
    const refusal = this.castOff.attempt(this.registers, last);
    this.gone = false;
    this.waits = refusal === Refusal.HALTED || refusal === Refusal.USER;
    const isDead = refusal === Refusal.HALTED && (vmread(V.GUEST_RFLAGS) & IF) === 0;
    this.deadTime = isDead ? this.deadTime + 1 : 0;
    if (this.deadTime > DEAD) this.retire();
  }
  /** Leaves VMX operation in a state that only INIT ends. Never comes back. */
  private retire(): void {
    const last = this.hypervisor.departure.isLast;
    this.gone = true;
    this.castOff.park(this.registers, last);
  }

  /** Does what is due, if that is this processor's to do. @returns when to come back at the latest, in ns from now */
  private poll(now: u64): u64 {
    const hypervisor = this.hypervisor,
      registry = hypervisor.registry;
    if (hypervisor.departure.stage > Stage.RETURNING) return this.waits ? WATCH : HURRY;
    let due = registry.nextDue;
    if (hypervisor.poller !== this.index) {
      if (due > now || now - due < WATCH) return WATCH;
      hypervisor.poller = this.index;
    }
    if (due <= now) {
      registry.poll(now);
      due = registry.nextDue;
    }
    return due > now ? min<u64>(due - now, WATCH) : 0;
  }

  private setTimer(nanoseconds: u64): void {
    const ticks = nanoseconds >> this.timerShift;
    vmwrite(V.PREEMPTION_TIMER, min<u64>(ticks, LONGEST_TIMER));
  }
}
