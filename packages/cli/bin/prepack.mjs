// Before publishing: the command as one bundle, with firmware, demo disk and hypervisor beside it, in dist.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const root = resolve(here, "../..");
const { vmm, vmmSources } = await import(pathToFileURL(`${here}/bin/develop.mjs`).href);
const { bundle } = await import(pathToFileURL(`${root}/scripts/bundle.mjs`).href);

const dist = `${here}/dist`;
rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
const [file] = await bundle([`${root}/packages/cli/src/main.ts`], "prepack");
cpSync(file, `${dist}/castaway.mjs`);
cpSync(`${root}/firmware-blobs`, `${dist}/blobs`, { recursive: true });
writeFileSync(`${dist}/vmm.elf`, (await vmm()).bytes);
writeFileSync(`${dist}/vmm-sources.json`, JSON.stringify(await vmmSources()));
cpSync(`${root}/LICENSE`, `${dist}/LICENSE`);
