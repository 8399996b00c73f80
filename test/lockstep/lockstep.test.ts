/** The parts of the tool that need no QEMU; `npm run system -- lockstep` is the whole. */
import { Decoder, definitions, OpcodeMap } from "@castaway/cpu";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { differentRegisters, lastOperand, maskOf, NO_MASK } from "./compare.ts";
import { knownInFrame } from "./deviations.ts";
import { layoutOf } from "./layout.ts";
import { mapCommands } from "./map.ts";
import { goesOn, waypoints } from "./path.ts";
import { framed, Packets } from "./remote.ts";
import { FLAG } from "./state.ts";
import { MigrationStream } from "./stream.ts";

const test = suite("lockstep");

test("packets come out of a stream however it is cut, and acknowledgements are passed over", () => {
  const text = `+${framed("OK")}++${framed("T05thread:01;")}`;
  for (let cut = 0; cut <= text.length; cut++) {
    const packets = new Packets(),
      got: (string | null)[] = [];
    for (const part of [text.slice(0, cut), text.slice(cut)]) {
      packets.append(part);
      for (let packet = packets.next(); packet !== null; packet = packets.next()) got.push(packet);
    }
    assert.equal(got, ["OK", "T05thread:01;"]);
  }
});
test("a packet with a wrong sum is refused", () => {
  const packets = new Packets();
  packets.append("$OK#00");
  assert.throws(() => packets.next(), /damaged/);
});

test("registers of a target description have their places; those in comments do not exist", () => {
  const layout = layoutOf(
    '<target><xi:include href="x.xml"/></target>',
    '<reg name="rax" bitsize="64" type="int64" regnum="0"/><!-- <reg name="cs_base" bitsize="64"/> --><reg name="eflags" bitsize="32"/>',
  );
  assert.equal(layout.places, [
    { name: "rax", number: 0, offset: 0, bytes: 8 },
    { name: "eflags", number: 1, offset: 8, bytes: 4 },
  ]);
  assert.is(layout.bytes, 12);
});

test("fields of a migration stream are found by the description at its end, and are big-endian", () => {
  const fields = [
    { name: "env.regs", size: 8, array_len: 2 },
    {
      name: "env.ldt",
      size: 6,
      struct: {
        fields: [
          { name: "selector", size: 2 },
          { name: "limit", size: 4 },
        ],
      },
    },
    { name: "env.eip", size: 4 },
  ];
  const description = JSON.stringify({ page_size: 4096, devices: [{ name: "cpu", instance_id: 0, fields }] });
  const header = Buffer.from("QEVM\0\0\0\x03\x04\0\0\0\x05\x03cpu\0\0\0\0\0\0\0\x0c", "latin1");
  const stream = new MigrationStream(Buffer.concat([header, Buffer.alloc(26), Buffer.from(description)]));
  const cpu = stream.device("cpu");
  cpu.set("env.regs.1", 0x0102030405060708n);
  cpu.set("env.ldt.limit", 0xffff);
  cpu.set("env.eip", -1);
  const data = stream.bytes.subarray(header.length, header.length + 26).toString("hex");
  assert.is(data, `${"00".repeat(8)}010203040506070800000000ffffffffffff`);
  assert.throws(() => cpu.set("env.nothing", 0), /no "env.nothing"/);
});

const follows = (text: string) => waypoints([...text].map((letter) => letter.charCodeAt(0)));
test("QEMU runs to the last address that is new, and is stepped where none is", () => {
  assert.equal(follows("abcd"), [3]);
  assert.equal(follows("abababc"), [6], "past a loop in one go");
  assert.equal(follows("abababab"), [1, 2, 3, 4, 5, 6, 7]);
  assert.equal(follows("aaaab"), [4], "past a repeated instruction");
  assert.equal(follows("abcabcab"), [2, 4, 6, 7]);
  assert.equal(follows("a"), []);
});
test("QEMU meets no address at which it is to stop earlier", () => {
  let seed = 1;
  for (let n = 0; n < 200; n++) {
    const path = Array.from(
      { length: 40 },
      () => ((seed = (seed * 1103515245 + 12345) % 2 ** 31) >> 8) % (2 + (n % 30)),
    );
    let from = 0;
    for (const to of waypoints(path)) {
      if (to > from + 1) assert.not.ok(path.slice(from, to).includes(path[to]!));
      from = to;
    }
    assert.is(from, path.length - 1);
  }
});
test("a path that ends in a loop goes on until it leaves it, though not for ever", () => {
  const lengthOf = (address: (i: number) => number) => {
    const path = [address(0)],
      met = new Set<number>();
    while (goesOn(path, met, 10)) path.push(address(path.length));
    return path.length;
  };
  assert.is(
    lengthOf((i) => i),
    11,
  );
  assert.is(
    lengthOf((i) => (i < 35 ? i % 3 : i)),
    36,
  );
  assert.is(
    lengthOf((i) => i % 3),
    101,
  );
});

