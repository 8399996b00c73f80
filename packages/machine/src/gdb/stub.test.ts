import { us } from "@castaway/kit";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Machine } from "../machine.ts";
import { count, forever, halt, out, print, withRom } from "../rom.test-support.ts";
import { DESCRIPTION } from "./description.ts";
import { PACKET_SIZE, unescape } from "./packets.ts";
import { REGISTERS } from "./registers.ts";
import { Client } from "./stub.test-support.ts";

/** Where the ROM's code begins, and the addresses of its first instructions. */
const CODE = 0xf0000;
const at = (offset: number) => (CODE + offset).toString(16);
const RIP = REGISTERS.findIndex(({ name }) => name === "rip").toString(16);
/** rip of the current thread, as a number. */
const rip = (gdb: Client) => Number(BigInt(`0x${gdb.ask(`p${RIP}`).match(/../g)!.reverse().join("")}`));

test("packets are acknowledged until gdb asks not to; damaged ones are asked for again", () => {
  const gdb = new Client(count);
  assert.is(gdb.raw("$qC#b4"), "+$QC1#c5");
  assert.is(gdb.raw("$qC#b5"), "-");
  assert.is(gdb.raw("-"), "$QC1#c5");
  assert.is(gdb.raw("---------"), "$QC1#c5");
  assert.is(gdb.raw("$QStartNoAckMode#b0"), "+$OK#9a");
  assert.is(gdb.raw("$qC#b4-"), "$QC1#c5");
  assert.is(gdb.raw("$qC#b5"), "");
});

test("joined packets are answered each, split ones when they are whole", () => {
  const gdb = new Client(count);
  gdb.ask("QStartNoAckMode");
  assert.is(gdb.raw("$qC#b4$qC#b4$q"), "$QC1#c5$QC1#c5");
  assert.is(gdb.raw("C#b"), "");
  assert.is(gdb.raw("4"), "$QC1#c5");
});

test("what is not known is answered with nothing, what is wrong with E01", () => {
  const gdb = new Client(count);
  for (const unknown of ["", "!", "A1", "vMustReplyEmpty", "vRun;", "qTStatus", "Qx", "Z5,0,1", "\xff", "b"]) {
    assert.is(gdb.raw(`$${unknown}#${sum(unknown)}`), "+$#00", unknown);
  }
  const wrong = [
    "m",
    "m0",
    "mx,4",
    "m0,x",
    "M0,1:",
    "M0,1:0",
    "M0,2:00",
    "M0:00",
    "X0,5:ab",
    "p",
    "pfff",
    "P0",
    "Px=0",
  ];
  const more = ["P0=0", "Gx", "G0", "Hg5", "Hx1", "T0x", "T5", "Z0,x,1", "Z0", "z1,,", "Z2,0,0", "Z2,0,100001"];
  const last = ["vCont;x", "vCont;", "vCont;c:9", "vCont;t", "vCont;r1", "cxyz", "qRcmd,0", "qThreadExtraInfo,9", "H"];
  for (const data of [...wrong, ...more, ...last]) assert.is(gdb.ask(data), "E01", data);
  assert.is(gdb.ask("m".repeat(PACKET_SIZE + 1)), "E01");
  assert.is(gdb.machine.instructions, 0);
});
const sum = (data: string) =>
  (Array.from(data).reduce((total, c) => total + c.charCodeAt(0), 0) & 0xff).toString(16).padStart(2, "0");

test("any bytes at all: no exception, and afterwards all is well", () => {
  const gdb = new Client(count);
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 0x7fffffff) % below;
  const letters = "mMXgGpPZzHTqQv0123456789abdef,:;=-+}*#$"; // neither c nor s: it stands still
  for (let i = 0; i < 3000; i++) {
    const data = Array.from({ length: random(40) }, () => letters[random(letters.length)]).join("");
    gdb.raw(i % 2 ? data : `$${data}#${sum(data)}`);
  }
  assert.is(gdb.ask("qC").at(-1), "1");
});

test("the handshake", () => {
  const gdb = new Client(count);
  assert.is(
    gdb.ask("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386"),
    "PacketSize=4000;QStartNoAckMode+;qXfer:features:read+;vContSupported+;swbreak+;hwbreak+",
  );
  assert.is(gdb.ask("vCont?"), "vCont;c;C;s;S;t;r");
  assert.is(gdb.ask("?"), "T05thread:1;");
  assert.is(gdb.ask("qAttached"), "1");
  assert.is(gdb.ask("qSymbol::"), "OK");
  assert.is(gdb.ask("Hg0"), "OK");
  assert.is(gdb.ask("Hc-1"), "OK");
});

