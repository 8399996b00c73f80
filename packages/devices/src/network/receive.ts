/** The receiver: filters what comes, and stores it in the buffers of the ring [8254x 3.2]. */
import { type Dma, writeLittle } from "@castaway/kit";
import { store } from "../storage/ahci/slot.ts";
import { bufferOf, descriptorBytes } from "./descriptor.ts";
import { frameCheck } from "./fcs.ts";
import { type Filter, tagOf } from "./filter.ts";
import type { FlowControl } from "./flow.ts";
import type { Interrupts } from "./interrupts.ts";
import { stripTag, sum } from "./offload.ts";
import { CAUSE, CTRL, type MacRegisters, RCTL } from "./registers.ts";
import { Ring } from "./ring.ts";
import type { Statistics } from "./statistics.ts";
import { type Verdict, verify } from "./verify.ts";

/** Why a frame that came was not stored. */
export type ReceiveDrop =
  | "receiver off"
  | "not for us"
  | "VLAN"
  | "MAC control"
  | "too short"
  | "too long"
  | "no descriptor";

export type ReceiveEnv = {
  readonly dma: Dma;
  readonly regs: MacRegisters;
  readonly filter: Filter;
  readonly flow: FlowControl;
  readonly statistics: Statistics;
  readonly interrupts: Interrupts;
};

/** Lengths with the CRC. [8254x 13.7.15] */
const shortest = 64;
const longest = 1522;
const longestLong = 16_384;
const crcBytes = 4;
const ethernetHeader = 14;

/** How many descriptors a frame uses at most: 64 buffers of 256 bytes, and as many null ones. */
const mostDescriptors = 128;

/** A receive descriptor's status and errors. [8254x 3.2.3.1, 3.2.3.2] */
const STATUS = { DD: 0x01, EOP: 0x02, IXSM: 0x04, VP: 0x08, TCPCS: 0x20, IPCS: 0x40, PIF: 0x80 } as const;
const ERROR = { TCPE: 0x20, IPE: 0x40 } as const;
/** Where what the chip writes begins. */
const lengthAt = 8;

export class Receiver {
  readonly #env: ReceiveEnv;
  readonly #ring: Ring;
  /** A frame with its CRC, and what is written to a descriptor: made once, since allocating takes longer than copying. */
  readonly #whole = new Uint8Array(longestLong);
  readonly #written = new Uint8Array(descriptorBytes - lengthAt);

  constructor(env: ReceiveEnv) {
    this.#env = env;
    this.#ring = new Ring("receive", env.regs, env.dma);
  }

  /** A frame has come, without its CRC. @returns why it was dropped; null if it was stored */
  receive(frame: Uint8Array): ReceiveDrop | null {
    const { regs, filter, flow, statistics } = this.#env;
    if ((regs.RCTL & RCTL.EN) === 0) return "receiver off";
    if (frame.length < ethernetHeader) return "too short";
    const kind = flow.obey(frame);
    if (kind === "pause" && (regs.RCTL & RCTL.DPF) !== 0) return "MAC control";
    if (kind === "control" && (regs.RCTL & RCTL.PMCF) === 0) return "MAC control";
    const match = filter.match(frame);
    if (match === "none" && kind !== "control") return "not for us";
    const tag = tagOf(frame, regs.VET);
    if (tag !== null && !filter.passesVlan(tag)) return "VLAN";
    statistics.arrived(frame);
    const bad = this.#judge(frame.length + crcBytes);
    const storesBad = (regs.RCTL & RCTL.SBP) !== 0 && frame.length + crcBytes <= longestLong;
    if (bad !== null && !storesBad) return bad;
    if (!this.#store(frame, tag, match === "inexact")) return "no descriptor";
    if (bad === null && kind !== "pause") statistics.received(frame);
    return null;
  }

  /** Counts frames of a wrong length. @returns what is wrong, or null. [8254x 13.7.15, 13.7.34, 13.7.36] */
  #judge(length: number): "too short" | "too long" | null {
    const { regs, statistics } = this.#env;
    const limit = (regs.RCTL & RCTL.LPE) !== 0 ? longestLong : longest;
    if (length >= shortest && length <= limit) return null;
    const isShort = length < shortest;
    statistics.count("RLEC");
    statistics.count(isShort ? "RUC" : "ROC");
    return isShort ? "too short" : "too long";
  }

