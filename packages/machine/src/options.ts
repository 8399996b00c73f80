/** What a machine is made of, as its user says it. */
import type { Costs, Cpu, Model } from "@castaway/cpu";
import {
  type DiskTiming,
  hardDiskTiming,
  ImageDisk,
  inflateImage,
  isGzip,
  noTiming,
  OverlayDisk,
  ssdTiming,
} from "@castaway/devices";
import { type BlockDevice, ConfigError, Digest, type Nanoseconds } from "@castaway/kit";
import { configurationBeside, type Surroundings } from "./beside.ts";
import type { BoardCard, BoardDisk, BoardOptions, BootDevice, Firmware } from "./board.ts";
import { type Configuration, fingerprint } from "./snapshot.ts";
import type { VmmProgram } from "./vmm.ts";

/** How long a disk takes: nothing, like a SATA solid-state disk, or like a hard disk of 7200 revolutions a minute. */
export type TimingName = "none" | "ssd" | "hdd";

/** A disk of the machine. */
export interface Disk {
  /**
   * Its contents. Bytes are an image, raw or gzip, that is read through a copy-on-write overlay and never modified; a block
   * device is written to directly.
   */
  readonly medium: Uint8Array | BlockDevice;
  /** How long its commands take in virtual time. Default "none". */
  readonly timing?: TimingName | DiskTiming;
  /** What messages call it: a file's name. */
  readonly name?: string;
}

/** A network card of the machine. */
export type NetworkCard = Omit<BoardCard, "mac"> & {
  /** Default 52:54:00:12:34:56, and :57 for the second one. */
  readonly mac?: string;
};

export interface MachineOptions {
  /** The firmware's images; see `loadFirmware`. */
  readonly firmware: Firmware;
  /** RAM: bytes, or text like "512MiB"; at most 3.5 GiB less ROMs and video memory. Default "128MiB". */
  readonly memory?: number | string;
  /** Processors, 1 to 16. Default 1. */
  readonly cpus?: number;
  /** The processors' model: a name (see `modelNames`) or one made with `withFeatures`. Default "westmere". */
  readonly model?: string | Model;
  /** What runs the instructions. Default "interpreter"; the evaluator is the slow oracle, with the same results to the bit. */
  readonly executor?: "interpreter" | "evaluator";
  /** At most six: ports 0 to 5 of the AHCI controller. The first one is booted. Default none. */
  readonly disks?: readonly (Disk | Uint8Array | BlockDevice)[];
  /**
   * Network cards (82540EM), at most two: in PCI slots 3 and 5. `rom` is the option ROM that the firmware finds in it,
   * iPXE's for instance; `port` the socket in the wall. Default none.
   */
  readonly networkCards?: readonly NetworkCard[];
  /** What shares the machine's clock and its snapshots: a network with its servers, see `Lan`. Default: nothing. */
  readonly beside?: Surroundings;
  /**
   * A hypervisor, any multiboot program, which the machine starts from the network before anything else. That needs a first network
   * card with iPXE's ROM and without a port. With `beside` it is that network's business to serve it, and only symbols are taken from
   * here. See `Laboratory` for whole deployments. Default none.
   */
  readonly vmm?: Uint8Array | VmmProgram;
  /** Words of its command line, behind its URI. */
  readonly vmmCommandLine?: string;
  /** What the firmware tries to boot, in this order. Default: the disk, then the network, as far as they are there. */
  readonly boot?: readonly BootDevice[];
  /** What the real-time clock shows at power-on, in seconds since 1970. Default 1700000000, so that runs repeat. */
  readonly startDate?: number;
  /** Whether the AHCI controller offers message-signalled interrupts. Default true. */
  readonly msi?: boolean;
  /** Whether the firmware's screen also goes to the first serial port. Default false. */
  readonly serialConsole?: boolean;
  /** Whether a byte written to port 501 ends the run, as test programs do. Default false. */
  readonly exitPort?: boolean;
  /** Virtual nanoseconds that each processor runs before the next one, 1,000 to 1,000,000. Default 20,000. */
  readonly quantum?: Nanoseconds;
  /** What virtual time is charged beyond a nanosecond an instruction. */
  readonly costs?: Partial<Costs>;
  /** Seeds RDRAND and RDSEED. Default 1. */
  readonly seed?: number;
}

