/** `--trace`: VM entries and exits, in a file for Perfetto. */
import { type Machine, Trace } from "castaway";
import { StreamFile } from "./stream-file.ts";

/**
 * Traces from now on; `close` ends the file.
 * @param warn told once, if the file cannot be written any more; the run goes on
 * @throws UserError if it cannot be written
 */
export function traceFile(path: string, machine: Machine, warn: (line: string) => void): { close(): void } {
  const file = new StreamFile(path, "the trace", warn),
    encoder = new TextEncoder();
  const trace = new Trace(machine, { write: (text) => file.write(encoder.encode(text)) });
  return {
    close() {
      trace.close();
      file.close();
    },
  };
}
