/**
 * Small parts of a chipset, each a port or two: resets, gate A20, APM, the speaker port, debug ports.
 */
import { type Clock, type Probe, record, type StateOf, u8 } from "@castaway/kit";
import { bytewise } from "../bytewise.ts";
import type { Device, RegisterSpace } from "../device.ts";
import { PIT_RATE, type Pit } from "../timers/pit.ts";

/** Somebody asks for a reset: "hard" of the whole machine (RESET#), "soft" of the processor only (INIT#). */
export type ResetRequest = (kind: "hard" | "soft") => void;

// ---- CF9 ----

const RC = { SRST: 1 << 1, RCPU: 1 << 2 };
export const resetControlState = record({ value: u8 });

/** Port CF9: bit 1 says which reset, and a rising bit 2 makes it [82371AB 4.2.7]. `PciBus` hands it its byte. */
export class ResetControl implements Device<StateOf<typeof resetControlState>> {
  readonly ports = bytewise(
    () => this.#value,
    (_offset, value) => this.#write(value),
  );
  readonly #request: ResetRequest;
  #value = 0;

  constructor(request: ResetRequest) {
    this.#request = request;
  }
  reset(): void {
    this.#value = 0;
  }
  save() {
    return { value: this.#value };
  }
  restore(state: StateOf<typeof resetControlState>): void {
    this.#value = state.value;
  }
  #write(value: number): void {
    const rises = (value & ~this.#value & RC.RCPU) !== 0;
    this.#value = value & (RC.SRST | RC.RCPU);
    if (rises) this.#request(value & RC.SRST ? "hard" : "soft");
  }
}

// ---- 92 ----

const FAST = { INIT: 1 << 0, A20: 1 << 1 };
export const port92State = record({ value: u8 });

/** Port 92: fast gate A20 and fast reset of the processor [82371AB 4.2.7]. */
export class Port92 implements Device<StateOf<typeof port92State>> {
  readonly ports = bytewise(
    () => this.#value,
    (_offset, value) => this.#write(value),
  );
  readonly #env: { a20(on: boolean): void; readonly reset: ResetRequest };
  #value = 0;

  /** `a20` is told at every write, at reset and at restore: one of the sources that open the gate. */
  constructor(env: { a20(on: boolean): void; readonly reset: ResetRequest }) {
    this.#env = env;
  }
  reset(): void {
    this.#value = 0;
    this.#env.a20(false);
  }
  save() {
    return { value: this.#value };
  }
  restore(state: StateOf<typeof port92State>): void {
    this.#value = state.value;
    this.#env.a20((state.value & FAST.A20) !== 0);
  }
  #write(value: number): void {
    const rises = (value & ~this.#value & FAST.INIT) !== 0;
    this.#value = value & (FAST.INIT | FAST.A20);
    this.#env.a20((value & FAST.A20) !== 0);
    if (rises) this.#env.reset("soft");
  }
}

// ---- 61 ----

const NMISC = { GATE2: 1 << 0, SPEAKER: 1 << 1, WRITABLE: 0x0f, REFRESH: 1 << 4, OUT2: 1 << 5 };
/** Counter 1 asked for a refresh of memory so often, and bit 4 changed each time. */
const REFRESH_TICKS = 18;
export const port61State = record({ value: u8 });

/** Port 61: gate and output of the 8254's counter 2, and a bit that changes every 15 us [82371AB 4.2.4]. */
export class Port61 implements Device<StateOf<typeof port61State>> {
  readonly ports = bytewise(
    () => this.#read(),
    (_offset, value) => this.#write(value),
  );
  readonly #env: { readonly clock: Clock; readonly pit: Pit };
  #value = 0;

  constructor(env: { readonly clock: Clock; readonly pit: Pit }) {
    this.#env = env;
  }
  /** The speaker is on: counter 2's output is heard. */
  get speaker(): boolean {
    return (this.#value & NMISC.SPEAKER) !== 0;
  }
  reset(): void {
    this.#write(0);
  }
  save() {
    return { value: this.#value };
  }
  /** The gate is in the 8254's state. */
  restore(state: StateOf<typeof port61State>): void {
    this.#value = state.value;
  }
  #read(): number {
    const refreshes = PIT_RATE.ticksAt(this.#env.clock.now) % (2 * REFRESH_TICKS);
    const refresh = refreshes >= REFRESH_TICKS ? NMISC.REFRESH : 0;
    return this.#value | refresh | (this.#env.pit.output ? NMISC.OUT2 : 0);
  }
  #write(value: number): void {
    this.#value = value & NMISC.WRITABLE;
    this.#env.pit.setGate((value & NMISC.GATE2) !== 0);
  }
}

// ---- B2, B3 ----

/** What the FADT says that the guest is to write to the APM control port. */
export const APM = { ACPI_ENABLE: 0xf1, ACPI_DISABLE: 0xf0 };
export const apmState = record({ control: u8, status: u8 });

/** Ports B2 and B3: how the guest asks firmware for something [82371AB 4.2.6]. Its SMI handler is `env`, and done at once. */
export class Apm implements Device<StateOf<typeof apmState>> {
  readonly ports = bytewise(
    (offset) => (offset === 0 ? this.#control : this.#status),
    (offset, value) => this.#write(offset, value),
  );
  readonly #env: { acpi(on: boolean): void };
  #control = 0;
  #status = 0;

  constructor(env: { acpi(on: boolean): void }) {
    this.#env = env;
  }
  reset(): void {
    this.#control = this.#status = 0;
  }
  save() {
    return { control: this.#control, status: this.#status };
  }
  restore(state: StateOf<typeof apmState>): void {
    this.#control = state.control;
    this.#status = state.status;
  }
  #write(offset: number, value: number): void {
    if (offset !== 0) {
      this.#status = value;
      return;
    }
    this.#control = value;
    if (value === APM.ACPI_ENABLE) this.#env.acpi(true);
    if (value === APM.ACPI_DISABLE) this.#env.acpi(false);
  }
}

// ---- debug ports ----

/** Ports 402 and E9: bytes for people. 402 reads as E9, by which firmware finds it; so does E9. */
export function debugPort(bytes: Probe<number>): RegisterSpace {
  return bytewise(
    () => 0xe9,
    (_offset, value) => {
      if (bytes.active) bytes.emit(value);
    },
  );
}

/** `isa-debug-exit`: a test program ends the run by writing a code. `exit` gets what was written. */
export function exitPort(exit: (code: number) => void): RegisterSpace {
  return { read: () => 0, write: (offset, _bytes, value) => offset === 0 && exit(value) };
}

/** Ports that keep nothing and always read the same: 0 where a guest takes ones for hardware that was plugged in. */
export function constantPorts(byte: number): RegisterSpace {
  return bytewise(
    () => byte,
    () => {},
  );
}
