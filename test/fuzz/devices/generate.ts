/** Random actions: what a driver written by chance would do to whatever it finds. */
import { keys } from "@castaway/devices";
import { Random } from "@castaway/kit";
import { type Action, hexOf } from "./actions.ts";
import { driveAhci } from "./ahci.ts";
import type { Bench } from "./bench.ts";
import { driveNetwork } from "./network.ts";
import { type Target, targetsOf } from "./targets.ts";
import { descriptors, pointer, STRUCTURES, STRUCTURES_END, size, valueFor } from "./values.ts";

interface Access {
  readonly target: Target;
  readonly offset: number;
  readonly bytes: number;
}

/** Does an action to the bench and notes it. */
export type Act = (action: Action) => number;

/** So many places are looked at again after a hop. */
const REMEMBERED = 12;
const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const COMMAND = 0x04;
const IO_AND_MEMORY_AND_MASTER = 7;

export class Generator {
  readonly #random: Random;
  readonly #bench: Bench;
  readonly #act: Act;
  readonly #wanted: (target: Target) => boolean;
  /** What was read last, and what was used last. */
  #last = 0;
  #again: Access | undefined;
  /** What was used before that, the latest last. */
  #used: Access[] = [];

  /** @param only of the targets those whose name contains it; empty for all */
  constructor(seed: number, bench: Bench, note: (action: Action) => void, only = "") {
    this.#random = new Random(seed);
    this.#bench = bench;
    this.#wanted = ({ name }) => name.toLowerCase().includes(only.toLowerCase());
    this.#act = (wanted) => {
      const action = wanted[0] === "wait" ? (["wait", this.#atMost(wanted[1])] as const) : wanted;
      note(action);
      const value = bench.do(action);
      if (value !== undefined) this.#last = value;
      return value ?? 0;
    };
  }

  /** As firmware leaves it: functions are mapped and on, memory holds something, interrupts can arrive. */
  begin(): void {
    const random = this.#random;
    this.#mapFunctions();
    for (let at = STRUCTURES; at < STRUCTURES_END; at += 0x4000)
      this.#act(["store", at, hexOf(descriptors(random, 32))]);
    this.#connectInterrupts();
  }
  #mapFunctions(): void {
    for (const target of this.#targets("config")) this.#mapFunction(target);
  }

  /** One thing, or a few that belong together. */
  step(): void {
    const random = this.#random;
    const plays: [weight: number, play: () => void][] = [
      [50, () => this.#access()],
      [8, () => this.#configure()],
      [14, () => driveAhci(random, this.#bench.board, this.#act)],
      [8, () => driveNetwork(random, this.#bench.board, this.#act)],
      [2, () => this.#interruptControllers()],
      [1, () => this.#connectInterrupts()],
      [0.7, () => this.#mapFunctions()],
      [5, () => this.#timers()],
      [3, () => this.#type()],
      [6, () => this.#serveInterrupt()],
      [2, () => this.#act(["store", (pointer(random) & ~15) >>> 0, hexOf(descriptors(random, 1 + random.below(16)))])],
      [8, () => this.#act(["wait", this.#time()])],
      [0.3, () => this.#act(["power button"])],
      [0.2, () => this.#reset()],
      [1.5, () => this.#hop()],
    ];
    let place = random.fraction() * plays.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, play] of plays) if ((place -= weight) < 0) return play();
  }

  #targets(kind: Target["kind"]): Target[] {
    return targetsOf(this.#bench.board).filter((target) => target.kind === kind && this.#wanted(target));
  }

  // ---- registers ----

  #access(): void {
    const random = this.#random;
    const target = this.#again && random.chance(0.4) ? this.#again.target : this.#target();
    if (target === undefined) return;
    const same = this.#again?.target === target && random.chance(0.4);
    const bytes = same ? this.#again!.bytes : random.chance(0.05) && target.kind === "memory" ? 8 : size(random);
    const offset = same ? this.#again!.offset : this.#offset(target, bytes);
    this.#again = { target, offset, bytes };
    this.#used = [...this.#used.slice(-REMEMBERED), this.#again];
    const count = random.chance(0.1) ? 1 + random.below(20) : 1;
    for (let i = 0; i < count; i++) {
      if (random.chance(0.4)) this.#read(target, offset, bytes);
      else {
        if (random.chance(0.2)) this.#read(target, offset, bytes);
        this.#write(target, offset, bytes, valueFor(random, bytes, this.#last));
      }
    }
  }
  /** Saves and restores, and reads again what was used last. */
  #hop(): void {
    this.#act(["hop"]);
    for (const { target, offset, bytes } of this.#used) this.#read(target, offset, bytes);
  }
  #reset(): void {
    this.#act(["reset"]);
    if (this.#random.chance(0.7)) this.begin();
  }
  #target(): Target | undefined {
    const random = this.#random;
    const targets = this.#targets(random.pick(["ports", "ports", "ports", "memory", "memory", "config"] as const));
    return targets.length > 0 ? random.pick(targets) : undefined;
  }
  /** Mostly inside; also just before, across the start, across the end and just behind. */
  #offset({ size: length }: Target, bytes: number): number {
    const random = this.#random;
    const end = Math.max(0, length - bytes);
    if (random.chance(0.04)) return random.pick([-bytes, -1, 1 - bytes, end + 1, length - 1, length]);
    const within = random.chance(0.7) ? Math.min(length, 0x400) : length;
    const offset = random.chance(0.05) ? end : random.below(within);
    return random.chance(0.85) ? offset - (offset % bytes) : offset;
  }
  #read({ kind, base }: Target, offset: number, bytes: number): number {
    if (kind === "ports") return this.#act(["in", (base + offset) & 0xffff, Math.min(bytes, 4)]);
    if (kind === "memory") return this.#act(["read", Math.max(0, base + offset), bytes]);
    return this.#act(["in", this.#select(base, offset), Math.min(bytes, 4)]);
  }
  #write({ kind, base }: Target, offset: number, bytes: number, value: number): void {
    const fitting = (value & (0xffffffff >>> (32 - 8 * Math.min(bytes, 4)))) >>> 0;
    if (kind === "ports") this.#act(["out", (base + offset) & 0xffff, Math.min(bytes, 4), fitting]);
    else if (kind === "memory") this.#act(["write", Math.max(0, base + offset), bytes, fitting]);
    else this.#act(["out", this.#select(base, offset), Math.min(bytes, 4), fitting]);
  }
  /** @returns the port at which the register is then found */
  #select(base: number, offset: number): number {
    this.#act(["out", CONFIG_ADDRESS, 4, (base | (offset & 0xfc)) >>> 0]);
    return CONFIG_DATA + (offset & 3);
  }

  // ---- PCI ----

  /** A change of a function's header: on, off, elsewhere, on top of something else. */
  #configure(): void {
    const random = this.#random;
    const functions = this.#targets("config");
    if (functions.length === 0) return;
    const target = random.pick(functions);
    switch (random.below(6)) {
      case 0:
        return this.#mapFunction(target);
      case 1:
        return this.#write(target, COMMAND, 2, random.chance(0.6) ? IO_AND_MEMORY_AND_MASTER : valueFor(random, 2, 0));
      case 2:
      case 3:
        return this.#write(target, this.#baseRegister(), 4, this.#place());
      case 4: {
        const offset = random.pick([0x40, 0x59, 0x5a, 0x60, 0x61, 0x63, 0x80, 0x82, 0x84, 0x88, 0x8c, 0x90, 0xb2]);
        return this.#write(target, offset, size(random), valueFor(random, 4, 0xfee00000));
      }
      default:
        return this.#messages(target);
    }
  }
  #baseRegister(): number {
    return this.#random.pick([0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x30]);
  }
  /** An address for a base address register: another device's, memory, nothing, all ones. */
  #place(): number {
    const random = this.#random;
    const bits = random.pick([0, 0, 0, 1, 8]);
    const other = random.pick(targetsOf(this.#bench.board)).base;
    const places = [other, other + 0x1000, pointer(random), 0xfebf0000, 0xffffffff, 0, 0xc000];
    return ((random.pick(places) & ~15) | bits) >>> 0;
  }
  /** Sizes the base address registers and gives each a place of its own, as firmware does. */
  #mapFunction(target: Target): void {
    const device = (target.base >>> 8) & 0xff;
    let memory = 0xe0000000 + (device >> 3) * 0x4000000;
    let ports = 0xc000 + (device >> 3) * 0x100;
    for (const register of [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x30]) {
      this.#write(target, register, 4, 0xffffffff);
      const shown = this.#read(target, register, 4);
      if (shown === 0) continue;
      const isPorts = register !== 0x30 && (shown & 1) !== 0;
      const length = (~(shown & (isPorts ? ~3 : register === 0x30 ? ~0x7ff : ~15)) >>> 0) + 1;
      if (isPorts) {
        this.#write(target, register, 4, ports);
        ports += length & 0xffff;
      } else if (length <= 0x2000000) {
        memory = Math.ceil(memory / length) * length;
        this.#write(target, register, 4, (memory | (register === 0x30 ? 1 : 0)) >>> 0);
        memory += length;
      }
    }
    this.#write(target, COMMAND, 2, IO_AND_MEMORY_AND_MASTER);
  }
  /** Message-signalled interrupts, if the function has them [PCI 3.0 6.8.1]. */
  #messages(target: Target): void {
    const random = this.#random;
    let at = this.#read(target, 0x34, 1) & 0xfc;
    for (let hops = 0; at !== 0 && hops < 8; hops++) {
      if (this.#read(target, at, 1) === 5) {
        const address = random.chance(0.8) ? 0xfee00000 | (random.below(4) << 12) : pointer(random);
        this.#write(target, at + 4, 4, address >>> 0);
        this.#write(target, at + 8, 4, random.chance(0.9) ? 0 : random.u32());
        this.#write(target, at + 12, 2, random.chance(0.7) ? 0x30 + random.below(64) : random.below(0x10000));
        return this.#write(target, at + 2, 2, random.pick([1, 1, 0, 0x71, 0xffff]));
      }
      at = this.#read(target, at + 1, 1) & 0xfc;
    }
  }

  // ---- interrupts ----

  /** As a kernel leaves them: everything open, one way or the other. */
  #connectInterrupts(): void {
    for (const [port, base, cascade] of [
      [0x20, 0x20, 4],
      [0xa0, 0x28, 2],
    ] as const) {
      this.#act(["out", port, 1, 0x11]);
      for (const word of [base, cascade, 1, this.#random.chance(0.5) ? 0 : 0xff]) this.#act(["out", port + 1, 1, word]);
    }
    for (let cpu = 0; cpu < this.#bench.setup.cpus; cpu++) {
      this.#act(["apic write", cpu, 0xf0, 0x1ff]);
      this.#act(["apic write", cpu, 0x80, 0]);
      this.#act(["apic write", cpu, 0x350, 0x700]);
    }
    for (let input = 0; input < 24; input++) {
      this.#act(["write", 0xfec00000, 4, 0x10 + 2 * input]);
      this.#act(["write", 0xfec00010, 4, 0x30 + input + (input > 15 || input === 9 ? 0x8000 : 0)]);
    }
  }
  #interruptControllers(): void {
    const random = this.#random;
    const cpu = random.below(this.#bench.setup.cpus);
    const vector = () => random.pick([0x0f, 0x10, 0x20, 0x30, 0x31, 0x80, 0xff, random.below(256)]);
    switch (random.below(4)) {
      case 0: {
        const [command, data] = random.pick([
          [0x20, 0x21],
          [0xa0, 0xa1],
        ] as const);
        this.#act(["out", command, 1, 0x11 | random.pick([0, 0, 8, 2, 0xe])]);
        for (const word of [0x08 + 8 * random.below(8), random.pick([4, 2, 0xff]), random.pick([1, 3, 0x13, 0x1f])])
          this.#act(["out", data, 1, word]);
        this.#act(["out", data, 1, random.pick([0, 0, 0xff, random.below(256)])]);
        return void this.#act(["out", command, 1, random.pick([0x20, 0x60, 0x0a, 0x0b, 0x0c, 0x68, 0xc0, 0xa0, 0x80])]);
      }
      case 1:
      case 2: {
        const input = random.below(24);
        const low = vector() | (random.pick([0, 0, 0, 1, 2, 4, 5, 7]) << 8) | random.pick([0, 0x8000, 0x800, 0x10000]);
        this.#act(["write", 0xfec00000, 4, 0x11 + 2 * input]);
        this.#act(["write", 0xfec00010, 4, (random.pick([0, 1, 3, 0xff]) << 24) >>> 0]);
        this.#act(["write", 0xfec00000, 4, 0x10 + 2 * input]);
        return void this.#act(["write", 0xfec00010, 4, low]);
      }
      default:
        this.#act(["apic write", cpu, 0xf0, random.chance(0.8) ? 0x1ff : random.below(0x400)]);
        this.#act(["apic write", cpu, 0x80, random.pick([0, 0, 0x20, 0xff])]);
        this.#act(["apic write", cpu, 0xd0, (random.pick([0, 1, 2, 0x11]) << 24) >>> 0]);
        this.#act(["apic write", cpu, 0x350, random.pick([0x700, 0x10700, 0x8700, 0x8000 | vector(), 0x400])]);
        this.#act(["apic write", cpu, 0x370, vector()]);
        if (random.chance(0.3)) this.#act(["apic write", cpu, 0x310, (random.below(5) << 24) >>> 0]);
        if (random.chance(0.3)) this.#act(["apic write", cpu, 0x300, random.u32() & 0xcffff]);
    }
  }
  #serveInterrupt(): void {
    const random = this.#random;
    const cpu = random.below(this.#bench.setup.cpus);
    for (let vectors = 1 + random.below(4); vectors > 0; vectors--) {
      this.#act(["acknowledge", cpu]);
      if (random.chance(0.8)) this.#act(["apic write", cpu, 0xb0, 0]);
      if (random.chance(0.4)) this.#act(["out", random.pick([0x20, 0xa0]), 1, 0x20]);
    }
    if (random.chance(0.2)) this.#act(["apic read", cpu, 16 * random.below(64), size(random)]);
  }

  // ---- time ----

  /** Timers at their extremes. */
  #timers(): void {
    const random = this.#random;
    switch (random.below(6)) {
      case 0: {
        const counter = random.below(3);
        this.#act(["out", 0x43, 1, (counter << 6) | (random.pick([1, 2, 3, 3]) << 4) | random.below(16)]);
        for (const byte of random.pick([
          [1, 0],
          [2, 0],
          [0, 0],
          [3, 0],
          [0xff, 0xff],
          [0x99, 0x99],
          [0, 1],
        ] as const))
          this.#act(["out", 0x40 + counter, 1, byte]);
        return void this.#act(["out", 0x61, 1, random.below(4)]);
      }
      case 1:
      case 2: {
        const set = (index: number, value: number) => {
          this.#act(["out", 0x70, 1, index]);
          this.#act(["out", 0x71, 1, value]);
        };
        set(random.pick([0x0a, 0x0b]), random.below(256));
        set(random.below(14), random.pick([0, 0x23, 0x59, 0x99, 0xff, random.below(256)]));
        this.#act(["out", 0x70, 1, 0x0c]);
        return void this.#act(["in", 0x71, 1]);
      }
      case 3: {
        const ports = random.pick(targetsOf(this.#bench.board).filter(({ kind }) => kind === "ports"));
        return this.#write(ports, random.below(Math.min(6, ports.size)), 2, random.pick([1, 0x521, 0x2000, 0xffff, 0]));
      }
      default: {
        // Who asks for an interrupt every few nanoseconds gets them, and pays in the host's time: such counts are left out.
        const cpu = random.below(this.#bench.setup.cpus);
        this.#act(["apic write", cpu, 0x320, random.pick([0x20030, 0x31, 0x40032, 0x30033, 0x20005])]);
        this.#act(["apic write", cpu, 0x3e0, random.pick([0, 3, 10, 11])]);
        this.#act(["apic write", cpu, 0x380, random.pick([2000, 10_000, 0xffffffff, 0, 100_000])]);
      }
    }
  }
  /** Nanoseconds; long ones are rare. */
  #time(): number {
    const random = this.#random;
    const { clock } = this.#bench.board;
    if (random.chance(0.02)) return random.below(2_000_000_000);
    if (random.chance(0.2)) return random.below(20_000_000);
    if (random.chance(0.3) && Number.isFinite(clock.nextDue)) return clock.nextDue - clock.now + random.below(2);
    return random.below(random.pick([1, 2, 1000, 100_000]) + 1);
  }
  /** While something ticks fast, time passes in small steps: a second would take the host as long. */
  #atMost(time: number): number {
    const { clock } = this.#bench.board;
    return Math.max(0, Math.min(time, clock.nextDue - clock.now < 5000 ? 1_000_000 : 5_000_000_000));
  }

  // ---- the user ----

  #type(): void {
    const random = this.#random;
    switch (random.below(4)) {
      case 0:
        return void this.#act(["type", random.pick(["a", "Root\n", "~!@#$%^&*()", "x".repeat(random.below(300))])]);
      case 1:
        return void this.#act(["press", ...Array.from({ length: 1 + random.below(4) }, () => random.pick(keys))]);
      default:
        return void this.#act([
          "serial",
          hexOf(random.fill(new Uint8Array(1 + random.below(random.pick([2, 40, 2000]))))),
        ]);
    }
  }
}
