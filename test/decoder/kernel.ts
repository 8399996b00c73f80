/** The code of a Debian kernel: fetched with apt, taken out of its compressed image. Needs Debian, a network and, for missing tools, root. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const COMPRESSIONS = [
  { magic: "fd377a585a00", command: "xz", options: ["-dc", "--single-stream"], package: "xz-utils" },
  { magic: "02214c18", command: "lz4", options: ["-dc"], package: "lz4" },
  { magic: "28b52ffd", command: "zstd", options: ["-dc"], package: "zstd" },
  { magic: "1f8b08", command: "gzip", options: ["-dc"], package: "gzip" },
];

/** Runs a program; its output, or an error that says how it ended. */
function run(command: string, args: string[], cwd: string, input?: Uint8Array): Buffer {
  const { stdout, stderr, status, error } = spawnSync(command, args, { cwd, input, maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? `${stderr}`.trim()}`);
  return stdout;
}

/** Installs the Debian package that has `command`, where it is missing. */
export function install(command: string, debianPackage: string): void {
  if (!spawnSync(command, ["--version"]).error) return;
  run("apt-get", ["install", "-y", debianPackage], ".");
}

/** Puts the uncompressed kernel of the newest cloud image into `folder`, as `vmlinux`; its package's name. */
export function fetchKernel(folder: string): string {
  install("dpkg-deb", "dpkg");
  const found = run("apt-cache", ["search", "--names-only", "^linux-image-[0-9][^ ]*-cloud-amd64$"], folder);
  const packages = `${found}`.split("\n").flatMap((row) => /^linux-image-\S+/.exec(row) ?? []);
  const newest = packages.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  if (newest === undefined)
    throw new Error("apt knows no linux-image-*-cloud-amd64: is this Debian, and did apt-get update run?");
  run("apt-get", ["download", newest], folder);
  const archive = readdirSync(folder).find((name) => name.startsWith(`${newest}_`))!;
  run("dpkg-deb", ["--extract", archive, "kernel"], folder);
  const image = readdirSync(`${folder}/kernel/boot`).find((name) => name.startsWith("vmlinuz"))!;
  writeFileSync(`${folder}/vmlinux`, uncompressed(readFileSync(`${folder}/kernel/boot/${image}`), folder));
  rmSync(`${folder}/kernel`, { recursive: true });
  rmSync(`${folder}/${archive}`);
  return newest;
}

/** The payload of a bzImage, where its header says [Documentation/arch/x86/boot.rst, payload_offset]. */
function uncompressed(image: Buffer, folder: string): Buffer {
  const start = (image[0x1f1]! + 1) * 512 + image.readUInt32LE(0x248);
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c));
  const compression = COMPRESSIONS.find(({ magic }) => payload.toString("hex", 0, magic.length / 2) === magic);
  if (!compression)
    throw new Error(`the kernel's payload begins with ${payload.toString("hex", 0, 8)}: which compression is that?`);
  install(compression.command, compression.package);
  // All but gzip are followed by four bytes, the uncompressed size.
  const stream = compression.command === "gzip" ? payload : payload.subarray(0, -4);
  return run(compression.command, compression.options, folder, stream);
}
