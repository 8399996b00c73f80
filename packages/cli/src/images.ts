/** Disk images: what kind of file it is, and the disk that the machine gets. */
import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { basename } from "node:path";
import { type Disk, inflateImage, isGzip, OverlayDisk, StoreDisk, type TimingName } from "castaway";
import { fileError, UserError } from "./exit.ts";
import { FileStore } from "./files.ts";

export interface ImageOptions {
  /** The guest's writes go to the file. Otherwise they stay in memory. */
  readonly write: boolean;
  readonly timing?: TimingName;
  /** Told when the host fails to read or write the file: the guest sees an error of its drive. */
  readonly onFailure?: (line: string) => void;
}

/** Files that are no raw images, by their first bytes. */
const others: [magic: string, name: string, advice: (path: string) => string][] = [
  ["QFI\xfb", "a qcow2 image", convert],
  ["KDMV", "a VMDK image", convert],
  ["# Disk DescriptorFile", "a VMDK image", convert],
  ["<<< ", "a VDI image", convert],
  ["vhdxfile", "a VHDX image", convert],
  ["conectix", "a VHD image", convert],
  ["\xfd7zXZ\0", "compressed by xz", (path) => unpack(`xz -dk ${path}`)],
  ["BZh", "compressed by bzip2", (path) => unpack(`bzip2 -dk ${path}`)],
  ["\x28\xb5\x2f\xfd", "compressed by zstd", (path) => unpack(`zstd -d ${path}`)],
  ["PK\x03\x04", "a zip archive", (path) => unpack(`unzip ${path}`)],
  ["castaway snapshot ", "a snapshot", (path) => `give it to --load: castaway boot IMAGE --load ${path}`],
];
function convert(path: string): string {
  return `make a raw one first: qemu-img convert -O raw ${path} ${path.replace(/\.\w+$/, "")}.img`;
}
const unpack = (command: string) => `unpack it first: ${command}`;

/**
 * Opens an image, raw or gzip.
 * @throws UserError if there is none, it is of a kind that castaway does not read, or it cannot be written
 * @throws ConfigError if a gzip image is damaged or cut short
 */
export async function openImage(path: string, { write, timing, onFailure }: ImageOptions): Promise<Disk> {
  const name = basename(path);
  const head = firstBytes(path);
  const text = Buffer.from(head).toString("latin1");
  const other = others.find(([magic]) => text.startsWith(magic));
  if (other) throw new UserError(`${path} is ${other[1]}, not a raw disk image; ${other[2](path)}`);
  if (isGzip(head)) {
    if (write)
      throw new UserError(`--write needs a raw image, and ${path} is compressed; ${unpack(`gzip -dk ${path}`)}`);
    return { name, timing, medium: await inflateImage(new Uint8Array(readFileSync(path)), { name: path }) };
  }
  const store = open(path, write);
  if (store.size === 0) throw new UserError(`${path} is empty: no disk has that size`);
  if (write && store.size % 512 !== 0)
    throw new UserError(`--write needs an image of whole sectors of 512 bytes, and ${path} has ${store.size} bytes`);
  const disk = new StoreDisk(store);
  disk.failures.on(({ operation, lba, error }) =>
    onFailure?.(
      `${path}: ${operation} at sector ${lba} failed: ${(error as Error).message}; the guest sees a drive error`,
    ),
  );
  return { name, timing, medium: write ? disk : new OverlayDisk(disk) };
}

/** @throws UserError if two of the paths are one file, which two disks then would write */
export function checkDistinct(paths: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const path of paths) {
    const { dev, ino } = attempt("read", path, () => statSync(path));
    const before = seen.get(`${dev} ${ino}`);
    if (before !== undefined)
      throw new UserError(`--write: ${before} and ${path} are one file; a disk each needs its own`);
    seen.set(`${dev} ${ino}`, path);
  }
}

function firstBytes(path: string): Uint8Array {
  return attempt("read", path, () => {
    if (statSync(path).isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    const fd = openSync(path, "r");
    try {
      const bytes = new Uint8Array(64);
      return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(fd);
    }
  });
}

const open = (path: string, write: boolean): FileStore =>
  attempt(write ? "write to" : "read", path, () => new FileStore(path, { readOnly: !write }));

function attempt<T>(doing: string, path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fileError(doing, path, error);
  }
}
