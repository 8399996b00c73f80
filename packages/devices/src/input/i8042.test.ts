import { Clock, ms, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { sameTime, trip } from "../hop.test-support.ts";
import { I8042, i8042State } from "./i8042.ts";
import { Keyboard, keyboardState } from "./keyboard.ts";
import type { Key } from "./keys.ts";
import { chordEvents, keys, keystroke, scanCode, scanCodeSet1 } from "./keys.ts";
import type { Ps2Device } from "./ps2.ts";

const OBF = 1, AUX = 0x20, TIMEOUT = 0x40; // biome-ignore format: a table

/** A mouse that answers every byte with it and one more. */
class Echo implements Ps2Device {
  bytes: number[] = [];
  ready = () => {};
  get waiting() {
    return this.bytes.length > 0;
  }
  take() {
    return this.bytes.shift()!;
  }
  write(byte: number) {
    this.bytes.push(byte, byte + 1);
    this.ready();
  }
  connect(ready: () => void) {
    this.ready = ready;
  }
}

function rig({ mouse }: { mouse?: Ps2Device } = {}) {
  let clock = new Clock();
  const level = { keyboard: false, mouse: false };
  const seen = { resets: 0, a20: [] as boolean[] };
  const make = () => {
    const keyboard = new Keyboard({ clock });
    const controller = new I8042({
      clock,
      keyboard,
      mouse,
      keyboardIrq: { set: (asserted) => (level.keyboard = asserted) },
      mouseIrq: { set: (asserted) => (level.mouse = asserted) },
      a20: (on) => seen.a20.push(on),
      resetCpu: () => seen.resets++,
    });
    return { keyboard, controller };
  };
  let pc = make();
  const r = {
    level,
    seen,
    get keyboard() {
      return pc.keyboard;
    },
    get controller() {
      return pc.controller;
    },
    status: () => pc.controller.command.read(0, 1),
    data: () => pc.controller.data.read(0, 1),
    command: (value: number) => pc.controller.command.write(0, 1, value),
    write: (value: number) => pc.controller.data.write(0, 1, value),
    after: (time: number) => clock.advanceTo(clock.now + time),
    /** The bytes that come within `time`, as a polling guest reads them. */
    bytes(time = ms(3)) {
      const bytes: number[] = [];
      for (let passed = 0; passed < time; passed += us(100)) {
        r.after(us(100));
        if (r.status() & OBF) bytes.push(r.data());
      }
      return bytes;
    },
    hop() {
      const [controller, keyboard] = [trip(pc.controller, i8042State), trip(pc.keyboard, keyboardState)];
      const before = { ...level };
      const a20 = seen.a20.slice();
      clock = sameTime(clock);
      pc = make();
      pc.controller.restore(controller);
      pc.keyboard.restore(keyboard);
      assert.equal(level, before, "restored lines are driven as before");
      seen.a20 = a20;
      assert.equal([trip(pc.controller, i8042State), trip(pc.keyboard, keyboardState)], [controller, keyboard]);
    },
  };
  return r;
}
type Rig = ReturnType<typeof rig>;

for (const snapshot of [false, true]) {
  const test = suite(`i8042 and keyboard${snapshot ? ", saved and restored at every step" : ""}`);
  const step = (r: Rig) => snapshot && r.hop();
  const ask = (r: Rig, command: number) => {
    r.command(command);
    step(r);
    return r.bytes();
  };

  test("self test answers 55 after its time, interface tests 0, and the system flag is set", () => {
    const r = rig();
    r.command(0xaa);
    step(r);
    r.after(us(19));
    assert.is(r.status() & OBF, 0);
    r.after(us(1));
    step(r);
    assert.is(r.status(), 0x1d);
    assert.is(r.data(), 0x55);
    assert.is(r.status(), 0x1c);
    assert.equal(ask(r, 0xab), [0]);
    assert.equal(ask(r, 0xa9), [0]);
  });

  test("the command byte is written and read back; AD, AE, A7, A8 change its bits", () => {
    const r = rig();
    r.command(0x60);
    step(r);
    r.write(0x47);
    step(r);
    assert.equal(ask(r, 0x20), [0x47]);
    for (const [command, byte] of [
      [0xad, 0x57],
      [0xa7, 0x77],
      [0xae, 0x67],
      [0xa8, 0x47],
    ]) {
      r.command(command);
      step(r);
      assert.equal(ask(r, 0x20), [byte]);
    }
    r.command(0x65);
    r.write(0x99);
    assert.equal(ask(r, 0x25), [0x99], "the rest of the controller's memory");
  });

  test("keyboard commands are acknowledged; answers are translated (F2 is AB 41 then)", () => {
    const r = rig();
    for (const [bytes, answers] of [
      [[0xff], [0xfa, 0xaa]],
      [[0xf2], [0xfa, 0xab, 0x41]],
      [
        [0xed, 0x07],
        [0xfa, 0xfa],
      ],
      [
        [0xf3, 0x20],
        [0xfa, 0xfa],
      ],
      [
        [0xf0, 0x00],
        [0xfa, 0xfa, 0x41],
      ],
      [[0xee], [0xee]],
      [[0xfe], [0xee]],
      [[0xf6], [0xfa]],
      [[0xf5], [0xfa]],
      [[0xf4], [0xfa]],
      [[0x05], [0xfe]],
      [
        [0xf0, 0x03],
        [0xfa, 0xfe],
      ],
      [
        [0xed, 0xf4],
        [0xfa, 0xfa],
      ],
    ]) {
      const got = bytes.flatMap((byte) => {
        r.write(byte);
        step(r);
        return r.bytes(ms(4));
      });
      assert.equal(got, answers, `${bytes.map((byte) => byte.toString(16))}`);
    }
    assert.equal(r.keyboard.leds, { scroll: true, num: true, caps: true }, "a command breaks a parameter off");
    r.command(0x60);
    r.write(0x01);
    r.write(0xf2);
    step(r);
    assert.equal(r.bytes(ms(4)), [0xfa, 0xab, 0x83]);
  });

  test("a key: make and break code, one byte an interrupt", () => {
    const r = rig();
    r.keyboard.type("a");
    step(r);
    r.after(ms(10));
    step(r);
    r.after(us(799));
    assert.is(r.level.keyboard, false);
    r.after(us(1));
    step(r);
    assert.is(r.level.keyboard, true);
    assert.is(r.data(), 0x1e);
    step(r);
    assert.is(r.level.keyboard, false);
    r.after(ms(12));
    step(r);
    assert.is(r.level.keyboard, true);
    assert.is(r.data(), 0x9e);
    assert.is(r.keyboard.pending, 0);
  });

  test("text is shifted where it must be, and waits as long as nobody reads", () => {
    const r = rig();
    assert.is(r.keyboard.type("A!\n"), 3);
    step(r);
    r.after(ms(500));
    step(r);
    const got = r.bytes(ms(200));
    assert.equal(got, [0x2a, 0x1e, 0x9e, 0xaa, 0x2a, 0x02, 0x82, 0xaa, 0x1c, 0x9c]);
  });

  test("untranslated, set 1, and keys with E0 and E1", () => {
    const r = rig();
    r.command(0x60);
    r.write(0x01);
    r.keyboard.press("ControlLeft", "ArrowUp");
    step(r);
    assert.equal(r.bytes(ms(100)), [0x14, 0xe0, 0x75, 0xe0, 0xf0, 0x75, 0xf0, 0x14]);
    r.write(0xf0);
    assert.equal(r.bytes(), [0xfa]);
    r.write(0x01);
    step(r);
    assert.equal(r.bytes(), [0xfa]);
    r.keyboard.press("Pause");
    r.keyboard.press("Delete");
    step(r);
    assert.equal(r.bytes(ms(100)), [0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5, 0xe0, 0x53, 0xe0, 0xd3]);
  });

  test("a disabled keyboard, and a disabled interface, keep what is typed", () => {
    const r = rig();
    r.write(0xf5);
    assert.equal(r.bytes(), [0xfa]);
    r.keyboard.type("x");
    step(r);
    assert.equal(r.bytes(ms(50)), []);
    r.command(0xad);
    step(r);
    r.write(0xf4); // enables the interface, too
    step(r);
    r.command(0xad);
    assert.equal(r.bytes(ms(50)), []);
    step(r);
    r.command(0xae);
    step(r);
    assert.equal(r.bytes(ms(50)), [0xfa, 0x2d, 0xad]);
  });

  test("a command in the middle of a key's bytes: its answer comes first, the key starts over", () => {
    const r = rig();
    r.keyboard.down("ArrowUp");
    r.after(ms(10) + us(800));
    step(r);
    assert.is(r.data(), 0xe0);
    r.write(0xee);
    step(r);
    assert.equal(r.bytes(ms(5)), [0xee, 0xe0, 0x48]);
  });

  test("an absent mouse times out; the loop commands D2 and D3 work", () => {
    const r = rig();
    r.command(0x60);
    r.write(0x43);
    r.command(0xd4);
    step(r);
    r.write(0xf2);
    step(r);
    r.after(ms(15));
    step(r);
    assert.is(r.status() & (OBF | AUX | TIMEOUT), OBF | AUX | TIMEOUT);
    assert.is(r.level.mouse, true);
    assert.is(r.data(), 0xfe);
    step(r);
    assert.is(r.level.mouse, false);
    r.command(0xd3);
    r.write(0x5a);
    step(r);
    r.after(us(20));
    assert.is(r.status() & (OBF | AUX | TIMEOUT), OBF | AUX);
    assert.is(r.data(), 0x5a);
    r.command(0xd2);
    r.write(0xa5);
    step(r);
    r.after(us(20));
    assert.is(r.status() & (OBF | AUX), OBF);
    assert.is(r.level.keyboard, true);
    assert.is(r.data(), 0xa5);
  });

  test("a mouse that is there answers", () => {
    const r = rig({ mouse: new Echo() });
    r.command(0xd4);
    r.write(0xf2);
    step(r);
    r.after(ms(1));
    assert.is(r.status() & (OBF | AUX), OBF | AUX);
    assert.equal(r.bytes(), [0xf2, 0xf3]);
  });

  test("A20 and reset through the output port, and by pulses", () => {
    const r = rig();
    assert.equal(r.seen.a20, [true]);
    r.command(0xd1);
    step(r);
    r.write(0xdd);
    step(r);
    assert.equal(ask(r, 0xd0), [0xc1]);
    r.command(0xdf);
    assert.equal(r.seen.a20, [true, false, true]);
    assert.is(r.seen.resets, 0);
    r.command(0xff);
    assert.is(r.seen.resets, 0);
    r.command(0xfe);
    assert.is(r.seen.resets, 1);
    r.command(0xd1);
    r.write(0x02);
    assert.is(r.seen.resets, 2);
  });

  test("reset of both: nothing is left, except what is still to be typed", () => {
    const r = rig();
    r.keyboard.type("ab");
    r.after(ms(15));
    assert.is(r.level.keyboard, true);
    r.command(0xad);
    r.keyboard.reset();
    r.controller.reset();
    step(r);
    assert.is(r.level.keyboard, false);
    assert.is(r.status(), 0x10);
    assert.equal(r.bytes(ms(60)).slice(-2), [0x30, 0xb0]);
  });

  test.run();
}

const test = suite("keys");

test("set 2 translates to the set 1 of the manual, one to one", () => {
  const expected: [Key, number[]][] = [
    ["Escape", [0x01]],
    ["KeyQ", [0x10]],
    ["Enter", [0x1c]],
    ["Space", [0x39]],
    ["F1", [0x3b]],
    ["F7", [0x41]],
    ["F10", [0x44]],
    ["F11", [0x57]],
    ["F12", [0x58]],
    ["Numpad5", [0x4c]],
    ["IntlBackslash", [0x56]],
    ["ArrowLeft", [0xe0, 0x4b]],
    ["MetaLeft", [0xe0, 0x5b]],
    ["PrintScreen", [0xe0, 0x2a, 0xe0, 0x37]],
  ];
  for (const [key, codes] of expected) assert.equal(scanCodeSet1(chordEvents([key])[0]), codes, key);
  for (const family of [scanCode, scanCodeSet1]) {
    const all = keys.map((key) => family(chordEvents([key])[0]).join());
    assert.is(new Set(all).size, keys.length);
  }
  const row = [..."1234567890-="].map((character) => scanCodeSet1(keystroke(character)![0])[0]);
  assert.equal(
    row,
    row.map((_, index) => index + 2),
    "set 1 numbers the keys of a row",
  );
});

test("every printable character can be typed; others are the user's error, and nothing is typed then", () => {
  for (let code = 0x20; code < 0x7f; code++) assert.ok(keystroke(String.fromCharCode(code)), `${code}`);
  assert.equal(keystroke("\x03"), chordEvents(["ControlLeft", "KeyC"]));
  const keyboard = new Keyboard({ clock: new Clock() });
  assert.throws(() => keyboard.type("abc\u20ac"), /text: .* is not possible; allowed: the characters of a US keyboard/);
  assert.throws(() => keyboard.press("Nokey" as Key), /key/);
  assert.is(keyboard.pending, 0);
});

test("what waits is bounded", () => {
  const keyboard = new Keyboard({ clock: new Clock() });
  assert.is(keyboard.type("a".repeat(5000)), 2048);
  assert.is(keyboard.press("Enter"), false);
});

test("lights are told when they change", () => {
  const keyboard = new Keyboard({ clock: new Clock() });
  const seen: boolean[] = [];
  keyboard.lights.on(({ caps }) => seen.push(caps));
  for (const byte of [0xed, 4, 0xed, 4, 0xff]) keyboard.write(byte);
  assert.equal(seen, [true, false]);
});

test.run();
