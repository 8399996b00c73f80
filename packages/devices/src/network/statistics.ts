/**
 * The statistics registers. Each counts up to all ones and stays there; reading clears it, and of a pair of 64 bits the
 * upper half clears both [8254x 13.7]. Lengths count from the destination address through the CRC.
 */
import { type Hook, type Register, type RegisterValues, registers, ro, type Width } from "@castaway/kit";
import type { Device, RegisterSpace } from "../device.ts";

/** The counters of 32 bits, from offset 4000 on; what this chip can never count stays 0. */
// biome-ignore format: a table
const counters = {
  CRCERRS: 0x00, ALGNERRC: 0x04, SYMERRS: 0x08, RXERRC: 0x0c, MPC: 0x10, SCC: 0x14, ECOL: 0x18, MCC: 0x1c,
  LATECOL: 0x20, COLC: 0x28, DC: 0x30, TNCRS: 0x34, SEC: 0x38, CEXTERR: 0x3c,
  RLEC: 0x40, XONRXC: 0x48, XONTXC: 0x4c, XOFFRXC: 0x50, XOFFTXC: 0x54, FCRUC: 0x58, PRC64: 0x5c,
  PRC127: 0x60, PRC255: 0x64, PRC511: 0x68, PRC1023: 0x6c, PRC1522: 0x70, GPRC: 0x74, BPRC: 0x78, MPRC: 0x7c,
  GPTC: 0x80, RNBC: 0xa0, RUC: 0xa4, RFC: 0xa8, ROC: 0xac, RJC: 0xb0, MGTPRC: 0xb4, MGTPDC: 0xb8, MGTPTC: 0xbc,
  TPR: 0xd0, TPT: 0xd4, PTC64: 0xd8, PTC127: 0xdc, PTC255: 0xe0, PTC511: 0xe4, PTC1023: 0xe8, PTC1522: 0xec,
  MPTC: 0xf0, BPTC: 0xf4, TSCTC: 0xf8, TSCTFC: 0xfc,
} as const;
/** The lower halves of the counters of 64 bits; the upper halves follow them. */
const octets = { GORC: 0x88, GOTC: 0x90, TOR: 0xc0, TOT: 0xc8 } as const;

export type Counter = keyof typeof counters;
type OctetCounter = keyof typeof octets;
type Name = Counter | `${OctetCounter}L` | `${OctetCounter}H`;

const rows: Record<string, Register> = {};
for (const [name, offset] of Object.entries(counters)) rows[name] = ro(offset, 0, "8254x 13.7");
for (const [name, offset] of Object.entries(octets)) {
  rows[`${name}L`] = ro(offset, 0, "8254x 13.7");
  rows[`${name}H`] = ro(offset + 4, 0, "8254x 13.7");
}

export const STATISTICS = registers(rows as Record<Name, Register>);
export type StatisticsState = RegisterValues<Name>;

/** Where counters are among the registers' values: what counts for every frame by a place, since a name costs more. */
const AT = STATISTICS.at;
const { TPT, TPR, GPTC, GPRC, BPTC, MPTC, BPRC, MPRC, TOTL: TOT, TORL: TOR, GOTCL: GOTC, GORCL: GORC } = AT;
const PTC = [AT.PTC64, AT.PTC127, AT.PTC255, AT.PTC511, AT.PTC1023, AT.PTC1522];
const PRC = [AT.PRC64, AT.PRC127, AT.PRC255, AT.PRC511, AT.PRC1023, AT.PRC1522];

const full = 0xffff_ffff;
const crcBytes = 4;

export class Statistics implements RegisterSpace, Device<StatisticsState> {
  readonly regs = STATISTICS.file(this.#hooks());
  readonly #values = this.regs.values;

  read(offset: number, bytes: number): number {
    return this.regs.read(offset, bytes as Width);
  }
  write(): void {}

  /** One more. */
  count(name: Counter): void {
    this.#add(AT[name]);
  }

  /** A frame was sent. @param isData false for PAUSE frames. [8254x 13.7.30, 13.7.32, 13.7.42 to 13.7.53] */
  sent(frame: Uint8Array, isData: boolean): void {
    const length = frame.length + crcBytes;
    this.#add(TPT);
    this.#addOctets(TOT, length);
    if (!isData || length < 64) return;
    this.#add(GPTC);
    this.#addOctets(GOTC, length);
    this.#add(PTC[sizeOf(length)]);
    if (isBroadcast(frame)) this.#add(BPTC);
    else if (isMulticast(frame)) this.#add(MPTC);
  }

  /** A frame came that passes the filters, whatever becomes of it. [8254x 13.7.41, 13.7.43] */
  arrived(frame: Uint8Array): void {
    this.#add(TPR);
    this.#addOctets(TOR, frame.length + crcBytes);
  }

  /** A good frame was stored. [8254x 13.7.21 to 13.7.31] */
  received(frame: Uint8Array): void {
    const length = frame.length + crcBytes;
    this.#add(GPRC);
    this.#addOctets(GORC, length);
    this.#add(PRC[sizeOf(length)]);
    if (isBroadcast(frame)) this.#add(BPRC);
    else if (isMulticast(frame)) this.#add(MPRC);
  }

  #add(at: number): void {
    const values = this.#values;
    if (values[at] !== full) values[at]++;
  }

  /** @param at the lower half; the upper half is at the place after it */
  #addOctets(at: number, bytes: number): void {
    const values = this.#values;
    const sum = values[at] + bytes;
    if (sum <= full) values[at] = sum;
    else if (values[at + 1] === full) values[at] = full;
    else {
      values[at] = sum - full - 1;
      values[at + 1]++;
    }
  }

  reset(): void {
    this.regs.reset();
  }
  save(): StatisticsState {
    return this.regs.save();
  }
  restore(state: StatisticsState): void {
    this.regs.restore(state);
  }

  #hooks(): { [name in Name]?: Hook } {
    const hooks: Record<string, Hook> = {};
    const take = (name: Name) => {
      const value = this.regs[name];
      this.regs[name] = 0;
      return value;
    };
    for (const name of Object.keys(counters) as Counter[]) hooks[name] = { read: () => take(name) };
    for (const name of Object.keys(octets) as OctetCounter[]) {
      hooks[`${name}H`] = {
        read: () => {
          take(`${name}L`);
          return take(`${name}H`);
        },
      };
    }
    return hooks as { [name in Name]?: Hook };
  }
}

/** Which of a table's six counters is that of frames of so many bytes. */
function sizeOf(length: number): number {
  if (length <= 64) return 0;
  return length > 1023 ? 5 : 26 - Math.clz32(length);
}

export const isMulticast = (frame: Uint8Array): boolean => (frame[0] & 1) !== 0;

export function isBroadcast(frame: Uint8Array): boolean {
  for (let i = 0; i < 6; i++) if (frame[i] !== 0xff) return false;
  return true;
}
