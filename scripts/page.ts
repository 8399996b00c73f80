/** The page of packages/web as files, and a server for files. */
import { cpSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, resolve, sep } from "node:path";
import { build } from "esbuild";
import { root } from "./bundle.mjs";

/** What of firmware-blobs the page needs, and what must be where it is. */
const BLOBS = ["README.md", "licences", "seabios", "demo/demo.img.gz"];

/** Bundles programs for a browser, each with all that it imports. */
export async function bundleForBrowser(entryPoints: Record<string, string>, folder: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir: folder,
    bundle: true,
    splitting: true,
    minify: true,
    sourcemap: true,
    legalComments: "linked",
    platform: "browser",
    external: ["node:*"],
    target: "es2022",
    format: "esm",
    logLevel: "warning",
  });
}

/** Builds the page into a folder, complete: it asks no other server for anything. */
export async function buildPage(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await bundleForBrowser({ main: "packages/web/src/main.ts", worker: "packages/web/src/worker.ts" }, folder);
  cpSync(join(root, "packages/web/src/index.html"), join(folder, "index.html"));
  for (const blob of BLOBS)
    cpSync(join(root, "firmware-blobs", blob), join(folder, "blobs", blob), { recursive: true });
}

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".map": "application/json",
};

/** Serves the files of a folder to this host alone. @param port 0: any that is free @returns the server and its address */
export async function serve(folder: string, port: number): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://host");
    const file = fileOf(folder, pathname);
    if (file === undefined) response.writeHead(404).end("There is no such file.\n");
    else {
      const type = TYPES[extname(file)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type, "cache-control": "no-cache" }).end(readFileSync(file));
    }
  });
  await new Promise<void>((done, failed) => server.once("error", failed).listen(port, "127.0.0.1", done));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** The file that a path names, unless it is outside the folder. */
function fileOf(folder: string, pathname: string): string | undefined {
  try {
    const file = resolve(folder, `.${decodeURIComponent(pathname)}`, pathname.endsWith("/") ? "index.html" : "");
    return file.startsWith(resolve(folder) + sep) && statSync(file).isFile() ? file : undefined;
  } catch {
    return undefined; // no such file, or no path at all
  }
}
