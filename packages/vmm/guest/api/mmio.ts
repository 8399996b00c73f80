/** Memory-mapped registers that the VMM stands before. Whoever runs the guest asks here at each access that exits. */

/** All calls run under the VMM's lock; `address` is physical, `bytes` 1, 2, 4 or 8. */
export abstract class MmioMediator {
  abstract read(address: u64, bytes: u32): u64;
  abstract write(address: u64, bytes: u32, value: u64): void;
}

/** Called at every exit that is no MMIO access, and when the time comes that was asked for. Takes bounded time. */
export abstract class Periodic {
  /** @param now nanoseconds */
  abstract poll(now: u64): void;
}
