/** The VMM's own memory: linear addresses, which devices see at a fixed distance. */

let delta: u64 = 0;

/** Told once, at boot: what to add to a linear address to have the physical one. */
export function placeMemory(distance: u64): void {
  delta = distance;
}

export function physicalOf(linear: usize): u64 {
  return delta + linear;
}

/** Zeroed memory that is never given back. Boot only. @param alignment a power of two */
export function allocate(bytes: usize, alignment: usize): usize {
  const at = (heap.alloc(bytes + alignment) + alignment - 1) & ~(alignment - 1);
  memory.fill(at, 0, bytes);
  return at;
}
