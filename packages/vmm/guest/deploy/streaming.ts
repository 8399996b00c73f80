/**
 * The deployment as a whole: the disk, the network that its contents come from, and what stands between the guest and
 * both. Made once at boot, before there is a guest.
 */
import { DeploymentDone } from "../api/disk.ts";
import { Periodic } from "../api/intercepts.ts";
import { Registry } from "../api/registry.ts";
import { CommandLine } from "../command-line.ts";
import { Estate } from "../core/departure.ts";
import { log, logNumber, tells } from "../log.ts";
import { allocate } from "../memory.ts";
import { AoeClient } from "../net/aoe.ts";
import { E1000 } from "../net/e1000.ts";
import { findPciClass, NOWHERE, pciRead32 } from "../pci.ts";
import { PxSSTS, portStride, portsAt } from "../storage/ahci.ts";
import { mediateAhci } from "../storage/function.ts";
import { AhciMediator } from "../storage/mediator.ts";
import { Port } from "../storage/port.ts";
import { rdtsc } from "../x86.ts";
import { COPYING, Deployment, DONE, IMAGE_TOO_LONG, NO_DISK, RECORD_DAMAGED, UNFIT_DISK } from "./deployment.ts";
import { idBytes } from "./format.ts";

/** Mass storage, SATA, AHCI [PCI Code and ID Assignment 1.2]. */
const AHCI_CLASS: u32 = 0x010601;
const BAR4: u32 = 0x20;
const BAR5: u32 = 0x24;
const ADDRESS: u32 = 0xfffffff0;
const PORTS: u32 = 0xfffc;
/** From BAR 4 on: index and data [AHCI 2.4]; as the SATA capability says it. */
const PAIR_OFFSET: u32 = 0x10;
const PxSIG: u32 = 0x24;
/** A disk that is not a packet device [ATA8-AST 7.1]. */
const DISK_SIGNATURE: u32 = 0x101;
const LINK_UP: u32 = 3;
/** Memory for blocks on their way, in sectors. */
const POOL_SECTORS: u32 = 8192;
const MOST_BLOCKS: u32 = 16;
/** How often the network is looked at: while answers are expected, and else. */
const BUSY: u64 = 100_000;
const QUIET: u64 = 5_000_000;
/** How often it is said that nobody answers. */
const COMPLAIN: u64 = 10_000_000_000;

/** Looks at the network. */
class NetworkPoll extends Periodic {
  constructor(private client: AoeClient) {
    super();
  }
  poll(now: u64): void {
    this.client.poll(now);
    this.due = now + (this.client.inFlight !== 0 ? BUSY : QUIET);
  }
}

export class Streaming extends Estate {
  deployment: Deployment | null = null;
  ahci: AhciMediator | null = null;
  /** The port with the disk. */
  private disk: Port | null = null;
  private readonly card: E1000 = new E1000();
  readonly client!: AoeClient;
  private controllerAt: u32 = 0;
  private abar: u64 = 0;
  private pair: u32 = 0;

  /** @param done told when every block is local and durable, and nothing is under way */
  constructor(
    private options: CommandLine,
    private done: DeploymentDone,
  ) {
    super();
    this.client = new AoeClient(this.card, (<u32>1) << options.blockShift);
  }
  /** Where the network card is: bus, device and function as CONFIG_ADDRESS has them. */
  get cardAt(): u32 {
    return this.card.at;
  }

  /** Finds the disk, the server, and what is there already. False: the guest is to have its disk as it is. */
  prepare(): bool {
    const options = this.options,
      client = this.client;
    if (!this.findController()) return this.refuse("there is no AHCI controller");
    if (!this.card.start(rdtsc(), 0)) return this.refuse("there is no network card 82540EM");
    client.start(rdtsc(), options.shelf, options.slot, options.mtu);
    this.awaitServer();
    const ahci = new AhciMediator(this.abar);
    this.ahci = ahci;
    if (!ahci.attach()) return this.refuse("the disk controller does not stop");
    const number = this.findDisk(ahci);
    if (number < 0) return this.refuse("there is no disk");
    this.disk = ahci.ports[number];
    this.deployment = this.makeDeployment(ahci, this.disk!);
    return this.settle();
  }

