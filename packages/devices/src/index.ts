/** Devices of the PC: pure chips; the board of packages/machine plugs them together. */

export * from "./chipset/acpi.ts";
export * from "./chipset/dma.ts";
export * from "./chipset/host-bridge.ts";
export * from "./chipset/isa-bridge.ts";
export * from "./chipset/ports.ts";
export * from "./chipset/power.ts";
export type { Device, RegisterSpace } from "./device.ts";
export { displayFunction } from "./display/function.ts";
export type { MemorySpace } from "./display/memory-space.ts";
export type { Picture } from "./display/render.ts";
export * from "./display/stdvga.ts";
export type { Screen } from "./display/text.ts";
export * from "./firmware/acpi-tables.ts";
export { boardItems, bootFailWait, bootOrder, e820, featureControl, type MemoryRange } from "./firmware/board-items.ts";
export { ascii, FW_CFG, FwCfg, fwCfgState } from "./firmware/fw-cfg.ts";
export { type BootDevice, type NvramOptions, nvram } from "./firmware/nvram.ts";
export * from "./input/i8042.ts";
export * from "./input/keyboard.ts";
export { isKey, type Key, keys } from "./input/keys.ts";
export type { Ps2Device } from "./input/ps2.ts";
export { type ApicMessage, IoApic, type IoApicEnv, ioApicState } from "./interrupts/ioapic.ts";
export { Pics, type PicsEnv, picsState } from "./interrupts/pics.ts";
export { fanOut, WiredOr } from "./interrupts/wire.ts";
export { E1000, type E1000Options, type E1000State } from "./network/e1000.ts";
export type { DropEvent, FrameEvent } from "./network/mac.ts";
export { PciBus, type PciBusEnv, pciBusState } from "./pci/bus.ts";
export { type Bar, type BarIndex, type Capability, msiCapability } from "./pci/config.ts";
export {
  type PciEnv,
  PciFunction,
  type PciFunctionState,
  type PciMapper,
  type PciOptions,
  type Range,
} from "./pci/function.ts";
export * from "./serial/uart16550.ts";
export { AhciController, type AhciControllerOptions, type AhciControllerState } from "./storage/ahci/function.ts";
export { type AhciEnv, AhciHba, type AhciState, ahciState } from "./storage/ahci/hba.ts";
export type { MediumFailure, MediumWrite } from "./storage/ata/cached-medium.ts";
export type { CommandEvent } from "./storage/ata/command.ts";
export * from "./storage/ata/drive.ts";
export * from "./storage/media/index.ts";
export * from "./storage/timing.ts";
export { parseTime } from "./timers/calendar.ts";
export { PIT_RATE, Pit, type PitEnv, pitState } from "./timers/pit.ts";
export { Rtc, type RtcEnv, type RtcOptions, rtcState } from "./timers/rtc.ts";
