import Long from "long";

/** A copy of plain data that structured cloning copies without loss: a `Long`, which has methods, becomes a bigint. */
export function cloneable(value: unknown): unknown {
  if (Long.isLong(value)) {
    const bits = (BigInt(value.getHighBitsUnsigned()) << 32n) | BigInt(value.getLowBitsUnsigned());
    return value.unsigned ? bits : BigInt.asIntN(64, bits);
  }
  if (Array.isArray(value)) return value.map(cloneable);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, cloneable(field)]));
}
