import { ms, type Nanoseconds, Random, seconds } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseIp } from "./address.ts";
import { type Datagram, Host, hostState } from "./host.ts";
import {
  buildAck,
  buildData,
  buildError,
  buildRequest,
  parseTftp,
  type TftpPacket,
  tftpOpcode,
} from "./tftp-packet.ts";
import { TftpServer, type TftpServerOptions, tftpDrops, tftpServerState } from "./tftp-server.ts";
import { type Faults, mutate, roundTrip, Wire } from "./wire.test-support.ts";

const serverIp = parseIp("10.0.2.1");
const contents = (size: number) => new Random(size).fill(new Uint8Array(size));
const files = { small: contents(10), exact: contents(1024), medium: contents(40_000), empty: new Uint8Array(0) };

type Options = Partial<TftpServerOptions> & { mtu?: number };

function rig(options: Options = {}, faults: Faults = {}, seed = 1) {
  const wire = new Wire(faults, seed);
  const { mtu, ...rest } = options;
  const hostOptions = { clock: wire.clock, port: wire.port(), mac: "52:54:00:00:00:01", address: "10.0.2.1", mtu };
  const make = () => {
    const host = new Host(hostOptions);
    return { host, server: new TftpServer({ host, files, ...rest }) };
  };
  const made = make();
  const blank = { host: made.host.save(), server: made.server.save() };
  const client = new Host({
    clock: wire.clock,
    port: wire.port(),
    mac: "52:54:00:00:00:02",
    address: "10.0.2.2",
    mtu: 9000,
  });
  const r = { wire, client, ...made, hop };
  /** The server goes on as a new one, from its saved state. */
  function hop() {
    const state = { host: roundTrip(hostState, r.host.save()), server: roundTrip(tftpServerState, r.server.save()) };
    r.host.restore(blank.host);
    r.server.restore(blank.server);
    Object.assign(r, make());
    r.host.restore(state.host);
    r.server.restore(state.server);
    assert.equal({ host: r.host.save(), server: r.server.save() }, state);
  }
  return r;
}

/** A port of the client: what it sends, and what it got. */
function socket(r: ReturnType<typeof rig>, port: number) {
  const got: { from: number; packet: TftpPacket | null }[] = [];
  r.client.listen(port, ({ sourcePort, data }) => got.push({ from: sourcePort, packet: parseTftp(data.slice()) }));
  const send = (data: Uint8Array, toPort = 69) => r.client.send({ to: serverIp, toPort, fromPort: port, data });
  const ask = (file: string, options: Record<string, string> = {}, opcode: number = tftpOpcode.read, mode = "octet") =>
    send(buildRequest({ opcode, file, mode, options: new Map(Object.entries(options)) }));
  const next = () => {
    r.wire.run(ms(1));
    return got.splice(0);
  };
  return { send, ask, next };
}

/** A client as they are: it acknowledges what comes in order, window by window, and asks again when nothing comes. */
class Getter {
  done = false;
  error: number | null = null;
  granted = new Map<string, string>();
  readonly parts: Uint8Array[] = [];
  /** Packets with data, duplicates included. */
  packets = 0;
  readonly #r: ReturnType<typeof rig>;
  readonly #port: number;
  readonly #request: Uint8Array;
  readonly #timer;
  #server = 0;
  #inWindow = 0;

  constructor(r: ReturnType<typeof rig>, port: number, file: string, options: Record<string, string>) {
    this.#r = r;
    this.#port = port;
    this.#request = buildRequest({ opcode: 1, file, mode: "octet", options: new Map(Object.entries(options)) });
    this.#timer = r.wire.clock.timer("getter", () => this.#nothingCame());
    r.client.listen(port, (datagram) => this.#receive(datagram));
    this.#nothingCame();
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.parts.flatMap((part) => [...part]));
  }

  #nothingCame(): void {
    if (this.#server === 0) this.#send(this.#request, 69);
    else this.#send(buildAck(this.parts.length & 0xffff), this.#server);
    this.#timer.arm(ms(250));
  }

  #receive({ sourcePort, data }: Datagram): void {
    const packet = parseTftp(data.slice());
    if (packet === null || (this.#server !== 0 && sourcePort !== this.#server)) return; // another answer to one request
    if (packet.kind === "error") this.error = packet.code;
    if (packet.kind === "optionAck" && this.parts.length === 0) {
      this.#server = sourcePort;
      this.granted = packet.options;
      this.#send(buildAck(0), sourcePort);
    }
    if (packet.kind === "data") this.#take(packet.block, packet.data, sourcePort);
  }

  #take(block: number, data: Uint8Array, from: number): void {
    this.#server = from;
    this.packets++;
    const blockSize = Number(this.granted.get("blksize") ?? 512);
    const window = Number(this.granted.get("windowsize") ?? 1);
    const inOrder = block === ((this.parts.length + 1) & 0xffff) && !this.done;
    if (inOrder) this.parts.push(data);
    if (inOrder) this.done = data.length < blockSize;
    this.#inWindow = inOrder ? this.#inWindow + 1 : window;
    if (this.#inWindow < window && !this.done) return;
    this.#inWindow = 0;
    this.#send(buildAck(this.parts.length & 0xffff), from);
    if (this.done) this.#timer.disarm();
    else this.#timer.arm(ms(250));
  }

  #send(data: Uint8Array, toPort: number): void {
    this.#r.client.send({ to: serverIp, toPort, fromPort: this.#port, data });
  }
}

