/**
 * One port as the guest has it (8.1): its registers, and the slots that it has issued. The hardware's list is always the
 * VMM's; the received FIS area is the guest's except while the VMM has the port (internal.ts).
 *
 * What could show the guest that a command is over is read first, then the hardware is sampled and the guest's memory told
 * what it has to know, and only then is the guest answered: data come before visibility (R8.7). Of queued commands there is
 * nothing to tell. Registers are slow: none is read that is not needed.
 */
import { Registry } from "../api/registry.ts";
import { allocate, physicalOf } from "../memory.ts";
import { mmioRead32, mmioWrite32 } from "../x86.ts";
import {
  CMD_CLO,
  CMD_CR,
  CMD_FR,
  CMD_FRE,
  CMD_ICC,
  CMD_ST,
  DET_UP,
  IS_FATAL,
  IS_LINK,
  listBytes,
  PxCI,
  PxCLB,
  PxCLBU,
  PxCMD,
  PxFB,
  PxFBS,
  PxFBU,
  PxIE,
  PxIS,
  PxSACT,
  PxSCTL,
  PxSSTS,
  PxTFD,
  receivedBytes,
  TFD_BSY,
  TFD_DRQ,
  TFD_ERR,
} from "./ahci.ts";
import { CONTROL, READ, WRITE } from "./ata.ts";
import { Command, HELD, ISSUED, LOST, Shared } from "./command.ts";
import { DriveCondition } from "./drive-condition.ts";
import { DENY, Gate, WAIT } from "./gate.ts";
import { touchesVmm } from "./guard.ts";
import { Internal, PortOwner } from "./internal.ts";

export class Port extends PortOwner {
  readonly internal!: Internal;
  gate: Gate | null = null;
  /** Told of reads and writes. */
  registry: Registry | null = null;
  readonly drive: DriveCondition = new DriveCondition();
  readonly commands: StaticArray<Command> = new StaticArray<Command>(32);
  private readonly base: u64;
  readonly shared: Shared;
  private readonly list: usize;
  /** Where frames go while the guest's PxFB points into the VMM. */
  private readonly sink: usize;

  // What the guest believes
  private clb: u64 = 0;
  private fb: u64 = 0;
  private ie: u32 = 0;
  private cmd: u32 = 0;
  private is: u32 = 0;
  /** PxTFD as it was before the VMM's last command, until the guest's next. */
  private tfd: u32 = 0;
  private tfdFrozen: bool = false;
  /** Bits of PxSACT that the guest has set and the hardware has not got. */
  private sact: u32 = 0;

  /** Slots that are HELD, in the guest's order. */
  private readonly queue: StaticArray<Command | null> = new StaticArray<Command | null>(32);
  private queued: i32 = 0;
  /** By slot: HELD or LOST, and ISSUED. */
  private kept: u32 = 0;
  private out: u32 = 0;
  /** Those of `out` that are queued commands. */
  private outQueued: u32 = 0;
  /** PxCMD.ST, which nobody changes but who writes it. */
  private started: bool = false;

  constructor(base: u64, shared: Shared) {
    super();
    this.base = base;
    this.shared = shared;
    this.list = allocate(listBytes, 1024);
    this.sink = allocate(receivedBytes, 256);
    for (let i: u32 = 0; i < 32; i++) this.commands[i] = new Command(i);
    this.internal = new Internal(base, this);
  }

  /**
   * Boot: takes the port over as the firmware left it. Its engine is stopped, and started with the VMM's list if it ran.
   * @returns false: it does not stop
   */
  attach(): bool {
    this.clb = this.address(PxCLB);
    this.fb = this.address(PxFB);
    this.ie = this.get(PxIE);
    const cmd = this.get(PxCMD);
    this.put(PxCMD, cmd & ~(CMD_ST | CMD_CLO));
    for (let i = 0; i < 1_500_000 && (this.get(PxCMD) & CMD_CR) !== 0; i++) {}
    if ((this.get(PxCMD) & CMD_CR) !== 0) return false;
    this.aim();
    this.start(cmd & ~CMD_CLO);
    return true;
  }

