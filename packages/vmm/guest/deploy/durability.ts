/** What must be on the disk before the guest may believe that its own data are (R6.5). */
export abstract class Durability {
  /** Whether a power cut now would find the block recorded as local. */
  abstract isDurable(block: u32): bool;
  /** Records everything that is local; to be asked again until {@link isSettled}. */
  abstract want(): void;
  /** A write of the guest's to the block is on the device. */
  abstract touched(block: u32): void;
  /** Whether a power cut could put the image over something that the guest wrote. */
  abstract isSettled(): bool;
}
