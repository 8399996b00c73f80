/** The exact floating-point core: pure functions over bit patterns, for the x87 and for SSE. */
export * from "./arith.ts";
export * from "./bcd.ts";
export * from "./compare.ts";
export * from "./constants.ts";
export * from "./convert.ts";
export * from "./env.ts";
export { type Class, classify, F32, F64, F80, type Format } from "./formats.ts";
export * from "./remainder.ts";
export * from "./scale.ts";
export { f2xm1, fyl2x, fyl2xp1 } from "./transcendental.ts";
export { fcos, fpatan, fptan, fsin, fsincos } from "./trigonometry.ts";
