import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Constant, constant } from "./constants.ts";
import { FpEnv } from "./env.ts";

/** By RC: nearest, down, up, toward zero. [SDM 1 8.3.4] */
const CAPTURED: Record<Constant, readonly string[]> = {
  FLD1: ["3fff8000000000000000", "3fff8000000000000000", "3fff8000000000000000", "3fff8000000000000000"],
  FLDL2T: ["4000d49a784bcd1b8afe", "4000d49a784bcd1b8afe", "4000d49a784bcd1b8aff", "4000d49a784bcd1b8afe"],
  FLDL2E: ["3fffb8aa3b295c17f0bc", "3fffb8aa3b295c17f0bb", "3fffb8aa3b295c17f0bc", "3fffb8aa3b295c17f0bb"],
  FLDPI: ["4000c90fdaa22168c235", "4000c90fdaa22168c234", "4000c90fdaa22168c235", "4000c90fdaa22168c234"],
  FLDLG2: ["3ffd9a209a84fbcff799", "3ffd9a209a84fbcff798", "3ffd9a209a84fbcff799", "3ffd9a209a84fbcff798"],
  FLDLN2: ["3ffeb17217f7d1cf79ac", "3ffeb17217f7d1cf79ab", "3ffeb17217f7d1cf79ac", "3ffeb17217f7d1cf79ab"],
  FLDZ: ["00000000000000000000", "00000000000000000000", "00000000000000000000", "00000000000000000000"],
};

const constants = suite("load-constant instructions");
for (const [name, values] of Object.entries(CAPTURED)) {
  constants(name, () => {
    const env = new FpEnv("x87");
    const loaded = [0, 1, 2, 3].map((rounding) => {
      env.rounding = rounding;
      return constant(env, name as Constant)
        .toString(16)
        .padStart(20, "0");
    });
    assert.equal(loaded, values);
    assert.is(env.flags, 0);
  });
}
constants.run();
