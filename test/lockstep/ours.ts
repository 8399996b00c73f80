/** Our side: the machine, stepped, with all that an instruction read and wrote, and what devices did meanwhile. */
import { type CodeMode, type Decoded, Decoder, type Delivery, definitions, OpcodeMap } from "@castaway/cpu";
import type { Machine, MachineStop } from "castaway";
import type { Processor } from "../../packages/cpu/src/core/processor.ts";
import { CS, EFER_LMA, EXECUTE, PAGE, S, SEG, segment } from "./state.ts";

/** An access to memory, as the processor made it. */
export interface Access {
  readonly write: boolean;
  readonly linear: number;
  /** By the page tables; -1 if they lead nowhere. An access across pages is two. */
  readonly physical: number;
  /** What was read. Of a write only the length counts: a later one may go over it. */
  readonly bytes: Uint8Array;
}

/** The instruction that comes next. */
export interface Next {
  /** Offset in CS; linear address, of which those of the upper half are negative. */
  readonly ip: number;
  readonly linear: number;
  /** Null if it cannot be read: it will fault. */
  readonly insn: Decoded | null;
  readonly code: Uint8Array;
}

/** What happened in one step: an instruction (an iteration of a repeated one), or an event. */
export interface Step {
  readonly next: Next;
  readonly stop: MachineStop;
  readonly accesses: readonly Access[];
  readonly dma: readonly { readonly physical: number; readonly bytes: Uint8Array }[];
  readonly deliveries: readonly Delivery[];
  readonly retired: number;
}

/** A wrong instruction on purpose: the one retired as number `at` has bit 0 of RAX flipped. */
export interface Sabotage {
  readonly at: number;
}

const OFFSET = PAGE - 1;
const opcodes = new OpcodeMap(definitions);

export class Ours {
  readonly machine: Machine;
  readonly processor: Processor;
  readonly #decoder: Decoder;
  readonly #sabotage: Sabotage | null;
  #accesses: Access[] = [];
  #dma: { physical: number; bytes: Uint8Array }[] = [];
  #deliveries: Delivery[] = [];
  #resets = 0;
  #listening = false;