test("the description comes in pieces", () => {
  const gdb = new Client(count);
  let text = "";
  for (let more = true; more; ) {
    const piece = gdb.ask(`qXfer:features:read:target.xml:${text.length.toString(16)},3e8`);
    text += unescape(piece.slice(1));
    more = piece[0] === "m";
  }
  assert.is(text, DESCRIPTION);
  assert.is(gdb.ask("qXfer:features:read:target.xml:fffff,10"), "l");
  assert.is(gdb.ask("qXfer:features:read:other.xml:0,10"), "E00");
  assert.is(gdb.ask("qXfer:auxv:read::0,10"), "");
});

test("registers: all at once, and one by one", () => {
  const gdb = new Client(count);
  const bytes = REGISTERS.reduce((total, register) => total + register.bytes, 0);
  const all = gdb.ask("g");
  assert.is(all.length, 2 * bytes);
  assert.is(gdb.ask("P0=efcdab8967452301"), "OK");
  assert.is(gdb.ask("p0"), "efcdab8967452301");
  assert.is(gdb.ask("g").slice(0, 16), "efcdab8967452301");
  assert.is(gdb.ask(`G${all}`), "OK");
  assert.is(gdb.ask("g"), all);
  assert.is(gdb.ask(`G1122334455667788`), "OK"); // gdb leaves out what it does not know
  assert.is(gdb.ask("p0"), "1122334455667788");
});

test("memory: read, written in both ways, and what is not there", () => {
  const gdb = new Client(count);
  assert.is(gdb.ask("M1ffe,4:01020304"), "OK");
  assert.is(gdb.ask("X2002,3:}\x03}]\x07"), "OK");
  assert.is(gdb.ask("m1ffe,8"), "01020304237d0700");
  assert.is(gdb.ask("X2002,0:"), "OK");
  assert.is(gdb.ask(`m${at(0)},4`), "6640ebfc"); // the ROM
  assert.is(gdb.ask(`M${at(0)},1:00`), "E01");
  assert.is(gdb.ask("m1ffffe,8"), "0000"); // fewer than were asked for: RAM ends
  assert.is(gdb.ask("M1ffffe,4:01020304"), "E01");
  assert.is(gdb.ask("m1ffffe,2"), "0000");
  for (const nowhere of ["200000", "fec00000", "fee00000", "100000000", "ffffffff81000000", "800000000000"])
    assert.is(gdb.ask(`m${nowhere},4`), "E01", nowhere);
  assert.is(gdb.ask("m0,ffffffff").length, PACKET_SIZE);
});

test("memory through page tables: as the current thread's processor sees it", () => {
  const gdb = new Client(count, { cpus: 2 });
  gdb.cpu.enter("long", 0x1000, 1);
  gdb.cpu.write(0x3000, [0x03, 0x40, 0, 0, 0, 0, 0, 0]);
  gdb.cpu.write(0x4000, [0x03, 0x50, 0, 0, 0, 0, 0, 0]);
  gdb.cpu.write(0x5000, [0x03, 0x60, 0, 0, 0, 0, 0, 0]);
  gdb.cpu.write(0x6000, [0x01, 0x70, 0, 0, 0, 0, 0, 0]);
  gdb.cpu.write(0x7000, [0xaa, 0xbb]);
  gdb.cpu.set("CR3", 0x3000, 1);
  assert.is(gdb.ask("m0,2"), "0000");
  gdb.ask("Hg2");
  assert.is(gdb.ask("m0,2"), "aabb");
  assert.is(gdb.ask("m1000,2"), "E01");
  assert.is(gdb.ask("mfff,4"), "00");
  assert.is(gdb.ask("M0,1:cc"), "OK"); // whatever the rights
  assert.is(gdb.cpu.read(0x6000, 1)[0], 0x01); // no accessed bit
});

