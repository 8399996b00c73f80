/** Frames that no honest server sends: the AoE client drops and counts them, and what it reads is never wrong. */
import { ms, Random, us } from "@castaway/kit";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Bench, type ServerOptions, TestDisk } from "./aoe.test-support.ts";

const test = suite("vmm aoe, hostile frames");
const disk = new TestDisk(1024, (s) => s >= 300 && s < 400);

const big = (bytes: Uint8Array, at: number, size: number): number =>
  bytes.subarray(at, at + size).reduce((value, byte) => value * 256 + byte, 0);
function put(bytes: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Math.floor(value / 2 ** (8 * (size - 1 - i))) % 256;
}

/** The client has found the real server; from now on the test answers in its place. */
class Scripted {
  readonly bench: Bench;
  asked: Uint8Array[] = [];
  constructor(server: ServerOptions = {}) {
    this.bench = new Bench({ disk, server }).up();
    this.bench.serverPort.connect({ receive: (frame) => void this.asked.push(frame.slice()), link: () => {} });
  }
  /** The client reads `sectors` from `lba` on. @returns its first request */
  ask(lba: number, sectors: number, n = 0): Uint8Array {
    this.asked = [];
    this.bench.submit(n, lba, sectors);
    this.bench.run(us(400));
    return this.asked[0];
  }
  send(...frames: Uint8Array[]): void {
    for (const frame of frames) this.bench.serverPort.send(frame);
    this.bench.run(us(400));
  }
  /** What a counter has grown by while the frames were sent. */
  counts(counter: "malformed" | "stale" | "foreign" | "duplicates" | "serverErrors", ...frames: Uint8Array[]): number {
    const before = this.bench.statistics[counter];
    this.send(...frames);
    return this.bench.statistics[counter] - before;
  }
}

/** The beginning of an answer to `request`. */
function reply(request: Uint8Array, size: number): Uint8Array {
  const frame = new Uint8Array(Math.max(60, size));
  frame.set(request.subarray(0, 24));
  frame.set(request.subarray(6, 12), 0);
  frame.set([0x52, 0x54, 0, 0, 0, 1], 6);
  frame[14] = 0x18;
  return frame;
}
function ataReply(request: Uint8Array, data: Uint8Array): Uint8Array {
  const frame = reply(request, 36 + data.length);
  frame.set(request.subarray(24, 36), 24);
  frame[27] = 0x40;
  frame.set(data, 36);
  return frame;
}
type Part = {
  lba: number;
  sectors: number;
  index: number;
  total: number;
  flags?: number;
  version?: number;
  data?: number;
};
function fragment(
  request: Uint8Array,
  { lba, sectors, index, total, flags = 0, version = 1, data = sectors }: Part,
): Uint8Array {
  const frame = reply(request, 42 + 512 * data);
  frame.set([version, flags, request[26], request[27]], 24);
  put(frame, 28, 6, lba);
  put(frame, 34, 4, sectors);
  put(frame, 38, 2, index);
  put(frame, 40, 2, total);
  if (data > 0) frame.set(disk.bytes(lba % 1024, Math.min(data, 1024 - (lba % 1024))), 42);
  return frame;
}
/** `frame` with other bytes from `at` on. */
function changed(frame: Uint8Array, at: number, ...bytes: number[]): Uint8Array {
  const copy = frame.slice();
  copy.set(bytes, at);
  return copy;
}

test("plain answers of another length, station, target, command or tag change nothing", () => {
  const scripted = new Scripted({ extended: 0 });
  const request = scripted.ask(10, 4);
  assert.equal([...request.subarray(24, 34)], [0x40, 0, 4, 0x24, 10, 0, 0, 0, 0, 0]);
  const good = ataReply(request, disk.bytes(10, 4));
  const { bench } = scripted;
  assert.is(scripted.counts("malformed", good.slice(0, -1), good.slice(0, -512), good.slice(0, 60)), 3);
  assert.is(scripted.counts("malformed", ataReply(request, disk.bytes(10, 5))), 1);
  assert.is(scripted.counts("malformed", changed(good, 11, 9), changed(good, 17, 9), changed(good, 18, 9)), 3);
  assert.is(scripted.counts("malformed", changed(good, 19, 1), changed(good, 19, 0xf0)), 2);
  assert.is(scripted.counts("stale", changed(good, 20, 0x12), changed(good, 23, good[23] ^ 1)), 2);
  assert.is(scripted.counts("foreign", changed(good, 12, 8, 0), changed(good, 14, 0x28), changed(good, 14, 0x10)), 3);
  assert.is(scripted.counts("foreign", changed(good, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)), 1);
  assert.is(bench.vmm.arrived(0), 0);
  scripted.send(good);
  assert.is(bench.vmm.arrived(0), 1);
  bench.check(0, 10, 4);
});

