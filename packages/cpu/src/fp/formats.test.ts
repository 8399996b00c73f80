import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bitLength, classify, F32, F64, F80, FINITE, Operand, pack, unpack } from "./formats.ts";

const formats = suite("formats");

formats("classes of the 80-bit encodings [SDM 1 tables 4-3 and 8-3]", () => {
  const classes: [bigint, string][] = [
    [0x0000_0000000000000000n, "zero"],
    [0x0000_0000000000000001n, "denormal"],
    [0x0000_8000000000000000n, "denormal"], // pseudo-denormal
    [0x0001_8000000000000000n, "normal"],
    [0x0001_7fffffffffffffffn, "unsupported"], // unnormal
    [0x7fff_8000000000000000n, "infinity"],
    [0x7fff_0000000000000000n, "unsupported"], // pseudo-infinity
    [0x7fff_0000000000000001n, "unsupported"], // pseudo-NaN
    [0xffff_c000000000000000n, "qnan"],
    [0xffff_bfffffffffffffffn, "snan"],
  ];
  for (const [bits, expected] of classes) assert.is(classify(F80, bits), expected, bits.toString(16));
});

formats("classes of f32 and f64", () => {
  assert.is(classify(F32, 0x8000_0000n), "zero");
  assert.is(classify(F32, 0x007f_ffffn), "denormal");
  assert.is(classify(F32, 0x7f80_0001n), "snan");
  assert.is(classify(F64, F64.indefinite), "qnan");
  assert.is(classify(F64, F64.infinity | F64.signBit), "infinity");
  assert.is(classify(F64, F64.maxFinite), "normal");
});

formats("all formats share one significand", () => {
  for (const format of [F32, F64, F80]) {
    const one = unpack(new Operand(), format, format.one | format.signBit, false);
    assert.is(one.kind, FINITE);
    assert.equal([one.sign, one.exponent, one.significand], [1, 0, 1n << 63n]);
    assert.is(pack(format, 0, 0, 1n << BigInt(format.precision - 1)), format.one);
  }
  const denormal = unpack(new Operand(), F64, 3n, false);
  assert.equal([denormal.exponent, denormal.significand], [-1073, 3n << 62n]);
});

formats("bitLength, where a double rounds up to the next power of two as well", () => {
  for (const width of [1, 2, 53, 54, 64, 65, 128, 1000]) {
    assert.is(bitLength((1n << BigInt(width)) - 1n), width);
    assert.is(bitLength(1n << BigInt(width)), width + 1);
  }
});
formats.run();
