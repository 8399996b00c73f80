/**
 * A deployment, ready to be watched: a machine with an empty disk and two network cards; on its network the servers that
 * iPXE loads the hypervisor from, and the image that it then streams to the disk.
 *
 *     const lab = await Laboratory.create({ read, image, vmm });
 *     lab.run({ until: lab.reaches("streaming"), atMost: seconds(20) });    // SeaBIOS, iPXE, the hypervisor, the boot sector
 *     lab.run({ until: lab.machine.com1.shows("login:"), atMost: seconds(60) });
 *     lab.run({ until: lab.reaches("bare"), atMost: seconds(600) });        // all is there, the hypervisor is gone
 *     console.log(lab.report().phases, lab.verify()?.verified);
 */
import { blankDisk, type DiskTiming, ImageDisk, inflateImage, type OverlayDisk } from "@castaway/devices";
import { type BlockDevice, type Bytes, ConfigError, formatSize, mib, parseSize } from "@castaway/kit";
import type { LinkOptions, ServiceCost } from "@castaway/net";
import type { Watch } from "../console.ts";
import { type BlobReader, loadFirmware, loadNetworkRom } from "../firmware.ts";
import { Lan } from "../lan.ts";
import { Machine, type MachineStop, type RunLimits } from "../machine.ts";
import type { MachineOptions, TimingName } from "../options.ts";
import { DiskOracle } from "../oracle/oracle.ts";
import type { Verification } from "../oracle/verify.ts";
import { programOf, type VmmProgram } from "../vmm.ts";
import { type VmmArguments, vmmCommandLine } from "./command-line.ts";
import { OraclePart } from "./oracle-part.ts";
import { Observer, type Phase, type PhaseStart } from "./phases.ts";
import { type DeploymentReport, reportOf } from "./report.ts";

export interface LaboratoryOptions
  extends Omit<MachineOptions, "firmware" | "disks" | "networkCards" | "beside" | "boot" | "vmmCommandLine"> {
  /** Reads SeaBIOS and iPXE: files of `firmware-blobs`. */
  readonly read: BlobReader;
  /** Whether the machine has a VGA. Default true. */
  readonly display?: boolean;
  /** What is deployed: bytes, raw or gzip, or a device that is only read. */
  readonly image: Uint8Array | BlockDevice;
  /** The hypervisor: a multiboot program, or one with its symbols, as `buildVmm` gives it. */
  readonly vmm: Uint8Array | VmmProgram;
  /** What it is told behind `aoe=0.0`. A text is passed on as it is; else the cable's MTU is added. */
  readonly commandLine?: VmmArguments | string;
  /** The local disk: its size, by default the image's and 16 MiB more, rounded up; how long it takes, by default "none". */
  readonly disk?: { readonly size?: number | string; readonly timing?: TimingName | DiskTiming };
  /** The deployment card's cable. The guest's card has one of the same bandwidth and MTU, without faults. */
  readonly link?: LinkOptions;
  /** What requests cost the AoE server. Default: no time. */
  readonly server?: Partial<ServiceCost>;
  /** Whether what the guest writes is followed from outside, so that the disk can be verified. Default true. */
  readonly oracle?: boolean;
}

/** The hypervisor keeps its record behind the image; room for it, and a disk of round size. */
const ROOM = mib(16);

/** A phase, or that the machine is off. */
export type LaboratoryPhase = Phase | "off";

export class Laboratory {
  readonly machine: Machine;
  readonly lan: Lan;
  /** What is served; never written to. */
  readonly image: BlockDevice;
  /** The local disk. */
  readonly disk: OverlayDisk;
  /** Phases and counters, as they are seen from outside. */
  readonly observer: Observer;
  /** What knows what the disk must hold; null if it was not wanted. */
  readonly oracle: DiskOracle | null;

