/**
 * A machine's state as a file: one line of text that says what it is of, and the state, compressed by the host's gzip.
 *
 *     castaway snapshot {"version":1,"compressed":true,"configuration":{"memory":134217728,"cpus":1,..}}
 *
 * Besides configuration and state it holds a fingerprint of each disk, since images themselves are not in it.
 */
import { type BlockDevice, Digest, StateError } from "@castaway/kit";

/** Raised whenever the file's layout or the shape of any state in it changes. */
export const SNAPSHOT_VERSION = 1;
const MAGIC = "castaway snapshot ";
/** The first line is no longer than this. */
const LONGEST_HEADER = 16384;

/** What must be equal in the machine that a snapshot is restored into. */
export type Configuration = { readonly [option: string]: string | number | boolean | null };

export interface SnapshotHeader {
  readonly version: number;
  readonly compressed: boolean;
  readonly configuration: Configuration;
}

/** The host's compressors, as far as they are used here: in Node 18 and all browsers. */
interface Transform {
  readonly readable: { getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }> } };
  readonly writable: { getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> } };
}
declare const CompressionStream: new (format: "gzip") => Transform;
declare const DecompressionStream: new (format: "gzip") => Transform;

/** @param compress takes about a second for 100 MiB of used memory; without it the file is some times larger */
export async function writeSnapshot(
  configuration: Configuration,
  state: Uint8Array,
  compress: boolean,
): Promise<Uint8Array> {
  const header: SnapshotHeader = { version: SNAPSHOT_VERSION, compressed: compress, configuration };
  const line = new TextEncoder().encode(`${MAGIC}${JSON.stringify(header)}\n`);
  return joined([line, compress ? await through(new CompressionStream("gzip"), state) : state]);
}

/** What a snapshot says of itself. @throws StateError if the bytes are none, or are of another version */
export function readSnapshotHeader(bytes: Uint8Array): SnapshotHeader {
  return split(bytes).header;
}

/** @throws StateError if the bytes are no snapshot, of another version, or damaged */
export async function readSnapshot(bytes: Uint8Array): Promise<{ header: SnapshotHeader; state: Uint8Array }> {
  const { header, body } = split(bytes);
  if (!header.compressed) return { header, state: body };
  const state = await through(new DecompressionStream("gzip"), body).catch(() => undefined);
  if (state === undefined) throw new StateError("", "the snapshot is damaged or cut short");
  return { header, state };
}

/** @throws StateError that names the first option that differs */
export function checkConfiguration(saved: Configuration, here: Configuration): void {
  for (const name of new Set([...Object.keys(saved), ...Object.keys(here)])) {
    const [theirs, ours] = [saved[name] ?? null, here[name] ?? null];
    if (theirs === ours) continue;
    const [there, now] = [JSON.stringify(theirs), JSON.stringify(ours)];
    throw new StateError(name, `the snapshot is of a machine with ${there}, this one has ${now}`);
  }
}

/** A digest of some of a disk's contents, enough to tell one image from another. */
export function fingerprint(medium: BlockDevice): string {
  const digest = new Digest().text(`${medium.sectors} ${medium.sectorSize}`);
  const sector = new Uint8Array(medium.sectorSize);
  const samples = Math.min(medium.sectors, 256);
  for (let i = 0; i < samples; i++) {
    const lba = i < 64 ? i : Math.floor((i * (medium.sectors - 1)) / (samples - 1 || 1));
    if (medium.read(lba, sector)) digest.update(sector);
  }
  return digest.hex();
}

function split(bytes: Uint8Array): { header: SnapshotHeader; body: Uint8Array } {
  const end = bytes.subarray(0, LONGEST_HEADER).indexOf(10);
  const line = new TextDecoder().decode(bytes.subarray(0, Math.max(0, end)));
  if (!line.startsWith(MAGIC)) throw new StateError("", "these bytes are no snapshot of castaway");
  const header = parsed(line.slice(MAGIC.length));
  if (header?.version !== SNAPSHOT_VERSION) {
    const theirs = header === undefined ? "damaged" : `of version ${header.version}`;
    throw new StateError("", `the snapshot is ${theirs}; this castaway reads version ${SNAPSHOT_VERSION} only`);
  }
  return { header, body: bytes.subarray(end + 1) };
}

function parsed(text: string): SnapshotHeader | undefined {
  try {
    const header = JSON.parse(text) as Partial<SnapshotHeader> | null;
    const whole = typeof header?.configuration === "object" && header.configuration !== null;
    return whole ? (header as SnapshotHeader) : undefined;
  } catch {
    return undefined;
  }
}

async function through({ readable, writable }: Transform, bytes: Uint8Array): Promise<Uint8Array> {
  const writer = writable.getWriter();
  const fed = (async () => {
    await writer.write(bytes);
    await writer.close();
  })();
  fed.catch(() => undefined); // the reading side fails as well
  const reader = readable.getReader();
  const pieces: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done || value === undefined) break;
    pieces.push(value);
  }
  return joined(pieces);
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
