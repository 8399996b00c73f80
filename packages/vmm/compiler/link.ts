/** Pieces of code and data, one after the other, at their addresses. */
import { impossible } from "@castaway/kit";
import { type ObjectCode, patch, relocated } from "./x64/object-code.ts";

export interface Piece {
  /** What relocations call it. */
  readonly symbol: string;
  /** What people call it. */
  readonly name: string;
  readonly kind: "code" | "data";
  readonly code: ObjectCode;
  /** What it takes of the stack itself. */
  readonly stackBytes: number;
  readonly calls: ReadonlySet<string>;
}

export interface Placed {
  readonly name: string;
  readonly kind: "code" | "data";
  readonly address: number;
  readonly size: number;
}

export interface Linked {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** In ascending order of addresses. */
  readonly placed: readonly Placed[];
  /** Ascending. */
  readonly lines: readonly { readonly address: number; readonly from: number }[];
  /** The address of a piece, or of a place inside one. */
  addressOf(symbol: string): number;
}

const ALIGNMENT = 16;
/** INT3 between functions. */
const FILLER = 0xcc;

/** @param extra other symbols, when it is known where the pieces end */
export function link(
  pieces: readonly Piece[],
  address: number,
  extra: (end: number, addressOf: (symbol: string) => number) => Readonly<Record<string, number>> = () => ({}),
): Linked {
  const symbols = new Map<string, number>();
  const placed: Placed[] = [];
  let end = address;
  for (const { symbol, name, kind, code } of pieces) {
    end = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    if (symbols.has(symbol)) impossible("a symbol is defined once", { symbol });
    symbols.set(symbol, end);
    for (const [inner, at] of code.symbols) symbols.set(inner, end + at);
    placed.push({ name, kind, address: end, size: code.bytes.length });
    end += code.bytes.length;
  }
  const addressOf = (symbol: string) =>
    symbols.get(symbol) ?? impossible("a symbol that is used is defined", { symbol });
  for (const [symbol, value] of Object.entries(extra(end, addressOf))) symbols.set(symbol, value);
  const bytes = new Uint8Array(end - address).fill(FILLER);
  const lines: { address: number; from: number }[] = [];
  for (const [n, { code }] of pieces.entries()) {
    const start = placed[n]!.address;
    bytes.set(code.bytes, start - address);
    for (const relocation of code.relocations) {
      const field = start + relocation.at;
      const { value, bytes: length } = relocated(relocation, field, addressOf(relocation.symbol));
      patch(bytes, field - address, value, length);
    }
    for (const { at, from } of code.lines) lines.push({ address: start + at, from });
  }
  return { address, bytes, placed, lines, addressOf };
}
