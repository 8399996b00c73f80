import { suite } from "uvu";
import * as assert from "uvu/assert";
import { modelNamed, withFeatures } from "../core/model.ts";
import { CONTROL_CASES, outcome, REASON_CASES, subject } from "./cases.test-support.ts";
import { allowed1, CONTROLS, type Control, type ControlName, DEFAULT1, isOffered, maskOf } from "./controls.ts";
import { F } from "./fields.ts";
import { EXIT, type ExitName } from "./reasons.ts";
import type { Guest } from "./rig.test-support.ts";

const WORDS = {
  pin: F.PIN_CONTROLS,
  primary: F.PRIMARY_CONTROLS,
  secondary: F.SECONDARY_CONTROLS,
  exit: F.EXIT_CONTROLS,
  entry: F.ENTRY_CONTROLS,
} as const;
/** A guest that has the control or not, and otherwise the same ones. */
function guestWith({ word, name }: Control, is1: boolean): Guest {
  const r = subject();
  if (is1) return r.with(name as ControlName);
  const { vmcs } = r.cpu.vmx;
  vmcs.set32(WORDS[word], vmcs.low(WORDS[word]) & ~maskOf(name as ControlName));
  return r;
}
const full = withFeatures(modelNamed("skylake"), ["vmx", "ept", "vpid", "unrestrictedGuest"]),
  offered = (CONTROLS as readonly Control[]).filter((control) => isOffered(control, full));

const controls = suite("each control that is offered makes a difference");
for (const control of offered) {
  const found = CONTROL_CASES[control.name as ControlName];
  controls(`“${control.name}”, ${found?.what} [SDM 3C ${found?.cite}]`, () => {
    assert.ok(found, "there is a case for it in cases.test-support.ts");
    assert.is.not(found.is1, found.is0);
    assert.is(found.see(guestWith(control, true)), found.is1, "with the control");
    assert.is(found.see(guestWith(control, false)), found.is0, "without it");
  });
}
controls("a control that is not offered has no case, and may not be 1", () => {
  for (const control of CONTROLS as readonly Control[]) {
    if (offered.includes(control)) continue;
    assert.is(CONTROL_CASES[control.name as ControlName], undefined, control.name);
    if ((DEFAULT1[control.word] >>> control.bit) & 1) continue;
    assert.is((allowed1(control.word, full) >>> control.bit) & 1, 0, control.name);
  }
});
controls.run();

const reasons = suite("each exit reason is given");
for (const [name, { cite, what, prepare }] of Object.entries(REASON_CASES)) {
  reasons(`${EXIT[name as ExitName]} ${name}: ${what} [SDM 3C ${cite}]`, () => {
    const r = subject(),
      code = prepare(r);
    if (typeof code === "string") outcome(r, code);
    else outcome(r, ...code);
    assert.is(r.left.reason & 0xffff, EXIT[name as ExitName]);
    assert.is(r.left.reason >>> 31, name.startsWith("entry") ? 1 : 0);
  });
}
reasons.run();
