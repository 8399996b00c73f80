/** Both ends in one thread, with a MessageChannel between them: all that is said passes structured cloning. */
import { us } from "@castaway/kit";
import { releaseProxy } from "comlink";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../machine.ts";
import { count, forever, halt, out, print, rom } from "../rom.test-support.ts";
import { createRemote, proxy, type RemoteMachine, type RemoteOptions, transfer } from "./remote.ts";
import { serveMachines } from "./worker.ts";

/** Prints on COM1, which is set to eight bits. */
const say = (text: string) => [...out(0x3fb, 3), ...print(0x3f8, text), ...forever];
const options = (...code: number[]) => ({ firmware: { bios: rom(...code) }, memory: "2MiB" });

/** A machine at the other end, for as long as `use` takes. */
async function remotely(given: RemoteOptions, use: (pc: RemoteMachine) => Promise<void>): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const files: Record<string, Uint8Array> = { "count.bin": rom(...count), "disk.img": new Uint8Array(1024) };
  let now = 0;
  const host = {
    now: () => now++, // each slice takes a millisecond
    sleep: () => new Promise<void>((resolve) => setImmediate(resolve)),
    read: async (name: string) => files[name] ?? Promise.reject(new Error(`there is no ${name}`)),
  };
  serveMachines(host, port2);
  try {
    const pc = await createRemote(port1, given);
    await use(pc);
    await pc.dispose();
    pc[releaseProxy]();
  } finally {
    port1.close();
  }
}
const rejects = async (promise: Promise<unknown>, name: string, words: RegExp) => {
  const error = await promise.then(
    () => assert.unreachable("it should have been refused"),
    (thrown: Error) => thrown,
  );
  assert.is(error?.name, name);
  assert.match(String(error?.message), words);
};

test("a run in slices ends where one at once does, with the same digest", () =>
  remotely(options(...count), async (pc) => {
    const here = new Machine(options(...count));
    here.run({ atMost: us(5000) });
    const stop = await pc.run({ atMost: us(5000) });
    assert.is(stop.reason, "limit");
    assert.equal(await pc.status(), {
      now: here.now,
      instructions: here.instructions,
      poweredOff: false,
      running: false,
    });
    assert.is(stop.instructions, here.instructions);
    assert.is(await pc.digest(), here.digest());
    assert.is(await pc.inspect("cpu0.CS.base"), 0xf0000n);
  }));

test("what the serial port prints comes as bytes, all of it before run resolves; until names what was seen", () =>
  remotely(options(...say("hello")), async (pc) => {
    let printed = "";
    await pc.onSerial(
      proxy((bytes: Uint8Array) => {
        printed += String.fromCharCode(...bytes);
      }),
    );
    const stop = await pc.run({ until: ["hell", { text: "x", on: "debug" }], atMost: 2e6 });
    assert.equal([stop.reason, stop.detail, printed], ["watch", "hell", "hello"]);
    assert.is(await pc.text(), "hello");
    await pc.onSerial(null);
    await pc.reset();
    await pc.run({ atMost: 2e6 });
    assert.equal([printed, await pc.text()], ["hello", "hellohello"]);
  }));

test("a listener that throws ends the run with its error; the next run goes on", () =>
  remotely(options(...say("a")), async (pc) => {
    await pc.onSerial(proxy(() => Promise.reject(new RangeError("no more"))));
    await rejects(pc.run({ atMost: 2e6 }), "RangeError", /no more/);
    assert.is((await pc.run({ atMost: us(10) })).reason, "limit");
  }));

test("a machine that runs can be asked, typed to and paused", () =>
  remotely(options(...forever), async (pc) => {
    const run = pc.run();
    assert.is((await pc.status()).running, true);
    await pc.type("x");
    assert.is(await pc.press("ControlLeft", "KeyC"), true);
    await rejects(pc.run(), "Error", /running already/);
    await pc.pause();
    const { now, running } = await pc.status();
    assert.is(running, false);
    assert.is((await run).reason, "paused");
    assert.is((await pc.status()).now, now);
  }));

test("save and restore between two workers; restore pauses", () =>
  remotely(options(...count), async (a) => {
    await a.run({ atMost: us(100) });
    const digest = await a.digest();
    const snapshot = await a.save();
    await remotely(options(...count), async (b) => {
      const run = b.run();
      await b.restore(transfer(snapshot, [snapshot.buffer]));
      assert.is((await run).reason, "paused");
      assert.is(await b.digest(), digest);
      assert.is(snapshot.length, 0); // it is the worker's now
    });
  }));

test("firmware and disks by their addresses", async () => {
  await remotely({ firmware: { bios: "count.bin" }, memory: "2MiB", disks: ["disk.img"] }, async (pc) => {
    const here = new Machine({ ...options(...count), disks: [new Uint8Array(1024)] });
    assert.is(await pc.digest(), here.digest());
  });
  await rejects(
    remotely({ firmware: { bios: "none.bin" } }, async () => {}),
    "Error",
    /there is no none\.bin/,
  );
});

test("errors of the user keep their names", () =>
  remotely(options(...out(0xe9, 1), ...halt), async (pc) => {
    await rejects(pc.inspect("nonsense"), "ConfigError", /one of: cpu0/);
    await rejects(pc.run({ until: [{ text: "x", on: "moon" as "com1" }] }), "ConfigError", /com1, screen/);
    await rejects(pc.restore(new Uint8Array(9)), "StateError", /no snapshot/);
    await rejects(pc.typeKeys("é"), "ConfigError", /US keyboard/);
    await rejects(
      remotely({ ...options(), cpus: 17 }, async () => {}),
      "ConfigError",
      /1 to 16/,
    );
  }));

test("without a display there is no picture", () =>
  remotely(options(...halt), async (pc) => {
    assert.is(await pc.picture(), null);
    assert.is(await pc.text("screen"), "");
  }));

test.run();
