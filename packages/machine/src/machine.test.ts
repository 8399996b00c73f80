import { ImageDisk, OverlayDisk } from "@castaway/devices";
import { ConfigError, ms, StateError, us } from "@castaway/kit";
import type Long from "long";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "./machine.ts";
import { count, forever, halt, out, print, rom, withRom } from "./rom.test-support.ts";

test("what the guest prints is seen, and the run ends right there", () => {
  const pc = new Machine(withRom([...print(0xe9, "hello"), ...count]));
  const stop = pc.run({ until: pc.debugLog.shows("hell"), atMost: ms(1) });
  assert.equal([stop.reason, stop.detail], ["watch", "hell"]);
  assert.is(pc.debugLog.text, "hello"); // to the end of the block
  assert.ok(pc.now < us(5));
});

test("of several texts the one that came is named", () => {
  const pc = new Machine(withRom([...print(0xe9, "panic"), ...forever]));
  const stop = pc.run({ until: [pc.debugLog.shows("login:"), pc.debugLog.shows("panic")], atMost: ms(1) });
  assert.is(stop.detail, "panic");
});

test("a text that came while nobody waited is seen at once; one from before is not", () => {
  const pc = new Machine(withRom([...print(0xe9, "ab"), ...count]));
  const later = pc.debugLog.shows("a");
  pc.run({ atMost: us(5) });
  assert.is(pc.run({ until: later, atMost: us(5) }).reason, "watch");
  assert.is(pc.run({ until: pc.debugLog.shows("b"), atMost: us(5) }).reason, "limit");
});

test("limits: virtual time and instructions", () => {
  const pc = new Machine(withRom(count));
  assert.is(pc.run({ atMost: us(50) }).reason, "limit");
  assert.ok(pc.now >= us(50) && pc.now < us(51));
  const stop = pc.run({ instructions: 1000 });
  assert.ok(stop.reason === "limit" && stop.instructions >= 1000 && stop.instructions < 1064);
});

test("a machine whose processors all halt is idle", () => {
  const pc = new Machine(withRom(halt));
  assert.is(pc.run().reason, "idle");
});

test("a reset by the guest happens at the end of the block that asks for it", () => {
  const pc = new Machine(withRom([...print(0xe9, "a"), ...out(0xcf9, 0x02), ...out(0xcf9, 0x06), ...forever]));
  const resets: string[] = [];
  pc.probes.resets.on(({ by }) => resets.push(by));
  pc.run({ until: pc.debugLog.shows("aaa"), atMost: ms(1) });
  assert.is(pc.debugLog.text, "aaa");
  assert.equal(resets, ["guest", "guest", "guest"]);
  assert.ok(pc.now < us(20));
});

test("a triple fault resets the machine", () => {
  const lidtNothing = [0x2e, 0x0f, 0x01, 0x1e, 0x80, 0x00]; // lidt cs:[80]: limit 0
  const code = [...print(0xe9, "t"), ...lidtNothing, 0xcc];
  const bios = rom(...code);
  bios.fill(0, 0x80, 0x86);
  const pc = new Machine({ firmware: { bios }, memory: "2MiB" });
  const by: string[] = [];
  pc.probes.resets.on((event) => by.push(event.by));
  pc.run({ until: pc.debugLog.shows("ttt"), atMost: ms(1) });
  assert.equal(by, ["triple fault", "triple fault"]);
});

test("a test program ends the run by the exit port, if there is one", () => {
  const pc = new Machine(withRom([...out(0x501, 7), ...forever], { exitPort: true }));
  const stop = pc.run({ atMost: ms(1) });
  assert.equal([stop.reason, stop.detail], ["exit", "7"]);
  const without = new Machine(withRom([...out(0x501, 7), ...forever]));
  assert.is(without.run({ atMost: us(50) }).reason, "limit");
});

test("a listener may pause the run", () => {
  const pc = new Machine(withRom([...print(0xe9, "x"), ...count]));
  pc.debugLog.onByte(() => pc.pause());
  assert.is(pc.run({ atMost: ms(1) }).reason, "paused");
  assert.is(pc.run({ atMost: us(10) }).reason, "limit");
});

test("gate A20: closed by ports 92 and 60, an odd megabyte is the even one below", () => {
  // keyboard controller: D1, DD closes its gate; port 92 is closed at reset
  const close = [...out(0x64, 0xd1), 0xb0, 0xdd, 0xe6, 0x60];
  const poke = [
    ...[0xb8, 0x00, 0x00, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0x05, 0x11], // ds = 0; [500] = 11
    ...[0xb8, 0xff, 0xff, 0x8e, 0xd8, 0xc6, 0x06, 0x10, 0x05, 0x22], // ds = FFFF; [510] = 22: 100500
    ...[0xb8, 0x00, 0x00, 0x8e, 0xd8, 0xa0, 0x00, 0x05, 0xe6, 0xe9], // out E9, [500]
  ];
  const wait = [0xb9, 0x00, 0x10, 0xe2, 0xfe]; // the controller takes its time
  const closed = new Machine(withRom([...close, ...wait, ...poke, ...forever]));
  closed.run({ atMost: ms(1) });
  assert.is(closed.debugLog.text, "\x22");
  const open = new Machine(withRom([...close, ...wait, ...out(0x92, 2), ...poke, ...forever]));
  open.run({ atMost: ms(1) });
  assert.is(open.debugLog.text, "\x11");
});

