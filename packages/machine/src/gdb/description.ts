/**
 * What gdb is told about the processor [GDB G]: features and registers. The standard features come in gdb's own order, so
 * that a gdb without XML finds them where it believes them.
 */
import { REGISTERS, type Register } from "./registers.ts";

/** A type of single bits: their names from bit 0 on; "" has none. */
const flags = (id: string, bytes: number, names: string): string => {
  const fields = names
    .split(" ")
    .map((name, bit) => (name === "-" ? "" : `<field name="${name}" start="${bit}" end="${bit}"/>`));
  return `<flags id="${id}" size="${bytes}">${fields.join("")}</flags>`;
};
const vector = (id: string, type: string, count: number) => `<vector id="${id}" type="${type}" count="${count}"/>`;

const VECTORS: [id: string, type: string, count: number][] = [
  ["v4f", "ieee_single", 4],
  ["v2d", "ieee_double", 2],
  ["v16i8", "int8", 16],
  ["v8i16", "int16", 8],
  ["v4i32", "int32", 4],
  ["v2i64", "int64", 2],
];
const VEC128 = "v4_float:v4f v2_double:v2d v16_int8:v16i8 v8_int16:v8i16 v4_int32:v4i32 v2_int64:v2i64 uint128:uint128";

const union = (id: string, fields: string) =>
  `<union id="${id}">${fields
    .split(" ")
    .map((field) => field.split(":"))
    .map(([name, type]) => `<field name="${name}" type="${type}"/>`)
    .join("")}</union>`;

/** A feature's name for gdb, and its types. The bits are of [SDM 1 3.4.3], [SDM 1 10.2.3], [SDM 3A 2.5, 2.2.1]. */
const FEATURES: Record<Register["feature"], { readonly name: string; readonly types: readonly string[] }> = {
  core: {
    name: "org.gnu.gdb.i386.core",
    types: [flags("i386_eflags", 4, "CF - PF - AF - ZF SF TF IF DF OF - - NT - RF VM AC VIF VIP ID")],
  },
  sse: {
    name: "org.gnu.gdb.i386.sse",
    types: [
      ...VECTORS.map((row) => vector(...row)),
      union("vec128", VEC128),
      flags("i386_mxcsr", 4, "IE DE ZE OE UE PE DAZ IM DM ZM OM UM PM - - FZ"),
    ],
  },
  segments: { name: "org.gnu.gdb.i386.segments", types: [] },
  system: {
    name: "org.castaway.x86.system",
    types: [
      flags("cr0", 8, "PE MP EM TS ET NE - - - - - - - - - - WP - AM - - - - - - - - - - NW CD PG"),
      flags(
        "cr4",
        8,
        "VME PVI TSD DE PSE PAE MCE PGE PCE OSFXSR OSXMMEXCPT UMIP - VMXE - - FSGSBASE PCIDE OSXSAVE - SMEP SMAP",
      ),
      flags("efer", 8, "SCE - - - - - - - LME - LMA NXE"),
    ],
  },
};

function feature(key: Register["feature"]): string {
  const { name, types } = FEATURES[key];
  const registers = REGISTERS.filter((register) => register.feature === key).map(
    ({ name, bytes, type, group }) =>
      `<reg name="${name}" bitsize="${8 * bytes}" type="${type}"${group === "" ? "" : ` group="${group}"`}/>`,
  );
  return [`<feature name="${name}">`, ...types, ...registers, "</feature>"].join("\n");
}

/** target.xml: the same for every processor, in every mode. */
export const DESCRIPTION = [
  '<?xml version="1.0"?>',
  '<!DOCTYPE target SYSTEM "gdb-target.dtd">',
  '<target version="1.0">',
  "<architecture>i386:x86-64</architecture>",
  ...(["core", "sse", "segments", "system"] as const).map(feature),
  "</target>",
  "",
].join("\n");
