import Long from "long";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Cpu } from "../cpu.ts";

const test = suite("fast paths of SSE arithmetic");

/** MXCSR and the low quadword of XMM0 after one instruction, XMM0 op XMM1, on an executor. */
function result(executor: "evaluator" | "interpreter", bytes: number[], a: Long, b: Long): string {
  const cpu = new Cpu({ memory: "64KiB", executor }),
    image = (v: Long) => Uint8Array.from([...v.toBytesLE(), ...new Array(24).fill(0)]);
  cpu.write(0x1000, [...bytes, 0xf4]);
  cpu.enter("long", 0x1000);
  cpu.set("MXCSR", 0x1fa0);
  cpu.setBytes("YMM0", image(a));
  cpu.setBytes("YMM1", image(b));
  cpu.run({ instructions: 1, nanoseconds: 100 });
  return `${Long.fromBytesLE([...cpu.bytes("YMM0").subarray(0, 8)], true).toString(16)} ${cpu.state("MXCSR").toString(16)}`;
}
const bits = (hex: string) => Long.fromString(hex, true, 16);

test("a tiny product that rounds up to the smallest normal number sets UE [SDM 1 4.9.1.5]", () => {
  for (const [bytes, a, b] of [
    [[0xf3, 0x0f, 0x59, 0xc1], "00ffffff", "3f000000"], // mulss
    [[0xf2, 0x0f, 0x59, 0xc1], "1fffffffffffff", "3fe0000000000000"], // mulsd
    [[0xf2, 0x0f, 0x5a, 0xc1], "0", "380fffffe0000000"], // cvtsd2ss
  ] as const) {
    const outcomes = (["evaluator", "interpreter"] as const).map((e) => result(e, [...bytes], bits(a), bits(b)));
    assert.is(outcomes[1], outcomes[0]);
    assert.match(outcomes[0]!, /1fb0$/);
  }
});

test.run();
