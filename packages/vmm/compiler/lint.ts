/** What asc compiles without a word, and wrongly. Looks at asc's syntax trees, whose shape it knows no more of than it must. */
import type { Complaint } from "./errors.ts";

/** A node of the tree: a kind, a place, and children in fields and lists. */
interface Node {
  readonly kind: number;
  readonly range: { readonly start: number; readonly source: SourceNode };
  readonly [field: string]: unknown;
}
interface SourceNode {
  readonly normalizedPath: string;
  readonly statements: Node[];
  lineAt(at: number): number;
}

/** NodeKind of AssemblyScript 0.28. */
const KIND = { identifier: 7, import: 43 } as const;
/** CommonFlags. */
const ABSTRACT = 1 << 7;

const textOf = (node: unknown): string => ((node as { text?: unknown } | null)?.text as string) ?? "";
const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).kind === "number" && "range" in value;

export function lint(sources: readonly unknown[]): Complaint[] {
  const complaints: Complaint[] = [];
  for (const source of sources as SourceNode[]) {
    if (source.normalizedPath.startsWith("~lib/")) continue;
    for (const { node, message } of [...unmanagedClasses(source), ...importsAsValues(source)])
      complaints.push({ message, file: source.normalizedPath, line: source.lineAt(node.range.start) });
  }
  return complaints;
}

interface Found {
  readonly node: Node;
  readonly message: string;
}

function* children(node: object): Iterable<Node> {
  for (const [field, value] of Object.entries(node)) {
    if (field === "range" || field === "source") continue;
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield child;
  }
}
function* all(node: object): Iterable<Node> {
  for (const child of children(node)) {
    yield child;
    yield* all(child);
  }
}

/** A call of a virtual method reads the class's number from in front of the object, where an unmanaged one has none. */
function* unmanagedClasses(source: SourceNode): Iterable<Found> {
  for (const node of source.statements) {
    const decorators = (node.decorators ?? []) as { name: unknown }[];
    if (!Array.isArray(node.members) || !decorators.some(({ name }) => textOf(name) === "unmanaged")) continue;
    const say = (at: Node, what: string) => ({
      node: at,
      message: `@unmanaged class ${textOf(node.name)} ${what}: a virtual call would go astray; leave @unmanaged out, or inherit nothing`,
    });
    if (isNode(node.extendsType)) yield say(node.extendsType, "extends another");
    for (const type of (node.implementsTypes ?? []) as Node[]) yield say(type, "implements an interface");
    for (const member of node.members as Node[])
      if ((member.flags as number) & ABSTRACT) yield say(member, `has the abstract member ${textOf(member.name)}`);
  }
}

/** An intrinsic has no address: `const read = x86.in8` would call nothing. */
function* importsAsValues(source: SourceNode): Iterable<Found> {
  const { spaces, names } = intrinsicsOf(source);
  if (spaces.size === 0 && names.size === 0) return;
  const statements = source.statements.filter(({ kind }) => kind !== KIND.import);
  for (const statement of statements) {
    for (const node of [statement, ...all(statement)]) {
      for (const child of children(node)) {
        if (child === node.expression && Array.isArray(node.args)) continue; // called
        const space = isNode(child.expression) && "property" in child && spaces.has(textOf(child.expression));
        const named = child.kind === KIND.identifier && names.has(textOf(child)) && !("property" in node);
        if (!space && !named) continue;
        const name = space ? textOf(child.property) : textOf(child);
        if (!/^[a-z]/.test(name) || node.name === child) continue;
        yield { node: child, message: `${name} is an instruction, not a value: call it, or wrap it in a function` };
      }
    }
  }
}

/** The names under which a file knows what it imports from x86.ts. */
function intrinsicsOf(source: SourceNode): { spaces: Set<string>; names: Set<string> } {
  const [spaces, names] = [new Set<string>(), new Set<string>()];
  for (const statement of source.statements) {
    const from = (statement.path as { value?: string } | undefined)?.value ?? "";
    if (!/(^|\/)x86(\.ts)?$/.test(from)) continue;
    if (isNode(statement.namespaceName)) spaces.add(textOf(statement.namespaceName));
    for (const one of (statement.declarations ?? []) as Node[]) names.add(textOf(one.name));
  }
  return { spaces, names };
}
