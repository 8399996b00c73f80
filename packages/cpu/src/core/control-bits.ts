/** Which bits of CR4 and IA32_EFER a model has [SDM 3A 2.5, 2.2.1]; the others are reserved. */
import type { Feature } from "./forms.ts";
import type { Model } from "./model.ts";
import {
  CR4_DE,
  CR4_FSGSBASE,
  CR4_MCE,
  CR4_OSFXSR,
  CR4_OSXMMEXCPT,
  CR4_OSXSAVE,
  CR4_PAE,
  CR4_PCE,
  CR4_PCIDE,
  CR4_PGE,
  CR4_PSE,
  CR4_PVI,
  CR4_SMAP,
  CR4_SMEP,
  CR4_TSD,
  CR4_UMIP,
  CR4_VME,
  CR4_VMXE,
  EFER_LMA,
  EFER_LME,
  EFER_NXE,
  EFER_SCE,
} from "./paging.ts";

/** Which feature each bit of CR4 belongs to; a bit without its feature is reserved. */
const CR4_FEATURES: readonly (readonly [bit: number, feature: Feature | null])[] = [
  [CR4_VME, "vme"],
  [CR4_PVI, "vme"],
  [CR4_TSD, "tsc"],
  [CR4_DE, "de"],
  [CR4_PSE, "pse"],
  [CR4_PAE, "pae"],
  [CR4_MCE, "mce"],
  [CR4_PGE, "pge"],
  [CR4_PCE, null],
  [CR4_OSFXSR, "fxsr"],
  [CR4_OSXMMEXCPT, "sse"],
  [CR4_UMIP, "umip"],
  [CR4_VMXE, "vmx"],
  [CR4_FSGSBASE, "fsgsbase"],
  [CR4_PCIDE, "pcid"],
  [CR4_OSXSAVE, "xsave"],
  [CR4_SMEP, "smep"],
  [CR4_SMAP, "smap"],
];
/** The bits of CR4 that this model has. */
export const cr4Bits = ({ features }: Model): number =>
  CR4_FEATURES.reduce((bits, [bit, feature]) => (feature === null || features.has(feature) ? bits | bit : bits), 0);
/** The bits of IA32_EFER that this model has. */
export const eferBits = ({ features }: Model): number =>
  (features.has("syscall") ? EFER_SCE : 0) |
  (features.has("lm") ? EFER_LME | EFER_LMA : 0) |
  (features.has("nx") ? EFER_NXE : 0);
