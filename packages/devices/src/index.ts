/** Devices of the PC: pure chips; the board of packages/machine plugs them together. */
export type { Device, RegisterSpace } from "./device.ts";
export * from "./input/i8042.ts";
export * from "./input/keyboard.ts";
export { isKey, type Key, keys } from "./input/keys.ts";
export type { Ps2Device } from "./input/ps2.ts";
export * from "./serial/uart16550.ts";