  /** @returns false if there are too few descriptors: nothing is stored then */
  #store(frame: Uint8Array, tag: number | null, inexact: boolean): boolean {
    const { regs, statistics, interrupts } = this.#env;
    const strips = tag !== null && (regs.CTRL & CTRL.VME) !== 0;
    const plain = strips ? stripTag(frame) : frame;
    const data = (regs.RCTL & RCTL.SECRC) !== 0 ? plain : this.#withCheck(plain, frameCheck(frame));
    const before = this.#ring.pending;
    if (before < Math.ceil(data.length / this.#bufferSize)) {
      statistics.count("RNBC");
      statistics.count("MPC");
      interrupts.raise(CAUSE.RXO);
      return false;
    }
    const verdict = verify(plain, regs.RXCSUM, regs.VET);
    const start = regs.RXCSUM & 0xff;
    const complement = start < data.length ? 0xffff - sum(data, start, data.length) : 0xffff;
    const status = statusOf(verdict) | (strips ? STATUS.VP : 0) | (inexact ? STATUS.PIF : 0);
    const whole = this.#spread(data, complement, status, errorsOf(verdict), strips ? (tag ?? 0) : 0);
    const threshold = this.#ring.count >>> (1 + ((regs.RCTL >>> 8) & 3));
    if (before > threshold && this.#ring.pending <= threshold) interrupts.raise(CAUSE.RXDMT0);
    if (!whole) {
      statistics.count("MPC");
      interrupts.raise(CAUSE.RXO);
      return false;
    }
    interrupts.received(frame.length + crcBytes);
    return true;
  }

  /** Fills buffer after buffer. Descriptors with a null address are handed back unused, and can leave too few. */
  #spread(data: Uint8Array, checksum: number, status: number, errors: number, special: number): boolean {
    const written = this.#written;
    const size = this.#bufferSize;
    let at = 0;
    for (let turn = 0; turn < mostDescriptors && at < data.length && this.#ring.pending > 0; turn++) {
      const address = bufferOf(this.#ring.fetch());
      const count = address === 0 ? 0 : Math.min(size, data.length - at);
      if (count > 0) store(this.#env.dma, address, count === data.length ? data : data.subarray(at, at + count));
      at += count;
      writeLittle(written, 0, 2, count);
      writeLittle(written, 2, 2, checksum);
      written[4] = STATUS.DD | (count > 0 ? status : 0) | (at === data.length ? STATUS.EOP : 0);
      written[5] = at === data.length ? errors : 0;
      writeLittle(written, 6, 2, special);
      this.#ring.finish(lengthAt, written);
    }
    return at === data.length;
  }

  #withCheck(frame: Uint8Array, check: number): Uint8Array {
    this.#whole.set(frame);
    writeLittle(this.#whole, frame.length, crcBytes, check);
    return this.#whole.subarray(0, frame.length + crcBytes);
  }

  /** RCTL.BSIZE and BSEX. [8254x 13.4.22] */
  get #bufferSize(): number {
    const { RCTL: control } = this.#env.regs;
    const size = 2048 >>> ((control >>> 16) & 3);
    return (control & RCTL.BSEX) !== 0 && size < 2048 ? 16 * size : size;
  }
}

const statusOf = ({ ip, transport }: Verdict): number =>
  ip === undefined && transport === undefined
    ? STATUS.IXSM
    : (ip === undefined ? 0 : STATUS.IPCS) | (transport === undefined ? 0 : STATUS.TCPCS);

const errorsOf = ({ ip, transport }: Verdict): number =>
  (ip === false ? ERROR.IPE : 0) | (transport === false ? ERROR.TCPE : 0);
