/**
 * The VMM's own memory, which no device may be pointed at (section 13): every address that comes from the guest and goes
 * to the controller, or that the VMM itself reads or writes for the guest, is asked for here. It fails closed.
 */

let first: u64 = 0;
let end: u64 = 0;
let reach: u64 = 0;

/**
 * Told once, at boot.
 * @param base of the physical range that is hidden from the guest
 * @param reached the end of what the VMM's direct map reaches: addresses from there on are not followed by its CPU
 */
export function hideMemory(base: u64, bytes: u64, reached: u64): void {
  first = base;
  end = base + bytes;
  reach = reached;
}

/** Whether the VMM may read and write there for the guest. */
export function isGuestMemory(address: u64, bytes: u64): bool {
  return !touchesVmm(address, bytes) && address + bytes <= reach;
}

/** Whether any of `bytes` from `address` on are the VMM's, or the range leaves the address space. */
export function touchesVmm(address: u64, bytes: u64): bool {
  const last = address + bytes;
  if (last < address || last > 1 << 52) return true;
  return address < end && last > first;
}
