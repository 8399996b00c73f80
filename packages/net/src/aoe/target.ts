/** One shelf.slot: a disk image, the config string, and who may use it. */
import {
  assert,
  type BlockDevice,
  bytes,
  ConfigError,
  list,
  natural,
  record,
  type StateOf,
  u8,
  u16,
} from "@castaway/kit";
import { admits } from "./access.ts";
import type { TargetDisk } from "./ata.ts";
import { identifyTarget, type TargetIdentity } from "./identify.ts";
import { everyShelf, everySlot, longestConfig, sectorSize } from "./protocol.ts";

export type AoeTargetOptions = {
  /** Its major address: 0 to 65,534. */
  readonly shelf: number;
  /** Its minor address: 0 to 254. */
  readonly slot: number;
  /** The image, in sectors of 512 bytes, shared by all clients. If it is read-only, so is the target without overlays. */
  readonly disk: BlockDevice;
  /**
   * Makes the disk that a client (its MAC address as a number) sees from its first write on: `disk` with this client's
   * writes over it, of the same size. Without it writes go to `disk`.
   *
   * Its contents are the maker's to save. After a restore it is asked again for each client that had written.
   */
  readonly overlay?: (client: number) => BlockDevice;
  /** Clients that get an overlay, at most; writes of those after them are refused. 0 to 65,536, usually 64. */
  readonly overlays?: number;
  /** The config string at the start; usually empty. A text of bytes, 1,024 at most. */
  readonly config?: string;
  readonly identity?: Partial<TargetIdentity>;
};

export const targetState = record({
  shelf: u16,
  slot: u8,
  config: bytes(),
  masks: list(natural),
  reserved: list(natural),
  /** Clients with an overlay. */
  writers: list(natural),
});
export type TargetState = StateOf<typeof targetState>;

export class AoeTarget {
  readonly shelf: number;
  readonly slot: number;
  config: Uint8Array;
  /** Clients that are answered; empty: all. */
  masks: number[] = [];
  /** Clients that may use it; empty: all. */
  reserved: number[] = [];
  readonly #disk: BlockDevice;
  readonly #overlay: ((client: number) => BlockDevice) | undefined;
  readonly #mostOverlays: number;
  readonly #identity: Uint8Array;
  #overlays = new Map<number, BlockDevice>();

  /** @throws ConfigError if an option is out of range */
  constructor({ shelf, slot, disk, overlay, overlays = 64, config = "", identity = {} }: AoeTargetOptions) {
    const whole = (value: number, below: number) => Number.isInteger(value) && value >= 0 && value < below;
    if (!whole(shelf, everyShelf)) throw new ConfigError("aoe.shelf", shelf, "0 to 65,534");
    if (!whole(slot, everySlot)) throw new ConfigError("aoe.slot", slot, "0 to 254");
    if (!whole(overlays, 0x1_0001)) throw new ConfigError("aoe.overlays", overlays, "0 to 65,536");
    if (disk.sectorSize !== sectorSize) throw new ConfigError("aoe.disk", disk.sectorSize, "sectors of 512 bytes");
    if (config.length > longestConfig || /[^\0-\xff]/.test(config)) {
      throw new ConfigError("aoe.config", config, "1,024 characters at most, each a byte");
    }
    this.shelf = shelf;
    this.slot = slot;
    this.#disk = disk;
    this.#overlay = overlay;
    this.#mostOverlays = overlays;
    this.config = Uint8Array.from(config, (char) => char.charCodeAt(0));
    const named = { serial: `${shelf}.${slot}`, firmware: "1", model: "castaway AoE target", ...identity };
    this.#identity = identifyTarget(named, disk.sectors);
  }

  /** Whether a request for `major` and `minor` is for it. */
  answersTo(major: number, minor: number): boolean {
    return (major === this.shelf || major === everyShelf) && (minor === this.slot || minor === everySlot);
  }

  /** Whether `client` may read, write and change it. */
  admits(client: number): boolean {
    return admits(this.reserved, client);
  }

  /** The disk as `client` sees it. */
  diskFor(client: number): TargetDisk {
    return {
      disk: this.#overlays.get(client) ?? this.#disk,
      writable: () => this.#writableFor(client),
      identity: this.#identity,
    };
  }

  save(): TargetState {
    const { shelf, slot, config, masks, reserved } = this;
    return { shelf, slot, config, masks: [...masks], reserved: [...reserved], writers: [...this.#overlays.keys()] };
  }

  restore(state: TargetState): void {
    this.config = state.config.slice(0, longestConfig);
    this.masks = [...state.masks];
    this.reserved = [...state.reserved];
    this.#overlays = new Map();
    for (const client of state.writers) this.#writableFor(client);
  }

  #writableFor(client: number): BlockDevice | null {
    if (this.#overlay === undefined) return this.#disk.readOnly ? null : this.#disk;
    const own = this.#overlays.get(client);
    if (own !== undefined) return own;
    if (this.#overlays.size >= this.#mostOverlays) return null;
    const made = this.#overlay(client);
    const { sectors } = this.#disk;
    assert(made.sectors === sectors && made.sectorSize === sectorSize, "an overlay is as large as its disk", {
      sectors,
    });
    this.#overlays.set(client, made);
    return made;
  }
}
