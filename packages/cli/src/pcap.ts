/** `--pcap`: what passes the machine's cables, in a file. */
import { Capture, type Lan } from "castaway";
import { StreamFile } from "./stream-file.ts";

/**
 * Captures from now on.
 * @param warn told once, if the file cannot be written any more; the run goes on
 * @throws UserError if it cannot be written
 */
export function pcapFile(path: string, lan: Lan, warn: (line: string) => void): { close(): void } {
  const file = new StreamFile(path, "the capture", warn);
  const capture = new Capture({ write: (block) => file.write(block) });
  for (const tap of lan.taps) capture.watch(tap);
  return file;
}
