/** Fields of the current VMCS as VMREAD and VMWRITE see them [SDM 3C 24.11.2, 30.3]. */
import type { Model } from "../core/model.ts";
import type { Processor } from "../core/processor.ts";
import { controlNamed, isOffered } from "./controls.ts";
import { FIELD_NAMES, fieldWith, isReadOnly, REQUIRES, WIDTH_16, WIDTH_32, WIDTH_64, widthOf } from "./fields.ts";
import { VMFAIL } from "./reasons.ts";

interface Access {
  readonly field: number;
  /** Bits 63:32 of a 64-bit field by their own encoding. */
  readonly high: boolean;
  readonly width: number;
  readonly readOnly: boolean;
}
/** By model: what encodings that mean a field mean, as far as anybody asked. */
const known = new WeakMap<Model, Map<number, Access>>();
/** Which field an encoding means, if this model has it. */
function find({ model }: Processor, encoding: bigint): Access | null {
  if (encoding > 0xffffn) return null;
  const code = Number(encoding);
  let accesses = known.get(model);
  if (accesses === undefined) known.set(model, (accesses = new Map()));
  let access = accesses.get(code) ?? null;
  if (access === null) {
    access = accessOf(model, code);
    if (access !== null) accesses.set(code, access);
  }
  return access;
}
function accessOf(model: Model, code: number): Access | null {
  const high = (code & 1) !== 0,
    width = widthOf(code),
    field = fieldWith(code & ~1);
  if (field === undefined || (high && width !== WIDTH_64)) return null;
  const required = REQUIRES[FIELD_NAMES[field]!];
  if (required !== undefined && !isOffered(controlNamed(required), model)) return null;
  return { field, high, width, readOnly: isReadOnly(code) };
}

/** The value, zero-extended; null if there is no such field. */
export function readField(cpu: Processor, encoding: bigint): bigint | null {
  const access = find(cpu, encoding),
    { vmcs } = cpu.vmx;
  if (access === null) return null;
  return access.high ? BigInt(vmcs.high(access.field)) : vmcs.u64(access.field);
}

/** Writes a field; outside of 64-bit mode the upper half of one of natural width becomes zero. @returns 0, or an error code */
export function writeField(cpu: Processor, encoding: bigint, value: bigint, long: boolean): number {
  const access = find(cpu, encoding),
    { vmcs } = cpu.vmx;
  if (access === null) return VMFAIL.unsupportedField;
  const { field, high, width, readOnly } = access;
  if (readOnly) return VMFAIL.readOnlyField;
  const low = Number(value & 0xffffffffn),
    upper = Number((value >> 32n) & 0xffffffffn);
  if (high) vmcs.setWords(field, vmcs.low(field), low);
  else if (width === WIDTH_16) vmcs.set32(field, low & 0xffff);
  else if (width === WIDTH_32) vmcs.set32(field, low);
  else if (width === WIDTH_64) vmcs.setWords(field, low, long ? upper : vmcs.high(field));
  else vmcs.setWords(field, low, long ? upper : 0);
  return 0;
}
