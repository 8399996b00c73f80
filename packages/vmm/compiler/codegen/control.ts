/** Blocks, branches and the choice of values. A block's result travels in RAX. */
import { Label } from "../x64/assembler.ts";
import { CC, RAX } from "../x64/operands.ts";
import type { Handler } from "./arithmetic.ts";
import type { Block, Generator } from "./generator.ts";
import { ownedBy } from "./operand.ts";

const nothing: ReadonlySet<number> = new Set();

function enter(g: Generator, kind: Block["kind"], otherwise: Label | null): void {
  const end = new Label();
  const target = kind === "loop" ? new Label() : end;
  const { result } = g.instruction;
  g.blocks.push({
    kind,
    target,
    end,
    otherwise,
    height: g.stack.length,
    result: result !== undefined,
    wide: result === "i64",
    dead: false,
    reached: false,
  });
  if (kind === "loop") g.asm.bind(target);
}
const settle = (g: Generator) => g.settle(g.plan.written.get(g.at) ?? nothing);

function block(g: Generator): void {
  settle(g);
  enter(g, "block", null);
}
function loop(g: Generator): void {
  settle(g);
  enter(g, "loop", null);
}
function if_(g: Generator): void {
  const condition = g.pop();
  if (condition.kind !== "flags") {
    const cc = g.truth(condition);
    settle(g); // leaves the flags alone
    return branchElse(g, cc);
  }
  settle(g);
  branchElse(g, condition.condition);
}
function branchElse(g: Generator, condition: number): void {
  const otherwise = new Label();
  g.asm.jump(otherwise, condition ^ 1);
  enter(g, "if", otherwise);
}

/** Puts what a branch to this block carries into RAX; what it had is lost. */
function carry(g: Generator, { kind, result }: Block): void {
  if (!result || kind === "loop") return;
  g.load(RAX, g.stack.at(-1)!);
}
/** The rest of the block is unreachable: on to its `else` or `end`. */
function skip(g: Generator): void {
  const block = g.blocks.at(-1)!;
  while (g.stack.length > block.height) g.drop(g.pop());
  block.dead = true;
  for (let depth = 0; ; g.at++) {
    const next = g.nameAfter();
    if (next === "block" || next === "loop" || next === "if") depth++;
    else if (depth === 0 && (next === "end" || next === "else")) return;
    else if (next === "end") depth--;
  }
}

/** The value that ends an arm of a block. */
function leaveArm(g: Generator, block: Block): void {
  if (block.dead || !block.result) return;
  if (block.kind === "loop") return;
  carry(g, block);
  g.drop(g.pop());
}

function else_(g: Generator): void {
  const block = g.blocks.at(-1)!;
  if (!block.dead) {
    leaveArm(g, block);
    g.asm.jump(block.end);
    block.reached = true;
  }
  g.asm.bind(block.otherwise!);
  block.otherwise = null;
  block.dead = false;
}

function end(g: Generator): void {
  const block = g.blocks.pop()!;
  if (block.kind === "loop") {
    if (block.dead) skip(g);
    return;
  }
  leaveArm(g, block);
  if (block.otherwise !== null) g.asm.bind(block.otherwise);
  g.asm.bind(block.end);
  if (g.blocks.length === 0) return;
  if (block.dead && !block.reached && block.otherwise === null) return skip(g);
  if (!block.result) return;
  g.claim(RAX);
  g.pushRegister(RAX, block.wide);
}

const labelled = (g: Generator, depth: number): Block => g.blocks[g.blocks.length - 1 - depth]!;

function reach(block: Block): Label {
  block.reached = true;
  return block.target;
}

function branch(g: Generator): void {
  const block = labelled(g, g.instruction.operand);
  carry(g, block);
  g.asm.jump(reach(block));
  skip(g);
}

function branchIf(g: Generator): void {
  const block = labelled(g, g.instruction.operand);
  const condition = g.truth(g.pop());
  if (block.result && block.kind !== "loop") {
    const value = g.stack.at(-1)!;
    if (!(value.kind === "register" && value.register === RAX)) {
      // moves only: the flags stay
      g.take(RAX);
      g.ownIn(RAX, g.pop());
      g.pushRegister(RAX, value.wide);
    }
  }
  g.asm.jump(reach(block), condition);
}

function branchTable(g: Generator): void {
  const { labels = [], operand } = g.instruction;
  const otherwise = labelled(g, operand);
  const index = g.own(g.pop(), RAX);
  carry(g, otherwise);
  g.asm.aluConstant("cmp", index, labels.length, 4).jump(reach(otherwise), CC.AE);
  const at = new Label();
  g.asm.u8(...(index > 7 ? [0x42] : []), 0xff, 0x24, 0xc5 | ((index & 7) << 3)).reference(at, "absolute4"); // JMP [table + 8 * index]
  g.jumpTables.push({ at, targets: labels.map((depth) => reach(labelled(g, depth))) });
  g.free(index);
  skip(g);
}

function return_(g: Generator): void {
  const block = g.blocks[0]!;
  carry(g, block);
  g.asm.jump(reach(block));
  skip(g);
}

function unreachable(g: Generator): void {
  g.asm.undefined();
  skip(g);
}

/** The first of two values if the condition is not zero: a conditional move. */
function select(g: Generator): void {
  const condition = g.pop();
  const cc = g.truth(condition);
  const [otherwise, chosen] = [g.pop(), g.pop()];
  const to = g.own(otherwise, ...ownedBy(chosen));
  const size = chosen.wide ? 8 : 4;
  const from = g.inMemory(chosen);
  if (from !== null) g.asm.conditionalMove(to, from, cc, size);
  else {
    const register = g.use(chosen, to);
    g.asm.conditionalMove(to, register, cc, size);
    g.release(chosen, register);
  }
  g.pushRegister(to, chosen.wide);
}

export const control: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ["unreachable", unreachable],
  ["nop", () => {}],
  ["block", block],
  ["loop", loop],
  ["if", if_],
  ["else", else_],
  ["end", end],
  ["br", branch],
  ["br_if", branchIf],
  ["br_table", branchTable],
  ["return", return_],
  ["select", select],
]);
