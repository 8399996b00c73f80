/** Both sides, instruction by instruction. */
import type { Decoded, Delivery } from "@castaway/cpu";
import { type Difference, differentRegisters, lastOperand, type Mask, maskOf, NO_MASK } from "./compare.ts";
import { differentDetails } from "./details.ts";
import { ACCESSED_DIRTY, exchangeAfter, exchangeOf, knownInFrame } from "./deviations.ts";
import { type MapState, mapStateOf, patchA20 } from "./map.ts";
import type { Access, Next, Ours, Step } from "./ours.ts";
import { goesOn, waypoints } from "./path.ts";
import { Qemu } from "./qemu.ts";
import { OurRegisters, patchProcessor } from "./registers.ts";
import { LDTR, PAGE, S, segment, WINDOW, WINDOW_BYTES } from "./state.ts";

/** The two sides are not alike any more. */
export interface Divergence {
  readonly at: Next;
  /** Retired on our side before it. */
  readonly retired: number;
  readonly differences: readonly Difference[];
  readonly wanted: Buffer;
  readonly theirs: Buffer;
}

export interface SessionOptions {
  /** Linear addresses of instructions whose results QEMU is given. */
  readonly given?: ReadonlySet<number>;
}
/** What a step, or many, did. */
type Effects = Pick<Step, "accesses" | "deliveries">;
const NOTHING: Effects = { accesses: [], deliveries: [] };

const REMEMBERED = 16;
/** A step in which a bus master wrote memory. */
const DMA = "device";

export class Session {
  readonly ours: Ours;
  qemu: Qemu;
  /** What was given to QEMU, by reason; and bits of paging entries that were. */
  readonly exchanged = new Map<string, number>();
  readonly recent: Next[] = [];
  compared = 0;
  /** Why our side goes on no further, or "". */
  stopped = "";
  readonly #options: SessionOptions;
  #registers: OurRegisters;
  /** QEMU's registers, as they were last seen or set. */
  #theirs: Buffer;
  #map!: MapState;
  #system: Buffer = Buffer.alloc(0);

