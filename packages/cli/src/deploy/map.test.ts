import { suite } from "uvu";
import * as assert from "uvu/assert";
import { drawMap } from "./map.ts";

const test = suite("map of the disk");

test("a character a piece: nothing, less than half, more, all of it", () => {
  const [line] = drawMap([0, 0.01, 0.49, 0.5, 0.99, 1], [], 6);
  assert.is(line, "\x1b[90m░\x1b[32m▒▒▓▓█\x1b[0m");
});

test("what came since the last picture stands out; runs of one colour have one sequence", () => {
  const [line] = drawMap([1, 1, 1, 0.5, 0], [1, 1, 0, 0, 0], 5);
  assert.is(line, "\x1b[32m██\x1b[93m█▓\x1b[90m░\x1b[0m");
});

test("lines of so many pieces; the last one may be shorter", () => {
  const lines = drawMap([1, 1, 0, 0, 1], [], 2);
  assert.equal(lines, ["\x1b[32m██\x1b[0m", "\x1b[90m░░\x1b[0m", "\x1b[32m█\x1b[0m"]);
});

test.run();
