/**
 * `npm run web [-- --build] [-- --port N]`: builds the page into dist/web and serves it on this host, by default on port
 * 8080. dist/web is complete: any static server can have it.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./bundle.mjs";
import { buildPage, serve } from "./page.ts";

const { values } = parseArgs({
  options: { build: { type: "boolean", default: false }, port: { type: "string", default: "8080" } },
});
const folder = join(root, "dist/web");
await buildPage(folder);
console.log("The page is in dist/web.");
if (!values.build) {
  const { url } = await serve(folder, Number(values.port));
  console.log(`It is served at ${url} until you press Ctrl-C.`);
}