  /** Whether the hardware stands exactly as the guest sees it, and nothing is under way (section 12, D0). */
  get quiet(): bool {
    this.sample();
    const same = !this.tfdFrozen || this.tfd === this.get(PxTFD);
    return same && this.kept === 0 && this.out === 0 && this.internal.idle;
  }

  /** Whether it should be polled soon. What the guest has on the device ends without help. */
  get busy(): bool {
    return this.kept !== 0 || !this.internal.idle;
  }

  /**
   * De-virtualization (section 12, D1): the hardware gets the guest's list, and the guest has all that the mediator kept.
   * To be called with the port quiet, and nothing after it.
   * @returns false: not now
   */
  handBack(): bool {
    if (!this.quiet || touchesVmm(this.clb, listBytes) || touchesVmm(this.fb, receivedBytes)) return false;
    const cmd = this.get(PxCMD);
    this.put(PxCMD, cmd & ~(CMD_ST | CMD_CLO));
    for (let i = 0; i < 1_500_000 && (this.get(PxCMD) & CMD_CR) !== 0; i++) {}
    this.put(PxCLB, <u32>this.clb);
    this.put(PxCLBU, <u32>(this.clb >> 32));
    this.put(PxCMD, cmd & ~CMD_CLO);
    return true;
  }

  /** Goes on with everything that can go on. */
  poll(now: u64): void {
    this.sample();
    this.pump();
    this.internal.poll(now);
    if (!this.internal.active) this.pump();
  }

  read(register: u32): u32 {
    const value = this.get(register);
    if (this.out !== this.outQueued) this.sample();
    switch (register) {
      case PxCLB:
        return <u32>this.clb;
      case PxCLBU:
        return <u32>(this.clb >> 32);
      case PxFB:
        return <u32>this.fb;
      case PxFBU:
        return <u32>(this.fb >> 32);
      case PxIS:
        return this.internal.active ? this.is | (value & IS_LINK) : value;
      case PxIE:
        return this.internal.active ? this.ie : value;
      case PxCMD:
        return this.internal.active ? this.commanded(value) : value;
      case PxTFD:
        return this.tfdFrozen ? this.tfd : value;
      case PxSACT:
        if (this.internal.active) return this.sact;
        this.settle(value);
        return this.sact | value;
      case PxCI:
        return this.kept | (this.internal.active ? 0 : value);
    }
    return value;
  }

  write(register: u32, value: u32): void {
    switch (register) {
      case PxCLB:
        this.clb = (this.clb & 0xffff_ffff_0000_0000) | (value & 0xffff_fc00);
        return;
      case PxCLBU:
        this.clb = (this.clb & 0xffff_ffff) | ((<u64>value) << 32);
        return;
      case PxFB:
        this.fb = (this.fb & 0xffff_ffff_0000_0000) | (value & 0xffff_ff00);
        return this.aimUnlessTaken();
      case PxFBU:
        this.fb = (this.fb & 0xffff_ffff) | ((<u64>value) << 32);
        return this.aimUnlessTaken();
      case PxIS:
        if (this.internal.active) this.is &= ~value;
        else this.put(PxIS, value);
        return;
      case PxIE:
        this.ie = value;
        if (!this.internal.active) this.put(PxIE, value);
        return;
      case PxCMD:
        return this.command(value);
      case PxSCTL:
        return this.control(value);
      case PxSACT:
        if (this.runs()) this.sact |= value;
        return;
      case PxCI:
        return this.issue(value);
      case PxFBS:
        return; // frames of a port multiplier's ports: 4 KiB that nobody has checked (R8.18)
    }
    this.put(register, value);
  }

  /** The guest resets the controller: to be called before the hardware hears of it. */
  reset(): void {
    this.internal.abort();
    this.dropAll();
    this.restarted();
    this.ie = 0;
    this.cmd = 0;
    this.started = false;
  }

  // PortOwner: the VMM's own commands

  isIdle(byForce: bool): bool {
    this.sample();
    if (this.out !== 0 || (this.get(PxCI) | this.get(PxSACT)) !== 0) return false;
    if ((this.get(PxTFD) & (TFD_BSY | TFD_DRQ)) !== 0 || (this.get(PxSSTS) & 0xf) !== DET_UP) return false;
    return byForce || (this.mayTake() && (this.get(PxIS) & IS_FATAL) === 0);
  }

