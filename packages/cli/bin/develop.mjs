// The command from its sources: one bundle in .cache/cli, made again whenever one of the files in it has changed.
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");
const cache = `${root}/.cache/cli`;
const index = `${cache}/index.json`;
/** What a bundle depends on beside the sources in it. */
const tools = ["package-lock.json", "scripts/bundle.mjs", "packages/cli/bin/develop.mjs"];

/** @returns {Promise<{ module: string, blobs: URL, vmm: typeof vmm, vmmSources: typeof vmmSources }>} the program, where firmware and demo disk are, the hypervisor */
export async function program() {
  process.setSourceMapsEnabled(true);
  const blobs = pathToFileURL(`${root}/firmware-blobs/`);
  return { module: pathToFileURL(cached() ?? (await build())).href, blobs, vmm, vmmSources };
}

/** The hypervisor's image: that of the last time, unless its sources or its compiler have changed. */
export const vmm = async () => (await builder()).vmmImage();

/** What it is compiled from. */
export const vmmSources = async () => (await builder()).vmmSources();

/** scripts/vmm.ts */
async function builder() {
  const { bundle } = await import(pathToFileURL(`${root}/scripts/bundle.mjs`).href);
  const folder = `cli-vmm/${Date.now()}-${process.pid}`;
  const [file] = await bundle([`${root}/scripts/vmm.ts`], folder);
  const module = await import(pathToFileURL(file).href);
  rmSync(`${root}/.cache/${folder}`, { recursive: true, force: true });
  return module;
}

/** The bundle of the last start, unless something changed since. */
function cached() {
  try {
    const { bundle, stamps } = JSON.parse(readFileSync(index, "utf8"));
    const fresh = Object.entries(stamps).every(([file, stamp]) => stampOf(file) === stamp);
    return fresh && stampOf(relative(root, bundle)) ? bundle : undefined;
  } catch {
    return undefined; // no index yet, or a file of the bundle is gone
  }
}

/** @param {string} file relative to the project's folder */
function stampOf(file) {
  const { size, mtimeMs } = statSync(`${root}/${file}`);
  return `${size} ${mtimeMs}`;
}

/** Each build has a folder of its own, so that one that another process runs is never written over. */
async function build() {
  const { bundle } = await import(pathToFileURL(`${root}/scripts/bundle.mjs`).href);
  const began = Date.now();
  const previous = cachedFolder();
  const folder = `cli/${began}-${process.pid}`;
  const [file] = await bundle([`${root}/packages/cli/src/main.ts`], folder);
  const sources = JSON.parse(readFileSync(`${file}.map`, "utf8")).sources.map((/** @type {string} */ source) =>
    relative(root, resolve(dirname(file), source)),
  );
  const files = [...sources, ...tools];
  if (files.some((name) => statSync(`${root}/${name}`).mtimeMs >= began)) return file; // edited meanwhile: do not keep it
  const stamps = Object.fromEntries(files.map((name) => [name, stampOf(name)]));
  mkdirSync(cache, { recursive: true });
  writeFileSync(`${index}.${process.pid}`, JSON.stringify({ bundle: file, folder, stamps }));
  renameSync(`${index}.${process.pid}`, index);
  if (previous !== undefined) rmSync(`${root}/.cache/${previous}`, { recursive: true, force: true });
  return file;
}

function cachedFolder() {
  try {
    return JSON.parse(readFileSync(index, "utf8")).folder;
  } catch {
    return undefined;
  }
}
