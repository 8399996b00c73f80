import { test } from "uvu";
import * as assert from "uvu/assert";
import { Clock } from "./clock.ts";
import { Random } from "./random.ts";

/** A clock whose timers write down when they fire. */
function rig(...names: string[]) {
  const clock = new Clock();
  const fired: string[] = [];
  const timers = names.map((name) => clock.timer(name, (due) => fired.push(`${name}@${due}/${clock.now}`)));
  return { clock, fired, timers };
}

test("timers fire when due, in order, with the clock at their time", () => {
  const { clock, fired, timers } = rig("a", "b");
  timers[0].arm(20);
  timers[1].armAt(10);
  assert.is(clock.nextDue, 10);
  clock.advanceTo(9);
  assert.equal(fired, []);
  clock.advanceTo(30);
  assert.equal(fired, ["b@10/10", "a@20/20"]);
  assert.is(clock.now, 30);
  assert.is(clock.nextDue, Number.POSITIVE_INFINITY);
});

test("equal due times fire in arming order; arming again goes to the end", () => {
  const { clock, fired, timers } = rig("a", "b", "c");
  for (const timer of timers) timer.arm(5);
  timers[0].arm(5);
  assert.equal(clock.pending, [
    { name: "b", due: 5 },
    { name: "c", due: 5 },
    { name: "a", due: 5 },
  ]);
  clock.advanceTo(5);
  assert.equal(fired, ["b@5/5", "c@5/5", "a@5/5"]);
});

test("a disarmed timer does not fire, and says so", () => {
  const { clock, fired, timers } = rig("a");
  timers[0].arm(5);
  assert.is(timers[0].armed, true);
  timers[0].disarm();
  timers[0].disarm();
  assert.is(timers[0].armed, false);
  clock.advanceTo(10);
  assert.equal(fired, []);
});

test("a callback may arm, also for this very moment, and disarm others", () => {
  const clock = new Clock();
  const fired: string[] = [];
  const victim = clock.timer("victim", () => fired.push("victim"));
  const next = clock.timer("next", () => fired.push(`next@${clock.now}`));
  const periodic = clock.timer("periodic", (due) => {
    fired.push(`periodic@${due}`);
    periodic.armAt(due + 10);
    next.arm(0);
    victim.disarm();
  });
  periodic.armAt(10);
  victim.armAt(10);
  clock.advanceTo(25);
  assert.equal(fired, ["periodic@10", "next@10", "periodic@20", "next@20"]);
});

test("time may pass a due timer without firing it; it then fires late, and knows when it was due", () => {
  const { clock, fired, timers } = rig("a");
  timers[0].arm(5);
  clock.moveTo(8);
  assert.is(clock.nextDue, 5);
  clock.fire();
  assert.equal(fired, ["a@5/8"]);
});

test("a time that has passed means now", () => {
  const { clock, fired, timers } = rig("a");
  clock.advanceTo(100);
  timers[0].armAt(50);
  clock.fire();
  assert.equal(fired, ["a@100/100"]);
});

test("time only moves on, in integers, and not from a callback", () => {
  const { clock, timers } = rig("a");
  clock.advanceTo(10);
  assert.throws(() => clock.advanceTo(9), /only moves on/);
  assert.throws(() => clock.moveTo(9), /only moves on/);
  assert.throws(() => clock.moveTo(10.5), /integer/);
  assert.throws(() => clock.advanceTo(Number.POSITIVE_INFINITY), /integer/);
  assert.throws(() => timers[0].arm(Number.NaN), /104 days/);
  clock.timer("bad", () => clock.advanceTo(99)).arm(1);
  assert.throws(() => clock.advanceTo(20), /callback does not move/);
});

test("saved and restored into a fresh clock, in any order, everything fires as before", () => {
  const random = new Random(1);
  for (let round = 0; round < 50; round++) {
    const names = ["a", "b", "c", "d", "e"];
    const one = rig(...names);
    for (let i = 0; i < 10; i++) {
      const timer = random.pick(one.timers);
      if (random.chance(0.2)) timer.disarm();
      else timer.arm(random.below(4));
      if (random.chance(0.2)) one.clock.advanceTo(one.clock.now + 1);
    }
    const state = JSON.parse(JSON.stringify({ clock: one.clock.save(), timers: one.timers.map((t) => t.save()) }));
    const two = rig(...names);
    two.timers[0].arm(3);
    if (round % 2) two.clock.restore(state.clock);
    for (const i of [3, 1, 4, 0, 2]) two.timers[i].restore(state.timers[i]);
    if (!(round % 2)) two.clock.restore(state.clock);
    assert.equal(two.clock.pending, one.clock.pending);
    for (const { clock, timers, fired } of [one, two]) {
      fired.length = 0;
      timers[2].arm(1); // armed after the restore: last among equals in both
      clock.advanceTo(clock.now + 10);
    }
    assert.equal(two.fired, one.fired);
    assert.equal(two.clock.save(), one.clock.save());
  }
});

test.run();