  isWanted(): bool {
    return this.kept !== 0;
  }

  taken(): void {
    this.cmd = this.get(PxCMD);
    this.is = this.get(PxIS);
    if (!this.tfdFrozen) this.tfd = this.get(PxTFD);
    this.tfdFrozen = !this.internal.byForce; // before there is a guest nobody remembers
  }

  givenBack(): u32 {
    this.aim();
    return this.cmd;
  }

  resumed(): void {
    this.started = (this.get(PxCMD) & CMD_ST) !== 0;
    this.put(PxIS, this.get(PxIS) & ~this.is & ~IS_LINK);
    this.put(PxIE, this.ie);
  }

  // What the guest writes

  private command(value: u32): void {
    this.sample();
    if (this.runs() && (value & CMD_ST) === 0) {
      this.noteFailure();
      this.dropAll();
    }
    if (this.internal.active) {
      this.cmd = value & ~(CMD_CLO | CMD_ICC);
      return;
    }
    const before = this.get(PxCMD);
    if ((value & ~before & (CMD_ST | CMD_FRE)) !== 0) this.aim();
    if ((value & CMD_CLO) !== 0) this.tfdFrozen = false;
    this.start(value);
  }

  private start(cmd: u32): void {
    this.put(PxCMD, cmd);
    this.started = (this.get(PxCMD) & CMD_ST) !== 0;
  }

  /** COMRESET, or the link is switched off: everything ends before it begins (R8.10). */
  private control(value: u32): void {
    this.sample();
    const det = value & 0xf;
    if (det === 1 || det === 4) {
      this.internal.abort();
      this.dropAll();
      this.restarted();
    }
    this.put(PxSCTL, value);
  }

  private issue(value: u32): void {
    if (!this.runs()) return;
    this.sample();
    for (let rest = value & ~this.kept & ~this.out; rest !== 0; rest &= rest - 1) {
      const command = unchecked(this.commands[ctz<u32>(rest)]);
      command.take(this.clb, this.gate !== null);
      command.state = HELD;
      this.kept |= (<u32>1) << command.slot;
      unchecked((this.queue[this.queued++] = command));
      if (this.gate !== null) this.gate!.seen(command);
      const moves = command.kind === READ || command.kind === WRITE;
      if (moves && this.registry !== null)
        this.registry!.diskCommand(command.kind === WRITE, command.lba, command.sectors);
    }
    this.pump();
    if (this.kept !== 0) this.internal.wake();
  }

  // Slots

  /** Issues what is held and may go. Queued commands may overtake each other; no other may be overtaken (R8.9). */
  private pump(): void {
    if (this.internal.active || this.queued === 0) return;
    let onlyQueued = true;
    for (let i = 0; i < this.queued; ) {
      const command = unchecked(this.queue[i])!;
      const inTurn = i === 0 || (onlyQueued && command.queued) || command.kind === CONTROL;
      if (inTurn && this.mayGo(command)) {
        for (let j = i + 1; j < this.queued; j++) unchecked((this.queue[j - 1] = this.queue[j]));
        this.queued--;
        this.send(command);
      } else {
        onlyQueued = onlyQueued && command.queued;
        i++;
      }
    }
  }

  private mayGo(command: Command): bool {
    if (!command.prepare(this.shared)) return false;
    const gate = this.gate;
    if (gate === null || command.kind === CONTROL) return true;
    const verdict = gate.admit(command);
    if (verdict === DENY) command.deny();
    if (verdict !== WAIT) return !(this.internal.hasUrgent && this.mayTake()); // an urgent one needs the port idle first
    if (this.drive.queueFailed) {
      command.deny(); // the drive aborts it as well, until it is asked for its log
      return true;
    }
    return false;
  }

  private send(command: Command): void {
    const bit = (<u32>1) << command.slot;
    if (command.kind === CONTROL && command.softReset) this.lose();
    this.drive.sent(command);
    if (this.gate !== null) this.gate!.issued(command);
    command.writeHeader(physicalOf(this.list));
    command.state = ISSUED;
    this.kept &= ~bit;
    this.out |= bit;
    if (command.queued) this.outQueued |= bit;
    this.tfdFrozen = false;
    if ((this.sact & bit) !== 0) {
      this.sact &= ~bit;
      this.put(PxSACT, bit);
    }
    this.put(PxCI, bit);
  }

