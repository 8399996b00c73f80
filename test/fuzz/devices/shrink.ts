/** Makes a list of actions that fails shorter, as long as it still fails in the same way. */

/** Leaves out ever smaller pieces [Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002]. */
export function shrink<A>(
  actions: readonly A[],
  fails: (actions: readonly A[]) => boolean,
  goOn: () => boolean,
): readonly A[] {
  let kept = actions;
  for (let piece = Math.ceil(kept.length / 2); goOn(); piece = Math.ceil(piece / 2)) {
    for (let at = 0; at < kept.length && goOn(); ) {
      const without = [...kept.slice(0, at), ...kept.slice(at + piece)];
      if (fails(without)) kept = without;
      else at += piece;
    }
    if (piece <= 1) break;
  }
  return kept;
}
