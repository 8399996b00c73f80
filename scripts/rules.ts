/**
 * The house rules that a machine checks by reading the sources, beside types, lint and format.
 * `scripts/check.ts` runs them; CONTRIBUTING.md lists them.
 */
import { builtinModules } from "node:module";
import { posix } from "node:path";
import ts from "typescript";

/** A place that breaks a rule. `advice` says what to do instead. */
export type Finding = { file: string; line: number; rule: string; advice: string };

type Layer = {
  /** The layers that it may import, besides itself. */
  imports: readonly string[];
  /** The npm packages that it may import. */
  npm: readonly string[];
  /** What its tests may import besides: packages and npm packages. */
  tests?: readonly string[];
  /** Runs on Node or on a page only: free to use the host's clock, randomness, timers and libraries. */
  host?: boolean;
};

/** ARCHITECTURE.md's diagram. A key is a folder; a file belongs to the longest key that its path starts with. */
export const layers: Record<string, Layer> = {
  "packages/kit": { imports: [], npm: ["long"] },
  "packages/cpu": { imports: ["packages/kit"], npm: ["long"] },
  "packages/devices": { imports: ["packages/kit"], npm: ["long"] },
  "packages/net": { imports: ["packages/kit"], npm: ["long"] },
  "packages/vmm/guest": {
    imports: [],
    npm: [],
    tests: ["packages/kit", "packages/cpu", "packages/devices", "packages/net", "packages/vmm/compiler"],
  },
  "packages/vmm/compiler": { imports: ["packages/kit"], npm: ["assemblyscript", "binaryen", "long"] },
  "packages/vmm/host": { imports: ["packages/kit", "packages/vmm/compiler"], npm: ["long"] },
  "packages/machine": {
    imports: ["packages/kit", "packages/cpu", "packages/devices", "packages/net", "packages/vmm/host"],
    npm: ["long", "comlink"],
  },
  "packages/cli": {
    imports: ["packages/machine", "packages/devices", "packages/kit", "packages/vmm/host"],
    npm: ["ansi-escapes", "commander", "fast-png", "long"],
    host: true,
  },
  "packages/web": {
    imports: ["packages/machine"],
    npm: ["long", "comlink", "@xterm/xterm"],
    host: true,
  },
  scripts: { imports: ["*"], npm: ["*"], host: true },
  test: { imports: ["*"], npm: ["*"], host: true },
  bench: { imports: ["*"], npm: ["*"], host: true },
};

/** What holds for a file outside all layers. */
const outside: Layer = { imports: [], npm: ["*"], host: true };

/** What a file `x.test.ts` may import beside what its layer may. */
const testNpm = ["uvu", "long"];

/** The longest a TypeScript file may be, in lines. There are no exceptions. */
export const longestFile = 600;

/** Exact by IEEE 754 or by ECMAScript, so the same in every engine. */
const exactMath = new Set(
  "abs ceil clz32 floor fround imul max min round sign sqrt trunc E LN2 LN10 LOG2E LOG10E PI SQRT2 SQRT1_2".split(" "),
);

const clock = ["no-host-clock", "take a Clock from kit: a run is a function of its inputs"] as const;
const timer = ["no-host-timer", "arm a timer of kit's Clock: time is virtual"] as const;
const random = ["no-randomness", "take a Random from kit, seeded by the configuration"] as const;
const nodeOnly = ["no-node", "this code also runs in a browser: take a port from kit, or move it to cli"] as const;
const engine = ["no-engine-dependence", "its results depend on the engine or its collector: write it out"] as const;

/** Globals that would make a run depend on more than its inputs. */
const refusedGlobals: Record<string, readonly [rule: string, advice: string]> = {
  Date: clock,
  performance: clock,
  Temporal: clock,
  setTimeout: timer,
  setInterval: timer,
  setImmediate: timer,
  requestAnimationFrame: timer,
  queueMicrotask: timer,
  crypto: random,
  process: nodeOnly,
  Buffer: nodeOnly,
  require: nodeOnly,
  console: nodeOnly,
  WeakRef: engine,
  FinalizationRegistry: engine,
  Intl: engine,
  globalThis: ["no-global-this", "name what you need, so that these rules can see it"],
};

