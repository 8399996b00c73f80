/**
 * Where the two sides may differ and neither is wrong: what is taken from ours and given to QEMU, instruction by
 * instruction, and what is not compared. docs/lockstep.md prints the same in words.
 */
import type { Decoded, Delivery } from "@castaway/cpu";
import type { Ours, Step } from "./ours.ts";

/** Results of an instruction that are taken from our side: QEMU skips it. */
export interface Exchange {
  readonly name: string;
  readonly why: string;
  /** By the definition's name. */
  readonly instructions?: readonly string[];
  readonly applies?: (insn: Decoded, ours: Ours) => boolean;
}

const words = (text: string) => text.split(" ");
/** MSRs that both sides have and whose values the processor's own instructions use; other MSRs are taken from ours. */
const COMPARED_MSRS = new Set([
  0x174, 0x175, 0x176, 0x277, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101,
  0xc0000102, 0xc0000103,
]);
const ECX = 1;
const isControl8 = ({ operands }: Decoded) => operands.some(({ kind, reg }) => kind === "cr" && reg === 8);

/** Known before the instruction runs. */
// biome-ignore format: a table
export const EXCHANGES: readonly Exchange[] = [
  { name: "port", why: "QEMU's devices are never asked", instructions: words("in out ins outs") },
  { name: "time", why: "clocks differ", instructions: words("rdtsc rdtscp rdpmc") },
  { name: "random", why: "seeds differ", instructions: words("rdrand rdseed") },
  { name: "cpuid", why: "the model's answers", instructions: words("cpuid") },
  { name: "halt", why: "QEMU would wait for an interrupt that never comes", instructions: words("hlt monitor mwait") },
  { name: "msr", why: "an MSR of the model or of a device [SDM 4]", instructions: words("rdmsr wrmsr"),
    applies: (_, ours) => !COMPARED_MSRS.has(ours.processor.gpr32(ECX)) },
  { name: "cr8", why: "the local APIC's task priority [SDM 3A 11.8.6]", instructions: words("mov"), applies: isControl8 },
  { name: "approximation", why: "the manual bounds the error only [SDM 2B RCPPS, RSQRTPS]", instructions: words("rcpps rcpss rsqrtps rsqrtss") },
  { name: "transcendental", why: "to within one unit in the last place [SDM 1 8.3.10]; QEMU takes sines and tangents of doubles [QEMU fpu_helper.c]",
    instructions: words("f2xm1 fyl2x fyl2xp1 fptan fpatan fsin fcos fsincos") },
  { name: "x87 environment", why: "QEMU keeps no opcode and no pointers [QEMU fpu_helper.c, do_fstenv]", instructions: words("fnstenv fnsave fxsave") },
];

/** Known after our side has run it. */
export const EVENT = "interrupt",
  DEVICE = "device";

/** Why QEMU must not run this itself; null if it must. */
export function exchangeOf(insn: Decoded | null, ours: Ours): string | null {
  if (insn === null) return null;
  const found = EXCHANGES.find(
    ({ instructions, applies }) => instructions?.includes(insn.def.name) && (applies?.(insn, ours) ?? true),
  );
  return found?.name ?? null;
}
/** The same, by what our side did. Kinds 0 and 2 of events come from outside. */
export function exchangeAfter(step: Step, ours: Ours): string | null {
  if (step.deliveries.some(({ kind }) => kind === 0 || kind === 2)) return EVENT;
  const device = step.accesses.some(({ physical, write }) => physical >= 0 && ours.isDevice(physical, write));
  return device ? DEVICE : null;
}

/** RF is never compared: see `knownInFrame`, and QEMU keeps it for an instruction more [QEMU translate.c, gen_reset_hflag]. */
export const NEVER_COMPARED = 1 << 16;

/**
 * Why bytes of an exception's frame may differ, or null if they may not:
 * - faults push RF as 1 [SDM 3A 6.8.3, 3B 17.3.1.1]; QEMU pushes it as it is [QEMU seg_helper.c, do_interrupt64];
 * - a read-modify-write faults as a write [SDM 3A 4.7]; QEMU reads first, so a page that is not there is missed by a read
 *   [QEMU translate.c, gen_CMPXCHG and others outside of parallel contexts].
 */
export function knownInFrame(ours: Uint8Array, theirs: Uint8Array, deliveries: readonly Delivery[]): string | null {
  const last = deliveries.at(-1);
  if (last === undefined || ours.length < 4) return null;
  const differsIn = (byte: number, bit: number) =>
    ours.every((value, i) => value === (i === byte ? theirs[i]! | bit : theirs[i]!));
  if (differsIn(2, 1)) return "resume flags";
  const isPageFault = last.vector === 14 && last.errorCode === (ours[0]! | (ours[1]! << 8));
  return isPageFault && differsIn(0, 2) ? "read-modify-write faults" : null;
}

/** Accessed and dirty in paging entries: when they are set follows from the TLB, and QEMU's is larger [SDM 3A 4.8]. */
export const ACCESSED_DIRTY = 0x60;
