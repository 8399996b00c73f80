/**
 * Ports: all that a part knows of the others. A device is given the ports that it needs when it is made; the machine
 * plugs them together. Each interface states what both of its sides can rely on.
 *
 * For all of them: calls return at once, latency is the caller's business (on a Clock); nothing that a guest
 * does makes a port throw; bytes handed over are borrowed for the time of the call, so who keeps them copies them.
 */

/** A device's way into guest memory, as a bus master. */
export interface Dma {
  /**
   * Fills `into` with the memory at `address`.
   *
   * `address` is physical: an integer from 0 to 2^52 - 1, with no alignment needed. Where there is no memory bytes
   * read as 0xff. What the CPUs wrote before is seen. A device that trusts nobody reads a structure once and decides
   * on its copy: the guest may change it at any other moment.
   */
  read(address: number, into: Uint8Array): void;

  /** Writes `from` to memory at `address`; where there is no memory, or only ROM, nothing happens. CPUs see it at once. */
  write(address: number, from: Uint8Array): void;
}

/**
 * One interrupt wire from a device to whatever the machine connected it to. Lines are levels: the device computes the
 * level from its state after every change and drives it, whether it differs or not; it never toggles. Asserted means
 * asking for an interrupt, whatever the voltage is on a real board.
 */
export interface IrqLine {
  /** Drives the line. Setting the level that it has already changes nothing. */
  set(asserted: boolean): void;
}

/** A disk's contents, without its controller: sectors of {@link sectorSize} bytes, numbered from 0. */
export interface BlockDevice {
  /** Bytes a sector: 512 or 4096. */
  readonly sectorSize: number;
  /** How many sectors there are. Never changes. */
  readonly sectors: number;
  /** Whether writes are refused. */
  readonly readOnly: boolean;

  /**
   * Fills `into`, a whole number of sectors, from sector `lba` on. The caller has checked that all of them exist.
   * @returns false if the medium failed: `into` is then undefined, and the controller reports it to the guest
   */
  read(lba: number, into: Uint8Array): boolean;

  /**
   * Stores `from`, a whole number of sectors, from sector `lba` on. The caller has checked that all of them exist.
   * Reads see it at once; it need not survive the end of the process before {@link flush}.
   * @returns false if the medium failed or is read-only: sectors of this write may then be old or new
   */
  write(lba: number, from: Uint8Array): boolean;

  /** Makes all writes so far survive. @returns false if that failed */
  flush(): boolean;
}

/**
 * A network socket in the wall, seen from a network card. A frame is an Ethernet frame from destination address to the
 * end of its payload: no preamble, no frame check sequence, 14 bytes or more; padding to 60 is the sender's business.
 */
export interface EthernetPort {
  /** Puts a frame on the wire. With no link it is lost. It has left before the card's own transmit timer could tell. */
  send(frame: Uint8Array): void;

  /** Plugs a card in, in place of the one before; null unplugs it. The card is told the state of the link at once. */
  connect(card: EthernetCard | null): void;
}

/** A network card, seen from the wall. */
export interface EthernetCard {
  /** A frame has arrived, in full. Others may be given the same bytes: nobody changes them. A card without a free buffer drops it, as real ones do. */
  receive(frame: Uint8Array): void;

  /** The link came up or went down. */
  link(up: boolean): void;
}
