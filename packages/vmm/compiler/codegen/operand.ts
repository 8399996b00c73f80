/** Where the values of WebAssembly's operand stack are while a function is translated. */
import type { Condition, Memory, Register } from "../x64/operands.ts";

/**
 * A value that was pushed. Most are lazy: nothing is emitted before they are used. `wide` is i64; an i32 in a register or
 * a slot has a clear upper half, so that it can be used as an address, and zero-extension is free.
 */
export type Operand = { readonly wide: boolean } & (
  | { readonly kind: "constant"; readonly value: bigint }
  /** A local that has not been written since. */
  | { readonly kind: "local"; readonly index: number }
  /** A register that this value has for itself. */
  | { readonly kind: "register"; readonly register: Register }
  | { readonly kind: "slot"; readonly slot: number }
  /** The 32-bit address of a memory operand; `owned` are its registers that are this value's, `locals` the others. */
  | {
      readonly kind: "sum";
      readonly address: Memory;
      readonly owned: readonly Register[];
      readonly locals: readonly number[];
    }
  /** A condition in the flags, which the next instruction uses. */
  | { readonly kind: "flags"; readonly condition: Condition }
);
export type OperandOf<K extends Operand["kind"]> = Extract<Operand, { kind: K }>;

export const constant = (value: bigint, wide: boolean): Operand => ({
  kind: "constant",
  value: BigInt.asIntN(wide ? 64 : 32, value),
  wide,
});

/** The value as a sign-extended 32-bit immediate, or null. */
export function immediateOf(v: Operand): number | null {
  if (v.kind !== "constant" || v.value !== BigInt.asIntN(32, v.value)) return null;
  return Number(v.value);
}

/** True if the value is read from this local when it is used. */
export function readsLocal(v: Operand, index: number): boolean {
  return v.kind === "local" ? v.index === index : v.kind === "sum" && v.locals.includes(index);
}

/** The registers that only this value holds. */
export function ownedBy(v: Operand): readonly Register[] {
  return v.kind === "register" ? [v.register] : v.kind === "sum" ? v.owned : [];
}

/** The same value after registers changed places. */
export function renamed(v: Operand, rename: (r: Register) => Register): Operand {
  if (v.kind === "register") return { ...v, register: rename(v.register) };
  if (v.kind !== "sum") return v;
  const { base, index } = v.address;
  const address = {
    ...v.address,
    base: base === null ? null : rename(base),
    index: index === null ? null : rename(index),
  };
  return { ...v, address, owned: v.owned.map(rename) };
}
