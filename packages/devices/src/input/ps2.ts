/** The cable between a PS/2 controller and a keyboard or mouse, by whole bytes. */
export interface Ps2Device {
  /** The host sends `byte`. */
  write(byte: number): void;
  /** Whether the device has a byte to send. */
  readonly waiting: boolean;
  /** The next byte that the device sends. Called only while {@link waiting}. */
  take(): number;
  /** Has `ready` called whenever {@link waiting} may have become true. The controller calls this once. */
  connect(ready: () => void): void;
}
