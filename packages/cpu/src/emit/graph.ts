/**
 * A small graph between semantics and WebAssembly: values are nodes, effects are statements in order. Values that
 * nobody uses are dropped, constants are folded, values used once are computed where they are used, and the others
 * become locals.
 */
import { type Code, I32, I64, type Op, V128, type ValueType } from "@castaway/kit/wasm";

export interface Node {
  readonly type: ValueType;
  /** An i32 that is 0 or 1. */
  readonly condition: boolean;
  readonly args: readonly Node[];
  /** Constants; else undefined. */
  readonly value?: bigint;
  /** Emits the operation; its arguments are on the stack already. Absent: an effect or a branch provides the value. */
  readonly emit?: (code: Code) => void;
  /** Depends on state: must be computed where it was made. */
  readonly pinned: boolean;
  uses: number;
  local: number;
}

export type Statement =
  | { readonly kind: "value"; readonly node: Node }
  | {
      readonly kind: "effect";
      readonly args: readonly Node[];
      readonly result: Node | null;
      readonly emit: (g: Generator) => void;
    }
  | {
      readonly kind: "if";
      readonly condition: Node;
      readonly taken: Arm;
      readonly otherwise: Arm;
      readonly result: Node | null;
    };
export interface Arm {
  readonly statements: Statement[];
  value: Node | null;
}

/** Collects statements while a semantics runs. */
export class Graph {
  #current: Arm = { statements: [], value: null };
  readonly root = this.#current;

  constant(type: typeof I32 | typeof I64, value: bigint): Node {
    return {
      type,
      condition: type === I32 && (value === 0n || value === 1n),
      args: [],
      value,
      pinned: false,
      uses: 0,
      local: -1,
    };
  }
  /** A pure operation. */
  pure(type: ValueType, args: readonly Node[], emit: (code: Code) => void, condition = false): Node {
    return this.#define({ type, condition, args, emit, pinned: false, uses: 0, local: -1 });
  }
  op(type: ValueType, op: Op, ...args: Node[]): Node {
    return this.pure(type, args, (code) => code.op(op));
  }
  test(op: Op, ...args: Node[]): Node {
    return this.pure(I32, args, (code) => code.op(op), true);
  }
  /** Reads state, in order with the statements around it. */
  read(type: ValueType, args: readonly Node[], emit: (code: Code) => void): Node {
    return this.#define({ type, condition: false, args, emit, pinned: true, uses: 0, local: -1 });
  }
  #define(node: Node): Node {
    this.#current.statements.push({ kind: "value", node });
    return node;
  }
  /** Something that happens, with the nodes it uses; `emit` pushes them itself. With a type it makes a value. */
  effect(args: readonly Node[], emit: (g: Generator, result: Node | null) => void, type?: ValueType): Node | null {
    const result: Node | null =
      type === undefined ? null : { type, condition: false, args: [], pinned: true, uses: 0, local: -1 };
    this.#current.statements.push({ kind: "effect", args, result, emit: (g) => emit(g, result) });
    return result;
  }
  branch(condition: Node, then: () => Node | null, otherwise: () => Node | null, type?: ValueType): Node | null {
    const arms = [then, otherwise].map((fill) => {
      const outer = this.#current,
        arm: Arm = { statements: [], value: null };
      this.#current = arm;
      arm.value = fill();
      this.#current = outer;
      return arm;
    }) as [Arm, Arm];
    const result: Node | null =
      type === undefined ? null : { type, condition: false, args: [], pinned: true, uses: 0, local: -1 };
    this.#current.statements.push({ kind: "if", condition, taken: arms[0], otherwise: arms[1], result });
    return result;
  }
}

/** Turns a graph into code. Locals are taken from a pool, so that many graphs can share one function. */
export class Generator {
  readonly code: Code;
  readonly #pool: Map<ValueType, number[]>;
  readonly #taken = new Map<ValueType, number>([
    [I32, 0],
    [I64, 0],
    [V128, 0],
  ]);

  constructor(code: Code, pool: Map<ValueType, number[]>) {
    this.code = code;
    this.#pool = pool;
  }

  local(type: ValueType): number {
    const free = this.#pool.get(type) ?? [],
      n = this.#taken.get(type)!;
    this.#pool.set(type, free);
    if (n === free.length) free.push(this.code.local(type));
    this.#taken.set(type, n + 1);
    return free[n]!;
  }
  /** Pushes a value. */
  value(node: Node): void {
    if (node.value !== undefined) {
      if (node.type === I32) this.code.i32(Number(BigInt.asIntN(32, node.value)));
      else this.code.i64(node.value);
    } else if (node.local >= 0) this.code.get(node.local);
    else {
      for (const arg of node.args) this.value(arg);
      node.emit!(this.code);
    }
  }
  /** Pops a value into the local of a node that an effect provides; drops it if nobody wants it. */
  provide(node: Node): void {
    if (node.uses === 0) this.code.op("drop");
    else this.code.set((node.local = this.local(node.type)));
  }

  run(root: Arm): void {
    countUses(root);
    this.#arm(root);
  }
  #arm(arm: Arm): void {
    for (const statement of arm.statements) {
      if (statement.kind === "effect") statement.emit(this);
      else if (statement.kind === "if") this.#if(statement);
      else {
        const { node } = statement;
        // A use in a deeper arm would be computed each time; but arms run at most once, so one use is one computation.
        if (node.uses > 1 || (node.pinned && node.uses > 0)) {
          for (const arg of node.args) this.value(arg);
          node.emit!(this.code);
          this.code.set((node.local = this.local(node.type)));
        }
      }
    }
  }
  #if({ condition, taken, otherwise, result }: Extract<Statement, { kind: "if" }>): void {
    if (isEmpty(taken) && isEmpty(otherwise)) return;
    this.value(condition);
    const wanted = result !== null && result.uses > 0;
    if (wanted) result.local = this.local(result.type);
    this.code.open("if");
    this.#arm(taken);
    if (wanted) {
      this.value(taken.value!);
      this.code.set(result.local);
    }
    if (wanted || !isEmpty(otherwise)) {
      this.code.otherwise();
      this.#arm(otherwise);
      if (wanted) {
        this.value(otherwise.value!);
        this.code.set(result.local);
      }
    }
    this.code.end();
  }
}
const isEmpty = (arm: Arm): boolean => arm.value === null && arm.statements.every((s) => s.kind === "value");

/** Marks what is live, from effects backwards. */
function countUses(arm: Arm): void {
  for (const s of arm.statements) {
    if (s.kind === "effect") for (const arg of s.args) use(arg);
    else if (s.kind === "if") {
      use(s.condition);
      countUses(s.taken);
      countUses(s.otherwise);
      if (s.result !== null && s.taken.value !== null) {
        use(s.taken.value);
        use(s.otherwise.value!);
      }
    }
  }
}
function use(node: Node): void {
  if (node.uses++ === 0) for (const arg of node.args) use(arg);
}
