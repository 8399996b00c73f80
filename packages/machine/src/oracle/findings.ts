/** What the oracle has to say, and how it says it. */
import { Digest, list, type Nanoseconds, natural, nullable, oneOf, record, type StateOf, text } from "@castaway/kit";

export const findingState = record({
  /**
   * overwritten: the disk took something else over what the guest had written.
   * wrong data: while the guest was writing a sector the disk took something that is neither its new nor its old content.
   * foreign: a sector that the guest did not write took something else than what belongs there.
   * lost: a write that is over for the guest never reached the disk.
   * read: a read that is over gave the guest something else than what the disk must hold.
   * unfollowed: the guest did something that the oracle cannot follow; what it says from then on is not to be relied on.
   */
  kind: oneOf("overwritten", "wrong data", "foreign", "lost", "read", "unfollowed"),
  /** Virtual time. */
  time: natural,
  /** The first sector; null if it is not about sectors. */
  lba: nullable(natural),
  sectors: natural,
  message: text,
});
export type Finding = StateOf<typeof findingState>;
export const findingsState = list(findingState);

/** The first ones are told; later ones are counted. */
export const MOST_FINDINGS = 1000;

/** Virtual time for people. */
export const atTime = (time: Nanoseconds): string => `${(time / 1e9).toFixed(9)} s`;

/** A content, so short that people can compare it: the beginning of its digest. */
export const brief = (content: Uint8Array): string => `digest ${new Digest().update(content).hex().slice(0, 12)}`;

/** The message with where and when in front. */
export function withPlace({ lba, sectors, time, message }: Finding): string {
  const last = sectors > 1 && lba !== null ? ` to ${lba + sectors - 1}` : "";
  return `${lba === null ? "" : `LBA ${lba}${last}, `}at ${atTime(time)}: ${message}`;
}