test("fragments beyond what was asked, of a wrong length or number change nothing", () => {
  const scripted = new Scripted();
  const request = scripted.ask(100, 64);
  const { bench } = scripted;
  assert.equal([request[19], big(request, 28, 6), big(request, 34, 4), big(request, 38, 2)], [0xf0, 100, 64, 17]);
  const whole = { lba: 100, sectors: 17, index: 0, total: 4 };
  for (const [name, frame] of Object.entries({
    "before the beginning": fragment(request, { ...whole, lba: 99 }),
    "behind the end": fragment(request, { ...whole, lba: 164 }),
    "across the end": fragment(request, { ...whole, lba: 150 }),
    "far away": fragment(request, { ...whole, lba: 100 + 2 ** 32 }),
    "no sectors": fragment(request, { ...whole, sectors: 0 }),
    "more than a frame's": fragment(request, { ...whole, sectors: 18, data: 17 }),
    "a hole of too many": fragment(request, { ...whole, sectors: 65, flags: 1, data: 0 }),
    "a hole of 2^32 - 1": fragment(request, { ...whole, sectors: 0xffff_ffff, flags: 1, data: 0 }),
    "short data": fragment(request, { ...whole, data: 16 }),
    "a byte short": fragment(request, whole).slice(0, -1),
    "no data": fragment(request, { ...whole, data: 0 }),
    "other flags": fragment(request, { ...whole, flags: 2 }),
    "another version": fragment(request, { ...whole, version: 2 }),
    "another number": changed(fragment(request, whole), 27, request[27] ^ 1),
    "an index that is none": fragment(request, { ...whole, index: 4 }),
    "no fragments in all": fragment(request, { ...whole, total: 0 }),
    "more fragments than sectors": fragment(request, { ...whole, total: 65 }),
  })) {
    assert.is(scripted.counts("malformed", frame), 1, name);
  }
  const parts = [0, 1, 2, 3].map((index) => {
    const lba = 100 + 17 * index;
    return fragment(request, { lba, sectors: Math.min(17, 164 - lba), index, total: 4 });
  });
  scripted.send(parts[2], parts[0]);
  assert.is(scripted.counts("malformed", fragment(request, { ...whole, lba: 117, total: 5 })), 1, "another total");
  assert.is(scripted.counts("duplicates", parts[0], parts[0]), 2);
  scripted.send(parts[3], parts[1]);
  assert.is(bench.vmm.arrived(0), 1);
  bench.check(0, 100, 64);
  assert.is(scripted.counts("stale", ...parts), 4);
});

test("the guest's other memory stays as it was", () => {
  const scripted = new Scripted();
  const request = scripted.ask(100, 64);
  const { memory } = scripted.bench.vmm;
  const [at, next] = [scripted.bench.vmm.buffer(0), scripted.bench.vmm.buffer(0) + 64 * 512];
  new Uint8Array(memory.buffer, next, 65536).fill(0x55);
  const random = new Random(5);
  for (let i = 0; i < 300; i++) {
    const lba = 90 + random.below(90);
    const data = random.below(18);
    const frame = fragment(request, {
      lba,
      sectors: random.below(70),
      index: random.below(5),
      total: 4,
      flags: random.below(2),
      data,
    });
    scripted.bench.serverPort.send(frame);
    if (i % 16 === 15) scripted.bench.run(us(900));
  }
  assert.ok(new Uint8Array(memory.buffer, next, 65536).every((byte) => byte === 0x55));
  assert.ok(new Uint8Array(memory.buffer, at - 64, 60).every((byte) => byte === 0));
});

