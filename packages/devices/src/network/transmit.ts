/**
 * The transmitter: takes descriptors from the ring, gathers their bytes, and sends frames [8254x 3.3, 3.4, 3.5].
 *
 * It works in turns of a timer. The first comes {@link latency} after software wrote TDT; a turn takes at most
 * {@link turnDescriptors} descriptors and {@link turnBytes} bytes, and the next comes when a gigabit wire has carried
 * them. So whatever the ring holds, a call ends soon and virtual time goes on; and no more leaves than the wire takes.
 */
import { type Clock, type Dma, type Nanoseconds, type Timer, us } from "@castaway/kit";
import type { Device } from "../device.ts";
import { fetch } from "../storage/ahci/slot.ts";
import { bufferOf, CMD, DD, kindOf, lengthOf, specialOf, statusAt } from "./descriptor.ts";
import type { Interrupts } from "./interrupts.ts";
import {
  type Context,
  completeSegment,
  insertChecksum,
  insertChecksums,
  insertTag,
  noContext,
  pad,
  parseContext,
  TUCMD,
} from "./offload.ts";
import { CAUSE, CTRL, type MacRegisters, TCTL } from "./registers.ts";
import { Ring } from "./ring.ts";
import type { Statistics } from "./statistics.ts";
import type { FrameState, TransmitState } from "./transmit-state.ts";

/** From TDT to the first descriptor, and between turns at least. */
const latency: Nanoseconds = us(1);
/** What a turn handles, in bytes as the wire has them. */
const turnDescriptors = 64;
const turnBytes = 0x4000;
/** What the wire carries beside a frame: preamble, FCS and gap [802.3 3.1.1, 4.4.2]; and how long a byte takes. */
const overhead = 24;
const byteTime: Nanoseconds = 8;

/** The longest frame that the chip's FIFO takes, without CRC. [8254x 3.3.3] */
const longest = 16_288;
const shortest = 60;
const ethernetHeader = 14;

/** A frame that is being gathered. */
type Frame = Omit<FrameState, "bytes"> & { length: number };

export type TransmitEnv = {
  readonly clock: Clock;
  readonly dma: Dma;
  readonly regs: MacRegisters;
  readonly statistics: Statistics;
  readonly interrupts: Interrupts;
  /** Whether PAUSE frames hold it up. */
  paused(): boolean;
  /** A frame leaves, without CRC. */
  send(frame: Uint8Array, hasFcs: boolean): void;
  /** A frame was given up. */
  drop(frame: Uint8Array, reason: "too long" | "too short"): void;
};

export class Transmitter implements Device<TransmitState> {
  readonly #env: TransmitEnv;
  readonly #ring: Ring;
  readonly #turn: Timer;
  #plain = noContext;
  #large = noContext;
  #current: Uint8Array | null = null;
  #taken = 0;
  #frame: Frame | null = null;
  readonly #bytes = new Uint8Array(longest);
  readonly #status = new Uint8Array(1);

  constructor(name: string, env: TransmitEnv) {
    this.#env = env;
    this.#ring = new Ring("transmit", env.regs, env.dma);
    this.#turn = env.clock.timer(name, () => this.#work());
  }