  constructor(machine: Machine, sabotage: Sabotage | null = null) {
    this.machine = machine;
    this.#sabotage = sabotage;
    const { cpu } = machine.board,
      { physical, model } = cpu;
    this.processor = cpu.processors[0]!;
    this.#decoder = new Decoder(opcodes, ({ feature }) => feature === undefined || model.features.has(feature));
    machine.probes.resets.on(() => this.#resets++);
    cpu.probes.deliveries.on((delivery) => this.#deliveries.push(delivery));
    const dmaWrite = physical.dmaWrite.bind(physical);
    physical.dmaWrite = (address, bytes) => {
      dmaWrite(address, bytes);
      this.#dma.push({ physical: address, bytes: bytes.slice() });
    };
  }

  /** Instructions retired since power-on. */
  get retired(): number {
    return this.processor.retired();
  }
  /** RESET# was asserted so many times. */
  get resets(): number {
    return this.#resets;
  }
  get halted(): boolean {
    return this.processor.u32(S.ACTIVITY) !== 0;
  }

  /** Runs fast to the instruction after `retired` others, to the very one. */
  runTo(retired: number): void {
    const BLOCK = 64; // a run ends at the block boundary after its limit
    this.#listen(false);
    while (this.retired < retired - BLOCK) {
      const { reason, detail } = this.machine.run({ instructions: retired - BLOCK - this.retired });
      if (reason !== "limit")
        throw new Error(`the machine stopped at instruction ${this.retired}: ${reason} ${detail}`);
    }
    while (this.retired < retired) this.step();
    this.#forget();
  }
  /** Runs fast to the n-th time that the instruction at a linear address is reached. */
  runToAddress(linear: number, hits: number): void {
    const { debug } = this.machine;
    this.#listen(false);
    debug.addBreakpoint(linear);
    for (let hit = 0; hit < hits; hit++) {
      const { reason, detail } = this.machine.run();
      if (reason !== "breakpoint") throw new Error(`the address was met ${hit} times, then: ${reason} ${detail}`);
    }
    debug.removeBreakpoint(linear);
    this.#forget();
  }
  /** Lets the step tell its accesses: all memory is slow then, so that frames of several slots are told of too. */
  #listen(listening: boolean): void {
    const { access } = this.processor;
    access.touched = listening ? (linear, bytes, write) => this.#touched(linear, bytes, write) : null;
    if (listening === this.#listening) return;
    this.#listening = listening;
    access.tlb.marked = listening ? (kind) => kind !== EXECUTE : null;
    access.tlb.refreshHosts();
  }
  #forget(): void {
    this.#accesses = [];
    this.#dma = [];
    this.#deliveries = [];
  }

  /** Linear address of the instruction that comes next. */
  linear(): number {
    const { processor: p } = this,
      ip = p.number(S.RIP);
    return p.long ? ip : (p.number(segment(CS) + SEG.effectiveBase) + ip) % 2 ** 32;
  }
  next(): Next {
    const ip = this.processor.number(S.RIP),
      linear = this.linear();
    const code = this.#code(linear),
      insn = this.#decoder.decode(code, 0, code.length, this.#mode());
    return { ip, linear, insn, code: code.subarray(0, insn?.length ?? code.length) };
  }
  /** Up to 15 bytes, as far as they are there. */
  #code(linear: number): Uint8Array {
    const { cpu } = this.machine.board,
      inPage = PAGE - (linear & OFFSET);
    return cpu.readLinear(linear, 15) ?? cpu.readLinear(linear, Math.min(inPage, 15)) ?? new Uint8Array(0);
  }
  #mode(): CodeMode {
    const { processor: p } = this,
      bits = p.long ? 64 : p.segmentAccess(CS) & 0x4000 ? 32 : 16;
    return { bits, real: !p.protectedMode };
  }

  /** One instruction, or one event. */
  step(): Step {
    const { processor: p, machine } = this,
      next = this.next(),
      before = this.retired;
    this.#forget();
    this.#listen(true);
    const stop = machine.step();
    if (this.#sabotage !== null && this.retired > this.#sabotage.at && before <= this.#sabotage.at)
      p.setGpr(0, p.gpr(0) ^ 1n);
    const { retired } = this;
    return {
      next,
      stop,
      accesses: this.#accesses,
      dma: this.#dma,
      deliveries: this.#deliveries,
      retired: retired - before,
    };
  }
  #touched(linear: number, bytes: number, write: boolean): void {
    const inPage = PAGE - (linear & OFFSET);
    this.#note(linear, Math.min(bytes, inPage), write);
    if (bytes > inPage) this.#note(linear + inPage, bytes - inPage, write);
  }
  #note(linear: number, bytes: number, write: boolean): void {
    const { memory } = this.processor,
      physical = this.physicalOf(linear),
      host = physical < 0 ? 0 : (memory.readHost[Math.floor(physical / PAGE)] ?? 0);
    const read = new Uint8Array(bytes);
    if (!write && host !== 0)
      read.set(memory.u8.subarray(host + (physical & OFFSET), host + (physical & OFFSET) + bytes));
    this.#accesses.push({ write, linear, physical, bytes: read });
  }
  physicalOf(linear: number): number {
    const paging = this.processor.paging;
    return paging ? (this.machine.board.cpu.linearToPhysical(linear) ?? -1) : linear;
  }
  /** Is there a device, or nothing, at a physical address? ROM that ignores writes is neither. */
  isDevice(physical: number, write: boolean): boolean {
    const { memory, access } = this.processor,
      page = Math.floor(physical / PAGE);
    if (page < 0 || page >= 2 ** 20 || page === access.tlb.localPage) return true;
    const isRam = page < memory.ramBytes / PAGE,
      isRom = page >= 2 ** 20 - 32;
    if (!isRam && !isRom) return true;
    return (write && isRam ? memory.writeHost : memory.readHost)[page] === 0;
  }

  get long(): boolean {
    return this.processor.long;
  }
  get ia32e(): boolean {
    return (this.processor.u32(S.EFER) & EFER_LMA) !== 0;
  }
}
