/** The opcode map, built from the definitions. Two forms that could claim the same bytes are refused. */
import type { Form, Instruction } from "./forms.ts";

export interface Entry {
  readonly def: Instruction;
  readonly form: Form;
  readonly id: number;
}

export class OpcodeMap {
  /** Every form with its number: the identity that records, traces and vectors use. */
  readonly entries: Entry[] = [];
  readonly #slots: Entry[][] = Array.from({ length: 4 * 256 }, () => []);

  constructor(definitions: readonly Instruction[]) {
    for (const def of definitions) for (const form of def.forms) this.#add({ def, form, id: this.entries.length });
  }
  #add(entry: Entry): void {
    const { form } = entry;
    this.entries.push(entry);
    for (let i = 0; i < (form.plusR ? 8 : 1); i++) {
      const slot = this.#slots[form.map * 256 + form.byte + i]!;
      const rival = slot.find((other) => overlaps(form, other.form));
      if (rival)
        throw new Error(
          `${entry.def.name} ${form.opcode} ${form.operandText} overlaps ${rival.def.name} ${rival.form.opcode} ${rival.form.operandText}`,
        );
      slot.push(entry);
    }
  }
  candidates(map: number, byte: number): readonly Entry[] {
    return this.#slots[map * 256 + byte]!;
  }
}

/** What a mandatory prefix admits. A form without one leaves those with 66, F2 or F3 to more specific forms (F3 90 is PAUSE). */
const ADMITS = { NP: ["NP"], NFx: ["NP", "66"], "66": ["66"], F2: ["F2"], F3: ["F3"] };
const admitted = (form: Form, rival: Form): readonly string[] =>
  form.prefix !== null ? ADMITS[form.prefix] : rival.prefix === null ? ["NP", "66", "F2", "F3"] : ["NP"];
const apart = (a: boolean | undefined, b: boolean | undefined) => a !== undefined && b !== undefined && a !== b;

/** Is this the prefix that the form asks for? `found` is the mandatory prefix that the bytes have, or "NP". */
export const admits = (form: Form, found: string): boolean =>
  form.prefix === null || ADMITS[form.prefix].includes(found);

function overlaps(a: Form, b: Form): boolean {
  if ((a.not64 && b.only64) || (a.only64 && b.not64) || apart(a.rexB, b.rexB) || apart(a.rexW, b.rexW)) return false;
  if (!admitted(a, b).some((prefix) => admitted(b, a).includes(prefix))) return false;
  if (!a.modrm || !b.modrm) return a.modrm === b.modrm;
  return [...Array(256).keys()].some((m) => accepts(a, m) && accepts(b, m));
}

/** Does the form accept this ModRM byte? */
export function accepts(form: Form, modrm: number): boolean {
  if (form.exact !== null) return form.plusI ? (modrm & 0xf8) === form.exact : modrm === form.exact;
  if (form.digit !== null && ((modrm >> 3) & 7) !== form.digit) return false;
  return (form.mods & (modrm >= 0xc0 ? 2 : 1)) !== 0;
}
