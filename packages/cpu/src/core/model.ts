/** A processor model: what CPUID says, as data. Models list only what is implemented. */
import type { Feature } from "./forms.ts";

export interface Model {
  readonly name: string;
  readonly vendor: string;
  readonly brand: string;
  readonly family: number;
  readonly modelNumber: number;
  readonly stepping: number;
  readonly features: ReadonlySet<Feature>;
}
