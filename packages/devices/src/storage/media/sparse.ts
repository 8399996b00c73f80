/** Media that know where they hold nothing but zeros, so that who reads all of a large one need not. */
import type { BlockDevice } from "@castaway/kit";

export interface Sparse {
  /** The first sector from `lba` on that may be other than zeros; the number of sectors if there is none. */
  nextData(lba: number): number;
}

/** {@link Sparse.nextData} of any medium: `lba` itself of one that does not know. */
export function nextData(medium: BlockDevice, lba: number): number {
  const { nextData } = medium as Partial<Sparse>;
  return nextData === undefined ? lba : nextData.call(medium, lba);
}
