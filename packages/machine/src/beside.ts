/**
 * What lives on a machine's clock beside it: a network for this machine alone, the hosts and servers on it. It runs when the
 * machine runs, and is saved, restored, digested and inspected with it; a reset of the machine does nothing to it.
 *
 *     const clock = new Clock();
 *     const net = new Network({ clock });
 *     const lan = net.switch();
 *     const host = net.plug(lan, (place) => new Host({ ...place, mac, address: "10.0.2.1" }));
 *     const port = net.plug(lan, ({ port }) => port);
 *     const pc = await Machine.create({ firmware, networkCards: [{ port }], beside: { clock, parts: { net, host } } });
 */
import { type Clock, ConfigError, Digest, type Plain, type Shape } from "@castaway/kit";
import type { Parts } from "./parts.ts";
import type { Configuration } from "./snapshot.ts";

/** A part that the machine saves and restores: all of the network's classes are. */
export interface MachinePart {
  /** Of what `save` gives. */
  readonly state: Shape<any>;
  save(): any;
  restore(state: any): void;
  /** What must be equal where its state is restored, beside the state's shape. */
  readonly configuration?: string;
}

export interface Surroundings {
  /** The machine's clock; no time has passed on it, and nobody but the machine moves it. */
  readonly clock: Clock;
  /** By name: under it they are saved, and found by `inspect`. */
  readonly parts: Readonly<Record<string, MachinePart>>;
  /** More that must be equal where a snapshot is restored, by the names that messages call it. */
  readonly configuration?: Configuration;
}

/** @throws ConfigError if the board has a part of such a name */
export function addBeside(parts: Parts, { parts: added }: Surroundings): void {
  for (const [name, part] of Object.entries(added)) {
    if (parts.names.includes(name)) throw new ConfigError("beside", name, "a name that no part of the machine has");
    const lasting = {
      reset: () => {},
      save: () => part.save() as Plain,
      restore: (state: Plain) => part.restore(state),
    };
    parts.add(name, lasting, part.state as Shape<Plain>, "medium");
  }
}

/** Texts that are long are shortened to their digest. */
export function configurationBeside(beside: Surroundings | undefined): Configuration {
  if (beside === undefined) return {};
  const texts = Object.entries(beside.parts).map(([name, { configuration = "" }]) => [name, brief(configuration)]);
  return { ...beside.configuration, beside: Object.keys(beside.parts).join(" "), ...Object.fromEntries(texts) };
}
const brief = (text: string): string => (text.length > 64 ? new Digest().text(text).hex() : text);
