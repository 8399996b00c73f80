/** Devices of the PC: pure chips; the board of packages/machine plugs them together. */
export type { Device, RegisterSpace } from "./device.ts";
export * from "./serial/uart16550.ts";