const nodeModules = new Set(builtinModules);
/** `x.test-entry.ts` is not among them: guest code that a test compiles. */
const isTest = (file: string) => /\.test(-support)?\.ts$/.test(file);
const isScript = (file: string) => /\.(ts|mts|mjs|js)$/.test(file);

/** The layer that a file belongs to, or undefined outside all of them. */
export function layerOf(file: string): string | undefined {
  return Object.keys(layers)
    .filter((folder) => file.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0];
}

/** Everything that is wrong with one file; `ours` are texts that no file may hold, such as this checkout's path. */
export function findingsIn(file: string, text: string, ours: readonly string[] = []): Finding[] {
  const findings = [...traces(file, text, ours)];
  if (file.endsWith(".ts")) findings.push(...length(file, text));
  if (isScript(file)) {
    const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
    findings.push(...imports(tree));
    const layer = layerOf(file);
    if (layer !== undefined && !layers[layer].host && !isTest(file)) findings.push(...determinism(tree));
  }
  return findings;
}

function length(file: string, text: string): Finding[] {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  if (lines <= longestFile) return [];
  const advice = `${lines} lines: split it by subject, at most ${longestFile} lines a file`;
  return [{ file, line: longestFile + 1, rule: "file-length", advice }];
}

/** Paths and hosts of the machine that somebody happened to work on. */
function* traces(file: string, text: string, ours: readonly string[]): Generator<Finding> {
  const patterns: [RegExp, string, string][] = [
    [/(?<![\w.$}-])\/(home|Users)\/\w/, "no-machine-path", "write a path relative to the project"],
    [/\b[A-Z]:\\+Users\\/, "no-machine-path", "write a path relative to the project"],
    [
      /\bhttps?:\/\/[\w.-]*(npmjs\.(org|com)|yarnpkg\.com|registry\b|artifactory|nexus|verdaccio)/,
      "no-registry-host",
      "name the package, not where it came from; the project's .npmrc keeps hosts out of package-lock.json",
    ],
  ];
  for (const [index, line] of text.split("\n").entries()) {
    for (const [pattern, rule, advice] of patterns) {
      if (pattern.test(line)) yield { file, line: index + 1, rule, advice };
    }
    for (const trace of ours) {
      if (!line.includes(trace)) continue;
      yield { file, line: index + 1, rule: "no-machine-path", advice: "it names this very machine: leave that out" };
    }
  }
}

/** Import directions, spelling, and npm packages. */
function imports(tree: ts.SourceFile): Finding[] {
  const file = tree.fileName;
  const own = layerOf(file);
  const findings: Finding[] = [];
  const { imports: inner, npm, host, tests = [] } = own ? layers[own] : outside;
  const allowed = isTest(file) ? [...inner, ...tests] : inner;
  const allowedNpm = isTest(file) ? [...npm, ...testNpm, ...tests] : npm;
  const say = (node: ts.Node, rule: string, advice: string) => findings.push(finding(tree, node, rule, advice));

  const visit = (node: ts.Node): void => {
    const specifier = importedName(node);
    if (specifier !== undefined) judge(node, specifier);
    ts.forEachChild(node, visit);
  };
  const judge = (node: ts.Node, name: string): void => {
    if (name.startsWith(".")) {
      const target = posix.join(posix.dirname(file), name);
      const theirs = layerOf(target);
      if (theirs !== own && own?.startsWith("packages/"))
        say(node, "import-by-name", `"${name}" leaves ${own}: import another package by its name`);
      if (!/\.(ts|mts|mjs|js|json|css)$/.test(name)) say(node, "import-extension", `write "${name}.ts"`);
    } else if (/^(@castaway\/|castaway(\/|$))/.test(name)) {
      const theirs = name.startsWith("@") ? `packages/${name.slice("@castaway/".length)}` : "packages/machine";
      if (theirs === own) say(node, "import-by-name", "within its package a file imports by relative path");
      else if (!allowed.includes("*") && !allowed.some((layer) => theirs === layer || theirs.startsWith(`${layer}/`)))
        say(node, "import-direction", `${own} may import ${list(allowed)}: give it a port (kit), or move the code`);
    } else if (name.startsWith("node:") || nodeModules.has(name)) {
      if (!host && !isTest(file)) say(node, nodeOnly[0], nodeOnly[1]);
      else if (!name.startsWith("node:")) say(node, "import-node-prefix", `write "node:${name}"`);
    } else {
      const bare = name
        .split("/")
        .slice(0, name.startsWith("@") ? 2 : 1)
        .join("/");
      if (allowedNpm.includes("*") || allowedNpm.includes(bare)) return;
      say(node, "import-npm", `${own} may import ${list(allowedNpm)} from npm: the table is in scripts/rules.ts`);
    }
  };
  visit(tree);
  return findings;
}
const list = (names: readonly string[]) => (names.length === 0 ? "nothing" : names.join(", "));

