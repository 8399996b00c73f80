/** Where a disk's contents live. */
export * from "./faulty.ts";
export * from "./gzip.ts";
export * from "./image.ts";
export * from "./overlay.ts";
export * from "./sparse.ts";
export * from "./store.ts";
