/**
 * The state of one function's translation: an operand stack of lazy values, registers to compute in, and open blocks.
 * What single instructions do is in the files beside; they are written with the verbs of this class.
 */
import { impossible } from "@castaway/kit";
import type { Instruction, WasmFunction, WasmModule } from "../wasm/module.ts";
import { Assembler, Label } from "../x64/assembler.ts";
import { CC, type Condition, type Memory, memory, type Register, RSP } from "../x64/operands.ts";
import { type Operand, ownedBy, readsLocal, renamed } from "./operand.ts";
import type { Plan } from "./plan.ts";

/** An open block. */
export interface Block {
  readonly kind: "block" | "loop" | "if";
  /** Where a branch to it goes: a loop's start, another block's end. */
  readonly target: Label;
  readonly end: Label;
  /** Where an `if` goes on when the condition is false, until its `else` is there. */
  otherwise: Label | null;
  /** Operands below it. */
  readonly height: number;
  /** A value is left in RAX at its end. */
  readonly result: boolean;
  readonly wide: boolean;
  /** The instructions up to its `else` or `end` are never reached. */
  dead: boolean;
  /** Something jumps to its end. */
  reached: boolean;
}

/** Instructions that use a condition from the flags. */
const TAKES_FLAGS = new Set(["br_if", "if", "select", "i32.eqz"]);

export class Generator {
  readonly module: WasmModule;
  readonly fn: WasmFunction;
  readonly plan: Plan;
  readonly asm = new Assembler();
  readonly stack: Operand[] = [];
  readonly blocks: Block[] = [];
  /** Where failed checks go: each is an undefined instruction behind the function, with the line of its cause. */
  readonly traps: { readonly label: Label; readonly from: number }[] = [];
  readonly jumpTables: { readonly at: Label; readonly targets: readonly Label[] }[] = [];
  /** What it calls: symbols, and types of functions called by pointer. */
  readonly calls = new Set<string>();
  /** The index of the instruction that is being translated. */
  at = 0;
  /** Stack slots of 8 bytes in use; the first belong to locals, the others to positions of the operand stack. */
  slotCount: number;
  /** Bytes below the slots where arguments beyond the sixth go. */
  outgoing = 0;
  readonly #busy = new Set<Register>();

  constructor(module: WasmModule, fn: WasmFunction, plan: Plan) {
    this.module = module;
    this.fn = fn;
    this.plan = plan;
    this.slotCount = plan.slotCount;
  }

  get instruction(): Instruction {
    return this.fn.body[this.at]!;
  }
  /** The name of an instruction further on, or "". */
  nameAfter(distance = 1): string {
    return this.fn.body[this.at + distance]?.name ?? "";
  }

  // ---- the operand stack ----

  push(v: Operand): void {
    this.stack.push(v);
  }
  pushRegister(register: Register, wide: boolean): void {
    this.push({ kind: "register", register, wide });
  }
  pop(): Operand {
    return this.stack.pop() ?? impossible("the module was validated: there is an operand", { function: this.fn.name });
  }
  /** A result in the flags: left there if the next instruction takes it from there. */
  pushFlags(condition: Condition): void {
    const flags = { kind: "flags", condition, wide: false } as const;
    if (TAKES_FLAGS.has(this.nameAfter())) this.push(flags);
    else {
      const to = this.target();
      this.load(to, flags);
      this.pushRegister(to, false);
    }
  }

  // ---- registers ----

