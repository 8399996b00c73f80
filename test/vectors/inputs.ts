/** The cases of a form. They depend on nothing but the form's identity and the seed, so they are never stored. */
import { Random } from "@castaway/kit";
import { Builder } from "./builder.ts";
import { encode } from "./encode.ts";
import { mmx, sse, x87 } from "./floating.ts";
import { type VectorForm, vectorKinds } from "./forms.ts";
import type { Case } from "./layout.ts";
import { tune } from "./tuning.ts";

export function makeCase(form: VectorForm, seed: number, index: number): Case {
  return build(form, firstSeed(form, seed) + index);
}

export function makeCases(form: VectorForm, seed: number, count: number): Case[] {
  const first = firstSeed(form, seed);
  return Array.from({ length: count }, (_, index) => build(form, first + index));
}

/** Each case has a generator of its own, so that one can be built alone. */
const firstSeed = (form: VectorForm, seed: number): number => new Random(`${seed} ${form.id}`).u32() * 0x10_0000;

function build(form: VectorForm, seed: number): Case {
  const b = new Builder(new Random(seed), form.mode);
  if (form.addressSize === 16) b.nearSegments();
  switch (form.def.unit) {
    case "x87":
    case "x87control":
    case "wait":
      x87(b, form.rounding);
      break;
    case "mmx":
      mmx(b);
      break;
    case "sse":
      sse(b, vectorKinds(form.def, form.form), form.rounding);
      if (form.form.operands.some(({ method }) => "PQN".includes(method))) mmx(b);
      break;
    default:
      break;
  }
  tune(b, form);
  return b.done(encode(b, form), form.step);
}

/** A checksum over cases (FNV-1a): it tells whether stored outcomes still belong to them. */
export function checksum(cases: readonly Case[]): number {
  let hash = 0x811c_9dc5;
  const take = (bytes: Uint8Array) => {
    for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193);
  };
  for (const c of cases) {
    take(c.state);
    take(c.code);
    take(Uint8Array.of(Number(c.step), c.address, c.address >> 8));
    for (const patch of c.patches) {
      take(Uint8Array.of(patch.address, patch.address >> 8));
      take(patch.bytes);
    }
  }
  return hash >>> 0;
}