  /** There may be something to do: TDT, TCTL or TDLEN was written, or a pause is over. */
  start(): void {
    if (!this.#turn.armed && this.#ready) this.#turn.arm(latency);
  }

  /** TDH was written: what was under way is forgotten. */
  restart(): void {
    this.#current = null;
    this.#frame = null;
    this.start();
  }

  reset(): void {
    this.#turn.disarm();
    this.#plain = noContext;
    this.#large = noContext;
    this.#current = null;
    this.#taken = 0;
    this.#frame = null;
  }
  save(): TransmitState {
    const frame = this.#frame;
    let saved: TransmitState["frame"] = null;
    if (frame !== null) {
      const { length, ...rest } = frame;
      saved = { ...rest, bytes: this.#bytes.slice(0, length) };
    }
    return {
      plain: this.#plain,
      large: this.#large,
      current: this.#current?.slice() ?? null,
      taken: this.#taken,
      frame: saved,
      turn: this.#turn.save(),
    };
  }
  restore(state: TransmitState): void {
    this.#plain = state.plain;
    this.#large = state.large;
    this.#current = state.current?.slice() ?? null;
    this.#taken = state.taken;
    this.#frame = null;
    if (state.frame !== null) {
      const { bytes, ...rest } = state.frame;
      this.#bytes.set(bytes);
      this.#frame = { ...rest, length: bytes.length };
    }
    this.#turn.restore(state.turn);
  }

  get #ready(): boolean {
    return (this.#env.regs.TCTL & TCTL.EN) !== 0 && this.#ring.pending > 0 && !this.#env.paused();
  }

  #work(): void {
    let descriptors = 0;
    let cost = 0;
    while (descriptors < turnDescriptors && cost < turnBytes && this.#ready) {
      if (this.#current === null) {
        this.#current = this.#ring.fetch();
        this.#taken = 0;
        descriptors++;
      }
      cost += this.#step(this.#current);
    }
    if (this.#ready) this.#turn.arm(Math.max(latency, cost * byteTime));
  }

  /** Does a piece of a descriptor's work. @returns the bytes that the wire carries for it */
  #step(descriptor: Uint8Array): number {
    const command = descriptor[11];
    const kind = kindOf(descriptor);
    if (kind === "reserved") {
      this.#finish(descriptor);
      return 0;
    }
    if (kind === "context") {
      const context = parseContext(descriptor);
      if ((context.TUCMD & TUCMD.TSE) !== 0) this.#large = context;
      else this.#plain = context;
      this.#finish(descriptor);
      return 0;
    }
    const extended = kind === "data";
    const length = lengthOf(descriptor, extended);
    this.#frame ??= this.#begin(descriptor, extended);
    const cost = this.#gather(this.#frame, descriptor, length);
    if (this.#taken < length) return cost;
    const last = (command & CMD.EOP) !== 0 ? this.#end(this.#frame, descriptor, extended) : 0;
    this.#finish(descriptor);
    return cost + last;
  }

  /** What a frame's first descriptor says holds for all of it. [8254x 3.3.7] */
  #begin(descriptor: Uint8Array, extended: boolean): Frame {
    const context = extended && (descriptor[11] & CMD.TSE) !== 0 ? this.#large : null;
    return {
      length: 0,
      context,
      options: extended ? descriptor[13] : 0,
      tag: context === null ? null : this.#tag(descriptor),
      segments: 0,
      sent: 0,
      spoiled: context !== null && (context.MSS === 0 || context.HDRLEN + context.MSS > longest),
    };
  }

  /** The VLAN tag that a descriptor wants inserted. [8254x 9.1] */
  #tag(descriptor: Uint8Array): number | null {
    const wanted = (descriptor[11] & CMD.VLE) !== 0 && (this.#env.regs.CTRL & CTRL.VME) !== 0;
    return wanted ? specialOf(descriptor) : null;
  }

  /** Takes the next bytes of a buffer, at most up to the end of a segment. */
  #gather(frame: Frame, descriptor: Uint8Array, length: number): number {
    const { context } = frame;
    const full = context === null ? longest : context.HDRLEN + context.MSS;
    const left = length - this.#taken;
    if (context === null && frame.length + left > full) frame.spoiled = true;
    if (frame.spoiled) {
      this.#taken = length;
      return 0;
    }
    const count = Math.min(left, full - frame.length);
    const address = bufferOf(descriptor) + this.#taken;
    if (count > 0) fetch(this.#env.dma, address, this.#bytes.subarray(frame.length, frame.length + count));
    frame.length += count;
    this.#taken += count;
    return context !== null && frame.length === full ? this.#cut(frame, context) : 0;
  }

  /** Sends a segment: the headers and the payload gathered since the last one. [8254x 3.5.9] */
  #cut(frame: Frame, context: Context): number {
    const payload = frame.length - context.HDRLEN;
    const segment = this.#bytes.slice(0, frame.length);
    const last = frame.sent + payload >= context.PAYLEN;
    completeSegment(segment, context, frame.options, { index: frame.segments, sent: frame.sent, last });
    frame.segments++;
    frame.sent += payload;
    frame.length = context.HDRLEN;
    return this.#send(segment, frame.tag, true);
  }

  /** The descriptor with EOP is through. */
  #end(frame: Frame, descriptor: Uint8Array, extended: boolean): number {
    this.#frame = null;
    const gathered = this.#bytes.subarray(0, frame.length);
    if (frame.context !== null) return this.#endLarge(frame, frame.context, gathered);
    if (frame.spoiled) {
      this.#env.drop(gathered, "too long");
      return 0;
    }
    const command = descriptor[11];
    if (extended) insertChecksums(gathered, this.#plain, frame.options);
    else if ((command & CMD.IC) !== 0) insertChecksum(gathered, descriptor[13], descriptor[10], 0, true);
    return this.#send(gathered, this.#tag(descriptor), (command & CMD.IFCS) !== 0);
  }

  #endLarge(frame: Frame, context: Context, gathered: Uint8Array): number {
    const { statistics } = this.#env;
    const cost = !frame.spoiled && frame.length > context.HDRLEN ? this.#cut(frame, context) : 0;
    const complete = !frame.spoiled && frame.segments > 0 && frame.sent === context.PAYLEN;
    statistics.count(complete ? "TSCTC" : "TSCTFC");
    if (frame.spoiled) this.#env.drop(gathered, "too long");
    return cost;
  }

  /** @param ownFcs false: software has put the CRC at the frame's end */
  #send(frame: Uint8Array, tag: number | null, ownFcs: boolean): number {
    const { regs } = this.#env;
    if (frame.length < ethernetHeader) {
      this.#env.drop(frame, "too short");
      return 0;
    }
    const tagged = tag === null ? frame : insertTag(frame, regs.VET, tag);
    const whole = (regs.TCTL & TCTL.PSP) !== 0 ? pad(tagged, shortest) : tagged;
    this.#env.send(whole, !ownFcs && tag === null);
    return Math.max(whole.length, shortest) + overhead;
  }

  /** The descriptor is done: tells so if it was asked to, and goes on. [8254x 3.4.2] */
  #finish(descriptor: Uint8Array): void {
    const { regs, interrupts } = this.#env;
    const command = descriptor[11];
    this.#current = null;
    const report = (command & CMD.RS) !== 0;
    if (report) {
      this.#status[0] = (descriptor[statusAt] & 0xf0) | DD;
      this.#ring.finish(statusAt, this.#status);
    } else this.#ring.finish();
    if (report) interrupts.transmitted((command & CMD.IDE) !== 0);
    const left = this.#ring.pending;
    if (left === (regs.TXDCTL >>> 25) * 8) interrupts.raise(CAUSE.TXD_LOW);
    if (left === 0) interrupts.raise(CAUSE.TXQE);
  }
}
