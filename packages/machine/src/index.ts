/** castaway: a PC you can import. */
export {
  type ExitName,
  exitName,
  modelNames,
  type VmEntry,
  type VmExit,
  type VmRefusal,
  withFeatures,
} from "@castaway/cpu";
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
export { Clock, ConfigError, ms, StateError, seconds, us } from "@castaway/kit";
export {
  type AoeRequest,
  AoeServer,
  type AoeServerOptions,
  type AoeStatistics,
  type BootRule,
  Capture,
  type CaptureOptions,
  DhcpServer,
  type DhcpServerOptions,
  formatIp,
  formatMac,
  Host,
  type HostOptions,
  type Lease,
  Link,
  type LinkOptions,
  Network,
  type NetworkOptions,
  type NetworkStop,
  type Party,
  type PingResult,
  parseIp,
  parseMac,
  type ServiceCost,
  type Socket,
  Switch,
  type SwitchOptions,
  type TftpFile,
  type TftpFiles,
  TftpServer,
  type TftpServerOptions,
} from "@castaway/net";
export type { MachinePart, Surroundings } from "./beside.ts";
export { Board, type BoardOptions, type Firmware } from "./board.ts";
export { SerialPort, Transcript, type Watch } from "./console.ts";
export { Display } from "./display.ts";
export { type BlobReader, loadDemoDisk, loadFirmware, loadNetworkRom } from "./firmware.ts";
export { type GdbEnd, GdbStub } from "./gdb/stub.ts";
export { type VmmArguments, vmmCommandLine } from "./laboratory/command-line.ts";
export { Laboratory, type LaboratoryOptions, type LaboratoryPhase } from "./laboratory/laboratory.ts";
export { Observer, type Phase, type PhaseStart, phases } from "./laboratory/phases.ts";
export type { DeploymentReport } from "./laboratory/report.ts";
export { traceDeployment } from "./laboratory/tracks.ts";
export { Lan, type LanOptions, type ServedDisk } from "./lan.ts";
export { Machine, type MachineStop, type MachineStopReason, type RunLimits } from "./machine.ts";
export { type LanMachineOptions, type MachineParty, machineOn, networkParty } from "./network.ts";
export type { Disk, MachineOptions, NetworkCard, TimingName } from "./options.ts";
export type { Finding } from "./oracle/findings.ts";
export { DiskOracle, type DiskOracleOptions, type DiskOracleState, type OracleStatistics } from "./oracle/oracle.ts";
export type { Difference, Verification } from "./oracle/verify.ts";
export type { Access } from "./ports.ts";
export type { MachineProbes, Reset, VmExits } from "./probes.ts";
export { type HostClock, Runner, type RunnerOptions } from "./runner.ts";
export { type Configuration, readSnapshotHeader, type SnapshotHeader } from "./snapshot.ts";
export { Trace, type TraceOptions } from "./trace.ts";
export type { VmmProgram } from "./vmm.ts";
