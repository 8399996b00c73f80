/** How much stack a program can take at most: from the call graph, whose circles must be bounded by their author. */

export interface StackNode {
  readonly name: string;
  /** Its own, with the return address. */
  readonly bytes: number;
  /** Symbols of other nodes. */
  readonly calls: readonly string[];
}
export type CallGraph = ReadonlyMap<string, StackNode>;

/** Functions that call each other in a circle without a bound. */
export class RecursionError extends Error {
  override readonly name = "RecursionError";
  readonly circle: readonly string[];
  constructor(circle: readonly string[]) {
    super(`recursion without a bound: ${circle.join(", ")}`);
    this.circle = circle;
  }
}

/**
 * The worst case of each function with all that it calls, in bytes, by symbol.
 * @param bounds how many activations of a function there can be at once, by name
 * @throws {RecursionError}
 */
export function worstStacks(graph: CallGraph, bounds: Readonly<Record<string, number>> = {}): Map<string, number> {
  const worst = new Map<string, number>();
  for (const group of circles(graph)) {
    const inside = new Set(group);
    const nodes = group.map((symbol) => graph.get(symbol)!);
    const below = Math.max(
      0,
      ...nodes.flatMap(({ calls }) => calls.filter((c) => !inside.has(c)).map((c) => worst.get(c)!)),
    );
    const own = nodes.reduce((sum, { bytes }) => sum + bytes, 0);
    const circular = group.length > 1 || nodes[0]!.calls.includes(group[0]!);
    const rounds = circular ? roundsOf(graph, group, bounds) : 1;
    for (const symbol of group) worst.set(symbol, rounds * own + below);
  }
  return worst;
}

/** Between two activations of bounded functions each of the others is active once at most, if they have no circle of their own. */
function roundsOf(graph: CallGraph, group: readonly string[], bounds: Readonly<Record<string, number>>): number {
  const bound = (symbol: string) => bounds[graph.get(symbol)!.name];
  const free = group.filter((symbol) => bound(symbol) === undefined);
  const rest = new Map(
    free.map((symbol) => {
      const node = graph.get(symbol)!;
      return [symbol, { ...node, calls: node.calls.filter((callee) => free.includes(callee)) }];
    }),
  );
  for (const inner of circles(rest)) {
    if (inner.length === 1 && !rest.get(inner[0]!)!.calls.includes(inner[0]!)) continue;
    throw new RecursionError(inner.map((symbol) => graph.get(symbol)!.name));
  }
  return group.reduce((sum, symbol) => sum + (bound(symbol) ?? 0), 1);
}

/** Functions that can reach each other, in groups, callees before callers (Tarjan). */
function circles(graph: CallGraph): string[][] {
  const groups: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const visit = (symbol: string): number => {
    const number = order.size;
    order.set(symbol, number);
    let low = number;
    open.push(symbol);
    for (const callee of graph.get(symbol)!.calls) {
      if (!order.has(callee)) low = Math.min(low, visit(callee));
      else if (open.includes(callee)) low = Math.min(low, lowest.get(callee) ?? order.get(callee)!);
    }
    lowest.set(symbol, low);
    if (low === number) groups.push(open.splice(open.indexOf(symbol)));
    return low;
  };
  for (const symbol of graph.keys()) if (!order.has(symbol)) visit(symbol);
  return groups;
}
