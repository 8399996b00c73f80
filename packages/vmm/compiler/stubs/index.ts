/** All stubs. */
import { AP_START_PAGE, INT15_PAGE, REAL_MODE_PAGE } from "../layout.ts";
import type { Piece } from "../link.ts";
import { apStartPieces } from "./ap-start.ts";
import { biosMapPieces } from "./bios-map.ts";
import { bootPieces } from "./boot.ts";
import { startGuestPieces } from "./boot-sector.ts";
import { int15Pieces } from "./int15.ts";
import { realModePieces } from "./real-mode.ts";
import { vectorPieces } from "./vectors.ts";
import { vmEnterPieces } from "./vm-enter.ts";

/** @param exported what the module exports */
export function stubPieces(exported: ReadonlySet<string>): Piece[] {
  return [
    ...bootPieces(), // first: the multiboot header must be near the start of the file
    ...vmEnterPieces(),
    ...vectorPieces(exported.has("onInterrupt")),
    ...apStartPieces(exported.has("apMain")),
    ...realModePieces(),
    ...startGuestPieces(),
    ...biosMapPieces(),
    ...int15Pieces(),
  ];
}

/** Symbols for addresses that code runs at after it was copied there. */
export const stubAddresses = {
  int15Page: INT15_PAGE,
  realModePage: REAL_MODE_PAGE,
  apStartPage: AP_START_PAGE,
};
