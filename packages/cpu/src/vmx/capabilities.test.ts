import { suite } from "uvu";
import * as assert from "uvu/assert";
import { modelNamed, modelNames, withFeatures } from "../core/model.ts";
import { CAPABILITIES, cr4Fixed1 } from "./capabilities.ts";
import { CONTROLS, type Control, isOffered } from "./controls.ts";
import { ENCODINGS } from "./fields.ts";

const skylake = modelNamed("skylake"),
  bare = withFeatures(skylake, ["vmx"], ["ept", "vpid", "unrestrictedGuest"]),
  full = withFeatures(skylake, ["vmx", "ept", "vpid", "unrestrictedGuest"]);
const MODELS = [...modelNames.map((name) => withFeatures(modelNamed(name), ["vmx"])), full];
const valueOf = (name: string, model = full) => CAPABILITIES.find((c) => c.name === `IA32_VMX_${name}`)!.value(model);
const bit = (value: bigint, n: number) => (value >> BigInt(n)) & 1n;

const test = suite("VMX capability MSRs");
test("they are 480H to 490H, each once (SDM 3D A)", () => {
  assert.equal(
    CAPABILITIES.map(({ index }) => index),
    Array.from({ length: 17 }, (_, i) => 0x480 + i),
  );
});
test("IA32_VMX_BASIC: revision, a region of 4096 bytes of write-back memory, TRUE MSRs (SDM 3D A.1)", () => {
  const basic = valueOf("BASIC");
  assert.is(bit(basic, 31), 0n);
  assert.is((basic >> 32n) & 0x1fffn, 4096n);
  assert.is((basic >> 50n) & 15n, 6n);
  assert.equal(
    [48, 49, 54, 55, 56].map((n) => bit(basic, n)),
    [0n, 0n, 1n, 1n, 0n],
  );
});
const WORDS = { PINBASED: "pin", PROCBASED: "primary", EXIT: "exit", ENTRY: "entry" } as const;
for (const [name, word] of Object.entries(WORDS)) {
  test(`${name}: what must be 1 may be 1; TRUE frees bits and adds none (SDM 3D A.2)`, () => {
    for (const model of MODELS) {
      const plain = valueOf(`${name}_CTLS`, model),
        exact = valueOf(`TRUE_${name}_CTLS`, model);
      for (const value of [plain, exact]) assert.is(value & 0xffffffffn & ~(value >> 32n), 0n);
      assert.is(exact & 0xffffffffn & ~plain, 0n);
      assert.is(exact >> 32n, plain >> 32n);
      for (const control of CONTROLS as readonly Control[]) {
        if (control.word !== word) continue;
        assert.is(bit(exact, 32 + control.bit) === 1n, isOffered(control, model), control.name);
        assert.is(bit(exact, control.bit), 0n, `“${control.name}” may be 0`);
      }
    }
  });
}
test("the values of processors before the TRUE MSRs are those of the manual's reserved bits (SDM 3D A.3 to A.5)", () => {
  const must = (name: string) => valueOf(name) & 0xffffffffn;
  assert.is(must("PINBASED_CTLS"), 0x16n);
  assert.is(must("PROCBASED_CTLS"), 0x0401e172n);
  assert.is(must("TRUE_PROCBASED_CTLS"), 0x04006172n);
  assert.is(must("EXIT_CTLS"), 0x36dffn);
  assert.is(must("TRUE_EXIT_CTLS"), 0x36dfbn);
  assert.is(must("ENTRY_CTLS"), 0x11ffn);
  assert.is(must("TRUE_ENTRY_CTLS"), 0x11fbn);
  assert.is(must("PROCBASED_CTLS2"), 0n);
});
test("EPT, VPID and unrestricted guest follow the model, and what depends on them (SDM 3D A.3.3, A.10)", () => {
  const cap = CAPABILITIES.find((c) => c.index === 0x48c)!;
  assert.is(cap.exists!(bare), false);
  assert.is(cap.exists!(full), true);
  for (const n of [1, 5, 7]) {
    assert.is(bit(valueOf("PROCBASED_CTLS2", bare), 32 + n), 0n);
    assert.is(bit(valueOf("PROCBASED_CTLS2", full), 32 + n), 1n);
  }
  const ept = withFeatures(bare, ["ept"]),
    vpid = withFeatures(bare, ["vpid"]);
  assert.is(cap.value(ept), 0x6334141n);
  assert.is(cap.value(vpid), 0xf01n << 32n);
  assert.is(cap.value(full), 0xf0106334141n);
});
test("IA32_VMX_MISC: timer rate 5, EFER.LMA stored, activity states 1 to 3, 4 CR3 targets, nothing else (SDM 3D A.6)", () => {
  assert.is(valueOf("MISC"), 0x401e5n);
});
test("CR0 and CR4: what is fixed to 1 may be 1; CR4 has the model's bits and VMXE (SDM 3D A.7, A.8)", () => {
  for (const model of MODELS) {
    for (const register of ["CR0", "CR4"])
      assert.is(valueOf(`${register}_FIXED0`, model) & ~valueOf(`${register}_FIXED1`, model), 0n);
  }
  assert.is(valueOf("CR0_FIXED0"), 0x80000021n);
  assert.is(valueOf("CR0_FIXED1"), 0xffffffffn);
  assert.is(valueOf("CR4_FIXED0"), 0x2000n);
  assert.is(cr4Fixed1(withFeatures(full, [], ["pcid"])), cr4Fixed1(full) - 0x20000);
});
test("IA32_VMX_VMCS_ENUM: no field has a higher index (SDM 3D A.9)", () => {
  const highest = Number(valueOf("VMCS_ENUM") >> 1n);
  const indices = Object.values(ENCODINGS).map((encoding) => (encoding >> 1) & 0x1ff);
  assert.is(Math.max(...indices), highest);
});
test.run();
