import { mkdirSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

/** The project's folder. Every script runs with it as its working directory. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * What stays out of a bundle: packages from npm (not ours: Node 20 cannot run TypeScript), and modules that are
 * JavaScript already, such as this one.
 */
const outside = {
  name: "outside",
  /** @param {import("esbuild").PluginBuild} pluginBuild */
  setup(pluginBuild) {
    pluginBuild.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === "entry-point" || /^(@castaway\/|castaway(\/|$))/.test(path) ? undefined : { path, external: true },
    );
    pluginBuild.onResolve({ filter: /^\..*\.mjs$/ }, ({ path, resolveDir }) => ({
      path: pathToFileURL(join(resolveDir, path)).href,
      external: true,
    }));
  },
};

/**
 * Bundles TypeScript programs for Node into `.cache/NAME` and returns the path of each result, in the order given.
 * Code that several of them import is one shared module, as it would be without bundling.
 * @param {string[]} entries TypeScript files, relative to the project's folder or absolute
 * @param {string} name a folder name of its own for every set of programs that can run at the same time
 * @returns {Promise<string[]>}
 */
export async function bundle(entries, name) {
  const outdir = join(root, ".cache", name);
  mkdirSync(outdir, { recursive: true });
  const files = entries.map((entry) => relative(root, resolve(entry)));
  await build({
    absWorkingDir: root,
    entryPoints: files.map((file) => ({ in: `./${file}`, out: file.replace(/\.ts$/, "") })),
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: entries.length > 1,
    chunkNames: "chunks/[name]-[hash]",
    platform: "node",
    target: "node20",
    format: "esm",
    sourcemap: true,
    logLevel: "warning",
    plugins: [outside],
  });
  return files.map((file) => join(outdir, dirname(file), basename(file).replace(/\.ts$/, ".mjs")));
}
