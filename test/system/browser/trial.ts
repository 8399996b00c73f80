/** What each machine does to be compared: boots the demo disk to its shell, and goes on to an exact time. */
import type { RemoteMachine } from "castaway/remote";

/** When the digests are taken, in virtual nanoseconds since power-on; the demo disk is ready before. */
export const END = 6e9;
/** How far machines go on after they were saved and restored. */
export const MORE = 0.5e9;
export const READY = "DEMO-READY";

export interface Outcome {
  readonly now: number;
  readonly instructions: number;
  readonly digest: string;
  /** How many characters the first serial port printed. */
  readonly printed: number;
}

/** A machine behind comlink. `printed` counts what its listener was given. */
export async function outcome(pc: RemoteMachine, printed: () => number): Promise<Outcome> {
  const { now, instructions } = await pc.status();
  return { now, instructions, digest: await pc.digest(), printed: printed() };
}

export async function boot(pc: RemoteMachine): Promise<void> {
  const { reason, detail } = await pc.run({ until: READY, atMost: END });
  if (reason !== "watch") throw new Error(`no ${READY}: ${reason} ${detail}\n${(await pc.text()).slice(-600)}`);
  await pc.type("echo hello from outside\n");
  await pc.run({ atMost: END - (await pc.status()).now });
}
