/** Saves a chip, lets the state go through the codec, and restores it into a fresh chip on a fresh clock. */
import { Clock, decodeState, encodeState, type Plain, type Shape } from "@castaway/kit";
import type { Device } from "./device.ts";

/** The state of `chip` after a trip through bytes, checked against its shape. */
export function trip<S>(chip: Device<S>, shape: Shape<S>): S {
  return decodeState("test", 1, shape, encodeState("test", 1, chip.save() as Plain));
}

/** A new clock at the same time as `clock`. */
export function sameTime(clock: Clock): Clock {
  const fresh = new Clock();
  fresh.restore(clock.save());
  return fresh;
}
