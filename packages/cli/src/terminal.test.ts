import { test } from "uvu";
import * as assert from "uvu/assert";
import { EscapeFilter } from "./escape.ts";
import { pressKey } from "./screen.ts";
import { Rest } from "./status.ts";

const split = (filter: EscapeFilter, text: string) =>
  filter
    .split(Buffer.from(text, "latin1"))
    .map((part) => (typeof part === "string" ? [part] : Buffer.from(part).toString("latin1")));

test("the escape key: commands are taken out of what is typed", () => {
  const filter = new EscapeFilter();
  assert.equal(split(filter, "ls\x01hrm\x01X"), ["ls", ["help"], "rm", ["quit"]]);
  assert.equal(split(filter, "a\x01"), ["a"]);
  assert.equal(split(filter, "sb"), [["save"], "b"]); // the key may come in two pieces
  assert.equal(split(filter, "\x01\x01\x01zc"), ["\x01c"]); // itself; and a key that is no command is dropped
});

test("between control sequences and characters only, something else may be written", () => {
  const rest = new Rest();
  const after = (text: string | number[]) => {
    for (const byte of typeof text === "string" ? Buffer.from(text) : text) rest.feed(byte);
    return rest.reached;
  };
  assert.equal(["a", "\x1b", "[1;3", "1", "m"].map(after), [true, false, false, false, true]);
  assert.equal(["\x1b]0;title", "\x07", "\x1b(", "B", "\x1b7"].map(after), [false, true, false, true, true]);
  assert.equal([[0xe2], [0x82], [0xac], [0xc3], [0xa9]].map(after), [false, false, true, false, true]);
  assert.equal(["\x1bPq", "\x1b\\"].map(after), [false, true]);
});

test("keys of the terminal as keys of the PC", () => {
  const log: string[] = [];
  const keyboard = {
    type: (text: string) => log.push(`type ${JSON.stringify(text)}`),
    press: (...keys: string[]) => log.push(`press ${keys.join("+")}`),
    down: (key: string) => log.push(`down ${key}`),
    up: (key: string) => log.push(`up ${key}`),
  } as unknown as Parameters<typeof pressKey>[0];
  pressKey(keyboard, "a", { name: "a", sequence: "a" });
  pressKey(keyboard, "\r", { name: "return", sequence: "\r" });
  pressKey(keyboard, undefined, { name: "up", sequence: "\x1b[A" });
  pressKey(keyboard, undefined, { name: "f12", ctrl: true, sequence: "\x1b[24;5~" });
  pressKey(keyboard, "\x03", { name: "c", ctrl: true, sequence: "\x03" });
  pressKey(keyboard, undefined, { name: "x", meta: true, sequence: "\x1bx" });
  pressKey(keyboard, "ä", { name: "ä", sequence: "ä" });
  assert.equal(log, [
    ...['type "a"', 'type "\\r"', "press ArrowUp", "press ControlLeft+F12", 'type "\\u0003"'],
    ...["down AltLeft", 'type "x"', "up AltLeft"],
  ]);
});

test.run();
