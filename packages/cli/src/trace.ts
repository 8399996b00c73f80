/** `--trace`: VM entries and exits, in a file for Perfetto. */
import { type Machine, Trace, type TraceOptions } from "castaway";
import { StreamFile } from "./stream-file.ts";

/**
 * Traces from now on; `close` ends the file.
 * @param warn told once, if the file cannot be written any more; the run goes on
 * @param more adds tracks of its own; what it returns is called before the end
 * @throws UserError if it cannot be written
 */
export function traceFile(
  path: string,
  machine: Machine,
  warn: (line: string) => void,
  { symbolOf, more }: Pick<TraceOptions, "symbolOf"> & { more?: (trace: Trace) => () => void } = {},
): { close(): void } {
  const file = new StreamFile(path, "the trace", warn),
    encoder = new TextEncoder();
  const trace = new Trace(machine, { symbolOf, write: (text) => file.write(encoder.encode(text)) });
  const end = more?.(trace);
  return {
    close() {
      end?.();
      trace.close();
      file.close();
    },
  };
}
