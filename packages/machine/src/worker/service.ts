/**
 * A machine as a worker offers it: each method may be called through comlink, while the machine runs as well, since it
 * runs in slices and messages come in between them. `remote.ts` is the other side.
 */
import type { Key, Picture } from "@castaway/devices";
import { ConfigError } from "@castaway/kit";
import { type Remote, releaseProxy, transfer } from "comlink";
import type { Watch } from "../console.ts";
import type { Machine } from "../machine.ts";
import { type HostClock, Runner } from "../runner.ts";
import { cloneable } from "./cloneable.ts";
import type { Place, RemoteRun, RemoteStatus, RemoteStop, SerialListener } from "./protocol.ts";

export class MachineService {
  readonly #machine: Machine;
  readonly #runner: Runner;
  /** The run under way. */
  #run: Promise<RemoteStop> | null = null;
  #listener: Remote<SerialListener> | null = null;
  /** What the first serial port printed in this slice. */
  #printed: number[] = [];
  /** Until the listener has taken the last slice's bytes; the machine waits for it, so nothing piles up. */
  #delivery: Promise<unknown> = Promise.resolve();

  constructor(machine: Machine, host: HostClock) {
    this.#machine = machine;
    const sleep = async (milliseconds: number) => {
      await this.#delivery;
      await host.sleep(milliseconds);
    };
    this.#runner = new Runner(machine, { now: () => host.now(), sleep });
    this.#runner.onSlice = () => this.#deliver();
    machine.com1.onByte((byte) => {
      if (this.#listener !== null) this.#printed.push(byte);
    });
  }

  // ---- running ----

  /**
   * Runs until a text appears, the limits are reached, or the machine is off or stuck; resolves when all that was printed
   * has been delivered. @throws Error if it is running already; whatever the listener of {@link onSerial} throws
   */
  async run(request: RemoteRun = {}): Promise<RemoteStop> {
    if (this.#run !== null) throw new Error("the machine is running already: pause it first");
    this.#run = this.#start(request);
    try {
      return await this.#run;
    } finally {
      this.#run = null;
    }
  }
  async #start({ until = [], pace = false, ...limits }: RemoteRun): Promise<RemoteStop> {
    const texts = typeof until === "string" ? [until] : until;
    const watches = texts.map((wanted) => this.#watch(wanted));
    this.#runner.pace = pace;
    this.#delivery = Promise.resolve();
    const stop = await this.#runner.run({ ...limits, until: watches });
    await this.#delivery;
    return cloneable(stop) as RemoteStop;
  }
  #watch(wanted: string | { text: string; on: Place }): Watch {
    return typeof wanted === "string" ? this.#machine.com1.shows(wanted) : this.#place(wanted.on).shows(wanted.text);
  }

  /** Ends the run under way with the reason "paused"; resolves when the machine stands. */
  async pause(): Promise<void> {
    this.#runner.stop();
    await this.#run?.catch(() => undefined); // who called run hears of it
  }

  status(): RemoteStatus {
    const { now, instructions, poweredOff } = this.#machine;
    return { now, instructions, poweredOff, running: this.#run !== null };
  }

  /** Presses the power button: the guest is told by ACPI, and may take its time. */
  powerButton(): void {
    this.#machine.powerButton();
  }
  /** Presses the reset button. */
  reset(): void {
    this.#machine.reset();
  }
  /** Ends a run, and the listener's service. The machine's memory is free when the caller has dropped its proxy too. */
  async dispose(): Promise<void> {
    await this.pause();
    this.#forgetListener();
  }

  // ---- serial port, keyboard, screen ----

  /** Sends characters to the first serial port. */
  type(text: string): void {
    this.#machine.com1.type(text);
  }
  /**
   * From now on `listener` gets what the first serial port prints, once a slice; the machine waits until it has returned.
   * A later listener replaces it, null ends it.
   */
  onSerial(listener: SerialListener | null): void {
    this.#forgetListener();
    this.#listener = listener as Remote<SerialListener> | null;
  }
  #forgetListener(): void {
    const old = this.#listener;
    this.#listener = null;
    this.#printed = [];
    // Not before it has returned: a released proxy never answers.
    if (old !== null) this.#delivery.catch(() => undefined).then(() => old[releaseProxy]());
  }
  #deliver(): void {
    if (this.#listener === null || this.#printed.length === 0) return;
    const bytes = Uint8Array.from(this.#printed);
    this.#printed = [];
    this.#delivery = Promise.resolve(this.#listener(transfer(bytes, [bytes.buffer])));
    this.#delivery.catch(() => undefined); // the run that awaits it throws
  }

  /** Types text on the keyboard. @returns how many characters fitted @throws ConfigError on one that no key has */
  typeKeys(text: string): number {
    return this.#machine.keyboard.type(text);
  }
  /** Presses keys together, by `KeyboardEvent.code`. @returns false if too much is waiting @throws ConfigError */
  press(...chord: Key[]): boolean {
    return this.#machine.keyboard.press(...chord);
  }
  /** Presses a key and keeps it down. @returns false if too much is waiting @throws ConfigError */
  keyDown(key: Key): boolean {
    return this.#machine.keyboard.down(key);
  }
  /** Releases a key. @returns false if too much is waiting @throws ConfigError */
  keyUp(key: Key): boolean {
    return this.#machine.keyboard.up(key);
  }

  /** What is to be read at a place: the text on the screen now, or the last million characters printed elsewhere. */
  text(place: Place = "com1"): string {
    return this.#place(place).text;
  }
  #place(place: Place): { readonly text: string; shows(text: string): Watch } {
    const { com1, screen, firmwareLog: firmware, debugLog: debug } = this.#machine;
    const places = { com1, screen, firmware, debug };
    if (!Object.hasOwn(places, place)) throw new ConfigError("place", place, Object.keys(places).join(", "));
    return places[place];
  }
  /** The picture on the screen in RGBA; null without a display. */
  picture(): Picture | null {
    const picture = this.#machine.screen.picture();
    return picture && transfer(picture, [picture.rgba.buffer]);
  }

  // ---- the whole state ----

  /** As `Machine.save`: the state between two slices if the machine runs. */
  async save(options?: { readonly compress?: boolean }): Promise<Uint8Array> {
    const bytes = await this.#machine.save(options);
    return transfer(bytes, [bytes.buffer]);
  }
  /** As `Machine.restore`; a run under way is paused. @throws StateError */
  async restore(snapshot: Uint8Array): Promise<void> {
    await this.pause();
    await this.#machine.restore(snapshot);
  }
  digest(): string {
    return this.#machine.digest();
  }
  /** As `Machine.inspect`; 64-bit values are bigints. @throws ConfigError */
  inspect(path?: string): unknown {
    return cloneable(this.#machine.inspect(path));
  }
}