  /** Ends what the hardware has ended. */
  private sample(): void {
    if (this.out !== 0 && !this.internal.active) this.settle(this.outQueued !== 0 ? this.get(PxSACT) : 0);
  }

  /** @param sact PxSACT, just read, or 0 with no queued command out */
  private settle(sact: u32): void {
    let over = this.out & ~sact;
    if (over !== 0) over &= ~this.get(PxCI);
    const list = physicalOf(this.list);
    for (let rest = this.out & ~this.outQueued; rest !== 0; rest &= rest - 1)
      unchecked(this.commands[ctz<u32>(rest)]).tell(list);
    for (let rest = over; rest !== 0; rest &= rest - 1) this.end(unchecked(this.commands[ctz<u32>(rest)]), true);
    if (over !== 0 && !this.internal.idle) this.internal.wake(); // it may take the port
  }

  private end(command: Command, completed: bool): void {
    this.out &= ~((<u32>1) << command.slot);
    this.outQueued &= this.out;
    if (this.gate !== null) this.gate!.ended(command, completed);
    command.release(this.shared);
  }

  /** PxCMD.ST is cleared, or more is reset: nothing is issued any more, and no guest memory is written for it (R8.10). */
  private dropAll(): void {
    for (let rest = this.out; rest !== 0; rest &= rest - 1) this.end(unchecked(this.commands[ctz<u32>(rest)]), false);
    for (let rest = this.kept; rest !== 0; rest &= rest - 1)
      unchecked(this.commands[ctz<u32>(rest)]).release(this.shared);
    this.kept = 0;
    this.queued = 0;
    this.sact = 0;
    if (this.gate !== null) this.gate!.reset();
  }

  /** Software reset: the drive forgets all commands, and the controller's slots stay as they are. */
  private lose(): void {
    for (let i = 0; i < this.queued; i++) {
      const command = unchecked(this.queue[i])!;
      command.release(this.shared);
      command.state = LOST;
    }
    this.queued = 0;
    if (this.gate !== null) this.gate!.reset();
  }

  private restarted(): void {
    this.drive.reset();
    this.tfdFrozen = false;
  }

  private noteFailure(): void {
    if (this.internal.active) return;
    const failed = (this.get(PxTFD) & TFD_ERR) !== 0;
    for (let rest = this.out; rest !== 0; rest &= rest - 1) {
      if (unchecked(this.commands[ctz<u32>(rest)]).queued) this.drive.stopped(failed);
    }
  }

  /** Whether the guest's engine runs. */
  private runs(): bool {
    return this.internal.active ? (this.cmd & CMD_ST) !== 0 : this.started;
  }

  /** Whether the VMM may take the port once it is idle. */
  private mayTake(): bool {
    const engines = CMD_ST | CMD_FRE;
    return !this.drive.isAway && (this.get(PxCMD) & engines) === engines;
  }

  private commanded(hardware: u32): u32 {
    const st = (this.cmd & CMD_ST) !== 0 ? CMD_ST | CMD_CR : 0;
    const fre = (this.cmd & CMD_FRE) !== 0 ? CMD_FRE | CMD_FR : 0;
    return (hardware & ~(CMD_ST | CMD_CR | CMD_FRE | CMD_FR)) | st | fre;
  }

  private aimUnlessTaken(): void {
    if (!this.internal.active) this.aim();
  }

  /** The hardware's addresses: the VMM's list, and the guest's received FIS area if it is no danger. */
  private aim(): void {
    const fb = touchesVmm(this.fb, receivedBytes) ? physicalOf(this.sink) : this.fb;
    const list = physicalOf(this.list);
    this.put(PxCLB, <u32>list);
    this.put(PxCLBU, <u32>(list >> 32));
    this.put(PxFB, <u32>fb);
    this.put(PxFBU, <u32>(fb >> 32));
  }

  private address(register: u32): u64 {
    return ((<u64>this.get(register + 4)) << 32) | this.get(register);
  }

  private get(register: u32): u32 {
    return mmioRead32(this.base + register);
  }

  private put(register: u32, value: u32): void {
    mmioWrite32(this.base + register, value);
  }
}
