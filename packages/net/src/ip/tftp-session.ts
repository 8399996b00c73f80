/**
 * One transfer of a TFTP server: a window of blocks [RFC 7440] from the one after the last acknowledged, sent again
 * when no acknowledgement comes in time. A window of 1 is plain TFTP [RFC 1350].
 */
import {
  type Clock,
  flag,
  list,
  ms,
  type Nanoseconds,
  natural,
  nullable,
  record,
  type StateOf,
  type Timer,
  text,
  timerState,
  u16,
  u32,
} from "@castaway/kit";
import { buildData, buildOptionAck, dataHeader } from "./tftp-packet.ts";

/** A file as the server reads it. */
export interface TftpFile {
  /** Bytes; never changes. */
  readonly size: number;
  /** Fills `into` from byte `offset` on; all of it exists. @returns false if that failed, which ends the transfer */
  read(offset: number, into: Uint8Array): boolean;
}

/** What was agreed when the transfer began. */
export const transferState = record({
  client: u32,
  clientPort: u16,
  /** Our side's port: the transfer identifier. */
  port: u16,
  name: text,
  size: natural,
  blockSize: natural,
  window: natural,
  timeout: natural,
  /** The options that were granted, in order; null if the first packet is DATA. */
  options: nullable(list(list(text, 2))),
});
export type Transfer = StateOf<typeof transferState>;

export const tftpSessionState = record({
  transfer: transferState,
  started: flag,
  acked: natural,
  sent: natural,
  sentAt: natural,
  tries: natural,
  retry: timerState,
  work: timerState,
});
export type TftpSessionState = StateOf<typeof tftpSessionState>;

export type SessionEnv = {
  readonly clock: Clock;
  send(data: Uint8Array): void;
  /** When the server is done with the work that it has and so much more. */
  serve(blocks: number): Nanoseconds;
  /** The transfer is over. */
  end(how: "done" | "given up" | "read failed"): void;
  /** `again` of the `blocks` had been sent before. */
  sent(blocks: number, again: number): void;
};

/** So often the same window is sent before the client counts as gone. */
export const sessionTries = 8;
/**
 * The last acknowledgement once more, so long after we sent, means that the client misses what follows. Earlier ones
 * are duplicates on the way: answering those would double the traffic for ever, the Sorcerer's apprentice [RFC 1123 4.2.3.1].
 */
const patience = ms(100);

export class TftpSession {
  readonly transfer: Transfer;
  readonly #env: SessionEnv;
  readonly #file: TftpFile;
  /** How many blocks there are; the last one is short, if need be empty. */
  readonly #blocks: number;
  /** Whether the client has shown that it knows the options. */
  #started: boolean;
  /** Blocks acknowledged and sent so far: blocks count from 1 and do not wrap here. */
  #acked = 0;
  #sent = 0;
  #sentAt = 0;
  #tries = 0;
  readonly #retry: Timer;
  readonly #work: Timer;

  constructor(env: SessionEnv, transfer: Transfer, file: TftpFile) {
    this.#env = env;
    this.transfer = transfer;
    this.#file = file;
    this.#blocks = Math.floor(transfer.size / transfer.blockSize) + 1;
    this.#started = transfer.options === null;
    this.#retry = env.clock.timer("tftp.retry", () => this.#again());
    this.#work = env.clock.timer("tftp.work", () => this.#transmit());
  }

  /** Whether nothing of the client's has arrived since its request. */
  get fresh(): boolean {
    return this.#acked === 0 && (!this.#started || this.transfer.options === null);
  }

  /** Sends the first packet, at once or when the server gets to it. */
  start(): void {
    this.#tries = 1;
    this.#begin();
  }

  /** The client's request has come again: it has not seen our answer, or both have crossed. */
  repeat(): void {
    if (this.#env.clock.now - this.#sentAt >= patience) this.#begin();
  }

  /** The client has everything up to `block`, modulo 65536. @returns whether that was of use */
  acknowledge(block: number): boolean {
    if (!this.#started) {
      if (block !== 0) return false;
      this.#started = true;
      return this.#advance();
    }
    const more = (block - this.#acked) & 0xffff;
    if (more === 0) {
      if (this.#work.armed || this.#env.clock.now - this.#sentAt < patience) return false;
      this.#begin();
      return true;
    }
    if (more > this.#sent - this.#acked) return false;
    this.#acked += more;
    return this.#advance();
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#retry.disarm();
    this.#work.disarm();
  }

  save(): TftpSessionState {
    return {
      transfer: this.transfer,
      started: this.#started,
      acked: this.#acked,
      sent: this.#sent,
      sentAt: this.#sentAt,
      tries: this.#tries,
      retry: this.#retry.save(),
      work: this.#work.save(),
    };
  }

  restore(state: TftpSessionState): void {
    this.#started = state.started;
    this.#acked = state.acked;
    this.#sent = state.sent;
    this.#sentAt = state.sentAt;
    this.#tries = state.tries;
    this.#retry.restore(state.retry);
    this.#work.restore(state.work);
  }

  #advance(): boolean {
    this.#tries = 1;
    if (this.#acked === this.#blocks) this.#env.end("done");
    else this.#begin();
    return true;
  }

  #again(): void {
    if (this.#tries >= sessionTries) return this.#env.end("given up");
    this.#tries++;
    this.#begin();
  }

  /** The window is sent when the server has time. */
  #begin(): void {
    this.#retry.disarm();
    const ready = this.#env.serve(this.#started ? this.#windowEnd - this.#acked : 1);
    if (ready > this.#env.clock.now) this.#work.armAt(ready);
    else this.#transmit();
  }

  get #windowEnd(): number {
    return Math.min(this.#acked + this.transfer.window, this.#blocks);
  }

  #transmit(): void {
    this.#sentAt = this.#env.clock.now;
    this.#retry.arm(this.transfer.timeout);
    if (!this.#started) {
      const options = new Map((this.transfer.options ?? []).map(([name, value]) => [name, value]));
      this.#env.send(buildOptionAck(options));
      return;
    }
    const [first, end] = [this.#acked, this.#windowEnd];
    this.#env.sent(end - first, Math.min(this.#sent, end) - first);
    this.#sent = Math.max(this.#sent, end);
    for (let block = first; block < end; block++) if (!this.#sendBlock(block)) return this.#env.end("read failed");
  }

  /** @param block counted from 0 */
  #sendBlock(block: number): boolean {
    const { size, blockSize } = this.transfer;
    const offset = block * blockSize;
    const packet = buildData((block + 1) & 0xffff, Math.min(blockSize, size - offset));
    if (packet.length > dataHeader && !this.#file.read(offset, packet.subarray(dataHeader))) return false;
    this.#env.send(packet);
    return true;
  }
}
