/** Processor models: what CPUID says, as data. Models list only what is implemented. */
import { ConfigError } from "@castaway/kit";
import type { Feature } from "./forms.ts";

export interface Model {
  readonly name: string;
  readonly vendor: string;
  readonly brand: string;
  readonly family: number;
  readonly modelNumber: number;
  readonly stepping: number;
  /** Revision of the microcode, as IA32_BIOS_SIGN_ID tells it. */
  readonly microcode: number;
  /** The highest basic leaf of CPUID. */
  readonly maxLeaf: number;
  readonly features: ReadonlySet<Feature>;
}

const words = (text: string) => text.split(" ") as Feature[];

/** What every 64-bit processor of Intel has. */
const CORE2 = words(
  "fpu vme de pse tsc msr pae mce cx8 apic sysenter mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 cx16 syscall nx lm lahf64 prefetchw vmx",
);
const NEHALEM = [...CORE2, ...words("popcnt rdtscp invariantTsc ept vpid")];
/** As NEHALEM, and free of Meltdown by its own word, so that kernels need not isolate their page tables. */
const WESTMERE = [...NEHALEM, ...words("unrestrictedGuest page1g x2apic tscDeadline tscAdjust arat archCapabilities")];
const SKYLAKE = [
  ...WESTMERE,
  ...words("movbe rdrand rdseed rdpid fsgsbase pcid invpcid smep smap umip clflushopt clwb"),
];

const intel = (
  name: string,
  brand: string,
  modelNumber: number,
  stepping: number,
  maxLeaf: number,
  features: Feature[],
): Model => ({
  name,
  vendor: "GenuineIntel",
  brand,
  family: 6,
  modelNumber,
  stepping,
  microcode: 1,
  maxLeaf,
  features: new Set(features),
});
const MODELS = [
  intel("westmere", "Castaway Processor (Westmere)", 0x2c, 2, 11, WESTMERE),
  intel("core2", "Castaway Processor (Core 2)", 0x0f, 11, 7, CORE2),
  intel("nehalem", "Castaway Processor (Nehalem)", 0x1a, 5, 11, NEHALEM),
  intel("skylake", "Castaway Processor (Skylake)", 0x5e, 3, 13, SKYLAKE),
];

/** Names for the `model` option; the first is the default. */
export const modelNames: readonly string[] = MODELS.map((m) => m.name);

/** @throws {ConfigError} if there is no such model */
export function modelNamed(name: string): Model {
  const model = MODELS.find((m) => m.name === name);
  if (model === undefined) throw new ConfigError("model", name, modelNames.map((n) => `"${n}"`).join(", "));
  return model;
}

/**
 * A model with features added to or taken from it: tests, and machines that hide a feature from their guests. Its name
 * tells, so that a saved state is not restored into a processor that has other features.
 */
export function withFeatures(model: Model, add: readonly Feature[], without: readonly Feature[] = []): Model {
  const features = new Set([...model.features, ...add].filter((f) => !without.includes(f)));
  const more = [...features]
    .filter((f) => !model.features.has(f))
    .sort()
    .map((f) => `+${f}`);
  const less = [...model.features]
    .filter((f) => !features.has(f))
    .sort()
    .map((f) => `-${f}`);
  return { ...model, name: [model.name, ...more, ...less].join(" "), features };
}

/** EAX of CPUID leaf 1, and EDX after a reset [SDM 2A "CPUID", figure 3-6]. */
export const signature = (m: Model): number =>
  m.stepping | ((m.modelNumber & 15) << 4) | (m.family << 8) | ((m.modelNumber >> 4) << 16);
