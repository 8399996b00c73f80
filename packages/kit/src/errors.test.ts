import { test } from "uvu";
import * as assert from "uvu/assert";
import { assert as believe, ConfigError, InternalError, impossible } from "./errors.ts";

test("ConfigError says what was given and what is allowed", () => {
  const error = new ConfigError("memory", "4GiB", "1MiB to 3.5GiB");
  assert.is(error.message, 'memory: "4GiB" is not possible; allowed: 1MiB to 3.5GiB');
  assert.is(error.name, "ConfigError");
  assert.is(error.setting, "memory");
  assert.instance(error, Error);
});

test("assert is silent when the belief holds", () => believe(true, "the sky is up"));

test("assert prints the belief and the state", () => {
  try {
    believe(false, "a slot is free", { slots: 0x20, taken: [1, 2], port: { CI: 1 } });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InternalError);
    const { message } = error as Error;
    assert.match(message, "castaway is wrong: a slot is free\n  slots = 32 (0x20)\n  taken = [1, 2]");
    assert.match(message, "port = { CI: 1 }");
  }
});

test("impossible always throws", () => {
  assert.throws(() => impossible("no such size", { size: 3 }), /no such size\n {2}size = 3/);
});

test("values of every kind are shown, and briefly", () => {
  const shown = (given: unknown) => new ConfigError("x", given, "y").message.replace(/^x: | is not possible.*$/g, "");
  assert.is(shown(-255), "-255 (-0xff)");
  assert.is(shown(5n), "5n");
  assert.is(shown(null), "null");
  assert.is(shown(undefined), "undefined");
  assert.is(shown(new Uint8Array(3)), "3 bytes");
  assert.is(shown("a".repeat(100)).length, 82);
  assert.is(shown(Object.create(null)), "{  }");
});

test.run();