/** The options with compressed images unpacked. @throws ConfigError if one is damaged */
export async function unpacked(options: MachineOptions): Promise<MachineOptions> {
  const unpack = async (disk: Disk | Uint8Array | BlockDevice, n: number) => {
    const { medium, name = `disks[${n}]`, ...rest } = asDisk(disk);
    return { ...rest, name, medium: medium instanceof Uint8Array ? await inflateImage(medium, { name }) : medium };
  };
  return { ...options, disks: await Promise.all((options.disks ?? []).map(unpack)) };
}

/** What a board is built from: options with defaults filled in. @throws ConfigError */
export function boardOptions(options: MachineOptions): BoardOptions {
  const { disks = [], networkCards = [], startDate = 1_700_000_000 } = options;
  if (networkCards.length > 2) throw new ConfigError("networkCards", networkCards.length, "at most 2");
  if (disks.length > 6) throw new ConfigError("disks", disks.length, "at most 6");
  if (!(Number.isSafeInteger(startDate) && startDate >= 0 && startDate < 2 ** 33))
    throw new ConfigError("startDate", startDate, "seconds since 1970: 0 to 8589934591");
  const { bios } = options.firmware;
  if (bios.length === 0 || bios.length % 0x10000 !== 0 || bios.length > 0x40000)
    throw new ConfigError("firmware.bios", bios, "a ROM image of 64, 128, 192 or 256 KiB");
  return {
    memory: "128MiB",
    cpus: 1,
    msi: true,
    serialConsole: false,
    exitPort: false,
    ...given(options),
    startDate,
    disks: disks.map(boardDisk),
    networkCards: networkCards.map((card, n) => ({ mac: `52:54:00:12:34:5${6 + n}`, ...card })),
    boot: bootDevices(options.boot ?? ["disk", "network"], disks.length > 0, networkCards[0]?.rom !== undefined),
  };
}

/** An option that is given as undefined is as good as absent. */
function given(options: MachineOptions): MachineOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as typeof options;
}

const asDisk = (disk: Disk | Uint8Array | BlockDevice): Disk => ("medium" in disk ? disk : { medium: disk });

function boardDisk(disk: Disk | Uint8Array | BlockDevice, n: number): BoardDisk {
  const { medium, timing = "none", name = `disks[${n}]` } = asDisk(disk);
  if (medium instanceof Uint8Array && isGzip(medium))
    throw new ConfigError(name, "a gzip image", "raw bytes here; Machine.create unpacks gzip");
  const device = medium instanceof Uint8Array ? new OverlayDisk(new ImageDisk(medium)) : medium;
  return { medium: device, timing: typeof timing === "string" ? timingNamed(timing, device.sectors) : timing };
}

function bootDevices(wanted: readonly string[], disk: boolean, network: boolean): BootDevice[] {
  const there = { disk, network };
  for (const device of wanted)
    if (!Object.hasOwn(there, device)) throw new ConfigError("boot", device, '"disk" or "network"');
  return (wanted as readonly BootDevice[]).filter((device) => there[device]);
}

function timingNamed(name: string, sectors: number): DiskTiming {
  if (name === "none") return noTiming;
  if (name === "ssd") return ssdTiming();
  if (name === "hdd") return hardDiskTiming({ sectors });
  throw new ConfigError("disk timing", name, '"none", "ssd" or "hdd"');
}

/** The options that decide how a machine goes on, as a snapshot carries them. */
export function configurationOf(
  options: Omit<BoardOptions, "memory">,
  cpu: Cpu,
  beside: Surroundings | undefined,
): Configuration {
  const {
    cpus = 1,
    msi,
    serialConsole,
    exitPort,
    startDate,
    quantum = null,
    seed = null,
    costs = {},
    firmware,
  } = options;
  const disks = options.disks.map(({ medium, timing }, n) => [
    [`disk${n}`, fingerprint(medium instanceof OverlayDisk ? medium.base : medium)],
    [`disk${n}Timing`, `${timing.depth} ${timing.rotationRate} ${timing.spinUp}`],
  ]);
  return {
    memory: cpu.physical.ramBytes,
    cpus,
    model: cpu.model.name,
    bios: new Digest().update(firmware.bios).hex(),
    videoBios: firmware.videoBios === undefined ? null : new Digest().update(firmware.videoBios).hex(),
    msi,
    serialConsole,
    exitPort,
    startDate,
    quantum,
    seed,
    costs: JSON.stringify(costs),
    boot: options.boot.join(" "),
    networkCards: options.networkCards
      .map(({ mac, rom }) => `${mac} ${rom ? new Digest().update(rom).hex() : ""}`)
      .join(", "),
    ...Object.fromEntries(disks.flat()),
    ...configurationBeside(beside),
  };
}