  constructor(ours: Ours, options: SessionOptions = {}) {
    this.ours = ours;
    this.#options = options;
    this.qemu = this.#start();
    this.#registers = new OurRegisters(this.qemu.layout);
    this.#theirs = this.qemu.registers();
  }
  #start(): Qemu {
    const { processor: p, machine } = this.ours,
      { physical, model } = machine.board.cpu;
    this.#map = mapStateOf(physical);
    const patch = (stream: Parameters<typeof patchProcessor>[0]) => {
      patchProcessor(stream, p);
      patchA20(stream, this.#map.a20);
    };
    return Qemu.start({ memoryBytes: physical.ramBytes, model }, { patch, ram: physical.ram, map: this.#map });
  }

  /** What differs now; for the start. */
  check(): Divergence | null {
    this.#system = this.#systemRegisters();
    return this.#compare(this.ours.next(), this.ours.retired, NO_MASK, NOTHING, true);
  }

  /** One instruction on both sides, or one event. */
  step(): Divergence | null {
    const { ours } = this,
      retired = ours.retired,
      resets = ours.resets,
      gprs = ours.processor.memory.u64.slice(S.GPR >> 3, (S.GPR >> 3) + 16),
      next = ours.next();
    let reason = this.#reasonBefore(next);
    const step = ours.step();
    this.#remember(next);
    this.#noteStop(step);
    if (ours.resets !== resets) return this.#restart();
    reason ??= exchangeAfter(step, ours);
    if (reason === null) {
      const wrong = this.#comparedStep(step, retired, gprs);
      if (wrong !== null) return wrong;
    }
    if (reason !== null) return this.#finish(reason, step);
    for (const { physical, bytes } of step.dma) this.qemu.write(physical, bytes);
    return null;
  }
  #reasonBefore(next: Next): string | null {
    return this.#options.given?.has(next.linear) ? "given" : exchangeOf(next.insn, this.ours);
  }
  #noteStop({ stop: { reason, detail } }: Step): void {
    if (reason !== "step") this.stopped = `${reason} ${detail}`.trim();
  }
  #remember(next: Next): void {
    const last = this.recent.at(-1),
      repeats = next.insn?.repeat !== "none" && last?.linear === next.linear;
    if (repeats) this.recent.pop();
    this.recent.push(next);
    if (this.recent.length > REMEMBERED) this.recent.shift();
  }
  /** The machine was reset: QEMU begins anew from where ours is. */
  #restart(): Divergence | null {
    this.#count("reset");
    this.qemu.end();
    this.qemu = this.#start();
    this.#theirs = this.qemu.registers();
    return this.check();
  }
  #count(reason: string): void {
    this.exchanged.set(reason, (this.exchanged.get(reason) ?? 0) + 1);
  }

  // ---- many instructions at once ----

  /**
   * Runs our side up to `most` instructions on, or to the next one that QEMU is given; then QEMU to the same place, by
   * breakpoints where it can. Compares there. What differs may have begun anywhere in between.
   */
  stretch(most: number): Divergence | null {
    const { ours } = this,
      { memory } = ours.processor,
      first = ours.retired,
      path = [ours.next().linear],
      written: Access[] = [],
      met = new Set<number>(),
      before = new Uint8Array(WINDOW_BYTES);
    let flags = 0,
      next = ours.next();
    for (; goesOn(path, met, most); next = ours.next()) {
      if (this.#reasonBefore(next) !== null) break;
      before.set(memory.u8.subarray(WINDOW, WINDOW + WINDOW_BYTES));
      const resets = ours.resets,
        step = ours.step(),
        reason = ours.resets === resets ? exchangeAfter(step, ours) : "reset";
      this.#remember(next);
      this.#noteStop(step);
      if (reason !== null || step.dma.length > 0) {
        const wrong = this.#before(before, () => this.#follow(path, written, flags, first, next, step.accesses));
        if (wrong !== null) return wrong;
        if (reason === "reset") return this.#restart();
        return this.#finish(reason ?? DMA, step);
      }
      flags |= maskOf(next.insn, () => 0n).flags | maskOf(next.insn, () => 1n).flags;
      path.push(ours.linear());
      for (const access of step.accesses) if (access.write) written.push(access);
      if (step.deliveries.length > 0) return this.#follow(path, written, flags, first, next, [], step.deliveries);
    }
    const wrong = this.#follow(path, written, flags, first, next, []);
    return wrong ?? (this.#reasonBefore(next) === null ? null : this.step());
  }
  /** Does something with our registers as they were. */
  #before<T>(window: Uint8Array, what: () => T): T {
    const { u8 } = this.ours.processor.memory,
      now = u8.slice(WINDOW, WINDOW + WINDOW_BYTES);
    u8.set(window, WINDOW);
    try {
      return what();
    } finally {
      u8.set(now, WINDOW);
    }
  }
  /** An instruction with all that goes with it is given to QEMU. */
  #finish(reason: string, step: Step): null {
    this.#exchange(reason, step);
    for (const { physical, bytes } of step.dma) this.qemu.write(physical, bytes);
    return null;
  }
  /** Brings QEMU along a path of addresses, and compares where it ends; `later` was written since on our side. */
  #follow(
    path: readonly number[],
    written: readonly Access[],
    flags: number,
    first: number,
    at: Next,
    later: readonly Access[],
    deliveries: readonly Delivery[] = [],
  ): Divergence | null {
    if (path.length === 1) return null;
    let from = 0;
    for (const to of waypoints(path)) {
      if (to > from + 1) this.qemu.runTo(path[to]!);
      else this.qemu.step();
      from = to;
    }
    this.compared += path.length - 1;
    this.#theirs = this.qemu.registers();
    const system = this.#systemRegisters(),
      deep = !system.equals(this.#system);
    this.#system = system;
    const checked = written.filter((w) => !later.some((l) => l.write && overlap(l, w)));
    return this.#compare(at, first, { ...NO_MASK, flags }, { accesses: checked, deliveries }, deep);
  }

  // ---- what QEMU is given ----

  #exchange(reason: string, step: Step): void {
    this.#count(reason);
    for (const { write, physical, bytes } of step.accesses)
      if (write && this.#isRam(physical, true)) this.qemu.write(physical, this.#ourMemory(physical, bytes.length));
    this.#giveRegisters();
    const map = mapStateOf(this.ours.machine.board.cpu.physical);
    if (JSON.stringify(map) !== JSON.stringify(this.#map)) this.qemu.setMap((this.#map = map));
    this.#system = this.#systemRegisters();
  }
  #giveRegisters(): void {
    const wanted = this.#registers.over(this.#theirs, this.ours.processor);
    this.qemu.setRegisters(this.#theirs, wanted);
    this.#theirs = wanted;
  }
  /** Not ROM, and no device. */
  #isRam(physical: number, write: boolean): boolean {
    const { memory } = this.ours.processor;
    const hosts = write ? memory.writeHost : memory.readHost;
    return physical >= 0 && hosts[Math.floor(physical / PAGE)] === memory.ram.byteOffset + physical - (physical % PAGE);
  }
  #ourMemory(physical: number, length: number): Uint8Array {
    return this.ours.machine.board.cpu.physical.ram.subarray(physical, physical + length);
  }

  // ---- what is compared ----

  #comparedStep(step: Step, retired: number, gprs: BigUint64Array): Divergence | null {
    const { insn } = step.next;
    const read = this.#checkReads(step.accesses);
    if (read.length > 0) return this.#divergence(step.next, retired, read);
    this.qemu.step();
    this.#theirs = this.qemu.registers();
    const wanted = this.#registers.over(this.#theirs, this.ours.processor);
    if (insn !== null && this.#stillRepeats(insn, step.next, wanted)) {
      this.qemu.step();
      this.#theirs = this.qemu.registers();
    }
    this.compared++;
    const last = () => lastOperand(insn!, (n) => gprs[n]!, step.accesses);
    const faulted = step.retired === 0;
    const system = this.#systemRegisters(),
      deep = !system.equals(this.#system);
    this.#system = system;
    return this.#compare(step.next, retired, faulted ? NO_MASK : maskOf(insn, last), step, deep);
  }
  /** QEMU may look once more at a count that has come to zero. */
  #stillRepeats(insn: Decoded, { ip }: Next, wanted: Buffer): boolean {
    const rip = this.qemu.layout.places.find(({ name }) => name === "rip")!.offset;
    return (
      insn.def.repeat !== undefined &&
      insn.repeat !== "none" &&
      Number(this.#theirs.readBigInt64LE(rip)) === ip &&
      wanted.readBigInt64LE(rip) !== BigInt(ip)
    );
  }
  /** What ours read must be in QEMU's memory too, before it reads it. */
  #checkReads(accesses: readonly Access[]): Difference[] {
    const written: Access[] = [];
    for (const access of accesses) {
      const { physical, bytes, write } = access;
      if (write) written.push(access);
      if (write || !this.#isRam(physical, false)) continue;
      if (written.some((w) => overlap(w, access))) continue;
      const theirs = this.qemu.read(physical, bytes.length);
      if (theirs.equals(bytes)) continue;
      if (bytes.some((byte, i) => (byte ^ theirs[i]!) & ~ACCESSED_DIRTY))
        return [memoryDifference("read of", access, bytes, theirs)];
      this.qemu.write(physical, bytes);
      this.#count("accessed and dirty bits");
    }
    return [];
  }
  #checkWrites({ accesses, deliveries }: Effects): Difference[] {
    const found: Difference[] = [];
    for (const access of accesses) {
      const { physical, bytes, write } = access;
      if (!write || !this.#isRam(physical, true)) continue;
      const mine = this.#ourMemory(physical, bytes.length),
        theirs = this.qemu.read(physical, bytes.length);
      if (theirs.equals(mine)) continue;
      const known = knownInFrame(mine, theirs, deliveries);
      if (known !== null) {
        this.qemu.write(physical, mine);
        this.#count(known);
      } else found.push(memoryDifference("write of", access, mine, theirs));
    }
    return found;
  }
  #compare(at: Next, retired: number, mask: Mask, effects: Effects, deep: boolean): Divergence | null {
    const { processor: p } = this.ours;
    const wanted = this.#registers.over(this.#theirs, p);
    const found = differentRegisters(this.qemu.layout, wanted, this.#theirs, mask);
    found.push(...this.#checkWrites(effects));
    if (deep) found.push(...differentDetails(p, this.qemu.details()));
    if (found.length > 0) return this.#divergence(at, retired, found);
    if (!wanted.equals(this.#theirs)) this.#giveRegisters(); // what is undefined goes on as ours
    return null;
  }
  #divergence(at: Next, retired: number, differences: readonly Difference[]): Divergence {
    const wanted = this.#registers.over(this.#theirs, this.ours.processor);
    return { at, retired, differences, wanted, theirs: this.#theirs };
  }

  /** All of RAM, which takes some 50 ms. Only what QEMU wrote and our side did not is found by this alone. */
  checkMemory(): Divergence | null {
    const found = this.#compareMemory();
    return found.length === 0 ? null : this.#divergence(this.ours.next(), this.ours.retired, found);
  }
  /** Accessed and dirty bits are given to QEMU; other bytes that differ are returned, at most ten. */
  #compareMemory(): Difference[] {
    const { ram } = this.ours.machine.board.cpu.physical,
      found: Difference[] = [],
      SOME = 2 ** 20,
      theirs = Buffer.alloc(SOME);
    for (let start = 0; start < ram.length && found.length < 10; start += SOME) {
      this.qemu.readInto(start, theirs);
      if (theirs.equals(ram.subarray(start, start + SOME))) continue;
      for (let at = start; at < start + SOME && found.length < 10; at += 8)
        this.#compareWord(at, ram.subarray(at, at + 8), theirs.subarray(at - start, at - start + 8), found);
    }
    return found;
  }
  #compareWord(physical: number, mine: Uint8Array, theirs: Buffer, found: Difference[]): void {
    if (theirs.equals(mine)) return;
    const onlyAccessed = mine.every(
      (byte, i) => ((byte ^ theirs[i]!) & ~(i === 0 || i === 4 ? ACCESSED_DIRTY : 0)) === 0,
    );
    if (!onlyAccessed) {
      found.push(memoryDifference("memory at", { physical, linear: physical }, mine, theirs));
      return;
    }
    this.qemu.write(physical, mine);
    this.#count("accessed and dirty bits");
  }
  #systemRegisters(): Buffer {
    const { u8 } = this.ours.processor.memory;
    return Buffer.concat([u8.slice(segment(0), segment(LDTR + 2)), u8.slice(S.GDTR_BASE, S.GDTR_BASE + 32)]);
  }
  end(): void {
    this.qemu.end();
  }
}

const overlap = (a: Access, b: Access) =>
  a.physical < b.physical + b.bytes.length && b.physical < a.physical + a.bytes.length;
function memoryDifference(
  what: string,
  { physical, linear }: Pick<Access, "physical" | "linear">,
  ours: Uint8Array,
  theirs: Uint8Array,
): Difference {
  const hex = (value: number) => BigInt.asUintN(64, BigInt(value)).toString(16);
  const where = linear === physical ? hex(physical) : `${hex(linear)} (physical ${hex(physical)})`;
  return {
    name: `${what} ${ours.length} bytes at ${where}`,
    ours: Buffer.from(ours).toString("hex"),
    theirs: Buffer.from(theirs).toString("hex"),
  };
}
