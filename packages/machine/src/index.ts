/** castaway: a PC you can import. */
export { modelNames, withFeatures } from "@castaway/cpu";
export type { Picture } from "@castaway/devices";
export {
  blankDisk,
  hardDiskTiming,
  ImageDisk,
  inflateImage,
  isGzip,
  type Key,
  OverlayDisk,
  StoreDisk,
  ssdTiming,
} from "@castaway/devices";
export { ConfigError, ms, StateError, seconds, us } from "@castaway/kit";
export { Board, type BoardOptions, type Firmware } from "./board.ts";
export { SerialPort, Transcript, type Watch } from "./console.ts";
export { Display } from "./display.ts";
export { type BlobReader, loadDemoDisk, loadFirmware } from "./firmware.ts";
export { type GdbEnd, GdbStub } from "./gdb/stub.ts";
export { Machine, type MachineStop, type MachineStopReason, type RunLimits } from "./machine.ts";
export type { Disk, MachineOptions, TimingName } from "./options.ts";
export type { Access } from "./ports.ts";
export type { MachineProbes, Reset } from "./probes.ts";
export { type Host, Runner, type RunnerOptions } from "./runner.ts";
export { type Configuration, readSnapshotHeader, type SnapshotHeader } from "./snapshot.ts";
