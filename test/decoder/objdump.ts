/** objdump as an oracle: its listing, line by line, with each instruction's length. */
import { spawn, spawnSync } from "node:child_process";

export type Bits = 16 | 32 | 64;
export interface Line {
  /** In hexadecimal: most lines are only passed over. */
  readonly address: string;
  /** Up to the next line's address; 0 for the last line. */
  readonly length: number;
  readonly text: string;
}
/** Sees a line; returns true if it has seen enough. */
export type Visitor = (line: Line) => boolean;

const MACHINES: Record<Bits, string> = { 64: "i386:x86-64", 32: "i386", 16: "i8086" };
/** Where the vendors' instruction sets differ (prefix 66 before near branches), Intel's, as our processor. */
const SYNTAX = ["-M", "intel,intel64", "-z", "-w", "--no-show-raw-insn"];

/** The version, or undefined where there is no objdump. */
export function objdumpVersion(): string | undefined {
  const { stdout, status } = spawnSync("objdump", ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.split("\n", 1)[0] : undefined;
}

/** A file of bare machine code. */
export const listRaw = (file: string, bits: Bits, visit: Visitor) =>
  list(["-D", "-b", "binary", "-m", MACHINES[bits], file], visit);
/** One section of an ELF file. */
export const listSection = (file: string, section: string, visit: Visitor) => list(["-d", "-j", section, file], visit);

async function list(args: string[], visit: Visitor): Promise<void> {
  const child = spawn("objdump", [...SYNTAX, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  let rest = "";
  let enough = false;
  let waiting: { address: string; text: string } | undefined;
  const take = (row: string) => {
    const colon = row.indexOf(":\t");
    if (colon < 0 || enough) return;
    const address = row.slice(0, colon).trim();
    if (waiting) enough = visit({ ...waiting, length: low(address) - low(waiting.address) });
    waiting = { address, text: row.slice(colon + 2) };
  };
  child.stdout.setEncoding("latin1");
  for await (const chunk of child.stdout) {
    const rows = (rest + chunk).split("\n");
    rest = rows.pop()!;
    for (const row of rows) take(row);
    if (enough) break; // ends the pipe, and with it objdump
  }
  if (enough) return;
  take(rest);
  if (waiting) visit({ ...waiting, length: 0 });
  const code = await ended;
  if (code !== 0) throw new Error(`objdump ${args.join(" ")} ended with ${code}`);
}

/** The low 48 bits of an address, which fit a number. */
const low = (address: string) => Number.parseInt(address.slice(-12), 16);