  /** Builds it and switches the machine on. @throws ConfigError that says which option is wrong and what is allowed */
  static async create(options: LaboratoryOptions): Promise<Laboratory> {
    const { read, display, image, vmm, commandLine, disk = {}, link, server, oracle = true, ...machine } = options;
    const served = image instanceof Uint8Array ? new ImageDisk(await inflateImage(image)) : image;
    if (served.sectorSize !== 512) throw new ConfigError("image", `${served.sectorSize}-byte sectors`, "512 bytes");
    const local = blankDisk(diskSize(served, disk.size));
    const lan = new Lan({
      seed: machine.seed,
      sockets: 2,
      link: [link ?? {}, { bandwidth: link?.bandwidth, mtu: link?.mtu }],
      files: { "boot.ipxe": script(commandLine, link), "vmm.elf": programOf(vmm).bytes },
      bootFile: "boot.ipxe",
      disks: [{ image: served }],
      aoeCost: server,
    });
    const observer = new Observer();
    const oraclePart = new OraclePart(oracle);
    const pc = await Machine.create({
      ...machine,
      firmware: await loadFirmware(read, { display }),
      disks: [{ name: "local disk", medium: local, timing: disk.timing }],
      networkCards: [{ rom: await loadNetworkRom(read), port: lan.ports[0] }, { port: lan.ports[1] }],
      boot: ["network", "disk"],
      vmm,
      beside: {
        clock: lan.clock,
        configuration: lan.configuration,
        parts: { ...lan.parts, deployment: observer, oracle: oraclePart },
      },
    });
    observer.watch(pc);
    if (oracle) oraclePart.oracle = new DiskOracle(pc, { image: served });
    return new Laboratory({ machine: pc, lan, image: served, disk: local, observer, oracle: oraclePart.oracle });
  }

  private constructor(parts: Pick<Laboratory, "machine" | "lan" | "image" | "disk" | "observer" | "oracle">) {
    this.machine = parts.machine;
    this.lan = parts.lan;
    this.image = parts.image;
    this.disk = parts.disk;
    this.observer = parts.observer;
    this.oracle = parts.oracle;
  }

  get phase(): LaboratoryPhase {
    return this.machine.poweredOff ? "off" : this.observer.phase;
  }
  /** When the phases began, in order. */
  get starts(): readonly PhaseStart[] {
    return this.observer.starts;
  }
  /** As `Machine.run`. */
  run(limits?: RunLimits): MachineStop {
    return this.machine.run(limits);
  }
  /** For `run`: the phase has begun. */
  reaches(phase: Phase): Watch {
    return this.observer.reaches(phase);
  }

  /** How much of the image's part of the local disk was ever written, by whomever, in bytes. */
  get localBytes(): Bytes {
    return this.disk.writtenIn(0, this.image.sectors) * this.disk.sectorSize;
  }
  /** The image's part of the local disk cut into `cells` equal pieces: of each, which share was written, 0 to 1. */
  local(cells = 1): number[] {
    const { sectors } = this.image;
    const edge = (cell: number) => Math.floor((cell * sectors) / cells);
    return Array.from({ length: cells }, (_, cell) => {
      const [from, to] = [edge(cell), edge(cell + 1)];
      const count = Math.max(1, to - from);
      return this.disk.writtenIn(from, count) / count;
    });
  }

  /**
   * Compares the whole local disk with the image overlaid by what the guest wrote; takes about a second for a GiB. Only once the
   * machine is bare must all of it be there. @returns null without the oracle
   */
  verify(): Verification | null {
    return this.oracle?.verify() ?? null;
  }
  /** What has happened so far, in numbers. */
  report(): DeploymentReport {
    return reportOf(this);
  }

  /** Machine, network, servers, history in one: for a laboratory of the same options. */
  save(): Promise<Uint8Array> {
    return this.machine.save();
  }
  /** @throws StateError if it is damaged, or of another laboratory */
  restore(snapshot: Uint8Array): Promise<void> {
    return this.machine.restore(snapshot);
  }
}

/** @throws ConfigError */
function diskSize({ sectors }: BlockDevice, wanted: number | string | undefined): Bytes {
  const image = sectors * 512;
  if (wanted === undefined) return Math.ceil((image + ROOM) / ROOM) * ROOM;
  const size = parseSize(wanted, "disk size");
  if (size < image) throw new ConfigError("disk size", wanted, `${formatSize(image)} or more, which the image has`);
  return size;
}

/** The longest frames that the hypervisor's card is driven with. */
const LONGEST = 9000;

function script(commandLine: VmmArguments | string = {}, { mtu = 1500 }: LinkOptions = {}): Uint8Array {
  const words =
    typeof commandLine === "string" ? commandLine : vmmCommandLine({ mtu: Math.min(mtu, LONGEST), ...commandLine });
  return new TextEncoder().encode(`#!ipxe\nkernel vmm.elf aoe=0.0 ${words}\nboot\n`);
}
