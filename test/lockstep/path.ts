/** Paths: the linear addresses that our side went through, by which QEMU follows. */

/** A path that ends in a loop may become so many times as long as was asked for. */
const LOOP = 10;
/**
 * Is the path not long enough? One that ends in a loop goes on for a while: QEMU is brought past a loop in one go, but
 * through it address by address. `met` holds the addresses so far.
 */
export function goesOn(path: readonly number[], met: Set<number>, most: number): boolean {
  const last = path.at(-1)!,
    isNew = !met.has(last);
  met.add(last);
  return path.length <= most || (!isNew && path.length <= LOOP * most);
}

/**
 * Where QEMU must stop on its way along a path, as places in it, to the end. From each stop it runs to a breakpoint at the
 * last address that it does not meet before; where the next stop is the next place, it is stepped.
 */
export function waypoints(path: readonly number[]): number[] {
  const earliest = earliestBefore(path);
  const stops: number[] = [];
  for (let from = 0; from < path.length - 1; ) {
    let low = from + 1,
      high = path.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (earliest[middle]! < from) low = middle;
      else high = middle - 1;
    }
    stops.push(low);
    from = low;
  }
  return stops;
}
/**
 * Of each place the smallest of all places before which addresses from there on were met last: so the last place whose
 * entry is below `from` is the last one that is new after it.
 */
function earliestBefore(path: readonly number[]): Int32Array {
  const met = new Map<number, number>();
  const before = Int32Array.from(path, (address, i) => {
    const last = met.get(address) ?? -1;
    met.set(address, i);
    return last;
  });
  for (let i = path.length - 2; i >= 0; i--) before[i] = Math.min(before[i]!, before[i + 1]!);
  return before;
}