function fetch(r: ReturnType<typeof rig>, file: string, options: Record<string, string> = {}, port = 2000): Getter {
  return new Getter(r, port, file, options);
}

function runUntil(r: ReturnType<typeof rig>, done: () => boolean, step: Nanoseconds = ms(50), each = () => {}): void {
  for (let n = 0; n < 4000 && !done(); n++) {
    r.wire.run(step);
    each();
  }
  assert.ok(done(), "it ends");
}

for (const [name, bytes] of Object.entries(files)) {
  test(`the file "${name}" comes whole, with and without options`, () => {
    const plain: Record<string, string> = {};
    for (const options of [
      plain,
      { blksize: "1432", tsize: "0" },
      { blksize: "512", windowsize: "8" },
      { blksize: "8" },
    ]) {
      const r = rig();
      const getter = fetch(r, name, options);
      runUntil(r, () => getter.done);
      assert.equal(getter.bytes, bytes);
      assert.is(getter.packets, getter.parts.length);
      assert.equal([...getter.granted.keys()], Object.keys(options));
      assert.is(r.server.running, 0);
      assert.is(r.server.statistics.done, 1);
    }
  });
}

test("options: granted, cut to what the network and the server can do, or passed over", () => {
  const r = rig({ largestWindow: 4 });
  const s = socket(r, 2000);
  s.ask("/medium", { BLKSIZE: "65464", tsize: "0", timeout: "3", windowsize: "64", other: "1" });
  const [{ packet }] = s.next();
  const granted = { blksize: "1468", tsize: "40000", timeout: "3", windowsize: "4" };
  assert.equal(packet, { kind: "optionAck", options: new Map(Object.entries(granted)) });
  const t = socket(r, 2001);
  t.ask("medium", { blksize: "7", timeout: "256", windowsize: "0", tsize: "x" });
  const [first] = t.next();
  assert.is(first.packet?.kind === "data" && first.packet.data.length, 512);
  const jumbo = rig({ mtu: 9000 });
  const u = socket(jumbo, 2000);
  u.ask("medium", { blksize: "8192" });
  const [large] = u.next();
  assert.equal(large.packet, { kind: "optionAck", options: new Map([["blksize", "8192"]]) });
});

test("what is refused: writing, absent files, netascii, and names that mean something elsewhere", () => {
  const r = rig();
  const s = socket(r, 2000);
  const code = () => s.next().map(({ packet }) => (packet?.kind === "error" ? packet.code : packet?.kind));
  s.ask("small", {}, tftpOpcode.write);
  assert.equal(code(), [2]);
  s.ask("absent");
  assert.equal(code(), [1]);
  s.ask("small", {}, tftpOpcode.read, "NetASCII");
  assert.equal(code(), [4]);
  for (const name of ["../small", "a/../small", "__proto__", "constructor", ""]) {
    s.ask(name);
    assert.equal(code(), [1]);
  }
  s.ask("small", {}, tftpOpcode.read, "OCTET");
  assert.equal(code(), ["data"]);
});

test("a lost block is sent again after the timeout that the client asked for, and the server gives up in the end", () => {
  const r = rig();
  const s = socket(r, 2000);
  s.ask("medium", { timeout: "2" });
  assert.is(s.next().length, 1);
  r.wire.run(seconds(2));
  assert.is(s.next().length, 1);
  r.wire.run(seconds(20));
  assert.is(s.next().length, 6);
  assert.equal([r.server.running, r.server.statistics["given up"]], [0, 1]);
});

test("the Sorcerer's apprentice: acknowledgements that come twice do not double the blocks", () => {
  const r = rig({}, { duplication: 1 });
  const getter = fetch(r, "medium");
  runUntil(r, () => getter.done);
  assert.equal(getter.bytes, files.medium);
  assert.is(r.server.statistics.repeats, 0);
});

test("a client that repeats its last acknowledgement later misses the next block", () => {
  const r = rig({ timeout: seconds(10) });
  const s = socket(r, 2000);
  s.ask("medium");
  const [{ from }] = s.next();
  s.send(buildAck(1), from);
  assert.is(s.next().length, 1);
  s.send(buildAck(1), from);
  assert.is(s.next().length, 0);
  r.wire.run(ms(200));
  s.send(buildAck(1), from);
  assert.equal(
    s.next().map(({ packet }) => packet?.kind === "data" && packet.block),
    [2],
  );
});

test("block numbers wrap at 65536, and files need not be in memory", () => {
  const size = 65_540 * 8 + 3;
  const read = (offset: number, into: Uint8Array) => into.fill((offset / 8) & 0xff).length > 0;
  const r = rig({ files: () => ({ size, read }), largestWindow: 64 });
  const getter = fetch(r, "any", { blksize: "8", windowsize: "64" });
  runUntil(r, () => getter.done);
  assert.is(getter.parts.length, 65_541);
  assert.is(
    getter.parts.every((part, n) => part[0] === (n & 0xff)),
    true,
  );
  assert.is(getter.parts.at(-1)?.length, 3);
});

