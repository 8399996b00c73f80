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
import { EXIT, type VmExit } from "@castaway/cpu";
import { type AtaDrive, ImageDisk, OverlayDisk } from "@castaway/devices";
import { type BlockDevice, ConfigError, natural, record, type Shape, type StateOf } from "@castaway/kit";
import type { Machine } from "../machine.ts";
import type { Access } from "../ports.ts";
import { type Geometry, readCommand } from "./commands.ts";
import { type Finding, findingsState, MOST_FINDINGS, withPlace } from "./findings.ts";
import { Ledger, ledgerState } from "./ledger.ts";
import { GuestRegisters, guestRegistersState } from "./registers.ts";
import { StartDisk } from "./start.ts";
import { GuestStores } from "./stores.ts";
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
  /** Sectors that the disk has not taken yet. */
  readonly open: number;
  /** Accesses of the guest that were followed at a VM exit. */
  readonly exits: number;
  readonly findings: number;
}

export const oracleState = record({
  registers: guestRegistersState,
  ledger: ledgerState,
  geometry: record({ heads: natural, track: natural }),
  findings: findingsState,
  unlisted: natural,
});
export type DiskOracleState = StateOf<typeof oracleState>;

const PAGE = 4096;
/** A base address register that the firmware has not set yet. */
const NOWHERE = -1;
/** Of an EPT violation's qualification: a data write, and that the access itself was refused, no page walk. [SDM 3C 27.2.1] */
const WRITE_ITSELF = 0x102;

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
  readonly #stores: GuestStores;
  readonly #ends: readonly (() => void)[];
  #geometry: Geometry = { heads: 16, track: 63 };
  #findings: Finding[] = [];
  #unlisted = 0;
  #exits = 0;

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
    this.#ledger = new Ledger({
      memory: { read: (address, into) => board.cpu.physical.dmaRead(address, into) },
      start: startOf(medium, device),
      now: () => board.clock.now,
      hiddenFrom: () => drive.persistentSectors,
      report: (finding) => this.#report(finding),
    });
    this.#registers = new GuestRegisters(board.drives.length, {
      issue: (at, slot, list) => at === port && this.#issued(slot, list),
      stop: (at) => at === port && this.#ledger.stop(),
    });
    this.#stores = new GuestStores(board.cpu);
    this.#ends = [
      board.memoryMap.accesses.on((access) => this.#accessed(access)),
      board.ports.accesses.on((access) => this.#portAccessed(access)),
      probes.vmExit.on((exit) => this.#exited(exit)),
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
      open: commands.reduce((sum, { open }) => sum + open, 0),
      exits: this.#exits,
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
      geometry: { ...this.#geometry },
      findings: this.#findings.map((finding) => ({ ...finding })),
      unlisted: this.#unlisted,
    };
  }
  restore({ registers, ledger, geometry, findings, unlisted }: DiskOracleState): void {
    this.#registers.restore(registers);
    this.#ledger.restore(ledger);
    this.#geometry = { ...geometry };
    this.#findings = findings.map((finding) => ({ ...finding }));
    this.#unlisted = unlisted;
  }

  // What the guest does

  /** A processor in root operation is the hypervisor's: what it does is not the guest's. */
  get #byGuest(): boolean {
    return !this.#machine.board.cpu.running.vmx.root;
  }
  /** Where the guest reaches the controller. */
  get #registersAt(): number {
    return (this.#machine.board.ahci!.pci.config.BAR5 & ~(PAGE - 1)) >>> 0 || NOWHERE;
  }
  get #pairAt(): number {
    return (this.#machine.board.ahci!.pci.config.BAR4 & ~0x1f) >>> 0 || NOWHERE;
  }

  #accessed({ write, address, bytes, value }: Access): void {
    if (!write || address - (address % PAGE) !== this.#registersAt || !this.#byGuest) return;
    this.#registers.write(address % PAGE, bytes, value);
  }
  #portAccessed({ write, address, bytes, value }: Access): void {
    if (!write || (address & ~0x1f) !== this.#pairAt || !this.#byGuest) return;
    this.#registers.writePair(address & 0x1f, bytes, value);
  }

  #exited(exit: VmExit): void {
    const { reason, qualification, guestPhysical } = exit;
    if (reason === EXIT.io) this.#portExit(qualification, exit);
    else if (guestPhysical !== null && guestPhysical - (guestPhysical % PAGE) === this.#registersAt) {
      const violation = reason === EXIT.eptViolation;
      const writes = violation ? (qualification & WRITE_ITSELF) === WRITE_ITSELF : reason === EXIT.eptMisconfiguration;
      if (writes) this.#memoryExit(guestPhysical % PAGE, exit);
    }
  }
  #memoryExit(offset: number, { processor, ip, time }: VmExit): void {
    const store = this.#stores.at(processor, ip);
    if (store === null) return;
    this.#exits++;
    if (typeof store === "string") {
      const message = `the guest wrote to the controller's register ${offset.toString(16)} at RIP ${ip.toString(16)} with ${store}`;
      this.#report({ kind: "unfollowed", time, lba: null, sectors: 0, message });
      return;
    }
    this.#registers.write(offset, Math.min(store.bytes, 4), store.low);
    if (store.bytes === 8) this.#registers.write(offset + 4, 4, store.high);
  }
  /** OUT and OUTS. [SDM 3C 27.2.1, table 27-5] */
  #portExit(qualification: number, { processor, ip, time }: VmExit): void {
    const port = (qualification >>> 16) & 0xffff;
    const [input, string] = [qualification & 8, qualification & 16];
    if (input || (port & ~0x1f) !== this.#pairAt) return;
    this.#exits++;
    if (string) {
      const message = `the guest wrote to the controller's ports at RIP ${ip.toString(16)} with OUTS`;
      this.#report({ kind: "unfollowed", time, lba: null, sectors: 0, message });
      return;
    }
    const value = this.#machine.board.cpu.get("RAX", processor).low >>> 0;
    this.#registers.writePair(port & 0x1f, (qualification & 7) + 1, value);
  }

  #issued(slot: number, list: { readonly low: number; readonly high: number }): void {
    const { physical } = this.#machine.board.cpu;
    const memory = { read: (address: number, into: Uint8Array) => physical.dmaRead(address, into) };
    const command = readCommand(memory, list, slot, this.#drive.medium.sectorSize, this.#geometry);
    if (command.does === "reset") this.#ledger.stop();
    if (command.does === "geometry") this.#geometry = command.geometry;
    this.#ledger.issue(slot, command);
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
