/**
 * The oracle of guest writes: what a local disk must contain while, and after, a hypervisor streams an image onto it. It
 * listens to what the guest itself does to its AHCI controller, and to nothing that the hypervisor does or keeps; so it can
 * say whether the hypervisor did right. docs/oracle.md says how, and where its limits are.
 *
 *     const oracle = new DiskOracle(machine, { image });     // before the machine runs
 *     machine.run({ .. });
 *     const { verified, firstDifference } = oracle.verify();
 *     for (const { message } of oracle.findings) console.log(message);
 */
import { type AtaDrive, ImageDisk, OverlayDisk } from "@castaway/devices";
import { type BlockDevice, ConfigError, natural, record, type Shape, type StateOf } from "@castaway/kit";
import type { Machine } from "../machine.ts";
import { type Geometry, type Memory, readCommand } from "./commands.ts";
import { type Finding, findingsState, MOST_FINDINGS, withPlace } from "./findings.ts";
import { Ledger, ledgerState } from "./ledger.ts";
import { GuestReads, openReads } from "./reads.ts";
import { GuestRegisters, guestRegistersState } from "./registers.ts";
import { Slots, slotsState } from "./slots.ts";
import { StartDisk } from "./start.ts";
import { Traffic } from "./traffic.ts";
import { compare, type Verification } from "./verify.ts";

export interface DiskOracleOptions {
  /** The port of the AHCI controller that the disk is on: its number among the machine's disks. Default 0. */
  readonly port?: number;
  /** What the disk is to hold from its first sector on, but for what the guest writes. It must not change. */
  readonly image: Uint8Array | BlockDevice;
}

/** What was seen so far. */
export interface OracleStatistics {
  /** The guest's commands that write, and that trim. */
  readonly writes: number;
  readonly trims: number;
  /** Different sectors that they changed. */
  readonly sectors: number;
  /** Bytes that the disk took of the guest's writes, also those of a sector that was written again. */
  readonly bytes: number;
  /** Sectors of the guest's reads that were found right. */
  readonly checkedReads: number;
  /** Sectors that the disk has not taken yet. */
  readonly open: number;
  /** Writes to the controller that were followed at VM exits. */
  readonly exits: number;
  readonly findings: number;
}

export const oracleState = record({
  registers: guestRegistersState,
  ledger: ledgerState,
  slots: slotsState,
  reads: openReads,
  geometry: record({ heads: natural, track: natural }),
  findings: findingsState,
  unlisted: natural,
});
export type DiskOracleState = StateOf<typeof oracleState>;

export class DiskOracle {
  /** What has been found so far, in order of time; of very many the first ones. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }
  /** The shape of what {@link save} gives. */
  readonly state: Shape<DiskOracleState> = oracleState;
  readonly #machine: Machine;
  readonly #port: number;
  readonly #drive: AtaDrive;
  readonly #registers: GuestRegisters;
  readonly #ledger: Ledger;
  readonly #slots = new Slots();
  readonly #reads: GuestReads;
  readonly #traffic: Traffic;
  readonly #memory: Memory;
  readonly #ends: readonly (() => void)[];
  #geometry: Geometry = { heads: 16, track: 63 };
  #findings: Finding[] = [];
  #unlisted = 0;

