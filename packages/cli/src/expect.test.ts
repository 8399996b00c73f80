import { test } from "uvu";
import * as assert from "uvu/assert";
import { Script, type Step } from "./expect.ts";

const expect = (text: string): Step => ({ kind: "expect", text });
const type = (text: string): Step => ({ kind: "type", text });
/** Feeds characters; the texts that are typed, each with how many characters had come. */
function play(script: Script, printed: string): [number, string][] {
  const typed: [number, string][] = [];
  const take = (at: number) => {
    const text = script.take();
    if (text !== null) typed.push([at, text]);
  };
  take(0);
  for (const [at, character] of [...printed].entries()) if (script.feed(character.charCodeAt(0), at)) take(at + 1);
  return typed;
}

test("types after what was expected, in order; neighbours are typed together", () => {
  const script = new Script([type("0"), expect("login: "), type("root"), type("\n"), expect("# "), type("ls\n")]);
  assert.equal(play(script, "login: root\r\n# "), [
    [0, "0"],
    [7, "root\n"],
    [15, "ls\n"],
  ]);
  assert.ok(script.over && !script.endsRun);
  assert.equal(script.expectations, [
    { text: "login: ", seen: 6 },
    { text: "# ", seen: 14 },
  ]);
});

test("expected texts do not overlap, and count only after their turn has come", () => {
  const script = new Script([expect("aba"), expect("aba")]);
  play(script, "ababa");
  assert.is(script.missing, "aba");
  play(script, "aba");
  assert.ok(script.over && script.endsRun && script.missing === null);
});

test("a text that begins again within itself is found", () => {
  const script = new Script([expect("aab")]);
  play(script, "aaab");
  assert.ok(script.over);
});

test("an empty script waits for nothing", () => {
  const script = new Script([]);
  assert.ok(script.over && !script.endsRun && script.take() === null && !script.feed(65, 0));
});

test.run();