test("what is lost of an extended read is asked for again, alone: few sectors plainly, more extended", () => {
  const scripted = new Scripted();
  const request = scripted.ask(0, 128);
  const part = (index: number) =>
    fragment(request, { lba: 17 * index, sectors: Math.min(17, 128 - 17 * index), index, total: 8 });
  scripted.asked = [];
  scripted.send(...[0, 2, 3, 6, 7].map(part));
  scripted.bench.run(ms(3));
  const asked = () =>
    scripted.asked.map((frame) =>
      frame[19] === 0 ? `plain ${frame[28]}+${frame[26]}` : `extended ${big(frame, 28, 6)}+${big(frame, 34, 4)}`,
    );
  assert.equal(asked(), ["plain 17+17"]); // the window is 1 after the loss
  scripted.send(ataReply(scripted.asked[0], disk.bytes(17, 17)));
  assert.equal(asked(), ["plain 17+17", "extended 68+34"]);
  const lost = (lba: number, index: number) => fragment(scripted.asked[1], { lba, sectors: 17, index, total: 2 });
  scripted.send(lost(85, 1), lost(68, 0));
  assert.is(scripted.bench.vmm.arrived(0), 1);
  scripted.bench.check(0, 0, 128);
});

test("an answer to a request that was given up is not taken for the one that has its place", () => {
  const scripted = new Scripted({ extended: 0 });
  const old = scripted.ask(0, 4);
  scripted.asked = [];
  scripted.bench.run(ms(400));
  const [again] = scripted.asked;
  assert.equal([again[26], again[28]], [4, 0]);
  assert.is.not(big(again, 20, 4), big(old, 20, 4));
  assert.is(scripted.counts("stale", ataReply(old, new Uint8Array(4 * 512))), 1);
  assert.is(scripted.bench.vmm.arrived(0), 0);
  scripted.send(ataReply(again, disk.bytes(0, 4)));
  assert.is(scripted.bench.vmm.arrived(0), 1);
  scripted.bench.check(0, 0, 4);
});

test("tags are never used twice, whatever is lost", () => {
  const scripted = new Scripted();
  scripted.ask(0, 512);
  scripted.bench.poll = us(500);
  scripted.bench.run(ms(20_000));
  const tags = scripted.asked.map((frame) => big(frame, 20, 4));
  assert.ok(tags.length > 20);
  assert.is(new Set(tags).size, tags.length);
  assert.not(tags.includes(0));
});

test("errors: an unknown command ends extended reads, others this one's; plain reads rest", () => {
  const refusal = (request: Uint8Array, error: number) => changed(reply(request, 60), 14, 0x1c, error);
  const kinds = (scripted: Scripted) => scripted.asked.map((frame) => frame[19]);
  for (const [error, extended] of [
    [1, 0],
    [2, 256],
    [3, 256],
  ]) {
    const scripted = new Scripted();
    const request = scripted.ask(0, 100);
    scripted.asked = [];
    assert.is(scripted.counts("serverErrors", refusal(request, error)), 1);
    assert.equal([...new Set(kinds(scripted))], [0]);
    assert.is(scripted.bench.statistics.extended, extended);
    const [plain] = scripted.asked;
    scripted.asked = [];
    assert.is(scripted.counts("serverErrors", refusal(plain, 3)), 1);
    assert.equal(kinds(scripted).length, 0, "it rests");
    scripted.bench.run(ms(300));
    assert.ok(kinds(scripted).length > 0);
  }
});

test("announcements of everybody, day and night, cost little", () => {
  const scripted = new Scripted();
  scripted.ask(0, 4);
  const announcement = new Uint8Array(60);
  announcement.set([255, 255, 255, 255, 255, 255, 0x52, 0x54, 0, 0, 0, 9, 0x88, 0xa2, 0x18, 0, 0, 1, 2, 1]);
  const before = scripted.bench.statistics.discoveries;
  scripted.bench.poll = us(500);
  for (let i = 0; i < 400; i++) scripted.send(announcement);
  assert.ok(scripted.bench.statistics.discoveries - before <= 2);
});

test("noise of any length and content", () => {
  const scripted = new Scripted();
  const request = scripted.ask(0, 512);
  const random = new Random(77);
  for (let i = 0; i < 2000; i++) {
    const frame = i % 3 === 0 ? new Uint8Array(14 + random.below(9000)) : reply(request, 60 + random.below(200));
    for (let n = random.below(12); n > 0; n--)
      frame[12 + random.below(Math.min(frame.length, 60) - 12)] = random.below(256);
    frame.set(request.subarray(6, 12), 0);
    if (random.chance(0.5)) put(frame, 20, 4, (big(request, 20, 4) & ~63) + random.below(64));
    scripted.bench.serverPort.send(frame);
    if (i % 16 === 15) scripted.bench.run(us(500));
  }
  assert.is(scripted.bench.vmm.arrived(0), 0);
  scripted.bench.serve();
  scripted.bench.poll = us(200);
  scripted.bench.until(() => scripted.bench.vmm.arrived(0) === 1, ms(60_000));
});

test.run();
