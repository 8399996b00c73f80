import { suite } from "uvu";
import * as assert from "uvu/assert";
import { linearToPhysical } from "../core/peek.ts";
import { RSP, S } from "../core/state.ts";
import { AT } from "../system.test-support.ts";
import { REASON_CASES, subject } from "./cases.test-support.ts";
import { EXIT } from "./reasons.ts";
import { type Guest, HOST } from "./rig.test-support.ts";
import { REVISION } from "./vmcs.ts";
import { NO_POINTER, OUTSIDE } from "./vmx.ts";

const test = suite("probes of VT-x");

/** What the probes tell, as texts. */
function watched(r: Guest): string[] {
  const { probes } = r.cpu,
    told: string[] = [];
  probes.vmxOperation.on(({ on }) => told.push(on ? "VMXON" : "VMXOFF"));
  probes.vmEntry.on(({ ip }) => told.push(`entry at ${ip.toString(16)}`));
  probes.vmExit.on(({ reason, ip, interruption, guestPhysical }) =>
    told.push(`exit ${reason >>> 0} at ${ip.toString(16)}, event ${interruption.toString(16)}, ${guestPhysical}`),
  );
  probes.vmRefused.on(({ rule, cite, code }) => told.push(`refused ${code}: ${rule} [${cite}]`));
  return told;
}
const enter = (r: Guest, code: string) => {
  r.code(code, AT.code);
  r.enter();
  if (r.cpu.vmx.nonRoot) r.step();
};

test("an entry, and an exit with where the guest is", () => {
  const r = subject(),
    told = watched(r);
  enter(r, "0F A2");
  assert.equal(told, ["entry at 10000", `exit ${EXIT.cpuid} at 10000, event 0, null`]);
  assert.equal([...r.cpu.vmx.exits], [[EXIT.cpuid, 1]]);
});
test("the event that made an exit, and the guest-physical address of an EPT violation", () => {
  for (const [name, end] of [
    ["exceptionOrNmi", "event 80000306, null"],
    ["eptViolation", `event 0, ${AT.tables}`],
  ] as const) {
    const r = subject(),
      told = watched(r);
    enter(r, REASON_CASES[name].prepare(r) as string);
    assert.is(told[1], `exit ${EXIT[name]} at 10000, ${end}`);
  }
});
test("at an exit the registers and the memory that a listener finds are the guest's", () => {
  const r = subject(),
    { probes } = r.cpu;
  const state = () => [r.cpu.vmx.nonRoot, r.cpu.number(S.GPR + 8 * RSP), linearToPhysical(r.cpu, AT.code)];
  let seen: unknown[] = [];
  probes.vmExit.on(() => {
    seen = state();
  });
  r.set({ GUEST_RSP: 0x4320, HOST_RSP: 0x8760 });
  enter(r, "0F A2");
  assert.equal(seen, [true, 0x4320, AT.code]);
  assert.equal(state().slice(0, 2), [false, 0x8760]);
});
test("a refused entry names its rule; if it fails as an exit, that is told too", () => {
  const r = subject(),
    told = watched(r);
  enter(r.set({ CR3_TARGET_COUNT: 5 }), "90");
  assert.equal(told.splice(0), ["refused 7: the CR3-target count must not be greater than 4 [SDM 3C 26.2.1.1]"]);
  enter(r.set({ CR3_TARGET_COUNT: 0, GUEST_RFLAGS: 0 }), "90");
  assert.is(told.length, 2);
  assert.match(told[0]!, /^refused 33: .* \[SDM 3C 26\.3\.1\.4\]$/);
  assert.match(told[1]!, /^exit 2147483681 /);
});
test("VMXON and VMXOFF, if they succeed", () => {
  const r = subject(),
    told = watched(r),
    { cpu } = r;
  cpu.vmx.operation = OUTSIDE;
  cpu.vmx.vmxonPointer = cpu.vmx.currentPointer = NO_POINTER;
  cpu.setU32(S.FEATURE_CONTROL, 5);
  r.ram.setUint32(HOST.areas, HOST.vmxon, true);
  r.code("F3 0F C7 34 25 00 80 03 00 F3 0F C7 34 25 00 80 03 00 0F 01 C4");
  r.step();
  assert.equal(told, [], "the region has no revision");
  r.ram.setUint32(HOST.vmxon, REVISION, true);
  r.step(2);
  assert.equal(told, ["VMXON", "VMXOFF"]);
});
test.run();
