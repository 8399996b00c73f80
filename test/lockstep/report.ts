/** What the tool prints. */
import { disassemble } from "@castaway/cpu";
import { allRegisters } from "./compare.ts";
import type { Next } from "./ours.ts";
import type { Outcome } from "./run.ts";

const address = (linear: number) => BigInt.asUintN(64, BigInt(linear)).toString(16);

/** Registers that are shown only if they hold something: most guests use none of them. */
const isFloating = (name: string) => /^(st\d|xmm\d|fctrl|fstat|ftag|fiseg|fioff|foseg|fooff|fop)/.test(name);

/** An instruction as a line: address, bytes, text. */
export function line({ linear, ip, code, insn }: Next): string {
  const bytes = Buffer.from(code).toString("hex");
  return `${address(linear).padStart(16)}  ${bytes.padEnd(24)} ${insn === null ? "(cannot be read)" : disassemble(insn, BigInt(ip))}`;
}

/** A difference, with all that is known of it. */
export function difference({ divergence, session }: Outcome, command: string): string {
  if (divergence === null || session === null) return "";
  const { at, retired, differences, wanted, theirs } = divergence;
  const lines = [`DIFFERENT after the instruction retired as number ${retired}, at ${address(at.linear)}:`, ""];
  for (const { name, ours, theirs: other } of differences)
    lines.push(`  ${name}`, `    here ${ours}`, `    QEMU ${other}`);
  lines.push("", "The last instructions; it is the last one:", ...session.recent.map((next) => `  ${line(next)}`), "");
  const names = new Set(differences.map(({ name }) => name));
  lines.push(`   ${"register".padEnd(10)} ${"here".padEnd(34)} QEMU`);
  for (const { name, ours, theirs: other } of allRegisters(session.qemu.layout, wanted, theirs)) {
    if (isFloating(name) && ours === other && /^0*$/.test(ours)) continue;
    lines.push(` ${names.has(name) ? "*" : " "} ${name.padEnd(10)} ${ours.padEnd(34)} ${other}`);
  }
  return [...lines, "", `Again: ${command}`].join("\n");
}

/** What was done, in a line or two. */
export function summary({ begin, compared, seconds, exchanged, stopped }: Outcome): string {
  const given = [...exchanged].map(([reason, n]) => `${n} ${reason}`).join(", ");
  return [
    `${compared} instructions compared from number ${begin} on, in ${seconds.toFixed(1)} s (${Math.round(compared / seconds)} a second)`,
    `given to QEMU: ${given || "nothing"}`,
    ...(stopped === "" ? [] : [`the machine stopped: ${stopped}`]),
  ].join("\n");
}