test("a file that cannot be read ends its transfer with an error", () => {
  const r = rig({ files: () => ({ size: 5000, read: (offset: number) => offset < 600 }) });
  const getter = fetch(r, "any");
  r.wire.run(ms(10));
  assert.equal([getter.error, getter.parts.length, r.server.running], [0, 2, 0]);
});

test("every reason to drop is counted, and a stranger does not end a transfer", () => {
  const r = rig({ sessions: 1 });
  const s = socket(r, 2000);
  const stranger = socket(r, 2001);
  s.ask("medium");
  const [{ from }] = s.next();
  stranger.ask("medium"); // too many sessions
  stranger.send(new Uint8Array(2)); // malformed
  stranger.send(buildAck(1), from); // unknown transfer
  s.send(buildAck(77), from); // useless ack
  s.send(buildData(1, 0), from); // unexpected packet
  const codes = stranger.next().map(({ packet }) => packet?.kind === "error" && packet.code);
  assert.equal(codes, [5]);
  assert.equal(
    Object.entries(r.server.drops),
    tftpDrops.map((reason) => [reason, 1]),
  );
  s.send(buildError(0, "enough"), from);
  s.next();
  assert.equal([r.server.running, r.server.statistics["ended by client"]], [0, 1]);
});

test("the time that a block costs is shared by all clients", () => {
  const duration = (clients: number) => {
    const r = rig({ serviceTime: ms(1) });
    const getters = Array.from({ length: clients }, (_, n) => fetch(r, "medium", { blksize: "1000" }, 2000 + n));
    runUntil(r, () => getters.every(({ done }) => done), ms(1));
    return r.wire.clock.now;
  };
  assert.ok(duration(1) >= ms(41) && duration(1) < ms(60));
  assert.ok(duration(4) >= ms(164) && duration(4) < ms(180));
});

for (const hop of [false, true]) {
  test(`loss, duplication and reordering: every client gets the right bytes${hop ? ", the server restored every 50 ms" : ""}`, () => {
    for (let seed = 1; seed <= 4; seed++) {
      const r = rig({}, { loss: 0.05, duplication: 0.05, reordering: 0.05 }, seed);
      const getters = [
        fetch(r, "medium", { blksize: "1432", tsize: "0" }, 2000),
        fetch(r, "medium", { blksize: "1000", windowsize: "16" }, 2001),
        fetch(r, "exact", {}, 2002),
      ];
      runUntil(
        r,
        () => getters.every(({ done }) => done),
        ms(50),
        () => hop && r.hop(),
      );
      assert.equal(getters[0].bytes, files.medium);
      assert.equal(getters[1].bytes, files.medium);
      assert.equal(getters[2].bytes, files.exact);
      r.wire.run(seconds(10));
      assert.is(r.server.running, 0);
    }
  });
}

test("10,000 mutated packets: no exception, a bounded number of transfers, and all of them end", () => {
  const r = rig({ sessions: 32 });
  const random = new Random("tftp");
  const requests = ["small", "medium", "absent"].map((file) =>
    buildRequest({
      opcode: 1,
      file,
      mode: "octet",
      options: new Map([
        ["blksize", "600"],
        ["windowsize", "4"],
      ]),
    }),
  );
  const answers = new Map<number, { from: number; block: number }>();
  for (let port = 1; port <= 40; port++) {
    r.client.listen(port, ({ sourcePort, data }) => {
      const packet = parseTftp(data);
      answers.set(port, { from: sourcePort, block: packet?.kind === "data" ? packet.block : 0 });
    });
  }
  for (let n = 0; n < 10_000; n++) {
    const fromPort = 1 + random.below(40);
    const { from, block } = answers.get(fromPort) ?? { from: 69, block: 0 };
    const isRequest = random.chance(0.1) || from === 69;
    const follow = random.chance(0.9)
      ? buildAck(block)
      : random.pick([buildAck(9), buildData(1, 9), buildError(0, "x")]);
    const data = isRequest ? random.pick(requests) : follow;
    const sent = random.chance(0.3) ? mutate(random, data) : data;
    r.client.send({ to: serverIp, toPort: isRequest ? 69 : from, fromPort, data: sent });
    if (n % 4 === 0) r.wire.run(ms(1));
    assert.ok(r.server.running <= 32);
  }
  const { requests: asked, blocks, done } = r.server.statistics;
  assert.ok(asked > 500 && blocks > 1000 && done > 50, "the packets get far enough to matter");
  r.wire.run(seconds(60));
  assert.is(r.server.running, 0);
});

test("settings that cannot be are refused", () => {
  assert.throws(() => rig({ sessions: 0 }), /sessions/);
  assert.throws(() => rig({ largestWindow: 65536 }), /largestWindow/);
  assert.throws(() => rig({ timeout: 0 }), /timeout/);
  assert.throws(() => rig({ serviceTime: -1 }), /serviceTime/);
});

test.run();
