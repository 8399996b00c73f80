/** The saved state of one processor: every architectural field by name, and what else decides how it goes on. */
import {
  bytes,
  clockState,
  flag,
  i32,
  list,
  natural,
  nullable,
  real,
  record,
  type Shape,
  type StateOf,
  text,
  u32,
} from "@castaway/kit";
import { localApicState } from "../apic/local.ts";
import { restoreVmx, saveVmx, vmxState } from "../vmx/saved.ts";
import { followApicBase } from "./apic-base.ts";
import { armBreakpoints } from "./debug.ts";
import { readFlags, writeFlags } from "./flags.ts";
import type { Processor } from "./processor.ts";
import { S, STATE_TABLE, WINDOW } from "./state.ts";

const architectural = STATE_TABLE.filter((field) => field.architectural);

const registers = record(Object.fromEntries(architectural.map((f) => [f.name, bytes(f.bytes)])));
const tlb = record({
  /** Array (read, write, execute), index, tag (two words), flags, physical page; flattened. */
  entries: list(list(real, 6)),
  spaces: list(text),
  /** By group: VPID, and page of the EPT's PML4; -1: nobody's, and none. */
  realms: list(list(real, 2)),
  group: u32,
});
export const processorState = record({
  registers,
  tlb,
  retired: real,
  charged: real,
  shadowEnd: real,
  resumeEnd: real,
  vectoring: real,
  vectoringCode: real,
  stepTrap: flag,
  debugBits: i32,
  signals: u32,
  sipiVector: u32,
  stopped: nullable(text),
  attended: flag,
  /** What a debugger left behind, see Processor. */
  interrupted: flag,
  yielded: flag,
  begun: nullable(record({ physical: real, mode: u32, start: real, index: u32 })),
  passed: nullable(record({ linear: real, retired: real })),
  apic: nullable(localApicState),
  vmx: vmxState,
});
export type ProcessorState = StateOf<typeof processorState>;

/** The processor whose registers are in the window, between two instructions. */
export function saveProcessor(cpu: Processor): ProcessorState {
  const { u8 } = cpu.memory;
  cpu.memory.u32[S.RFLAGS >> 2] = readFlags(cpu.memory);
  const { retiredEnd: _, begun, ...rest } = pick(cpu);
  return {
    ...rest,
    begun: begun && { physical: begun.physical, mode: begun.mode, start: begun.start, index: begun.index },
    registers: Object.fromEntries(
      architectural.map((f) => [f.name, u8.slice(WINDOW + f.offset, WINDOW + f.offset + f.bytes)]),
    ),
    tlb: cpu.access.tlb.save(),
    apic: cpu.apic?.save() ?? null,
    vmx: saveVmx(cpu),
    retired: cpu.retired(),
  };
}
const pick = ({
  retiredEnd,
  charged,
  shadowEnd,
  resumeEnd,
  vectoring,
  vectoringCode,
  stepTrap,
  debugBits,
  signals,
  sipiVector,
  stopped,
  attended,
  interrupted,
  yielded,
  begun,
  passed,
}: Processor) => ({
  retiredEnd,
  charged,
  shadowEnd,
  resumeEnd,
  vectoring,
  vectoringCode,
  stepTrap,
  debugBits,
  signals,
  sipiVector,
  stopped,
  attended,
  interrupted,
  yielded,
  begun,
  passed,
});

/** Into the window; derived fields are recomputed. */
export function restoreProcessor(cpu: Processor, saved: ProcessorState): void {
  const { u8, i32: words } = cpu.memory;
  for (const field of architectural) u8.set(saved.registers[field.name]!, WINDOW + field.offset);
  writeFlags(cpu.memory, cpu.u32(S.RFLAGS));
  const { registers: _r, tlb: entries, retired, apic, begun, vmx, ...rest } = saved;
  Object.assign(cpu, rest);
  cpu.begun = begun && { ...begun, block: null };
  words[S.BUDGET >> 2] = 0;
  cpu.remaining = 0;
  cpu.retiredEnd = retired;
  cpu.access.tlb.restore(entries as ReturnType<typeof cpu.access.tlb.save>);
  restoreVmx(cpu, vmx);
  cpu.refresh();
  armBreakpoints(cpu);
  followApicBase(cpu);
  if (apic !== null) cpu.apic?.restore(apic);
  cpu.attended = saved.attended; // putting things back is no news: who waits still does
}

export const cpuState = record({
  model: text,
  clock: clockState,
  /** Whose turn it is in the round. */
  turn: u32,
  /** When the round ends that is under way; null between rounds. */
  roundEnd: nullable(natural),
  processors: list(processorState as Shape<ProcessorState>),
  ram: bytes(),
});
export type CpuState = StateOf<typeof cpuState>;
