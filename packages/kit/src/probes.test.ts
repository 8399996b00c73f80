import { test } from "uvu";
import * as assert from "uvu/assert";
import { Probe } from "./probes.ts";

test("listeners are told in order, until they stop", () => {
  const probe = new Probe<number>("numbers");
  const heard: string[] = [];
  assert.is(probe.active, false);
  const stopA = probe.on((n) => heard.push(`a${n}`));
  const stopB = probe.on((n) => heard.push(`b${n}`));
  probe.emit(1);
  stopA();
  stopA();
  assert.is(probe.active, true);
  probe.emit(2);
  stopB();
  assert.is(probe.active, false);
  probe.emit(3);
  assert.equal(heard, ["a1", "b1", "b2"]);
});

test("the same function may listen twice", () => {
  const probe = new Probe<void>("ticks");
  let count = 0;
  const listener = () => {
    count++;
  };
  const stop = probe.on(listener);
  probe.on(listener);
  probe.emit();
  stop();
  probe.emit();
  assert.is(count, 3);
});

test("who comes or goes during an event changes the next one only", () => {
  const probe = new Probe<number>("numbers");
  const heard: string[] = [];
  const stopFirst = probe.on((n) => {
    heard.push(`first${n}`);
    stopSecond();
    stopFirst();
    probe.on((n) => heard.push(`late${n}`));
  });
  const stopSecond = probe.on((n) => heard.push(`second${n}`));
  probe.emit(1);
  probe.emit(2);
  assert.equal(heard, ["first1", "second1", "late2"]);
});

test.run();