test("probes tell of accesses, and a watched machine runs as an unwatched one", () => {
  const code = [...out(0x70, 0x0d), 0xe4, 0x71, ...count]; // in al, 71
  const [watched, unwatched] = [new Machine(withRom(code)), new Machine(withRom(code))];
  const seen: string[] = [];
  watched.probes.ports.on(({ write, address, value }) =>
    seen.push(`${write ? ">" : "<"} ${address.toString(16)} ${value}`),
  );
  for (const pc of [watched, unwatched]) pc.run({ atMost: us(30) });
  assert.equal(seen, ["> 70 13", "< 71 128"]);
  assert.is(watched.digest(), unwatched.digest());
});

test("breakpoints stop before an instruction, and again when it comes again", () => {
  const pc = new Machine(withRom(count));
  pc.debug.addBreakpoint(0xf0000);
  for (let i = 0; i < 3; i++) {
    const { reason, cpu, address } = pc.run({ atMost: us(30) });
    assert.equal([reason, cpu, address, (pc.inspect("cpu0.RAX") as Long).toNumber()], ["breakpoint", 0, 0xf0000, i]);
  }
  assert.is(pc.step().reason, "step");
  assert.is((pc.inspect("cpu0.RAX") as Long).toNumber(), 3);
});

test("save and restore: the same digest, then and later", async () => {
  const disk = () => new OverlayDisk(new ImageDisk(new Uint8Array(4096)));
  const options = () => withRom([...print(0xe9, "a"), ...count], { disks: [disk()], cpus: 2 });
  const a = new Machine(options());
  a.run({ atMost: us(33) });
  a.board.drives[0]?.save();
  const bytes = await a.save();
  const b = new Machine(options());
  await b.restore(bytes);
  assert.is(b.digest(), a.digest());
  for (const pc of [a, b]) pc.run({ atMost: us(100) });
  assert.is(b.digest(), a.digest());
  const straight = new Machine(options());
  straight.run({ atMost: a.now });
  assert.is(straight.digest(), a.digest());
});

test("a snapshot of another machine, version or with damage is refused in words", async () => {
  const a = new Machine(withRom(count, { cpus: 2 }));
  const bytes = await a.save({ compress: false });
  const refuses = async (pc: Machine, damaged: Uint8Array, words: RegExp) => {
    const before = pc.digest();
    try {
      await pc.restore(damaged);
      assert.unreachable();
    } catch (error) {
      assert.ok(error instanceof StateError && words.test((error as Error).message), String(error));
    }
    assert.is(pc.digest(), before);
  };
  await refuses(new Machine(withRom(count)), bytes, /cpus: the snapshot is of a machine with 2, this one has 1/);
  await refuses(new Machine(withRom(forever, { cpus: 2 })), bytes, /bios/);
  await refuses(
    new Machine(withRom(count, { cpus: 2, disks: [new Uint8Array(512)] })),
    bytes,
    /boot: .* with "", this one has "disk"/,
  );
  await refuses(a, bytes.subarray(0, bytes.length - 1), /damaged|cut short/);
  await refuses(a, new TextEncoder().encode("hello\n"), /no snapshot/);
  const text = new TextDecoder("latin1").decode(bytes).replace('"version":', '"version":9');
  await refuses(
    a,
    Uint8Array.from(text, (c) => c.charCodeAt(0)),
    /of version 9\d*; this castaway reads/,
  );
  await refuses(a, (await a.save()).subarray(0, -100), /damaged or cut short/);
});

test("inspect: by path, with a list of names where it goes wrong", () => {
  const pc = new Machine(withRom(count));
  pc.run({ instructions: 10 });
  assert.is((pc.inspect("cpu0.CS.base") as Long).toNumber(), 0xf0000);
  assert.is(pc.inspect("pics.master.imr"), 0);
  assert.ok((pc.inspect() as string[]).includes("ioApic"));
  assert.throws(
    () => pc.inspect("pics.third"),
    (error: unknown) => error instanceof ConfigError && /one of: master, slave/.test(error.message),
  );
  assert.throws(() => pc.inspect("nonsense"), /one of: cpu0/);
});

test("options that cannot be are refused with what is allowed", () => {
  const refused = (options: object, words: RegExp) =>
    assert.throws(
      () => new Machine(withRom(count, options)),
      (error: unknown) => error instanceof ConfigError && words.test(error.message),
    );
  assert.throws(() => new Machine(withRom(count)).run({ atMost: 0.5 }), /atMost: 0.5 .* whole number/);
  refused({ memory: "lots" }, /memory/);
  refused({ memory: "5GiB" }, /3\.5 GiB/);
  refused({ cpus: 17 }, /1 to 16/);
  refused({ model: "z80" }, /model/);
  refused({ startDate: -1 }, /startDate/);
  refused({ disks: [{ medium: new Uint8Array(512), timing: "tape" }] }, /"none", "ssd" or "hdd"/);
  refused({ disks: new Array(7).fill(new Uint8Array(512)) }, /at most 6/);
  refused({ firmware: { bios: new Uint8Array(5) } }, /firmware\.bios/);
});

test.run();
