/** Our decoder against a listing: equal, different for an accepted reason, or different. */
import { type CodeMode, Decoder } from "../../packages/cpu/src/core/decode.ts";
import { OpcodeMap } from "../../packages/cpu/src/core/opcodes.ts";
import { disassemble } from "../../packages/cpu/src/disassemble.ts";
import { definitions } from "../../packages/cpu/src/isa/index.ts";
import { ACCEPTED, type Accepted } from "./accepted.ts";
import { normalise } from "./normal.ts";
import type { Bits, Line } from "./objdump.ts";

export interface Difference {
  readonly bits: Bits;
  readonly bytes: string;
  /** Our text, "(bad)" or "(too long)" where there is no instruction; theirs, brought to a common form. */
  readonly ours: string;
  readonly theirs: string;
  readonly lengths: readonly [ours: number, theirs: number];
}

/** Listings have one architecture per width, and no notion of real mode: 16 bits are those of protected mode. */
const MODES: Record<Bits, CodeMode> = {
  64: { bits: 64, real: false },
  32: { bits: 32, real: false },
  16: { bits: 16, real: false },
};

const MAP = new OpcodeMap(definitions);
/** Every form there is, as text, by number. */
export const FORMS: readonly string[] = MAP.entries.map(
  ({ def, form }) => `${def.name} [${form.opcode}] ${form.operandText}`,
);

export class Comparison {
  compared = 0;
  equal = 0;
  readonly accepted = new Map<Accepted, number>();
  readonly differences: Difference[] = [];
  /** Numbers of the forms that were met. */
  readonly forms = new Set<number>();
  readonly #decoder = new Decoder(MAP);

  /** Compares the instruction that a listing has at `at` in `bytes`. */
  compare(bytes: Uint8Array, at: number, line: Line, bits: Bits): void {
    this.compared++;
    const insn = this.#decoder.decode(bytes, at, bytes.length, MODES[bits]);
    if (insn) this.forms.add(insn.id);
    const undefinedHere = insn === null || insn.id < 0;
    const ours =
      insn === null ? "(bad)" : undefinedHere ? insn.def.name : disassemble(insn, BigInt(`0x${line.address}`));
    let theirs = normalise(line.text, bits);
    const displaced = insn?.operands.at(-1)?.kind === "rel";
    if (displaced) theirs = cutTarget(theirs, insn!.operandSize);
    const bothUndefined = undefinedHere && theirs.includes("(bad)");
    const length = insn?.length ?? 0;
    if (ours === "fwait" && theirs !== ours && this.#isJoined(bytes, at + length, line.length - length, theirs, bits)) {
      this.equal++;
      return;
    }
    if (bothUndefined || (ours === theirs && (length === line.length || line.length === 0))) {
      this.equal++;
      return;
    }
    const hex = Buffer.from(bytes.subarray(at, at + 15)).toString("hex");
    const difference: Difference = { bits, bytes: hex, ours, theirs, lengths: [length, line.length] };
    const reason = ACCEPTED.find((each) => accepts(each, difference));
    if (reason) this.accepted.set(reason, (this.accepted.get(reason) ?? 0) + 1);
    else this.differences.push(difference);
  }

  /** To objdump FWAIT is a prefix of the x87 instruction after it, which then loses the N in its name: FSTCW, FNSTCW. */
  #isJoined(bytes: Uint8Array, at: number, length: number, theirs: string, bits: Bits): boolean {
    const insn = this.#decoder.decode(bytes, at, bytes.length, MODES[bits]);
    if (insn === null || insn.id < 0 || insn.length !== length) return false;
    const ours = disassemble(insn);
    return theirs === ours || theirs === ours.replace(/^fn/, "f");
  }
}

/** Displacements wrap at the operand size, which objdump leaves undone; symbolic listings leave out 0x. */
const cutTarget = (text: string, size: number) =>
  text.replace(/ (?:0x)?([0-9a-f]+)$/, (_, digits) => ` 0x${BigInt.asUintN(size, BigInt(`0x${digits}`)).toString(16)}`);

/** Without `lengths`, both must agree on the length, where both see an instruction. */
function accepts(accepted: Accepted, { bits, bytes, ours, theirs, lengths }: Difference): boolean {
  const bothDefined = !ours.startsWith("(") && !theirs.includes("(bad)");
  if (bothDefined && !accepted.lengths && lengths[0] !== lengths[1]) return false;
  if (accepted.bits && !accepted.bits.includes(bits)) return false;
  return (
    accepted.ours.test(ours) &&
    accepted.theirs.test(theirs) &&
    (accepted.bytes === undefined || accepted.bytes.test(bytes))
  );
}
