/** A set of 256 interrupt vectors: ISR, TMR and IRR [SDM 3A 10.8.4]. */
export class Vectors {
  readonly words = new Uint32Array(8);
  has(vector: number): boolean {
    return ((this.words[vector >> 5]! >>> (vector & 31)) & 1) !== 0;
  }
  add(vector: number): void {
    this.words[vector >> 5]! |= 1 << (vector & 31);
  }
  remove(vector: number): void {
    this.words[vector >> 5]! &= ~(1 << (vector & 31));
  }
  put(vector: number, present: boolean): void {
    present ? this.add(vector) : this.remove(vector);
  }
  clear(): void {
    this.words.fill(0);
  }
  /** The highest vector, or -1. */
  highest(): number {
    for (let i = 7; i >= 0; i--) if (this.words[i] !== 0) return 32 * i + 31 - Math.clz32(this.words[i]!);
    return -1;
  }
}
