/**
 * The encodings that are tested, derived from the instruction definitions.
 *
 * A form's identity fixes what decides how an instruction is decoded and specialised: mode, sizes, register or memory,
 * LOCK, REP, rounding. Registers, addresses, immediates and redundant prefixes differ from case to case.
 */
import type { Feature, Form, Instruction } from "../../packages/cpu/src/core/forms.ts";
import { type Model, modelNamed, withFeatures } from "../../packages/cpu/src/core/model.ts";
import { definitions } from "../../packages/cpu/src/isa/index.ts";
import type { Kind } from "./builder.ts";
import { type Encoding, kindOf, usualSize } from "./encode.ts";
import type { Mode } from "./environment.ts";
import { contentOf } from "./tuning.ts";

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
/** Would run the host's kernel. */
const UNSAFE = /^(int|syscall|sysenter|sysexit|sysret|vmcall|vmmcall)$/;
const MODES: readonly Mode[] = [64, 32, 16];
const REPEATS = ["", "rep", "repne"] as const;
const ROUNDINGS = ["near", "down", "up", "zero"];

/** Every form of these definitions that can be captured. */
export function formsOf(definitions: readonly Instruction[]): VectorForm[] {
  return definitions
    .filter((def) => !reasonAgainst(def))
    .flatMap((def) => def.forms.flatMap((form) => variants(def, form)));
}

const gates = definitions.flatMap(({ forms }) => forms.flatMap(({ feature }): Feature[] => (feature ? [feature] : [])));
/** The processor model that vectors run on: with the feature of every definition, whether or not a named model has it. */
export const MODEL: Model = withFeatures(modelNamed("skylake"), gates);

/** Why no vectors of a definition are captured, or undefined. */
export function reasonAgainst(def: Instruction): string | undefined {
  if (def.vectors?.skip === undefined && UNSAFE.test(def.name))
    throw new Error(`${def.name} must not be captured: say so in vectors.skip`);
  const { skip, vendor, vendorWhen } = def.vectors ?? {};
  if (skip !== undefined) return skip;
  // In forms whose operand size is 64 "whatever prefixes say" vendors differ under prefix 66, which no case has there.
  if (vendor !== undefined && !vendorWhen && !def.forms.every(({ f64 }) => f64)) return `vendors differ: ${vendor}`;
  return def.privileged ? "privileged: directed tests" : undefined;
}

/** The dimensions of a form, and their combinations. */
function variants(def: Instruction, form: Form): VectorForm[] {
  const found: VectorForm[] = [];
  for (const mode of MODES.filter((mode) => existsIn(form, mode))) {
    for (const operandSize of operandSizes(form, mode)) {
      for (const rm of rmKinds(form)) {
        const plain = { mode, operandSize, rm, addressSize: mode, repeat: "", lock: false, rounding: -1 } as const;
        const choices: Choice[] = [];
        for (const rounding of roundings(def, mode)) {
          for (const repeat of def.repeat ? REPEATS : REPEATS.slice(0, 1)) {
            choices.push({ ...plain, repeat, rounding });
          }
        }
        if (lockMatters(def, form, plain)) choices.push({ ...plain, lock: true });
        if (addresses(def, form, rm) && operandSize === operandSizes(form, mode).at(-1)) {
          choices.push(...choices.filter(({ lock, rounding }) => !lock && rounding <= 0).map(otherAddressSize));
        }
        const { vendorWhen } = def.vectors ?? {};
        found.push(...choices.filter((choice) => !vendorWhen?.(choice)).map((choice) => make(def, form, choice)));
      }
    }
  }
  return found;
}

/** REX prefixes exist in 64-bit mode only. */
const existsIn = (form: Form, mode: Mode): boolean =>
  mode === 64 ? !form.not64 : !form.only64 && !form.rexB && !form.rexW;

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
    bitString: /^bt[src]?$/.test(def.name) && form.operands[1]?.method === "G",
    content: contentOf(def.name, form),
  };
}

// ---- the dimensions ----

/** Size letters of the operands, as far as they depend on prefixes. */
const variableTypes = (form: Form): string[] =>
  form.operands
    .filter(({ fixed }) => fixed === undefined || fixed.size === 0)
    .map(({ method, type }) => (method === "M" && type === "" ? "v" : type))
    .filter((type) => /^([vzpay]|bs)$/.test(type));

/** Does the operand size change what the form does? Forms without operands, or with immediates only, may have implied ones. */
function sized(form: Form): boolean {
  if (variableTypes(form).length > 0) return true;
  if (form.operands.some(({ method }) => method === "J")) return true; // cuts the target
  return form.map === 0 && form.exact === null && form.operands.every(({ method }) => method === "I");
}

function operandSizes(form: Form, mode: Mode): readonly Size[] {
  const usual = usualSize(form, mode);
  if (!sized(form)) return form.rexW ? [64] : [usual];
  const types = variableTypes(form);
  const sizes: Size[] = mode === 64 ? [32, 64] : [usual];
  if (form.prefix === "NP" || form.prefix === "66" || (types.length > 0 && types.every((type) => type === "y")))
    return sizes;
  if (mode !== 64) return [16, 32];
  if (form.f64) return [64];
  if (types.includes("p")) return [16, 32]; // with REX.W far pointers have 64-bit offsets on Intel only
  return form.d64 ? [16, 64] : [16, 32, 64];
}
function rmKinds(form: Form): readonly Encoding["rm"][] {
  if (!form.modrm || form.exact !== null || form.plusI) return ["none"];
  const mask = form.mods;
  return [...(mask & 2 ? (["reg"] as const) : []), ...(mask & 1 ? (["mem"] as const) : [])];
}
/** Does the address size matter? */
const addresses = (def: Instruction, form: Form, rm: Encoding["rm"]): boolean =>
  rm === "mem" ||
  form.operands.some(({ method }) => "OXY".includes(method)) ||
  /^(xlat|maskmov|loop|jcxz)/.test(def.name);
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
function roundings(def: Instruction, mode: Mode): readonly number[] {
  const rounds = def.unit === "x87" || (def.unit === "sse" && /^(add|sub|mul|div|sqrt|cvt)/.test(def.name));
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
    def.unit === "sse" &&
    form.operands.some(({ method, type }) => "WM".includes(method) && /^(ps|pd|dq)$/.test(type)) &&
    !/^mov.*u/.test(def.name);
  for (const [names, bytes, align] of UNSIZED) if (names.test(def.name)) return { bytes, align };
  return { bytes: 16, align: aligned ? 16 : 1 };
}
const UNSIZED: readonly (readonly [names: RegExp, bytes: number, align: number])[] = [
  [/^fx(save|rstor)/, 512, 16],
  [/^fn?save|^frstor/, 108, 1],
  [/^fn?stenv|^fldenv/, 28, 1],
  [/^cmpxchg8b/, 8, 1],
  [/^cmpxchg16b/, 16, 16],
];

const transfersControl = (def: Instruction): boolean => /^(j|call|l?call|ret|l?ret|loop|iret)/.test(def.name);
