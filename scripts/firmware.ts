/**
 * `npm run firmware`: checks every third-party file in firmware-blobs against its checksum, fetches its package from Debian
 * in the version that blobs.json names, and compares. Says what Debian does not serve any more.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { root } from "./bundle.mjs";
import { type Counts, finish } from "./counts.ts";

type Blob = {
  path: string;
  sha256: string;
  unpackedSha256?: string;
  package?: string;
  version?: string;
  member?: string;
  recipe?: string;
};

const folder = join(root, "firmware-blobs");
const blobs: Blob[] = JSON.parse(readFileSync(join(folder, "blobs.json"), "utf8"));
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const counts: Counts = { passed: 0, failed: 0 };
const say = (ok: boolean, line: string) => {
  console.log(`${ok ? "ok   " : "WRONG"} ${line}`);
  if (ok) counts.passed++;
  else counts.failed++;
};

/** The files of a package, unpacked; null if Debian serves another version or none. */
function unpack(name: string, version: string): string | null {
  const at = mkdtempSync(join(tmpdir(), "castaway-firmware-"));
  try {
    execFileSync("apt-get", ["download", `${name}=${version}`], { cwd: at, stdio: "ignore" });
    const file = readdirSync(at).find((f) => f.endsWith(".deb"))!;
    execFileSync("dpkg-deb", ["-x", file, "files"], { cwd: at });
    return at;
  } catch {
    rmSync(at, { recursive: true });
    return null;
  }
}
function served(name: string): string {
  try {
    const text = execFileSync("apt-cache", ["policy", name], { encoding: "utf8" });
    return /Candidate: (\S+)/.exec(text)?.[1] ?? "none";
  } catch {
    return "unknown: this is no Debian, or apt is missing";
  }
}

for (const blob of blobs) {
  const bytes = readFileSync(join(folder, blob.path));
  say(digest(bytes) === blob.sha256, `${blob.path}: ${bytes.length} bytes, SHA-256 as listed`);
  if (blob.unpackedSha256 !== undefined)
    say(digest(gunzipSync(bytes)) === blob.unpackedSha256, `${blob.path}, unpacked`);
  if (blob.recipe !== undefined) console.log(`      built by ${blob.recipe}; see firmware-blobs/README.md`);
  if (blob.package === undefined) continue;
  const files = unpack(blob.package, blob.version!);
  if (files === null) {
    console.log(`      ${blob.package} ${blob.version} is not served any more; served now: ${served(blob.package)}`);
    continue;
  }
  say(
    digest(readFileSync(join(files, "files", blob.member!))) === blob.sha256,
    `${blob.path} equals ${blob.member} of ${blob.package} ${blob.version}`,
  );
  rmSync(files, { recursive: true });
}
finish(counts);
