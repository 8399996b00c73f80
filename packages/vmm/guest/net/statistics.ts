/**
 * What the VMM's network counts, for the host to read: 64-bit counters in the order of the fields, at
 * {@link netStatistics}. They only grow, except those that say "now".
 */
@unmanaged
export class NetStatistics {
  /** Frames that the card was given, and that it brought. */
  framesSent: u64;
  framesReceived: u64;
  /** Frames that are not AoE's, or for another station. */
  foreign: u64;
  /** Answers whose tag nobody waits for: late, doubled, or never asked for. */
  stale: u64;
  /** Answers with the right tag that contradict the request: another target, length, place. */
  malformed: u64;
  /** Fragments of what had come before. */
  duplicates: u64;
  /** Requests sent, sectors that had to be asked for again, and requests given up after a silence. */
  requests: u64;
  sectorsAgain: u64;
  timeouts: u64;
  /** Requests given up early: later ones were answered. */
  overtaken: u64;
  /** Sectors that came as data, and as holes. */
  sectors: u64;
  holes: u64;
  readsDone: u64;
  /** Answers that say an error: AoE's, the disk's. */
  serverErrors: u64;
  /** How often the target had to be looked for. */
  discoveries: u64;
  /** Round-trip time in ns now, smoothed: 0 before the first answer. */
  rtt: u64;
  /** How long a silence is borne now, in ns. */
  timeout: u64;
  /** Requests that may be out at once now, and that are. */
  window: u64;
  inFlight: u64;
  /** Sectors that a frame carries now, and that an extended read asks for; 0: the server knows none. */
  perFrame: u64;
  extended: u64;
}

const place: usize = memory.data(8 * 32, 8);

/** Where they are. */
export const netStatistics: NetStatistics = changetype<NetStatistics>(place);