test("a breakpoint stops before its instruction, again and again", async () => {
  const gdb = new Client(count);
  gdb.ask("qSupported:swbreak+;hwbreak+");
  assert.is(gdb.ask(`Z0,${at(0)},1`), "OK");
  assert.is(gdb.ask(`Z0,${at(0)},1`), "OK");
  for (let n = 0; n < 3; n++) {
    assert.is(await gdb.go("vCont;c"), "T05thread:1;swbreak:;");
    assert.is(rip(gdb), CODE);
    assert.is(gdb.ask("p0"), `0${n}00000000000000`);
  }
  assert.is(gdb.ask("?"), "T05thread:1;swbreak:;");
  assert.is(gdb.ask(`Z1,${at(2)},1`), "OK");
  assert.is(await gdb.go("c"), "T05thread:1;hwbreak:;");
  assert.is(gdb.ask(`z0,${at(0)},1`), "OK");
  assert.is(gdb.ask(`z0,${at(0)},1`), "OK");
  assert.is(await gdb.go("c"), "T05thread:1;hwbreak:;");
  assert.is(rip(gdb), CODE + 2);
});

test("a software and a hardware breakpoint at one address are two", async () => {
  const gdb = new Client(count);
  gdb.ask("qSupported:swbreak+;hwbreak+");
  for (const set of ["Z0", "Z1", "z0"]) gdb.ask(`${set},${at(0)},1`);
  assert.is(await gdb.go("c"), "T05thread:1;hwbreak:;");
});

test("a gdb that does not know of swbreak is not told", async () => {
  const gdb = new Client(count);
  gdb.ask(`Z0,${at(0)},1`);
  assert.is(await gdb.go("c"), "T05thread:1;");
});

test("there is an end to breakpoints", () => {
  const gdb = new Client(count);
  for (let n = 0; n < 1024; n++) assert.is(gdb.ask(`Z0,${n.toString(16)},1`), "OK");
  assert.is(gdb.ask("Z0,5000,1"), "E01");
  assert.is(gdb.ask("Z0,5,1"), "OK");
});

test("steps: one instruction each, from an address too", async () => {
  const gdb = new Client(count);
  assert.is(await gdb.go("s"), "T05thread:1;");
  assert.is(rip(gdb), CODE);
  assert.is(await gdb.go("vCont;s:1;c"), "T05thread:1;");
  assert.is(rip(gdb), CODE + 2);
  assert.is(await gdb.go("S05"), "T05thread:1;");
  assert.is(rip(gdb), CODE);
  assert.is(await gdb.go(`s${at(2)}`), "T05thread:1;");
  assert.is(rip(gdb), CODE);
  assert.is(gdb.machine.instructions, 4);
  assert.is(await gdb.go("vCont;S05:1"), "T05thread:1;");
});

test("a range is stepped through to its end", async () => {
  const nops = [0x90, 0x90, 0x90, 0x90];
  const gdb = new Client([...nops, ...forever]);
  await gdb.go("s");
  assert.is(await gdb.go(`vCont;r${at(0)},${at(3)}:1`), "T05thread:1;");
  assert.is(rip(gdb), CODE + 3);
});

test("a breakpoint within a stepped range stops there", async () => {
  const gdb = new Client([0x90, 0x90, 0x90, 0x90, ...forever]);
  await gdb.go("s");
  gdb.ask(`Z0,${at(2)},1`);
  await gdb.go(`vCont;r${at(0)},${at(4)}:1`);
  assert.is(rip(gdb), CODE + 2);
});

/** ds = 0; then mov [500], al; mov al, [504]; inc byte [508], for ever. */
const access = [0xb8, 0, 0, 0x8e, 0xd8, 0xa2, 0x00, 0x05, 0xa0, 0x04, 0x05, 0xfe, 0x06, 0x08, 0x05, 0xeb, 0xf4];

test("watchpoints: writes, reads, both", async () => {
  const cases = [
    ["Z2,500,1", "T05thread:1;watch:500;", 8],
    ["Z2,4f8,10", "T05thread:1;watch:500;", 8],
    ["Z3,504,4", "T05thread:1;rwatch:504;", 11],
    ["Z4,504,1", "T05thread:1;awatch:504;", 11],
    ["Z2,508,1", "T05thread:1;watch:508;", 15],
    ["Z4,508,1", "T05thread:1;awatch:508;", 15],
  ] as const;
  for (const [set, stop, next] of cases) {
    const gdb = new Client(access);
    assert.is(gdb.ask(set), "OK");
    assert.is(gdb.ask(set), "OK");
    for (let n = 0; n < 2; n++) {
      assert.is(await gdb.go("vCont;c"), stop, set);
      assert.is(rip(gdb), CODE + next, set);
    }
    assert.is(gdb.ask(set.replace("Z", "z")), "OK");
    gdb.onSleep = () => gdb.stub.receive(Uint8Array.of(3));
    assert.is(await gdb.go("c"), "T02thread:1;", set); // never again
  }
});

