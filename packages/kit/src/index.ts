/** castaway's kit: what every part stands on. CONTRIBUTING.md says in which order to read it. */
export * from "./bits.ts";
export * from "./clock.ts";
export * from "./codec.ts";
export * from "./digest.ts";
export * from "./errors.ts";
export * from "./muldiv.ts";
export * from "./ports.ts";
export * from "./probes.ts";
export * from "./random.ts";
export * from "./registers.ts";
export * from "./state.ts";
export * from "./units.ts";
