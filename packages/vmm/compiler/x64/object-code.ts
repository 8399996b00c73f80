/** A piece of machine code that is not at its address yet. */

export interface Relocation {
  /** Where in the piece the field is. */
  readonly at: number;
  /** `relative`: 32 bits, from the end of the field. `absolute`: the address in as many bytes. */
  readonly kind: "relative" | "absolute2" | "absolute4" | "absolute8";
  readonly symbol: string;
  readonly addend: number;
}

export interface ObjectCode {
  readonly bytes: Uint8Array;
  readonly relocations: readonly Relocation[];
  /** Places with a name of their own, such as where a VM exit comes back. */
  readonly symbols: ReadonlyMap<string, number>;
  /** From here on the code comes from this byte of the WebAssembly module. Ascending. */
  readonly lines: readonly { readonly at: number; readonly from: number }[];
}

/** What a relocation puts into its field. */
export function relocated(
  { kind, addend }: Relocation,
  field: number,
  target: number,
): { value: bigint; bytes: number } {
  if (kind === "relative") return { value: BigInt(target + addend - (field + 4)), bytes: 4 };
  return { value: BigInt(target + addend), bytes: Number(kind.slice("absolute".length)) };
}

/** Little-endian. */
export function patch(bytes: Uint8Array, at: number, value: bigint, length: number): void {
  for (let n = 0; n < length; n++) bytes[at + n] = Number((value >> BigInt(8 * n)) & 0xffn);
}
