/**
 * Which client has which address, and until when. A client is named by a key, whatever that is made of. The table never
 * grows beyond the addresses that there are: pool and fixed ones.
 */
import { type Clock, list, type Nanoseconds, natural, oneOf, record, type StateOf, text, u32 } from "@castaway/kit";

const leaseState = record({
  address: u32,
  key: text,
  /** Offered and not yet asked for, in use, or found in use by somebody unknown. */
  state: oneOf("offered", "bound", "declined"),
  expires: natural,
});
export type Lease = StateOf<typeof leaseState>;

export const leasesState = record({ leases: list(leaseState), next: natural });
export type LeasesState = StateOf<typeof leasesState>;

export class Leases {
  readonly #clock: Clock;
  readonly #first: number;
  readonly #count: number;
  readonly #reserved: ReadonlySet<number>;
  /** The one changed last at the end. Those that have ended stay, so that a client gets its address again. */
  readonly #byAddress = new Map<number, Lease>();
  readonly #byKey = new Map<string, Lease>();
  /** Addresses of the pool before this one have been given out once. */
  #next = 0;

  /** @param reserved addresses that are not given out, though they be in the pool */
  constructor(clock: Clock, first: number, count: number, reserved: ReadonlySet<number>) {
    this.#clock = clock;
    this.#first = first;
    this.#count = count;
    this.#reserved = reserved;
  }

  /** All leases that have not ended, those changed last at the end. */
  get active(): Lease[] {
    return [...this.#byAddress.values()].filter((lease) => this.#lives(lease));
  }

  /** The lease of `key`, ended or not. */
  of(key: string): Lease | null {
    return this.#byKey.get(key) ?? null;
  }

  /** Whether `key` may have `address` of the pool: nobody else has it. */
  isFreeFor(address: number, key: string): boolean {
    if (!this.#inPool(address)) return false;
    const lease = this.#byAddress.get(address);
    return lease === undefined || !this.#lives(lease) || (lease.key === key && lease.state !== "declined");
  }

  /** An address of the pool for `key`: the one it had, `wish`, one never used, or the one free for the longest time. */
  choose(key: string, wish: number | null): number | null {
    const before = this.of(key);
    if (before !== null && this.isFreeFor(before.address, key)) return before.address;
    if (wish !== null && this.isFreeFor(wish, key)) return wish;
    for (; this.#next < this.#count; this.#next++) {
      const address = this.#first + this.#next;
      if (!this.#byAddress.has(address) && this.#inPool(address)) return address;
    }
    for (const { address } of this.#byAddress.values()) if (this.isFreeFor(address, key)) return address;
    return null;
  }

  /** `key` has `address` from now on for `time`, and no other. */
  set(key: string, address: number, state: Lease["state"], time: Nanoseconds): void {
    for (const old of [this.#byKey.get(key), this.#byAddress.get(address)]) if (old !== undefined) this.#forget(old);
    const lease = { address, key, state, expires: this.#clock.now + time };
    this.#byAddress.set(address, lease);
    this.#byKey.set(key, lease);
  }

  /** The lease of `key` ends now; its address is kept for it until somebody else needs one. */
  end(key: string): void {
    const lease = this.#byKey.get(key);
    if (lease !== undefined) this.set(key, lease.address, "offered", 0);
  }

  save(): LeasesState {
    return { leases: [...this.#byAddress.values()].map((lease) => ({ ...lease })), next: this.#next };
  }

  restore(state: LeasesState): void {
    this.#byAddress.clear();
    this.#byKey.clear();
    for (const lease of state.leases) {
      const own = { ...lease };
      this.#byAddress.set(own.address, own);
      this.#byKey.set(own.key, own);
    }
    this.#next = state.next;
  }

  #inPool(address: number): boolean {
    return address >= this.#first && address < this.#first + this.#count && !this.#reserved.has(address);
  }

  #lives(lease: Lease): boolean {
    return lease.expires > this.#clock.now;
  }

  #forget(lease: Lease): void {
    this.#byAddress.delete(lease.address);
    this.#byKey.delete(lease.key);
  }
}
