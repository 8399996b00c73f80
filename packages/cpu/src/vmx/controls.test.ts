import { suite } from "uvu";
import * as assert from "uvu/assert";
import { S } from "../core/state.ts";
import type { ControlName } from "./controls.ts";
import { EXIT } from "./reasons.ts";
import { guest, HOST, type Left } from "./rig.test-support.ts";

/** An instruction, the control that makes it an exit, and what the exit says. RAX is 12345000, RCX is 0, as far as not said. */
type Case = readonly [
  control: ControlName,
  code: string,
  reason: number,
  more?: Partial<Left>,
  gprs?: Readonly<Record<number, number>>,
];
const cases: readonly Case[] = [
  ["HLT exiting", "F4", EXIT.hlt],
  ["INVLPG exiting", "0F 01 38", EXIT.invlpg, { qualification: 0x12345000 }],
  ["MWAIT exiting", "0F 01 C9", EXIT.mwait],
  ["MONITOR exiting", "0F 01 C8", EXIT.monitor, {}, { 0: 0x8000 }],
  ["RDTSC exiting", "0F 31", EXIT.rdtsc],
  ["RDTSC exiting", "0F 01 F9", EXIT.rdtscp],
  ["CR3-load exiting", "0F 22 D8", EXIT.controlRegister, { qualification: 0x003 }, { 0: 0x40000 }],
  ["CR3-load exiting", "0F 22 DB", EXIT.controlRegister, { qualification: 0x303 }, { 3: 0x40000 }],
  ["CR3-store exiting", "41 0F 20 D8", EXIT.controlRegister, { qualification: 0x813 }],
  ["CR8-load exiting", "44 0F 22 C1", EXIT.controlRegister, { qualification: 0x108 }],
  ["CR8-store exiting", "44 0F 20 C2", EXIT.controlRegister, { qualification: 0x218 }],
  ["MOV-DR exiting", "0F 21 F8", EXIT.debugRegister, { qualification: 0x17 }],
  ["MOV-DR exiting", "0F 23 C1", EXIT.debugRegister, { qualification: 0x100 }],
  ["unconditional I/O exiting", "EC", EXIT.io, { qualification: 0x00000008 }, { 2: 0 }],
  ["unconditional I/O exiting", "E7 80", EXIT.io, { qualification: 0x00800043 }],
  ["unconditional I/O exiting", "66 EF", EXIT.io, { qualification: 0x00600001 }, { 2: 0x60 }],
  [
    "unconditional I/O exiting",
    "F3 6D",
    EXIT.io,
    { qualification: 0x0060003b, info: 2 << 7 },
    { 1: 2, 2: 0x60, 7: 0x7000 },
  ],
  [
    "unconditional I/O exiting",
    "6E",
    EXIT.io,
    { qualification: 0x00600010, info: (2 << 7) | (3 << 15) },
    { 2: 0x60, 6: 0x7000 },
  ],
  ["PAUSE exiting", "F3 90", EXIT.pause],
  ["descriptor-table exiting", "0F 01 50 10", EXIT.descriptorTable, { qualification: 0x10 }, { 0: 0x5000 }],
  ["descriptor-table exiting", "0F 00 C8", EXIT.localDescriptorTable],
  ["WBINVD exiting", "0F 09", EXIT.wbinvd],
];
const test = suite("controls that make instructions exit [SDM 3C 25.1.3]");
for (const [control, code, reason, more = {}, gprs = {}] of cases) {
  const prepared = (with1: boolean) => {
    const r = guest("long", { add: ["monitor"] });
    if (with1) r.with(control);
    if (code === "0F 01 F9") r.with("enable RDTSCP");
    r.cpu.setGpr(0, 0x12345000n);
    for (const [n, value] of Object.entries(gprs)) r.cpu.setGpr(Number(n), BigInt(value));
    return r;
  };
  test(`${control}: ${code}`, () => {
    const left = prepared(true).run(code);
    assert.is(left?.reason, reason);
    const length = code.split(" ").length;
    for (const [name, value] of Object.entries({ length, ip: 0x10000, qualification: 0, info: left?.info, ...more }))
      assert.is(left?.[name as keyof Left]?.toString(16), value?.toString(16), name);
    assert.is(prepared(false).run(code), null, "without the control");
  });
}
test("an exit goes to the host's RIP and RSP, in its segments, with flags clear (27.5)", () => {
  const r = guest().with("HLT exiting");
  r.cpu.flags = 0x246;
  r.set({ GUEST_RFLAGS: 0x246, HOST_FS_BASE: 0x1234, HOST_GS_BASE: -0x1000 });
  r.run("F4");
  assert.is(r.cpu.number(S.RIP), HOST.code);
  assert.is(r.cpu.number(S.GPR + 32), HOST.stack);
  assert.is(r.cpu.flags, 2);
  assert.is(r.cpu.long, true);
  assert.is(r.cpu.u32(S.NON_ROOT), 0);
});
test.run();
