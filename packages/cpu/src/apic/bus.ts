/**
 * What local APICs, I/O APICs and message-signalled interrupts say to each other [SDM 3A 10.6, 10.11]. Delivery is
 * immediate and in order.
 */

/** Delivery modes as encoded in ICR, LVT and messages [SDM 3A 10.6.1]. */
export const FIXED = 0,
  LOWEST = 1,
  SMI = 2,
  NMI = 4,
  INIT = 5,
  START_UP = 6,
  EXT_INT = 7;

export interface Message {
  readonly mode: number;
  readonly vector: number;
  /** True: `destination` is matched with logical ids; else with APIC ids. */
  readonly logical: boolean;
  readonly destination: number;
  /** Trigger mode: true for level. */
  readonly level: boolean;
  /** False for the de-assertion of a level (INIT level de-assert). */
  readonly assert: boolean;
}

/** What the bus needs of a local APIC. */
export interface Listener {
  readonly id: number;
  /** Is it meant by a destination? `wide`: the destination has 32 bits, as in x2APIC mode. */
  matches(destination: number, logical: boolean, wide: boolean): boolean;
  accept(message: Message): void;
  /** Current priority, for lowest-priority arbitration: smaller is more willing. */
  readonly arbitrationPriority: number;
}

export class ApicBus {
  readonly #listeners: Listener[] = [];
  readonly #eoi: ((vector: number) => void)[] = [];

  attach(listener: Listener): void {
    this.#listeners.push(listener);
  }
  /** I/O APICs hear of the ends of level-triggered interrupts here. */
  onEoi(listener: (vector: number) => void): void {
    this.#eoi.push(listener);
  }
  endOfInterrupt(vector: number): void {
    for (const tell of this.#eoi) tell(vector);
  }

  /** Delivers to everyone who is meant; lowest priority picks one. False if nobody is. */
  deliver(message: Message, wide = false): boolean {
    const meant = this.#listeners.filter((l) => l.matches(message.destination, message.logical, wide));
    if (message.mode === LOWEST && meant.length > 1) {
      meant
        .reduce((best, other) => (other.arbitrationPriority < best.arbitrationPriority ? other : best))
        .accept(message);
      return true;
    }
    for (const listener of meant) listener.accept(message);
    return meant.length > 0;
  }
  /** To every local APIC but one: the shorthands of an IPI. */
  broadcast(message: Message, except?: Listener): void {
    for (const listener of this.#listeners) if (listener !== except) listener.accept(message);
  }

  /** A write of a bus master to FEE00000-FEEFFFFF: a message-signalled interrupt [SDM 3A 10.11]. */
  messageSignalled(address: number, data: number): boolean {
    const logical = (address & 4) !== 0,
      redirected = (address & 8) !== 0,
      mode = (data >> 8) & 7;
    return this.deliver({
      mode: redirected && mode === FIXED ? LOWEST : mode,
      vector: data & 0xff,
      logical,
      destination: (address >>> 12) & 0xff,
      level: (data & 0x8000) !== 0,
      assert: (data & 0x8000) === 0 || (data & 0x4000) !== 0,
    });
  }
}
