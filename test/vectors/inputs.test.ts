import { test } from "uvu";
import * as assert from "uvu/assert";
import { Decoder } from "../../packages/cpu/src/core/decode.ts";
import { OpcodeMap } from "../../packages/cpu/src/core/opcodes.ts";
import { definitions } from "../../packages/cpu/src/isa/index.ts";
import { CODE, DATA } from "./environment.ts";
import { formsOf } from "./forms.ts";
import { checksum, makeCase, makeCases } from "./inputs.ts";

const forms = formsOf(definitions);

test("every form has an identity of its own, and there are enough", () => {
  assert.is(new Set(forms.map(({ id }) => id)).size, forms.length);
  assert.ok(forms.length >= 1500);
});

test("the encodings of a form decode to that form, in its mode and sizes", () => {
  const decoder = new Decoder(new OpcodeMap(definitions));
  for (const form of forms) {
    const undefinedLock = form.lock && (form.rm !== "mem" || !"EM".includes(form.form.operands[0]!.method));
    for (const c of makeCases(form, 1, 3)) {
      const bytes = new Uint8Array(16);
      bytes.set(c.code);
      const decoded = decoder.decode(bytes, 0, bytes.length, { bits: form.mode, real: false });
      const found = decoded && [
        decoded.form.opcode,
        decoded.length,
        decoded.operandSize,
        decoded.addressSize,
        decoded.lock,
      ];
      const wanted = [form.form.opcode, c.code.length, form.operandSize, form.addressSize, form.lock];
      if (undefinedLock) assert.is(decoded?.def.name, "(bad)", form.id);
      else assert.equal(found, wanted, `${form.id}: ${Buffer.from(c.code).toString("hex")}`);
    }
  }
});

test("a case is a function of form, seed and number", () => {
  const form = forms[10]!;
  assert.equal(makeCase(form, 1, 3), makeCase(form, 1, 3));
  assert.not.equal(makeCase(form, 1, 3), makeCase(form, 2, 3));
  assert.not.equal(makeCase(form, 1, 3), makeCase(form, 1, 4));
});

const GOLDEN = 3_166_352_460;
/** If this fails, inputs have changed: every stored outcome is stale, and all vectors must be captured again. */
test("inputs are as they were when vectors were captured", () => {
  const form = forms.find(({ id }) => id === "32 adc [11 /r] Ev,Gv o16 mem");
  assert.is(form && checksum(makeCases(form, 1, 20)), GOLDEN);
});

test("code and patches stay where memory is", () => {
  for (const form of forms.filter((_, i) => i % 50 === 0)) {
    for (const c of makeCases(form, 1, 20)) {
      assert.ok(
        c.code.length <= 15 && c.address >= CODE.address && c.address + 16 <= CODE.address + CODE.size,
        form.id,
      );
      for (const { address, bytes } of c.patches) {
        assert.ok(
          bytes.length > 0 && address >= DATA.address && address + bytes.length <= DATA.address + DATA.size,
          form.id,
        );
      }
    }
  }
});

test.run();
