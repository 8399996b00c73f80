/**
 * The ACPI registers of the PIIX4: events, control, PM timer, general purpose events [82371AB 7.2], [ACPI 4.8]. They
 * stand where the power management function decodes them; see power.ts.
 */
import {
  bits,
  type Clock,
  type IrqLine,
  natural,
  record,
  registers,
  ro,
  rw,
  type StateOf,
  TickRate,
  type Timer,
  timerState,
  w1c,
} from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";

/** The PM timer counts 3.579545 MHz in 24 bits [ACPI 4.8.3.3]. */
export const PM_TIMER_RATE = new TickRate(3_579_545);
const TIMER_MASK = 0xffffff;
/** TMR_STS is set whenever the timer's highest bit changes [ACPI 4.8.3.1]. */
const TIMER_HALF = 0x800000;

/** PM1_STS and PM1_EN [ACPI 4.8.3.1]. */
const PM1 = { TMR: 1 << 0, GBL: 1 << 5, PWRBTN: 1 << 8, RTC: 1 << 10 };
const PM1_EVENTS = PM1.TMR | PM1.GBL | PM1.PWRBTN | PM1.RTC;
/** PM1_CNT [ACPI 4.8.3.2]. SLP_EN reads as 0. */
const CNT = { SCI_EN: 1 << 0, SLP_TYP_SHIFT: 10, SLP_EN: 1 << 13 };

// biome-ignore format: a table
const PM = registers({
  PM1_STS: w1c(0x00, 0x8531, "82371AB 7.2", { size: 2 }),
  PM1_EN:  rw(0x02, PM1_EVENTS, "82371AB 7.2", { size: 2 }),
  PM1_CNT: rw(0x04, 0x1c03, "82371AB 7.2", { size: 2 }),
  PM_TMR:  ro(0x08, 0, "82371AB 7.2"),
  GPSTS:   w1c(0x0c, 0x0f81, "82371AB 7.2", { size: 2 }),
  GPEN:    rw(0x0e, 0x0f01, "82371AB 7.2", { size: 2 }),
  PCNTRL:  rw(0x10, 0x0000261e, "82371AB 7.2"),
  PLVL2:   ro(0x14, 0, "82371AB 7.2", { size: 1 }),
  PLVL3:   ro(0x15, 0, "82371AB 7.2", { size: 1 }),
  GLBSTS:  w1c(0x18, 0x0067, "82371AB 7.2", { size: 2 }),
  DEVSTS:  w1c(0x1c, 0x3fff3fff, "82371AB 7.2"),
  GLBEN:   rw(0x20, 0x0d07, "82371AB 7.2", { size: 2 }),
  GLBCTL:  rw(0x28, 0x0707ff07, "82371AB 7.2"),
  DEVCTL:  rw(0x2c, 0x3fffffff, "82371AB 7.2"),
  GPIREG:  ro(0x30, 0, "82371AB 7.2"),
  GPOREG:  rw(0x34, 0x7fffffff, "82371AB 7.2", { reset: 0x7fffbfff }),
});
const GPE = registers({
  GPE0_STS: bits(0x00, { w1c: 0xffff }, "ACPI 4.8.4.1.1", { size: 2 }),
  GPE0_EN: rw(0x02, 0xffff, "ACPI 4.8.4.1.2", { size: 2 }),
});

export const acpiState = record({
  pm: PM.state,
  gpe: GPE.state,
  /** The tick of the PM timer at which TMR_STS is set next. */
  carry: natural,
  overflow: timerState,
});
export type AcpiState = StateOf<typeof acpiState>;

export interface AcpiEnv {
  readonly clock: Clock;
  /** The system control interrupt: IRQ 9. */
  readonly sci: IrqLine;
  /** SLP_EN was written: the machine is to enter the sleeping state `type`; our tables say that 0 is S5, soft off. */
  sleep(type: number): void;
}

export class AcpiRegisters implements Device<AcpiState> {
  /** 40 bytes of ports. */
  readonly ports: RegisterSpace;
  /** GPE0: 4 bytes of ports, where the FADT says. */
  readonly gpe: RegisterSpace;
  readonly #env: AcpiEnv;
  readonly #pm;
  readonly #gpe;
  readonly #overflow: Timer;
  #carry = TIMER_HALF;