test("Ctrl-C stops a running machine; before it runs, too; while it stands it says nothing", async () => {
  const gdb = new Client(count);
  gdb.ask("QStartNoAckMode");
  assert.is(gdb.raw("\x03\x03"), "");
  gdb.onSleep = () => gdb.stub.receive(Uint8Array.of(3));
  assert.is(await gdb.go("vCont;c"), "T02thread:1;");
  assert.ok(gdb.machine.instructions > 0);
  gdb.onSleep = () => {};
  const before = gdb.machine.instructions;
  gdb.raw("$c#63\x03");
  await new Promise((resolve) => setTimeout(resolve));
  assert.is(gdb.take(), "$T02thread:1;#d4");
  assert.is(gdb.machine.instructions, before);
  assert.is(gdb.ask("?"), "T02thread:1;");
});

test("while the machine runs packets are passed over", async () => {
  const gdb = new Client(count);
  gdb.onSleep = () => {
    assert.is(gdb.raw("$g#67$k#6b$D#44"), "");
    gdb.stub.receive(Uint8Array.of(3));
  };
  assert.is(await gdb.go("c"), "T02thread:1;");
});

test("a machine that waits for input goes on waiting, and a step of it can be interrupted", async () => {
  const gdb = new Client(halt);
  for (const action of ["c", "c", "s"]) {
    let sleeps = 0;
    gdb.onSleep = () => {
      if (++sleeps === 5) gdb.stub.receive(Uint8Array.of(3));
    };
    assert.is(await gdb.go(action), "T02thread:1;", action);
    assert.is(sleeps, 5);
  }
});

test("threads are the processors, with what they do", async () => {
  const gdb = new Client(count, { cpus: 3 });
  assert.is(gdb.ask("qfThreadInfo"), "m1,2,3");
  assert.is(gdb.ask("qsThreadInfo"), "l");
  assert.is(gdb.ask("T3"), "OK");
  assert.is(gdb.ask("T4"), "E01");
  const text = (hex: string) =>
    (hex.match(/../g) ?? []).map((pair) => String.fromCharCode(Number.parseInt(pair, 16))).join("");
  assert.is(text(gdb.ask("qThreadExtraInfo,1")), "cpu 0 running, real mode, ring 0");
  assert.is(text(gdb.ask("qThreadExtraInfo,2")), "cpu 1 waiting for SIPI, real mode, ring 0");
  assert.is(gdb.ask("Hg2"), "OK");
  assert.is(gdb.ask("qC"), "QC2");
});

/** Two processors in one loop at 1000: lock inc dword [2000]; jmp. */
function pair(): Client {
  const gdb = new Client(count, { cpus: 2, quantum: 1000 });
  gdb.cpu.write(0x1000, [0xf0, 0xff, 0x05, 0x00, 0x20, 0x00, 0x00, 0xeb, 0xf7]);
  for (const id of [0, 1]) {
    gdb.cpu.enter("protected32", 0x1000, id);
    gdb.cpu.set("activity", 0, id);
  }
  return gdb;
}

test("a stop names its thread, and makes it the current one", async () => {
  const gdb = pair();
  gdb.ask("Z0,1007,1");
  const stops = new Set<string>();
  for (let n = 0; n < 5000 && stops.size < 2; n++) {
    const stop = await gdb.go("c");
    stops.add(stop);
    assert.is(gdb.ask("qC"), `QC${stop[10]}`);
    assert.is(rip(gdb), 0x1007);
  }
  assert.equal([...stops].sort(), ["T05thread:1;", "T05thread:2;"]);
});

test("each thread can be stepped", async () => {
  const gdb = pair();
  for (const thread of [2, 1, 1, 2, 2, 1]) {
    gdb.ask(`Hg${thread}`);
    assert.is(await gdb.go(`vCont;s:${thread};c`), `T05thread:${thread};`);
    assert.is(gdb.ask("qC"), `QC${thread}`);
    assert.ok([0x1000, 0x1007].includes(rip(gdb)));
  }
  const before = rip(gdb);
  gdb.ask("Hc1");
  assert.is(await gdb.go("s"), "T05thread:1;"); // it is its turn: nobody else runs
  assert.is(rip(gdb), before === 0x1000 ? 0x1007 : 0x1000);
});

