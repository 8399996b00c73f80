/** The hypervisor's one lock: whatever is done about an exit, or in between, is done under it. */
import { allocate } from "../memory.ts";
import { pause, xchg32 } from "../x86.ts";

const FREE: u32 = 0;
const TAKEN: u32 = 1;
/** A cache line of its own. */
const BYTES: u32 = 64;

export class Lock {
  /** Linear address of the word, which is 0 while nobody has it. */
  readonly word: usize = allocate(BYTES, BYTES);

  acquire(): void {
    while (xchg32(this.word, TAKEN) !== FREE) pause();
  }
  release(): void {
    xchg32(this.word, FREE);
  }
}