  /** A free register, of which the caller is the owner now. */
  allocate(...avoid: readonly Register[]): Register {
    for (const register of this.plan.temporaries) {
      if (this.#busy.has(register) || avoid.includes(register)) continue;
      this.#busy.add(register);
      return register;
    }
    const useful = (r: Register) => !avoid.includes(r) && this.plan.temporaries.includes(r);
    const oldest = this.stack.findIndex((v) => ownedBy(v).some(useful));
    if (oldest < 0)
      impossible("a register can be freed", { function: this.fn.name, instruction: this.instruction.name });
    this.spill(oldest);
    return this.allocate(...avoid);
  }
  free(...registers: readonly Register[]): void {
    for (const register of registers) this.#busy.delete(register);
  }
  /** The caller owns this register, which is a result that was computed in it. */
  claim(register: Register): void {
    this.#busy.add(register);
  }
  /** Gives up what a value owns. */
  drop(v: Operand): void {
    this.free(...ownedBy(v));
  }
  /** Makes these registers free, and the caller's; who has one now moves. */
  take(...registers: readonly Register[]): void {
    for (const register of registers) {
      if (this.#busy.has(register)) this.#evict(register, registers);
      this.#busy.add(register);
    }
  }
  #evict(register: Register, avoid: readonly Register[]): void {
    const at = this.stack.findIndex((v) => ownedBy(v).includes(register));
    if (at < 0) impossible("a register that is taken belongs to the stack", { function: this.fn.name, register });
    const to = this.allocate(...avoid);
    const v = this.stack[at]!;
    if (!ownedBy(v).includes(register)) return this.free(to); // it was spilled for `to`
    this.asm.copy(to, register);
    this.stack[at] = renamed(v, (r) => (r === register ? to : r));
    this.free(register);
  }

  /** The home of a local, or null. */
  home(local: number): Register | null {
    return this.plan.homes[local]!;
  }
  slot(slot: number): Memory {
    return memory(RSP, 8 * slot + this.outgoing);
  }
  localSlot(local: number): Memory {
    return this.slot(this.plan.slots[local]!);
  }
  /** The memory that a value is in, if it is in memory. */
  inMemory(v: Operand): Memory | null {
    if (v.kind === "slot") return this.slot(v.slot);
    return v.kind === "local" && this.home(v.index) === null ? this.localSlot(v.index) : null;
  }

  /** Puts a value into a register; flags stay, and so does what the value owns. */
  load(to: Register, v: Operand): void {
    const { asm } = this;
    const size = v.wide ? 8 : 4;
    const from = this.inMemory(v);
    if (from !== null) asm.load(to, from, size);
    else if (v.kind === "constant") asm.constant(to, v.wide ? v.value : BigInt.asUintN(32, v.value));
    else if (v.kind === "register") asm.copy(to, v.register);
    else if (v.kind === "local") asm.copy(to, this.home(v.index)!, size);
    else if (v.kind === "sum") asm.lea(to, { ...v.address, narrow: false }, 4);
    else if (v.kind === "flags") asm.setCondition(to, v.condition);
  }
  /** A register that holds the value, to be read only; `release` it afterwards. */
  use(v: Operand, ...avoid: readonly Register[]): Register {
    if (v.kind === "register") return v.register;
    if (v.kind === "local" && this.home(v.index) !== null) return this.home(v.index)!;
    if (v.kind === "sum" && v.owned[0] !== undefined) {
      this.load(v.owned[0], v);
      return v.owned[0];
    }
    const register = this.allocate(...avoid, ...ownedBy(v));
    this.load(register, v);
    return register;
  }
  release(v: Operand, register: Register): void {
    this.drop(v);
    if (!this.plan.homes.includes(register)) this.free(register);
  }
  /** A register that holds the value and may be overwritten; the caller owns it, the value is used up. */
  own(v: Operand, ...avoid: readonly Register[]): Register {
    if (v.kind === "register" && !avoid.includes(v.register) && this.plan.temporaries.includes(v.register))
      return v.register;
    const within = v.kind === "sum" ? v.owned.find((r) => !avoid.includes(r)) : undefined;
    if (within !== undefined) {
      this.load(within, v);
      this.free(...ownedBy(v).filter((r) => r !== within));
      return within;
    }
    const register = this.allocate(...avoid, ...ownedBy(v));
    this.load(register, v);
    this.drop(v);
    return register;
  }
  /** `own`, in this register, which is free. */
  ownIn(register: Register, v: Operand): Register {
    this.load(register, v);
    if (!(v.kind === "register" && v.register === register)) this.drop(v);
    return register;
  }

  /**
   * Where a result is best computed: in the home of the local that the next instruction sets, if neither the stack nor
   * `pending`, operands that are read after the first write, need what is in there; or in a free register.
   */
  target(...pending: readonly Operand[]): Register {
    return this.settableHome(...pending) ?? this.allocate();
  }
  settableHome(...pending: readonly Operand[]): Register | null {
    const next = this.fn.body[this.at + 1];
    if (next?.name !== "local.set" && next?.name !== "local.tee") return null;
    const needed = [...this.stack, ...pending].some((v) => readsLocal(v, next.operand));
    return needed ? null : this.home(next.operand);
  }

  // ---- stack slots ----

  /** Moves the value at a position of the operand stack to the slot of that position. */
  spill(position: number): void {
    const v = this.stack[position]!;
    if (v.kind === "constant" || v.kind === "slot") return;
    const slot = this.plan.slotCount + position;
    this.slotCount = Math.max(this.slotCount, slot + 1);
    const register = this.use(v);
    this.asm.store(this.slot(slot), register, 8);
    this.release(v, register);
    this.stack[position] = { kind: "slot", slot, wide: v.wide };
  }
  /** Before a block: what the stack holds must be the same on every way to its end. Flags stay. */
  settle(written: ReadonlySet<number>): void {
    for (const [position, v] of this.stack.entries()) {
      const changes =
        v.kind === "local" ? written.has(v.index) : v.kind === "sum" && v.locals.some((n) => written.has(n));
      if (ownedBy(v).length > 0 || changes || v.kind === "flags") this.spill(position);
    }
  }
  /** Before a call: caller-saved registers are lost. */
  settleForCall(): void {
    for (const [position, v] of this.stack.entries()) if (ownedBy(v).length > 0) this.spill(position);
  }

  // ---- checks ----

  /** Sets the flags for a value's truth, and returns the condition that says it is not zero. */
  truth(v: Operand): Condition {
    if (v.kind === "flags") return v.condition;
    const register = this.use(v);
    this.asm.test(register, register, v.wide ? 8 : 4);
    this.release(v, register);
    return CC.NE;
  }
  /** Stops at an address of its own if the condition holds. */
  trapIf(condition: Condition): void {
    const label = new Label();
    this.asm.jump(label, condition);
    this.traps.push({ label, from: this.instruction.at });
  }
}