  private findController(): bool {
    const at = findPciClass(AHCI_CLASS);
    if (at === NOWHERE) return false;
    this.controllerAt = at;
    this.abar = pciRead32(at, BAR5) & ADDRESS;
    const ports = pciRead32(at, BAR4) & PORTS;
    this.pair = ports === 0 ? 0 : ports + PAIR_OFFSET;
    return this.abar !== 0;
  }
  private awaitServer(): void {
    let complainAt = rdtsc() + COMPLAIN;
    while (!this.client.ready) {
      const now = rdtsc();
      this.client.poll(now);
      if (now < complainAt) continue;
      complainAt = now + COMPLAIN;
      log("no answer from the server yet\n");
    }
    if (!tells(1)) return;
    log("image: ");
    logNumber(this.client.target.shelf);
    log(".");
    logNumber(this.client.target.slot);
    log(", ");
    logNumber(this.client.sectors);
    log(" sectors\n");
  }
  /** The first port with a disk; -1: none. */
  private findDisk(ahci: AhciMediator): i32 {
    for (let i = 0; i < ahci.ports.length; i++) {
      const port = portsAt + <u32>i * portStride;
      if (ahci.ports[i] === null || (ahci.readAt(port + PxSSTS) & 15) !== LINK_UP) continue;
      if (ahci.readAt(port + PxSIG) === DISK_SIGNATURE) return i;
    }
    return -1;
  }
  private makeDeployment(ahci: AhciMediator, port: Port): Deployment {
    const options = this.options,
      id = allocate(idBytes, 8);
    memory.copy(id, this.client.target.serial, 20);
    const deployment = new Deployment(ahci, port, this.client, this.client.sectors, id, this.done);
    deployment.shift = options.blockShift;
    deployment.pool = <i32>min<u32>(MOST_BLOCKS, POOL_SECTORS >> options.blockShift);
    return deployment;
  }
  private settle(): bool {
    const deployment = this.deployment!,
      options = this.options;
    while (!deployment.settled) {
      this.client.poll(rdtsc());
      deployment.poll(rdtsc());
    }
    if (deployment.stage === DONE) {
      log("the disk is complete\n");
      return this.giveUp();
    }
    if (deployment.stage !== COPYING) return this.refuse(reasonOf(deployment.refusal));
    deployment.redirect!.storeFirst = options.storeFirst;
    const copier = deployment.copier!;
    copier.idleInterval = options.idle;
    copier.pause = options.pause;
    copier.chunk = options.chunk;
    return true;
  }
  private refuse(why: string): bool {
    log("no deployment: ");
    log(why);
    log("\n");
    return this.giveUp();
  }
  /** The hardware is as it was. */
  private giveUp(): bool {
    this.client.stop();
    const ahci = this.ahci;
    if (ahci !== null) while (!ahci.handBack()) ahci.poll(rdtsc());
    return false;
  }

  /** From now on the guest meets the mediator, and work is done when it is due. */
  register(registry: Registry): void {
    const ahci = this.ahci!;
    const deployment = this.deployment!;
    mediateAhci(registry, this.controllerAt, this.abar, this.pair, ahci);
    const network = new NetworkPoll(this.client);
    this.client.work = network;
    registry.doPeriodically(network);
    registry.doPeriodically(deployment);
    registry.diskSectors = deployment.visible;
    registry.blockSectors = deployment.blocks!.blockSectors;
    registry.copyChoice = deployment.copier!.choice;
    this.disk!.registry = registry;
  }

  /** When the deployment is done: the disk is the guest's, the card is still. To be asked again until it says true. */
  end(): bool {
    if (!this.ahci!.handBack()) return false;
    this.client.stop();
    return true;
  }
}

function reasonOf(refusal: u32): string {
  switch (refusal) {
    case NO_DISK:
      return "the disk does not answer";
    case UNFIT_DISK:
      return "the disk has no 48-bit addresses, or sectors that are not of 512 bytes";
    case IMAGE_TOO_LONG:
      return "the image is longer than the disk";
    case RECORD_DAMAGED:
      return "the record of an earlier deployment is damaged: nobody knows which blocks are the guest's";
    default:
      return "unknown";
  }
}
