/** A network card with guest memory behind it and no processor: the bench is its driver, by registers and descriptors. */
import { Cpu } from "@castaway/cpu";
import { E1000 } from "@castaway/devices";
import { type Clock, type EthernetPort, writeLittle } from "@castaway/kit";

// The driver's side of the manual.
const [RCTL, TCTL, MDIC] = [0x0100, 0x0400, 0x0020];
const [RDBAL, RDLEN, RDT] = [0x2800, 0x2808, 0x2818];
const [TDBAL, TDLEN, TDT] = [0x3800, 0x3808, 0x3818];

/** Descriptors in each ring, and where rings and buffers are: a buffer of 16 KiB for each of the receiver's. */
const ring = 64;
const receiveRing = 0x1_0000;
const transmitRing = 0x1_1000;
const payload = 0x2_0000;
const buffers = 0x10_0000;
const bufferBytes = 0x4000;
/** EOP, IFCS and RS: a frame that is told to be done. */
const command = 0x0b;
const descriptorDone = 0x01;

export class Station {
  readonly #nic: E1000;
  readonly #memory: Uint8Array;
  /** How many frames were given to the card, and how many it has given. */
  #sent = 0;
  received = 0;

  constructor(clock: Clock, port: EthernetPort, mac: string) {
    const { physical } = new Cpu({ memory: "4MiB" });
    const dma = {
      read: (address: number, into: Uint8Array) => physical.dmaRead(address, into),
      write: (address: number, from: Uint8Array) => physical.dmaWrite(address, from),
    };
    const mapper = { map: () => {}, unmap: () => {} };
    this.#memory = physical.ram;
    this.#nic = new E1000({ mapper, intx: { set: () => {} }, dma }, { clock, port, mac });
    this.#nic.pci.config.write(0x04, 2, 0x06); // memory space, bus master
    this.#write(MDIC, 0x0420_8140); // the PHY: 1000 Mb/s forced, started anew, so up in 100 us
  }

  /** Fills both rings. Every frame that is sent is the same. @param keepsCheck the card stores frames with their CRC */
  start(frame: Uint8Array, keepsCheck: boolean): void {
    this.#memory.set(frame, payload);
    for (let i = 0; i < ring; i++) {
      writeLittle(this.#memory, receiveRing + 16 * i, 4, buffers + bufferBytes * i);
      writeLittle(this.#memory, transmitRing + 16 * i, 4, payload);
      writeLittle(this.#memory, transmitRing + 16 * i + 8, 4, (command << 24) | frame.length);
    }
    this.#write(RDBAL, receiveRing);
    this.#write(RDLEN, 16 * ring);
    this.#write(RDT, ring - 1);
    this.#write(RCTL, 0x0201_8022 | (keepsCheck ? 0 : 1 << 26)); // EN, LPE, BAM, buffers of 16 KiB, SECRC
    this.#write(TDBAL, transmitRing);
    this.#write(TDLEN, 16 * ring);
    this.#write(TCTL, 0x0a); // EN, PSP
  }

  /** One more frame is for the card to send. */
  send(): void {
    this.#write(TDT, ++this.#sent % ring);
  }

  /** Hands back the buffers of all frames that have come, as a driver does: one write for each. */
  collect(): void {
    for (;;) {
      const status = receiveRing + 16 * (this.received % ring) + 12;
      if ((this.#memory[status] & descriptorDone) === 0) return;
      this.#memory[status] = 0;
      this.#write(RDT, this.received++ % ring);
    }
  }

  #write(register: number, value: number): void {
    this.#nic.mac.write(register, 4, value);
  }
}
