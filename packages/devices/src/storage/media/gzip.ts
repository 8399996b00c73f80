/** Disk images come compressed: gzip is what Node and all browsers can unpack by themselves. */
import { type Bytes, ConfigError, formatSize, gib } from "@castaway/kit";

/** The host's decompressor, as far as it is used here: in Node 18 and all browsers. */
declare class DecompressionStream {
  constructor(format: "gzip");
  readonly readable: {
    getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array }>; cancel(): Promise<void> };
  };
  readonly writable: { getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> } };
}

/** Whether `bytes` begin as a gzip file does. */
export const isGzip = (bytes: Uint8Array): boolean => bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;

export type InflateOptions = {
  /** What the image is called in error messages: a file's name. */
  name?: string;
  /** The largest image that is taken: 2 GiB unless given. */
  atMost?: Bytes;
};

/**
 * The image in `bytes`: unpacked if they are a gzip file, as they are if not.
 * @throws ConfigError if the gzip file is damaged or cut short, or the image in it is too large
 */
export async function inflateImage(bytes: Uint8Array, { name = "image", atMost = gib(2) }: InflateOptions = {}) {
  if (!isGzip(bytes)) return bytes;
  const wrong = (what: string, allowed = "a whole, undamaged gzip file") => new ConfigError(name, what, allowed);
  const stream = new DecompressionStream("gzip");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  let allTaken = false;
  const feed = async () => {
    await writer.write(bytes);
    allTaken = true;
    await writer.close();
  };
  const fed = feed().catch(() => undefined); // what is wrong shows on the reading side
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const next = await reader.read().catch(() => undefined);
    if (next === undefined) throw wrong(allTaken ? "a gzip file that is cut short" : "a damaged gzip file");
    if (next.done || next.value === undefined) break;
    pieces.push(next.value);
    length += next.value.length;
    if (length > atMost) {
      await reader.cancel().catch(() => undefined);
      throw wrong("a larger image", `up to ${formatSize(atMost)} unpacked`);
    }
  }
  await fed;
  const image = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    image.set(piece, at);
    at += piece.length;
  }
  return image;
}