const decoder = new Decoder(new OpcodeMap(definitions));
const decode = (hex: string) => decoder.decode(Buffer.from(hex, "hex"), 0, hex.length / 2, { bits: 64, real: false })!;
const flags = (hex: string, last: bigint) => maskOf(decode(hex), () => last).flags;
test("flags that the manual leaves undefined are masked by the instruction and its count", () => {
  assert.is(flags("c1e005", 5n), FLAG.OF! | FLAG.AF!); // shl eax, 5
  assert.is(flags("c1e001", 1n), FLAG.AF);
  assert.is(flags("c1e000", 0n), 0);
  assert.is(flags("01c8", 0n), 0); // add eax, ecx
});
test("the last operand is what it was before: a register, AH and its kind, an immediate, memory", () => {
  const gprs = [0x1234n, 0xabcdn];
  const last = (hex: string, bytes: number[] = []) =>
    lastOperand(decode(hex), (n) => gprs[n]!, [
      { write: false, linear: 0, physical: 0, bytes: Uint8Array.from(bytes) },
    ]);
  assert.is(last("d3e0"), 0xcdn); // shl eax, cl
  assert.is(last("00e0"), 0x12n); // add al, ah
  assert.is(last("c1e005"), 5n);
  assert.is(last("d1e0"), 1n);
  assert.is(last("0fbc03", [1, 2, 3, 4]), 0x04030201n); // bsf eax, [rbx]
});
test("registers that differ are named; what is undefined, and RF, are not", () => {
  const layout = layoutOf('<reg name="rax" bitsize="64"/><reg name="eflags" bitsize="32"/>');
  const state = (rax: bigint, eflags: number) => {
    const bytes = Buffer.alloc(12);
    bytes.writeBigUInt64LE(rax, 0);
    bytes.writeUInt32LE(eflags, 8);
    return bytes;
  };
  const names = (ours: Buffer, theirs: Buffer, mask = NO_MASK) =>
    differentRegisters(layout, ours, theirs, mask).map(({ name }) => name);
  assert.equal(names(state(1n, 2), state(2n, 3)), ["rax", "eflags"]);
  assert.equal(names(state(1n, 2), state(1n, 2 | FLAG.RF!)), []);
  assert.equal(names(state(1n, 2), state(1n, 2 | FLAG.AF!), { ...NO_MASK, flags: FLAG.AF! }), []);
  assert.equal(names(state(1n, 2), state(2n, 2), { ...NO_MASK, register: "rax" }), []);
});

test("in an exception's frame RF may differ, and that a read-modify-write was a write", () => {
  const slot = (value: number) => Uint8Array.from([value, value >> 8, value >> 16, value >> 24, 0, 0, 0, 0]);
  const pageFault = { processor: 0, vector: 14, kind: 3, errorCode: 6, ip: 0, time: 0 };
  assert.is(knownInFrame(slot(0x10202), slot(0x202), [pageFault]), "resume flags");
  assert.is(knownInFrame(slot(6), slot(4), [pageFault]), "read-modify-write faults");
  assert.is(knownInFrame(slot(4), slot(6), [pageFault]), null);
  assert.is(knownInFrame(slot(7), slot(4), [pageFault]), null);
  assert.is(knownInFrame(slot(0x10202), slot(0x202), []), null);
});

test("QEMU's shadowing and gate A20 follow ours, register by register", () => {
  const none = { pam: [0, 0, 0, 0, 0, 0, 0], a20: true };
  assert.equal(mapCommands(none, none), []);
  assert.equal(mapCommands(none, { pam: [0x30, 0, 0, 0x11, 0, 0, 0], a20: false }), [
    "o /w 0xcf8 0x80000058",
    "o /b 0xcfd 48",
    "o /w 0xcf8 0x8000005c",
    "o /b 0xcfc 17",
    "o /b 0x92 0",
  ]);
  assert.is(mapCommands(null, none).length, 15);
});

test.run();
