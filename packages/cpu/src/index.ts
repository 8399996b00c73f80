/** The x86-64 processor: see `Cpu` for programs in bytes; the rest is for boards, debuggers and tests. */

export { ApicBus, type Message } from "./apic/bus.ts";
export { type CodeMode, type Decoded, Decoder } from "./core/decode.ts";
export type { Feature, Form, Instruction, VectorRule } from "./core/forms.ts";
export type { DebugStop, HostDebug, WatchKind } from "./core/host-debug.ts";
export { type Model, modelNamed, modelNames, withFeatures } from "./core/model.ts";
export { OpcodeMap } from "./core/opcodes.ts";
export { MAX_CPUS, MAX_RAM, type MmioHandler, PhysicalMemory } from "./core/physical.ts";
export type { CpuProbes, Delivery, VmEntry, VmExit, VmRefusal, VmxOperation } from "./core/probes.ts";
export { type CpuState, cpuState, type ProcessorState } from "./core/saved.ts";
export { GPR_NAMES, STATE_TABLE } from "./core/state.ts";
export { UNIMPLEMENTED, type Unimplemented } from "./core/unimplemented.ts";
export { type Costs, DEFAULT_COSTS } from "./costs.ts";
export { Cpu, type CpuOptions, type Ports, type RunLimits, type Stop, type StopReason } from "./cpu.ts";
export { disassemble, mnemonic } from "./disassemble.ts";
export type { FlatMode } from "./flat.ts";
export { definitions } from "./isa/index.ts";
export { EXIT, type ExitName, exitName } from "./vmx/reasons.ts";
