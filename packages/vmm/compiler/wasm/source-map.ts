/** A source map whose columns are bytes of the module, as Binaryen writes it: https://tc39.es/ecma426/. */

export interface SourcePlace {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export class SourceMap {
  readonly #places: (SourcePlace & { readonly at: number })[] = [];

  /** @param json with `sources` and `mappings` */
  constructor(json: string) {
    const { sources, mappings } = JSON.parse(json) as { sources: string[]; mappings: string };
    let [at, source, line, column] = [0, 0, 0, 0];
    for (const segment of mappings.split(",")) {
      const [step = 0, ...place] = decode(segment);
      at += step;
      if (place.length < 3) continue;
      source += place[0]!;
      line += place[1]!;
      column += place[2]!;
      this.#places.push({ at, file: sources[source]!, line: line + 1, column: column + 1 });
    }
  }

  get files(): string[] {
    return [...new Set(this.#places.map(({ file }) => file))];
  }

  /** What a byte of the module comes from; null before the first mapping. */
  find(at: number): SourcePlace | null {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#places[middle]!.at <= at) low = middle + 1;
      else high = middle;
    }
    return this.#places[low - 1] ?? null;
  }
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Numbers in base 64, five bits a digit, the sign in the lowest bit. */
function decode(segment: string): number[] {
  const numbers: number[] = [];
  let [value, shift] = [0, 0];
  for (const char of segment) {
    const digit = DIGITS.indexOf(char);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    [value, shift] = [0, 0];
  }
  return numbers;
}
