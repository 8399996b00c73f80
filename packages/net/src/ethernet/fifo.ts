/**
 * A queue whose ends cost the same however long it is: an array's `shift` moves all that follow. It is a circle of places,
 * twice as large whenever it is full.
 */
export class Fifo<T> {
  #places: (T | undefined)[] = new Array(8).fill(undefined);
  #first = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The next one to leave. */
  get first(): T | undefined {
    return this.#places[this.#first];
  }

  /** The `n`th, if there are so many; the first one is number 0. */
  at(n: number): T {
    return this.#places[this.#place(n)] as T;
  }

  push(item: T): void {
    this.insert(this.#length, item);
  }

  /** Puts `item` before number `n`, or at the end if that is their number. */
  insert(n: number, item: T): void {
    if (this.#length === this.#places.length) this.#grow();
    for (let at = this.#length++; at > n; at--) this.#places[this.#place(at)] = this.at(at - 1);
    this.#places[this.#place(n)] = item;
  }

  /** Takes the first one out. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#places[this.#first];
    this.#places[this.#first] = undefined;
    this.#first = this.#place(1);
    this.#length--;
    return item;
  }

  /** All of them in order; from now on, if given, those in their place. */
  get all(): T[] {
    return Array.from({ length: this.#length }, (_, n) => this.at(n));
  }
  set all(items: readonly T[]) {
    this.#places = new Array(8).fill(undefined);
    this.#first = this.#length = 0;
    for (const item of items) this.push(item);
  }

  #place(n: number): number {
    return (this.#first + n) & (this.#places.length - 1);
  }

  #grow(): void {
    this.#places = [...this.all, ...new Array(this.#places.length).fill(undefined)];
    this.#first = 0;
  }
}
