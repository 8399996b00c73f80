/**
 * The guest's accesses to the controller: those that reach it, told by the bus, and those that leave the guest, told by VM
 * exits before the hypervisor runs. What a load that left the guest gave is read from its register when the guest goes on.
 */
import { EXIT, type VmEntry, type VmExit } from "@castaway/cpu";
import type { Board } from "../board.ts";
import type { Access } from "../ports.ts";
import { GuestAccesses, type Load } from "./accesses.ts";
import { type GuestRegisters, type Progress, progressAt } from "./registers.ts";

export interface TrafficEvents {
  /** How many commands have been issued. */
  issued(): number;
  /** The guest has read a register that tells which commands are over; `issued`: when it began to. */
  seen(progress: Progress, value: number, issued: number): void;
  /** The guest wrote in a way that cannot be followed. */
  unfollowed(what: string): void;
}

const PAGE = 4096;
/** A base address register that the firmware has not set yet. */
const NOWHERE = -1;
/** Of an EPT violation's qualification: a read, a write; and that the access itself was refused, no page walk. [SDM 3C 27.2.1] */
const [READ, WRITE, ITSELF] = [1 << 0, 1 << 1, 1 << 8];
/** Of an I/O exit's qualification. [SDM 3C table 27-5] */
const [INPUT, STRING] = [1 << 3, 1 << 4];

/** A load that left the guest. */
interface Pending extends Load {
  readonly progress: Progress;
  readonly issued: number;
}

export class Traffic {
  /** Writes that were followed at VM exits. */
  exits = 0;
  readonly #board: Board;
  readonly #registers: GuestRegisters;
  readonly #events: TrafficEvents;
  readonly #accesses: GuestAccesses;
  /** By processor: the load at its last VM exit, if that was one. */
  readonly #loads: (Pending | null)[];
  /** Ends listening to VM entries: they are frequent, and of interest only after such a load. */
  #unlisten: (() => void) | null = null;
  readonly #ends: readonly (() => void)[];

  constructor(board: Board, registers: GuestRegisters, events: TrafficEvents) {
    this.#board = board;
    this.#registers = registers;
    this.#events = events;
    this.#accesses = new GuestAccesses(board.cpu);
    this.#loads = board.cpu.processors.map(() => null);
    this.#ends = [
      board.memoryMap.accesses.on((access) => this.#accessed(access)),
      board.ports.accesses.on((access) => this.#portAccessed(access)),
      board.cpu.probes.vmExit.on((exit) => this.#exited(exit)),
    ];
  }

  /** Another state of the machine has been restored. */
  forget(): void {
    for (const processor of this.#loads.keys()) this.#expect(processor, null);
  }
  close(): void {
    this.forget();
    for (const end of this.#ends) end();
  }

  /** A processor in root operation is the hypervisor's: what it does is not the guest's. */
  get #byGuest(): boolean {
    return !this.#board.cpu.running.vmx.root;
  }
  /** Where the guest reaches the controller. */
  get #registersAt(): number {
    return (this.#board.ahci!.pci.config.BAR5 & ~(PAGE - 1)) >>> 0 || NOWHERE;
  }
  get #pairAt(): number {
    return (this.#board.ahci!.pci.config.BAR4 & ~0x1f) >>> 0 || NOWHERE;
  }

  #accessed({ write, address, bytes, value }: Access): void {
    if (address - (address % PAGE) !== this.#registersAt || !this.#byGuest) return;
    if (write) this.#registers.write(address % PAGE, bytes, value);
    else if (bytes === 4) this.#saw(address % PAGE, value);
  }
  #portAccessed({ write, address, bytes, value }: Access): void {
    if ((address & ~0x1f) !== this.#pairAt || !this.#byGuest) return;
    const target = this.#registers.pairTarget(address & 0x1f);
    if (write) this.#registers.writePair(address & 0x1f, bytes, value);
    else if (bytes === 4 && target !== null) this.#saw(target, value);
  }
  #saw(offset: number, value: number): void {
    const progress = progressAt(offset);
    if (progress !== null) this.#events.seen(progress, value, this.#events.issued());
  }

  #exited(exit: VmExit): void {
    const { processor, reason, qualification, guestPhysical } = exit;
    if (this.#loads[processor] !== null) this.#expect(processor, null);
    if (reason === EXIT.io) this.#portExit(qualification, exit);
    else if (guestPhysical !== null && guestPhysical - (guestPhysical % PAGE) === this.#registersAt) {
      const violation = reason === EXIT.eptViolation && (qualification & ITSELF) !== 0;
      const unknown = reason === EXIT.eptMisconfiguration;
      if (unknown || (violation && qualification & WRITE)) this.#store(guestPhysical % PAGE, exit);
      if (unknown || (violation && qualification & READ)) this.#load(progressAt(guestPhysical % PAGE), exit);
    }
  }
  #store(offset: number, { processor, ip }: VmExit): void {
    const store = this.#accesses.stores(processor, ip);
    if (store === null) return;
    this.exits++;
    if (typeof store === "string")
      return this.#events.unfollowed(
        `the controller's register ${offset.toString(16)} at RIP ${ip.toString(16)} with ${store}`,
      );
    this.#registers.write(offset, Math.min(store.bytes, 4), store.low);
    if (store.bytes === 8) this.#registers.write(offset + 4, 4, store.high);
  }
  #load(progress: Progress | null, { processor, ip }: VmExit): void {
    const load = progress === null ? null : this.#accesses.loads(processor, ip);
    if (progress !== null && load !== null)
      this.#expect(processor, { ...load, progress, issued: this.#events.issued() });
  }
  #portExit(qualification: number, exit: VmExit): void {
    const { processor, ip } = exit;
    const port = (qualification >>> 16) & 0xffff;
    const bytes = (qualification & 7) + 1;
    if ((port & ~0x1f) !== this.#pairAt) return;
    const target = this.#registers.pairTarget(port & 0x1f);
    if (qualification & INPUT) {
      if (bytes === 4 && target !== null && !(qualification & STRING)) this.#load(progressAt(target), exit);
      return;
    }
    this.exits++;
    if (qualification & STRING) this.#events.unfollowed(`the controller's ports at RIP ${ip.toString(16)} with OUTS`);
    else this.#registers.writePair(port & 0x1f, bytes, this.#board.cpu.get("RAX", processor).low >>> 0);
  }

  #expect(processor: number, load: Pending | null): void {
    this.#loads[processor] = load;
    if (load !== null) this.#unlisten ??= this.#board.cpu.probes.vmEntry.on((entry) => this.#entered(entry));
    else if (this.#loads.every((one) => one === null)) {
      this.#unlisten?.();
      this.#unlisten = null;
    }
  }
  /** The guest goes on: behind the load, if the hypervisor did it. */
  #entered({ processor, ip }: VmEntry): void {
    const load = this.#loads[processor];
    if (load === null || load === undefined) return;
    this.#expect(processor, null);
    if (ip !== load.next) return;
    const value = this.#board.cpu.get(load.into, processor).low >>> 0;
    this.#events.seen(load.progress, value, load.issued);
  }
}
