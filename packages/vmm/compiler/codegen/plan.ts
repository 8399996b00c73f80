/** Decided before a function is translated: where its locals live, and which of them blocks write. */

import type { Instruction, WasmFunction } from "../wasm/module.ts";
import {
  R8,
  R9,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  type Register,
  RSI,
} from "../x64/operands.ts";

/** Of the System V calling convention, with which stubs and generated code call each other. */
export const ARGUMENTS: readonly Register[] = [RDI, RSI, RDX, RCX, R8, R9];
export const CALLEE_SAVED: readonly Register[] = [RBX, RBP, R12, R13, R14, R15];
const CALLER_SAVED: readonly Register[] = [RAX, RDX, RCX, RSI, RDI, R8, R9, R10, R11];
/** What a leaf function's locals may have besides: enough others are left to compute with. */
const LEAF_HOMES: readonly Register[] = [RDI, RSI, R8, R9];

export interface Plan {
  /** The register of each local, for the whole function; null if it lives on the stack, or nowhere. */
  readonly homes: readonly (Register | null)[];
  /** The stack slot of each local without a register; null if it is never used. */
  readonly slots: readonly (number | null)[];
  readonly slotCount: number;
  /** Callee-saved registers that are homes. */
  readonly saved: readonly Register[];
  /** Registers to compute in, best first. */
  readonly temporaries: readonly Register[];
  /** Locals that may be read before they are written: they start as zero. */
  readonly zeroed: ReadonlySet<number>;
  /** The locals that the block opened by the instruction of this index writes. */
  readonly written: ReadonlyMap<number, ReadonlySet<number>>;
}

interface Uses {
  /** How often each local is used; a use in a loop counts eight times as much. */
  readonly weights: number[];
  readonly zeroed: Set<number>;
  readonly written: Map<number, ReadonlySet<number>>;
}

/** @param leaf no instruction of it calls anything, or needs certain registers */
export function plan(fn: WasmFunction, leaf: boolean): Plan {
  const { weights, zeroed, written } = uses(fn);
  const order = weights
    .map((weight, index) => ({ weight, index }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || a.index - b.index);
  const free = [...(leaf ? LEAF_HOMES : []), ...CALLEE_SAVED];
  const chosen = order.splice(0, free.length).map(({ index }) => index);
  const homes = Array<Register | null>(fn.locals.length).fill(null);
  const settle = (index: number, register: Register) => {
    homes[index] = register;
    free.splice(free.indexOf(register), 1);
  };
  const parameters = fn.type.parameters.length;
  if (leaf) {
    for (const index of chosen) {
      const arrives = index < parameters ? ARGUMENTS[index] : undefined;
      if (arrives !== undefined && free.includes(arrives)) settle(index, arrives);
    }
  }
  for (const index of chosen) if (homes[index] === null) settle(index, free[0]!);
  const slots = Array<number | null>(fn.locals.length).fill(null);
  for (const [slot, { index }] of order.entries()) slots[index] = slot;
  for (let n = 0; n < parameters; n++) zeroed.delete(n);
  return {
    homes,
    slots,
    slotCount: order.length,
    saved: CALLEE_SAVED.filter((register) => homes.includes(register)),
    temporaries: CALLER_SAVED.filter((register) => !homes.includes(register)),
    zeroed,
    written,
  };
}

const opens = ({ name }: Instruction) => name === "block" || name === "loop" || name === "if";

/**
 * A local is never read before it is written if its first use in the text is a write, and all others stand in the same
 * scope or in scopes within: whoever comes to them came past the write.
 */
function uses({ body, locals }: WasmFunction): Uses {
  const weights = Array<number>(locals.length).fill(0);
  const zeroed = new Set<number>();
  const written = new Map<number, ReadonlySet<number>>();
  const firstScope = new Map<number, number>();
  const open: { readonly at: number; readonly loop: boolean; readonly writes: Set<number> }[] = [];
  const scopes = [0];
  let scopeCount = 1;
  let depth = 0;
  for (const [at, instruction] of body.entries()) {
    const { name, operand } = instruction;
    if (opens(instruction)) {
      open.push({ at, loop: name === "loop", writes: new Set() });
      scopes.push(scopeCount++);
      if (name === "loop") depth++;
    } else if (name === "else") scopes.splice(-1, 1, scopeCount++);
    else if (name === "end" && open.length > 0) {
      const closed = open.pop()!;
      written.set(closed.at, closed.writes);
      for (const local of closed.writes) open.at(-1)?.writes.add(local);
      scopes.pop();
      if (closed.loop) depth--;
    } else if (name.startsWith("local.")) {
      weights[operand]! += 1 << (3 * Math.min(depth, 6));
      if (name !== "local.get") open.at(-1)?.writes.add(operand);
      const first = firstScope.get(operand);
      if (first === undefined) firstScope.set(operand, scopes.at(-1)!);
      if (first === undefined ? name === "local.get" : !scopes.includes(first)) zeroed.add(operand);
    }
  }
  return { weights, zeroed, written };
}
