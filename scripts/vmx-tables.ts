/**
 * `npm run vmx-tables [-- --measure]`: writes the tables of docs/vmx.md. With --measure it first finds out, in half a minute,
 * which of the small hypervisors show which control and exit reason, and keeps that in test/system/vtx/shows.json.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { measureShows } from "../test/system/vtx/shows.ts";
import { fillTables, SHOWS } from "../test/system/vtx/tables.ts";
import { root } from "./bundle.mjs";

const DOCUMENT = `${root}/docs/vmx.md`,
  MEASURED = `${root}/test/system/vtx/shows.json`;

let shows = SHOWS;
if (process.argv.includes("--measure")) {
  shows = measureShows((program) => console.log(`  ${program}`));
  writeFileSync(MEASURED, `${JSON.stringify(shows, null, 2)}\n`);
}
writeFileSync(DOCUMENT, fillTables(readFileSync(DOCUMENT, "utf8"), shows));
console.log("docs/vmx.md");
