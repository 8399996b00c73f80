import { test } from "uvu";
import * as assert from "uvu/assert";
import { closingLine, readClosingLine } from "./counts.ts";

test("a closing line reads back as its counts", () => {
  assert.equal(readClosingLine(`noise\n${closingLine({ passed: 12, failed: 3 })}\n\n`), { passed: 12, failed: 3 });
});

test("only the last line counts", () => {
  assert.is(readClosingLine("3 passed, 0 failed\nSegmentation fault\n"), undefined);
  assert.is(readClosingLine("about 3 passed, 0 failed\n"), undefined);
  assert.is(readClosingLine(""), undefined);
});

test.run();