/** The module that a node imports or re-exports, statically, dynamically or as a type. */
function importedName(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier)
    return (node.moduleSpecifier as ts.StringLiteral).text;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [target] = node.arguments;
    return target && ts.isStringLiteralLike(target) ? target.text : undefined;
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal))
    return node.argument.literal.text;
  return undefined;
}

/** The host's clock, randomness, timers, libraries, and arithmetic that engines do not agree on. */
function determinism(tree: ts.SourceFile): Finding[] {
  const findings: Finding[] = [];
  const say = (node: ts.Node, rule: string, advice: string) => findings.push(finding(tree, node, rule, advice));
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !isMemberName(node)) {
      const refused = Object.hasOwn(refusedGlobals, node.text) ? refusedGlobals[node.text] : undefined;
      if (refused) say(node, refused[0], `${node.text}: ${refused[1]}`);
      else if (node.text === "Math") math(node);
    } else if (ts.isPropertyAccessExpression(node) && /^(toLocale\w+|localeCompare)$/.test(node.name.text)) {
      say(node.name, engine[0], `${node.name.text}: ${engine[1]}`);
    } else if (ts.isBinaryExpression(node) && isPower(node.operatorToken.kind)) {
      if (!isBigInt(node.left) && !isBigInt(node.right) && !isPowerOfTwo(node))
        say(
          node.operatorToken,
          engine[0],
          "** on numbers: engines round differently; shift, multiply, or write 2 ** 32",
        );
    }
    ts.forEachChild(node, visit);
  };
  const math = (node: ts.Identifier): void => {
    const use = node.parent;
    const name = ts.isPropertyAccessExpression(use) && use.expression === node ? use.name.text : "";
    if (exactMath.has(name)) return;
    if (name === "random") say(node, random[0], `Math.random: ${random[1]}`);
    else if (name === "") say(node, engine[0], "use Math only as Math.name, so that this rule can see the name");
    else say(node, engine[0], `Math.${name}: engines round it differently; write it out with exact operations`);
  };
  visit(tree);
  return findings;
}

const isPower = (kind: ts.SyntaxKind) =>
  kind === ts.SyntaxKind.AsteriskAsteriskToken || kind === ts.SyntaxKind.AsteriskAsteriskEqualsToken;

/** `2 ** 32`: a power of two written out is exact in every engine. */
function isPowerOfTwo({ left, right }: ts.BinaryExpression): boolean {
  return ts.isNumericLiteral(left) && left.text === "2" && ts.isNumericLiteral(right) && /^\d+$/.test(right.text);
}

function isBigInt(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return isBigInt(node.expression);
  return ts.isBigIntLiteral(node) || (ts.isCallExpression(node) && node.expression.getText() === "BigInt");
}

/** The `name` of `x.name`, `{ name: .. }`, `class { name() {} }` and their like: no use of a global of that name. */
function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) {
    return node !== (ts.isQualifiedName(parent) ? parent.left : parent.expression);
  }
  const named = parent as ts.Node & { name?: ts.Node; propertyName?: ts.Node };
  if (ts.isShorthandPropertyAssignment(parent)) return false;
  return named.name === node || named.propertyName === node;
}

function finding(tree: ts.SourceFile, node: ts.Node, rule: string, advice: string): Finding {
  const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
  return { file: tree.fileName, line, rule, advice };
}