  /**
   * Beyond the image the disk is right as it is at this moment; a disk that is no `OverlayDisk` is taken for blank there.
   * @throws ConfigError if there is no such disk, or the image does not fit it
   */
  constructor(machine: Machine, { port = 0, image }: DiskOracleOptions) {
    const { board, probes } = machine;
    const drive = board.drives[port];
    if (drive === undefined || board.ahci === null)
      throw new ConfigError("oracle.port", port, `a disk: 0 to ${board.drives.length - 1}`);
    this.#machine = machine;
    this.#port = port;
    this.#drive = drive;
    const { medium } = drive;
    const device = image instanceof Uint8Array ? new ImageDisk(image, { sectorSize: medium.sectorSize }) : image;
    this.#memory = { read: (address, into) => board.cpu.physical.dmaRead(address, into) };
    const common = {
      memory: this.#memory,
      now: () => board.clock.now,
      report: (finding: Finding) => this.#report(finding),
    };
    const hiddenFrom = () => drive.persistentSectors;
    this.#ledger = new Ledger({ ...common, start: startOf(medium, device), hiddenFrom });
    this.#reads = new GuestReads({ ...common, expected: this.#ledger.expected });
    this.#registers = new GuestRegisters(board.drives.length, {
      issue: (at, slot, list) => at === port && this.#issued(slot, list),
      stop: (at) => at === port && this.#stopped(),
    });
    this.#traffic = new Traffic(board, this.#registers, {
      issued: () => this.#slots.issued,
      seen: ({ port: at, register }, value, issued) => at === port && this.#seen(register, value, issued),
      unfollowed: (what) =>
        this.#report({
          kind: "unfollowed",
          time: board.clock.now,
          lba: null,
          sectors: 0,
          message: `the guest wrote to ${what}`,
        }),
    });
    this.#ends = [
      () => this.#traffic.close(),
      probes.resets.on(() => this.#registers.reset()),
      drive.writes.on(({ lba, sectors, data }) => this.#ledger.stored(lba, sectors, data)),
    ];
  }

  /** Compares the whole disk with what it must contain; takes about a second for a GiB that is written or imaged. */
  verify(): Verification {
    const { writes: guestWrites, sectors: guestSectors } = this.#ledger;
    const findings = this.#findings.length + this.#unlisted;
    const compared = compare(this.#drive.medium, this.#ledger, this.#drive.persistentSectors, this.#busy);
    return { verified: compared.differences === 0 && findings === 0, guestWrites, guestSectors, findings, ...compared };
  }

  get statistics(): OracleStatistics {
    const { writes, trims, sectors, taken, commands } = this.#ledger;
    return {
      writes,
      trims,
      sectors,
      bytes: taken * this.#drive.medium.sectorSize,
      checkedReads: this.#reads.checked,
      open: commands.reduce((sum, { open }) => sum + open, 0),
      exits: this.#traffic.exits,
      findings: this.#findings.length + this.#unlisted,
    };
  }

  /** Listens no more. */
  close(): void {
    for (const end of this.#ends) end();
  }

  /** All that it knows, beside a state of the machine: restore both together. */
  save(): DiskOracleState {
    return {
      registers: this.#registers.save(),
      ledger: this.#ledger.save(),
      slots: this.#slots.save(),
      reads: this.#reads.save(),
      geometry: { ...this.#geometry },
      findings: this.#findings.map((finding) => ({ ...finding })),
      unlisted: this.#unlisted,
    };
  }
  restore({ registers, ledger, slots, reads, geometry, findings, unlisted }: DiskOracleState): void {
    this.#registers.restore(registers);
    this.#ledger.restore(ledger);
    this.#slots.restore(slots);
    this.#reads.restore(reads);
    this.#traffic.forget();
    this.#geometry = { ...geometry };
    this.#findings = findings.map((finding) => ({ ...finding }));
    this.#unlisted = unlisted;
  }

  // What the guest does

  #issued(slot: number, list: { readonly low: number; readonly high: number }): void {
    const command = readCommand(this.#memory, list, slot, this.#drive.medium.sectorSize, this.#geometry);
    if (command.does === "reset") this.#stopped();
    if (command.does === "geometry") this.#geometry = command.geometry;
    this.#reads.forget(slot);
    this.#slots.issue(slot, "queued" in command && command.queued);
    this.#ledger.issue(slot, command);
    if (command.does === "read")
      this.#reads.issue(
        slot,
        command,
        this.#ledger.commands.flatMap(({ extents }) => extents),
      );
    else if ("extents" in command) this.#reads.writing(command.extents);
  }
  #stopped(): void {
    this.#ledger.stop();
    this.#slots.stop();
    this.#reads.stop();
  }
  /** The guest has been told by CI or SACT which commands are over. */
  #seen(register: "CI" | "SACT", value: number, issued: number): void {
    for (const slot of this.#slots.seen(register, value, issued)) {
      this.#ledger.complete(slot);
      this.#reads.complete(slot);
    }
  }

  /**
   * Whether commands may be under way: on the controller; or in a hypervisor, which may have not passed them on yet.
   */
  get #busy(): boolean {
    const { poweredOff, board } = this.#machine;
    if (poweredOff) return false;
    const { CI, SACT } = board.ahci!.hba.ports[this.#port]!.regs;
    return (CI | SACT) !== 0 || board.cpu.processors.some(({ vmx }) => vmx.root || vmx.nonRoot);
  }

  #report(finding: Finding): void {
    if (this.#findings.length >= MOST_FINDINGS) this.#unlisted++;
    else this.#findings.push({ ...finding, message: withPlace(finding) });
  }
}

/** What a disk holds at the start: the image, and behind it what is there already. @throws ConfigError */
function startOf(medium: BlockDevice, image: BlockDevice): OverlayDisk {
  if (image.sectorSize !== medium.sectorSize || image.sectors > medium.sectors) {
    const { sectors, sectorSize } = medium;
    const given = `${image.sectors} sectors of ${image.sectorSize} bytes`;
    throw new ConfigError("oracle.image", given, `at most ${sectors} sectors of ${sectorSize} bytes`);
  }
  const start = new OverlayDisk(new StartDisk(image, medium.sectors));
  if (medium instanceof OverlayDisk)
    for (const { lba, bytes } of medium.changes(image.sectors)) start.write(lba, bytes);
  return start;
}
