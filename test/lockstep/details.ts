/** What the stub does not give: hidden parts of segment registers and descriptor tables, from the monitor's text. */
import type { Processor } from "../../packages/cpu/src/core/processor.ts";
import type { Difference } from "./compare.ts";
import { descriptorFlags } from "./registers.ts";
import { CS, LDTR, S, SEG, SEGMENT_NAMES, segment, TR } from "./state.ts";

const MONITOR_NAMES: Readonly<Record<string, string>> = { LDTR: "LDT" };
/** Accessed, of code and data segments: both set it in the descriptor, and QEMU's register shows it as it was. */
const TYPE_ACCESSED = 0x100;
const USED = 0x8000;

/** Differences between `info registers` and ours. */
export function differentDetails(p: Processor, text: string): Difference[] {
  const found: Difference[] = [];
  const check = (name: string, ours: bigint, theirs: string | undefined) => {
    if (theirs !== undefined && BigInt(`0x${theirs}`) !== ours) found.push({ name, ours: ours.toString(16), theirs });
  };
  SEGMENT_NAMES.forEach((name, n) => {
    const row = new RegExp(`^${(MONITOR_NAMES[name] ?? name).padEnd(3)}=\\s*(\\w+) (\\w+) (\\w+) (\\w+)`, "m").exec(
      text,
    );
    if (row === null) return;
    const [, selector, base, limit, flags] = row as unknown as [string, string, string, string, string];
    check(name, BigInt(p.selector(n)), selector);
    const ourFlags = descriptorFlags(p, n);
    if ((ourFlags & USED) === 0 || (p.long && n < 4 && n !== CS)) return; // null, or without effect
    if (!(p.long && n === CS)) {
      check(`${name}.base`, p.u64(segment(n) + SEG.base), base);
      if (n === LDTR || n === TR || p.protectedMode) check(`${name}.limit`, p.u64(segment(n) + SEG.limit), limit);
    }
    const compared = n < LDTR ? ~TYPE_ACCESSED : -1;
    const theirs = (Number.parseInt(flags, 16) & compared & 0xf0ff00) >>> 0;
    if (p.protectedMode) check(`${name}.flags`, BigInt((ourFlags & compared) >>> 0), theirs.toString(16));
  });
  for (const [name, base, limit] of [
    ["GDT", S.GDTR_BASE, S.GDTR_LIMIT],
    ["IDT", S.IDTR_BASE, S.IDTR_LIMIT],
  ] as const) {
    const row = new RegExp(`^${name}=\\s*(\\w+) (\\w+)`, "m").exec(text);
    check(`${name}R.base`, p.u64(base), row?.[1]);
    check(`${name}R.limit`, p.u64(limit), row?.[2]);
  }
  return found;
}
