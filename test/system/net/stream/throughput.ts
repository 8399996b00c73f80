/** How much of a gigabit wire a stream between two machines' e1000 gets. */
import assert from "node:assert/strict";
import { ms } from "@castaway/kit";
import { stream } from "./stream.ts";

/** Payload of a frame, and the share of the wire's bits that must be payload. */
const wanted = [
  [9000, 0.95],
  [1500, 0.9],
] as const;

export function throughput(): string {
  const reached = wanted.map(([payload, least]) => {
    const { frames, wrong, goodput } = stream(payload, ms(4));
    assert.equal(wrong, 0, `${wrong} frames of ${payload} bytes were not what was sent`);
    assert.ok(goodput >= least, `${(100 * goodput).toFixed(1)} % of the wire in ${frames} frames of ${payload} bytes`);
    return `${(100 * goodput).toFixed(1)} % of the wire with frames of ${payload}`;
  });
  return reached.join(", ");
}
