/** Counts what is seen at the ends of cables, and compares: every frame arrived, was dropped for a reason, or is on its way. */
import type { FrameSeen, Link, LinkState, WireDrop } from "@castaway/net";
import { assertHolds } from "../devices/failure.ts";

type Seen = { passed: number; arrived: number; left: Tally; missed: Tally };
type Tally = { [reason in WireDrop]: number };

const reasons = ["lost", "corrupted", "tooShort", "tooLong", "queueFull", "linkDown", "unplugged"] as const;
const none = (): Tally => ({ lost: 0, corrupted: 0, tooShort: 0, tooLong: 0, queueFull: 0, linkDown: 0, unplugged: 0 });
const nothing = (): Seen => ({ passed: 0, arrived: 0, left: none(), missed: none() });

/** Of one cable, both directions. It outlives the cable: after a restore it goes on with the next one. */
export class Ledger {
  readonly #toA = nothing();
  readonly #toB = nothing();
  #link!: Link;
  /** Whether a machine is at end `b`: what arrives there is handed over ahead of its time and not seen. */
  readonly #far: boolean;
  /** Frames that whoever is plugged in at end `b` has sent. */
  offered = 0;

  constructor(far: boolean) {
    this.#far = far;
  }

  watch(link: Link): void {
    this.#link = link;
    link.a.seen.on((event) => note(event, this.#toB, this.#toA));
    link.b.seen.on((event) => note(event, this.#toA, this.#toB));
  }

  check(): void {
    const { toA, toB, inA, inB } = this.#link.save();
    this.#compare("toA", this.#toA, toA, inA.waiting.length);
    this.#compare("toB", this.#toB, toB, inB.waiting.length);
    if (this.plugged) this.#compareOffered(toA);
  }

  /** Whether {@link offered} is counted: not for trunks and machines. */
  plugged = false;

  #compareOffered({ statistics, queue }: LinkState["toA"]): void {
    const { tooShort, tooLong, queueFull, linkDown } = this.#toA.left;
    const known = statistics.sentFrames + queue.length + tooShort + tooLong + queueFull + linkDown;
    assertHolds(
      known === this.offered,
      "account",
      () => `${this.#link.name}: of ${this.offered} frames ${known} are known`,
    );
  }

  #compare(way: "toA" | "toB", seen: Seen, state: LinkState["toA"], coming: number): void {
    const { statistics: counted, settings, queue } = state;
    const far = this.#far && way === "toB";
    const same = (what: string, one: number, other: number) =>
      assertHolds(one === other, "account", () => `${this.#link.name}.${way}: ${what}: ${one} and ${other}`);
    const arrived = far ? counted.deliveredFrames : seen.arrived;
    same("sent = passed + lost + corrupted", counted.sentFrames, seen.passed + seen.left.lost + seen.left.corrupted);
    same("delivered", counted.deliveredFrames, arrived);
    const missed = seen.missed.linkDown + seen.missed.unplugged;
    same(
      "passed + duplicated = delivered + missed + coming",
      seen.passed + counted.duplicated,
      arrived + missed + coming,
    );
    for (const reason of reasons) {
      if (reason === "corrupted") assertHolds(counted.corrupted >= seen.left.corrupted, "account", () => "corrupted");
      else same(reason, counted[reason], seen.left[reason] + seen.missed[reason]);
    }
    const queued = queue.reduce((sum, frame) => sum + frame.length, 0);
    const most = Math.max(settings.queue, this.#largestQueue);
    assertHolds(queued <= most, "growth", () => `${queued} bytes wait for ${this.#link.name}.${way}`);
    same("bytes that wait", this.#link[way].queued, queued);
    assertHolds(queue.length === 0 || state.wireFree !== null, "account", () => "frames wait for a free wire");
  }

  /** A queue that was made shorter keeps what waits in it; no cable's is longer than this. */
  readonly #largestQueue = 524_288;
}

function note({ direction, drop }: FrameSeen, from: Seen, to: Seen): void {
  if (direction === "out") {
    if (drop === undefined) from.passed++;
    else from.left[drop]++;
  } else if (drop === undefined) to.arrived++;
  else to.missed[drop]++;
}
