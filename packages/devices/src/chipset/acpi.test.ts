import { seconds } from "@castaway/kit";
import * as assert from "uvu/assert";
import { Rig as TestRig, twice, Wires } from "../twice.test-support.ts";
import { AcpiRegisters, acpiState, PM_TIMER_RATE } from "./acpi.ts";

const STS = 0;
const EN = 2;
const CNT = 4;
const TMR = 8;

twice("ACPI registers", (test, hops) => {
  function rig() {
    const w = new Wires();
    const sleep = (type: number) => w.log.push(`sleep ${type}`);
    const r = new TestRig(acpiState, (clock) => new AcpiRegisters({ clock, sci: w.line("SCI"), sleep }), hops);
    const read = (at: number, bytes = 2) => r.step().ports.read(at, bytes);
    const write = (at: number, value: number, bytes = 2) => r.step().ports.write(at, bytes, value);
    return { r, w, read, write, sci: () => w.high("SCI") };
  }

  test("the PM timer counts 3.579545 MHz in 24 bits, exactly [ACPI 4.8.3.3]", () => {
    const { r, read } = rig();
    assert.is(read(TMR, 4), 0);
    r.after(seconds(1));
    assert.is(read(TMR, 4), 3579545);
    r.after(seconds(100 * 86400 - 1));
    assert.is(read(TMR, 4), Number((3579545n * 100n * 86400n) & 0xffffffn));
  });

  test("TMR_STS is set when bit 23 of the timer changes [ACPI 4.8.3.1]", () => {
    const { r, read, write, sci } = rig();
    r.after(PM_TIMER_RATE.timeOf(0x800000) - 1);
    assert.is(read(STS), 0);
    r.after(1);
    assert.is(read(STS), 1);
    write(STS, 1);
    assert.is(read(STS), 0);
    assert.is(r.clock.nextDue, Number.POSITIVE_INFINITY); // nobody waits for it
    write(CNT, 1);
    write(EN, 1);
    r.after(PM_TIMER_RATE.timeOf(0x1000000) - r.clock.now);
    assert.is(sci(), true);
    assert.is(read(STS), 1);
    write(STS, 1);
    assert.is(sci(), false);
  });

  test("the power button asks by SCI, once the guest has switched to ACPI and enabled it", () => {
    const { r, read, write, sci } = rig();
    r.step().pressPowerButton();
    assert.is(sci(), false);
    assert.is(read(STS), 0x100);
    write(EN, 0x100);
    assert.is(sci(), false);
    r.step().enable(true);
    assert.is(read(CNT), 1);
    assert.is(sci(), true);
    write(STS + 1, 1, 1);
    assert.is(sci(), false);
    assert.is(read(STS), 0);
  });

  test("firmware takes power management back", () => {
    const { r, write, sci } = rig();
    r.step().enable(true);
    write(EN, 0x100);
    r.step().pressPowerButton();
    r.step().enable(false);
    assert.is(sci(), false);
    assert.is(r.step().enabled, false);
  });

  test("SLP_EN enters the state that SLP_TYP names, and reads as 0 [ACPI 4.8.3.2]", () => {
    const { w, read, write } = rig();
    write(CNT, 0x0001);
    write(CNT, 0x2001);
    assert.equal(w.take(), ["sleep 0"]);
    write(CNT, 0x3401);
    assert.equal(w.take(), ["sleep 5"]);
    assert.is(read(CNT), 0x1401);
  });

  test("general purpose events ask by SCI too [ACPI 4.8.4]", () => {
    const { r, sci } = rig();
    const gpe = () => r.step().gpe;
    r.step().enable(true);
    r.step().raise(1);
    assert.is(sci(), false);
    gpe().write(2, 2, 2);
    assert.is(sci(), true);
    assert.is(gpe().read(0, 4), 0x00020002);
    gpe().write(0, 1, 2);
    assert.is(sci(), false);
  });

  test("reset forgets events and enables; the timer runs on", () => {
    const { r, read, write, sci } = rig();
    r.after(seconds(1));
    r.step().enable(true);
    write(EN, 0x100);
    r.step().pressPowerButton();
    r.step().reset();
    assert.is(sci(), false);
    assert.equal([read(STS), read(EN), read(CNT), read(TMR, 4)], [0, 0, 0, 3579545]);
  });
});
