/** What an AoE server counts. */
import { natural, record, type StateOf } from "@castaway/kit";

const requests = record({
  read: natural,
  write: natural,
  identify: natural,
  flush: natural,
  /** Other ATA commands: all but CHECK POWER MODE are aborted. */
  other: natural,
  config: natural,
  masks: natural,
  reserve: natural,
  extended: natural,
  /** Commands that this server does not know, and those of another version of AoE. */
  unknown: natural,
});
const drops = record({
  /** Of another EtherType. */
  otherProtocol: natural,
  /** Too short for the header of their command. */
  short: natural,
  /** Longer than the MTU. */
  long: natural,
  /** For another station, or from a group's address. */
  otherStation: natural,
  /** With the response flag. */
  response: natural,
  /** For targets that are not here. */
  noTarget: natural,
  /** From clients that are not in the mask list. */
  masked: natural,
  /** The server was too busy. */
  queueFull: natural,
});
export const aoeStatistics = record({
  requests,
  drops,
  /** Payload from and to the disks. */
  bytesRead: natural,
  bytesWritten: natural,
  /** Frames sent, answers of several frames counted by the frame. */
  frames: natural,
  /** Sectors that were answered as holes. */
  holes: natural,
  /** Responses with the AoE error flag. */
  aoeErrors: natural,
  /** Responses whose status register has ERR. */
  ataErrors: natural,
  /** Config queries whose test failed, which get no answer. */
  silent: natural,
});
export type AoeStatistics = StateOf<typeof aoeStatistics>;
/** The kinds of requests that are counted apart. */
export type RequestKind = keyof AoeStatistics["requests"];

export const noStatistics = (): AoeStatistics => ({
  requests: {
    read: 0,
    write: 0,
    identify: 0,
    flush: 0,
    other: 0,
    config: 0,
    masks: 0,
    reserve: 0,
    extended: 0,
    unknown: 0,
  },
  drops: {
    otherProtocol: 0,
    short: 0,
    long: 0,
    otherStation: 0,
    response: 0,
    noTarget: 0,
    masked: 0,
    queueFull: 0,
  },
  bytesRead: 0,
  bytesWritten: 0,
  frames: 0,
  holes: 0,
  aoeErrors: 0,
  ataErrors: 0,
  silent: 0,
});
