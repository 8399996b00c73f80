/** What a direction of a link is like. */
import {
  type Bytes,
  ConfigError,
  flag,
  kib,
  type Nanoseconds,
  natural,
  real,
  record,
  type StateOf,
  us,
} from "@castaway/kit";

/** One direction of a link. All of it may be changed while frames are under way: it counts for those not yet on the wire. */
export type WireOptions = {
  /** Bits a second; Infinity: a frame takes 1 ns. Default 1,000,000,000. */
  readonly bandwidth?: number;
  /** From the frame's last bit leaving to its arrival, in ns, up to 10 s. Default 20 us. */
  readonly latency?: Nanoseconds;
  /** Up to so many ns are added to the latency, each number as likely. Keeps the order. Default 0. */
  readonly jitter?: Nanoseconds;
  /** Probability, 0 to 1, that a frame vanishes. Default 0. */
  readonly loss?: number;
  /** Probability that a frame arrives twice. Default 0. */
  readonly duplication?: number;
  /** Probability that a frame is held back by `reorderDelay`, so that later ones overtake it. Default 0. */
  readonly reordering?: number;
  /** In ns, up to 10 s. Default 1 ms. */
  readonly reorderDelay?: Nanoseconds;
  /** Probability that a bit of a frame flips. The receiving card sees it by the FCS and drops the frame. Default 0. */
  readonly corruption?: number;
  /** Whether frames with a flipped bit are delivered, as if the FCS had not told. Default false. */
  readonly deliverCorrupted?: boolean;
  /** The longest payload in bytes, behind 14 bytes of header and 4 of a VLAN tag, 46 to 65,535. Default 1,500. */
  readonly mtu?: Bytes;
  /** Bytes of frames that wait for the wire at most, besides the one on it; more are dropped. Default 512 KiB. */
  readonly queue?: Bytes;
};

/** Both directions alike, and what is different in one of them. */
export type LinkOptions = WireOptions & {
  /** Towards end `a`: of a switch's cable, towards the switch. */
  readonly toA?: WireOptions;
  /** Towards end `b`: of a switch's cable, towards what is plugged in. */
  readonly toB?: WireOptions;
};

export const wireSettings = record({
  bandwidth: real,
  latency: natural,
  jitter: natural,
  loss: real,
  duplication: real,
  reordering: real,
  reorderDelay: natural,
  corruption: real,
  deliverCorrupted: flag,
  mtu: natural,
  queue: natural,
});
export type WireSettings = StateOf<typeof wireSettings>;

export const wireDefaults: WireSettings = {
  bandwidth: 1_000_000_000,
  latency: us(20),
  jitter: 0,
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderDelay: us(1000),
  corruption: 0,
  deliverCorrupted: false,
  mtu: 1500,
  queue: kib(512),
};

const longestDelay: Nanoseconds = 10_000_000_000;

/** `before` with what `options` changes. @throws ConfigError that says which option is out of range */
export function wireSettingsWith(before: WireSettings, options: WireOptions): WireSettings {
  const settings: WireSettings = { ...before };
  for (const name of Object.keys(wireDefaults) as (keyof WireSettings)[]) {
    if (options[name] !== undefined) Object.assign(settings, { [name]: options[name] });
  }
  const { bandwidth } = settings;
  if (!(bandwidth >= 1000)) throw new ConfigError("bandwidth", bandwidth, "1000 bits a second or more");
  for (const name of ["latency", "jitter", "reorderDelay"] as const)
    check(name, settings[name], 0, longestDelay, "whole nanoseconds, at most 10 s");
  for (const name of ["loss", "duplication", "reordering", "corruption"] as const) {
    const value = settings[name];
    if (!(value >= 0 && value <= 1)) throw new ConfigError(name, value, "a probability from 0 to 1");
  }
  check("mtu", settings.mtu, 46, 65_535, "46 to 65535 bytes");
  check("queue", settings.queue, 0, 0x4000_0000, "0 to 1 GiB, in bytes");
  return settings;
}

function check(name: string, value: number, least: number, most: number, allowed: string): void {
  if (!(Number.isSafeInteger(value) && value >= least && value <= most)) throw new ConfigError(name, value, allowed);
}