  constructor(env: AcpiEnv) {
    this.#env = env;
    this.#overflow = env.clock.timer("acpi.overflow", () => this.#drive());
    const drive = () => this.#drive();
    this.#pm = PM.file({
      PM1_STS: { read: () => this.#status(), write: (written) => this.#acknowledge(written) },
      PM1_EN: drive,
      PM1_CNT: (written) => this.#control(written),
      PM_TMR: { read: () => this.#ticks() & TIMER_MASK },
    });
    this.#gpe = GPE.file({ GPE0_STS: drive, GPE0_EN: drive });
    this.ports = this.#pm as RegisterSpace;
    this.gpe = this.#gpe as RegisterSpace;
  }

  /** PM timer and its carry run on: they hang on the clock alone. */
  reset(): void {
    this.#pm.reset();
    this.#gpe.reset();
    this.#expectCarry();
    this.#drive();
  }
  save(): AcpiState {
    return { pm: this.#pm.save(), gpe: this.#gpe.save(), carry: this.#carry, overflow: this.#overflow.save() };
  }
  restore(state: AcpiState): void {
    this.#pm.restore(state.pm);
    this.#gpe.restore(state.gpe);
    this.#carry = state.carry;
    this.#overflow.restore(state.overflow);
    this.#env.sci.set(this.#asserted());
  }

  /** What firmware is asked for through the APM port: to hand power management to the guest, or to take it back. */
  enable(on: boolean): void {
    this.#pm.PM1_CNT = on ? this.#pm.PM1_CNT | CNT.SCI_EN : this.#pm.PM1_CNT & ~CNT.SCI_EN;
    this.#drive();
  }
  /** The guest has switched to ACPI. */
  get enabled(): boolean {
    return (this.#pm.PM1_CNT & CNT.SCI_EN) !== 0;
  }
  /** The user presses the power button. The guest learns of it by SCI, if it wants to. */
  pressPowerButton(): void {
    this.#pm.PM1_STS |= PM1.PWRBTN;
    this.#drive();
  }
  /** The RTC's alarm, as a wake event. */
  alarm(): void {
    this.#pm.PM1_STS |= PM1.RTC;
    this.#drive();
  }
  /** General purpose event `n`, 0 to 15, has happened. */
  raise(n: number): void {
    this.#gpe.GPE0_STS |= 1 << n;
    this.#drive();
  }

  #ticks(): number {
    return PM_TIMER_RATE.ticksAt(this.#env.clock.now);
  }
  /** PM1_STS, with the timer's carry if it has happened since it was looked at. */
  #status(): number {
    if (this.#ticks() >= this.#carry) this.#pm.PM1_STS |= PM1.TMR;
    return this.#pm.PM1_STS;
  }
  #acknowledge(written: number): void {
    if (written & PM1.TMR) this.#expectCarry();
    this.#drive();
  }
  #expectCarry(): void {
    const ticks = this.#ticks();
    this.#carry = ticks - (ticks % TIMER_HALF) + TIMER_HALF;
  }
  #control(written: number): void {
    this.#drive();
    if (written & CNT.SLP_EN) this.#env.sleep((this.#pm.PM1_CNT >> CNT.SLP_TYP_SHIFT) & 7);
  }

  /** SCI is a level: any event that has happened and is enabled, once the guest has switched to ACPI [ACPI 4.8.3.2]. */
  #asserted(): boolean {
    const fixed = this.#pm.PM1_STS & this.#pm.PM1_EN & PM1_EVENTS;
    const general = this.#gpe.GPE0_STS & this.#gpe.GPE0_EN;
    return this.enabled && (fixed | general) !== 0;
  }
  /** The carry needs a timer of the clock only while somebody waits for it. */
  #drive(): void {
    const awaited = (this.#status() & PM1.TMR) === 0 && (this.#pm.PM1_EN & PM1.TMR) !== 0;
    if (awaited) this.#overflow.armAt(PM_TIMER_RATE.timeOf(this.#carry));
    else this.#overflow.disarm();
    this.#env.sci.set(this.#asserted());
  }
}