test("while gdb steps one thread over its breakpoint, the others still stop there", async () => {
  const gdb = pair();
  gdb.ask("Z0,1007,1");
  for (let stop = ""; !stop.startsWith("T05thread:2"); ) stop = await gdb.go("vCont;c"); // now it is the second one's turn
  gdb.ask("Hg1");
  gdb.ask(`P${RIP}=0710000000000000`);
  gdb.ask("z0,1007,1"); // as gdb does before it steps over it
  for (let n = 0; n < 2; n++) {
    assert.is(await gdb.go("vCont;s:1"), "T05thread:2;");
    assert.is(rip(gdb), 0x1007);
    gdb.ask("Hg1");
    assert.is(rip(gdb), 0x1007);
  }
  gdb.ask("Z0,1007,1");
  gdb.ask("z0,1007,1");
  assert.is(await gdb.go("vCont;s:1;c"), "T05thread:1;"); // the others may go on: there is no breakpoint any more
  assert.is(rip(gdb), 0x1000);
});

test("power-off and the exit port are told with W, and end the session", async () => {
  const gdb = new Client([...out(0x501, 7), ...forever], { exitPort: true });
  assert.is(await gdb.go("c"), "W07");
  const { reason, stop } = await gdb.end;
  assert.equal([reason, stop?.reason, stop?.detail], ["ended", "exit", "7"]);
  assert.is(gdb.raw("$?#3f"), "");
});

test("the guest resets the machine: gdb's user is told", async () => {
  const gdb = new Client([...print(0xe9, "a"), ...out(0xcf9, 0x02), ...out(0xcf9, 0x06), ...forever]);
  gdb.ask(`Z0,${at(0)},1`);
  assert.is(await gdb.go("c"), "T05thread:1;");
  const [text, stop] = (await gdb.go("c")).split(" ");
  assert.match(text, /^O/);
  assert.is(stop ?? (await gdb.go("")), "T05thread:1;");
});

test("detach, kill and a lost connection leave a machine without breakpoints", async () => {
  for (const [data, answer, reason] of [
    ["D", "OK", "detached"],
    ["k", "", "killed"],
    ["vKill;1", "OK", "killed"],
    [null, "", "disconnected"],
  ] as const) {
    const gdb = new Client(count);
    gdb.ask(`Z0,${at(0)},1`);
    gdb.ask("Z2,500,4");
    if (data === null) gdb.stub.disconnect();
    else assert.is(gdb.ask(data), answer);
    assert.equal(await gdb.end, { reason, stop: null });
    assert.is(gdb.machine.run({ atMost: us(20) }).reason, "limit");
    assert.is(gdb.raw("$g#67"), "");
  }
});

test("a connection that is lost while the machine runs ends the run", async () => {
  const gdb = new Client(count);
  gdb.onSleep = () => gdb.stub.disconnect();
  gdb.ask("c");
  assert.is((await gdb.end).reason, "disconnected");
});

test("debugging changes nothing: digests are those of a run without gdb", async () => {
  for (const cpus of [1, 2]) {
    const code = [...access.slice(0, -2), 0x66, 0x43, 0xeb, 0xf2];
    const gdb = new Client(code, { cpus });
    gdb.ask(`Z0,${at(8)},1`);
    gdb.ask("Z4,508,1");
    for (let n = 0; n < 40; n++) {
      await gdb.go(n % 3 === 0 ? "vCont;s:1;c" : "vCont;c");
      for (const packet of ["g", "m0,1000", "m4ff,20", "qThreadExtraInfo,1"]) gdb.ask(packet);
      if (n % 5 === 0) gdb.monitor("info");
      if (n === 20) gdb.monitor("digest");
    }
    assert.is(gdb.ask("D"), "OK");
    const { now } = gdb.machine;
    const plain = new Machine(withRom(code, { cpus }));
    for (const pc of [gdb.machine, plain]) pc.run({ atMost: now + us(50) - pc.now });
    assert.is(gdb.machine.digest(), plain.digest());
  }
});

test("R presses reset", async () => {
  const gdb = new Client(count);
  await gdb.go("s");
  gdb.ask("R");
  assert.is(rip(gdb), 0xfffffff0);
});

test.run();
