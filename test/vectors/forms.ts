/**
 * The encodings that are tested, derived from the instruction definitions.
 *
 * A form's identity fixes what decides how an instruction is decoded and specialised: mode, sizes, register or memory,
 * LOCK, REP, rounding. Registers, addresses, immediates and redundant prefixes differ from case to case.
 */
import type { Form, Instruction } from "../../packages/cpu/src/core/forms.ts";
import { modMask } from "../../packages/cpu/src/core/opcodes.ts";
import type { Kind } from "./builder.ts";
import { type Encoding, kindOf, usualSize } from "./encode.ts";
import type { Mode } from "./environment.ts";

export interface VectorForm extends Encoding {
  /** Says all that distinguishes the form; also the seed of its inputs. */
  readonly id: string;
  readonly mode: Mode;
  readonly def: Instruction;
  /** Rounding control, or -1 where each case has its own. */
  readonly rounding: number;
  readonly step: boolean;
}

type Size = 16 | 32 | 64;
const MODES: readonly Mode[] = [64, 32, 16];
const REPEATS = ["", "rep", "repne"] as const;
const ROUNDINGS = ["near", "down", "up", "zero"];

/** Every form of these definitions that can be captured. */
export function formsOf(definitions: readonly Instruction[]): VectorForm[] {
  return definitions
    .filter((def) => !reasonAgainst(def))
    .flatMap((def) => def.forms.flatMap((form) => variants(def, form)));
}

/** Why no vectors of a definition are captured, or undefined. */
export function reasonAgainst(def: Instruction): string | undefined {
  if (def.vectors?.skip !== undefined) return def.vectors.skip;
  return def.privileged ? "privileged" : undefined;
}

/** The dimensions of a form, and their combinations. */
function variants(def: Instruction, form: Form): VectorForm[] {
  const found: VectorForm[] = [];
  for (const mode of MODES.filter((each) => !(each === 64 ? form.not64 : form.only64))) {
    for (const operandSize of operandSizes(form, mode)) {
      for (const rm of rmKinds(form)) {
        const plain = { mode, operandSize, rm, addressSize: mode, repeat: "", lock: false, rounding: -1 } as const;
        const choices: Choice[] = [];
        for (const rounding of roundings(def, form, mode)) {
          for (const repeat of def.repeat ? REPEATS : REPEATS.slice(0, 1)) {
            choices.push({ ...plain, repeat, rounding });
          }
        }
        if (lockMatters(def, form, plain)) choices.push({ ...plain, lock: true });
        if (hasMemory(form, rm) && operandSize === operandSizes(form, mode).at(-1)) {
          choices.push(...choices.filter(({ lock, rounding }) => !lock && rounding <= 0).map(otherAddressSize));
        }
        found.push(...choices.map((choice) => make(def, form, choice)));
      }
    }
  }
  return found;
}

/** One point in the space of a form's dimensions. */
type Choice = Pick<VectorForm, "mode" | "operandSize" | "rm" | "addressSize" | "repeat" | "lock" | "rounding">;

const otherAddressSize = (choice: Choice): Choice => ({
  ...choice,
  addressSize: choice.mode === 32 ? 16 : 32,
  rounding: -1,
});

function make(def: Instruction, form: Form, choice: Choice): VectorForm {
  const { mode, operandSize, rm, addressSize, repeat, lock, rounding } = choice;
  const words = [
    mode,
    def.name,
    `[${form.opcode}]`,
    form.operandText,
    sized(form) && `o${operandSize}`,
    rm !== "none" && rm,
    addressSize !== mode && `a${addressSize}`,
    repeat,
    lock && "lock",
    rounding >= 0 && ROUNDINGS[rounding],
  ];
  const { bytes, align } = memoryOf(def, form);
  const id = words.filter(Boolean).join(" ");
  return {
    ...choice,
    id,
    def,
    form,
    memoryBytes: bytes,
    align,
    kind: kindsOf(def, form)[0]!,
    step: transfersControl(def),
  };
}

// ---- the dimensions ----

/** Does the operand size change what the form does? Forms without operands may have implied ones. */
function sized(form: Form): boolean {
  const { operands } = form;
  if (operands.length === 0) return form.map === 0 && form.exact === null;
  return operands.some(
    ({ type, method, fixed }) => /^([vzpay]|bs)$/.test(type) || fixed?.size === 0 || (method === "M" && type === ""),
  );
}
function operandSizes(form: Form, mode: Mode): readonly Size[] {
  const usual = usualSize(form, mode);
  if (!sized(form)) return [usual];
  const only =
    form.operands.every(({ type }) => !/^([vzpa]|bs)$/.test(type)) && form.operands.some(({ type }) => type === "y");
  if (form.prefix === "NP" || form.prefix === "66" || only) return mode === 64 ? [32, 64] : [usual];
  if (mode !== 64) return [16, 32];
  if (form.f64) return [64];
  return form.d64 ? [16, 64] : [16, 32, 64];
}
function rmKinds(form: Form): readonly Encoding["rm"][] {
  if (!form.modrm || form.exact !== null || form.plusI) return ["none"];
  const mask = modMask(form);
  return [...(mask & 2 ? (["reg"] as const) : []), ...(mask & 1 ? (["mem"] as const) : [])];
}
const hasMemory = (form: Form, rm: Encoding["rm"]): boolean =>
  rm === "mem" || form.operands.some(({ method }) => "OXY".includes(method));
/** LOCK is legal where the first operand is memory; elsewhere it is #UD, which one mode and size suffice to see. */
function lockMatters(
  def: Instruction,
  form: Form,
  { mode, operandSize, rm }: Pick<Choice, "mode" | "operandSize" | "rm">,
): boolean {
  if (!def.lockable) return false;
  return (
    (rm === "mem" && "EM".includes(form.operands[0]!.method)) || (mode === 64 && operandSize === usualSize(form, mode))
  );
}
/** The four roundings are forms of their own in 64-bit mode, where floating point happens. */
function roundings(def: Instruction, form: Form, mode: Mode): readonly number[] {
  const rounds = def.unit === "x87" || (def.unit === "sse" && kindsOf(def, form).some((kind) => kind !== "int"));
  return rounds && mode === 64 ? [0, 1, 2, 3] : [-1];
}

// ---- what the notation implies ----

function kindsOf(def: Instruction, form: Form): Kind[] {
  if (def.unit === "x87" || def.unit === "x87control") return ["x87"];
  return form.operands.length === 0 ? ["int"] : form.operands.map(({ type }) => kindOf(type, "int"));
}
export const vectorKinds = kindsOf;

/** Bytes and alignment of memory operands whose notation says nothing, or for which alignment is checked. */
function memoryOf(def: Instruction, form: Form): { bytes: number; align: number } {
  const aligned =
    def.unit === "sse" && form.operands.some(({ method, type }) => "WM".includes(method) && /^(ps|pd|dq)$/.test(type));
  const bytes = /^fx/.test(def.name)
    ? 512
    : /^fn?(save|rstor)/.test(def.name)
      ? 108
      : /^f.*env/.test(def.name)
        ? 28
        : 16;
  return { bytes, align: aligned || bytes === 512 ? 16 : 1 };
}

const transfersControl = (def: Instruction): boolean => /^(j|call|ret|loop|iret)/.test(def.name);
