/**
 * `npm run vectors`: compares the CPU with what hardware did, instruction by instruction, on both executors.
 *
 *     npm run vectors
 *     npm run vectors -- --only "64 imul"              forms whose identity contains that text, or matches that pattern
 *     npm run vectors -- --executor evaluator          one executor: evaluator or interpreter
 *     npm run vectors -- --only "..." --case 17        one case of each
 *     npm run vectors -- --all                         reports every form that fails, not only the first of them
 *     npm run vectors -- --capture                     captures on this host what is missing or stale (Linux, x86-64, cc)
 *     npm run vectors -- --capture --again PATTERN     captures those forms again
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { Instruction } from "../packages/cpu/src/core/forms.ts";
import { allForms, captureMissing, DATA_FOLDER, SEED } from "../test/vectors/collection.ts";
import type { ExecutorName } from "../test/vectors/emulated.ts";
import type { VectorForm } from "../test/vectors/forms.ts";
import { type FormResult, Runner } from "../test/vectors/runner.ts";
import { Store, type StoredForm } from "../test/vectors/store.ts";
import { closingLine } from "./counts.ts";

type Options = { only: string; executors: ExecutorName[]; case: number; all: boolean; capture: boolean; again: string };
type Share = { options: Options; part: number; parts: number };
/** What a worker has found: results of forms, and what its share of the files says about itself. */
type Found = { results: FormResult[]; complaints: string[] };

const SHOWN = 12;
/** Forms that are prepared together. */
const AT_ONCE = 32;

function readOptions(args: string[]): Options {
  const options: Options = {
    only: "",
    executors: ["evaluator", "interpreter"],
    case: -1,
    all: false,
    capture: false,
    again: "",
  };
  const rest = [...args];
  const value = (name: string) => rest.shift() ?? complain(`${name} needs a value`);
  while (rest.length > 0) {
    const name = rest.shift()!;
    if (name === "--only") options.only = value(name);
    else if (name === "--again") options.again = value(name);
    else if (name === "--case") options.case = Number(value(name));
    else if (name === "--all") options.all = true;
    else if (name === "--capture") options.capture = true;
    else if (name === "--executor" || name === "--tier") options.executors = [executor(value(name))];
    else complain(`there is no option ${name}`);
  }
  return options;
}
function executor(name: string): ExecutorName {
  return name === "evaluator" || name === "interpreter"
    ? name
    : complain(`no executor "${name}": evaluator or interpreter`);
}
function complain(what: string): never {
  console.error(`vectors: ${what}`);
  process.exit(2);
}

/** A pattern, or plain text if it is no valid one or has brackets as identities have. */
function matcher(text: string): (id: string) => boolean {
  try {
    const pattern = new RegExp(text);
    return (id) => id.includes(text) || pattern.test(id);
  } catch {
    return (id) => id.includes(text);
  }
}

/** The forms of every `parts`-th definition: what one of them makes an executor prepare, the next can use. */
function runShare({ options, part, parts }: Share): Found {
  const store = new Store(DATA_FOLDER);
  const runner = new Runner(options.executors, SEED);
  const matches = matcher(options.only);
  const found: Found = { results: [], complaints: [] };
  const families = allForms();
  const numbers = new Map<Instruction, number>();
  for (const [family, forms] of families) {
    const stored = new Map(store.read(family)?.forms.map((form) => [form.id, form]));
    const wanted: [VectorForm, StoredForm][] = [];
    for (const form of forms) {
      const number = numbers.get(form.def) ?? numbers.size;
      numbers.set(form.def, number);
      if (number % parts !== part || !matches(form.id)) continue;
      const vectors = stored.get(form.id);
      if (vectors) wanted.push([form, vectors]);
      else found.complaints.push(`${form.id}: no vectors; capture them (npm run vectors -- --capture)`);
    }
    for (let i = 0; i < wanted.length; i += AT_ONCE) {
      const some = wanted.slice(i, i + AT_ONCE);
      runner.prepare(some);
      for (const [form, vectors] of some) found.results.push(...runner.run(form, vectors, options.case));
    }
  }
  return found;
}

function inWorkers(options: Options): Promise<Found[]> {
  const parts = Math.min(2, availableParallelism());
  const share = (part: number) =>
    new Promise<Found>((resolve, reject) => {
      const worker = new Worker(fileURLToPath(import.meta.url), {
        workerData: { options, part, parts } satisfies Share,
      });
      worker.on("message", resolve);
      worker.on("error", reject);
    });
  return Promise.all(Array.from({ length: parts }, (_, part) => share(part)));
}

function report(options: Options, found: readonly Found[]): void {
  const results = found.flatMap((each) => each.results);
  const failures = results.filter(({ failed }) => failed > 0);
  const complaints = found.flatMap((each) => each.complaints);
  for (const failure of options.all ? failures : failures.slice(0, SHOWN)) console.log(`${failure.report}\n`);
  if (failures.length > 0) {
    console.log(
      `forms that fail${failures.length > SHOWN && !options.all ? ` (reports of ${SHOWN} are above; --all shows all)` : ""}:`,
    );
    for (const { id, executor: name, passed, failed } of failures)
      console.log(`  ${failed}/${passed + failed}  ${name.padEnd(11)} ${id}`);
  }
  for (const line of options.all ? complaints : complaints.slice(0, SHOWN)) console.log(line);
  const passed = results.reduce((sum, each) => sum + each.passed, 0);
  const failed = results.reduce((sum, each) => sum + each.failed, 0) + complaints.length;
  for (const name of options.executors) {
    const own = results.filter((each) => each.executor === name);
    console.log(
      `${name}: ${own.length} forms, ${own.reduce((sum, each) => sum + each.passed + each.failed, 0)} vectors`,
    );
  }
  console.log(closingLine({ passed, failed }));
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

if (!isMainThread) parentPort!.postMessage(runShare(workerData as Share));
else {
  const options = readOptions(process.argv.slice(2));
  if (options.capture) captureMissing(".", options.again ? new RegExp(options.again) : null, console.log);
  else report(options, await inWorkers(options));
}
