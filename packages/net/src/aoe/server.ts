/**
 * An AoE server [AoEr11]: any number of targets behind one station of the network, in virtual time.
 *
 *     const server = new AoeServer({ clock, port, mac, targets: [{ shelf: 0, slot: 1, disk, overlay }] });
 *
 * A request's time passes before it is carried out, so that its answer tells what the disk holds when it is sent.
 * Frames that are no requests, or not for it, are dropped and counted: nothing that arrives can do more.
 */
import {
  type Bytes,
  bytes,
  type Clock,
  ConfigError,
  type EthernetCard,
  type EthernetPort,
  list,
  type Nanoseconds,
  natural,
  Probe,
  readBig,
  record,
  StateError,
  type StateOf,
  u8,
  u16,
} from "@castaway/kit";
import { broadcastMac, isGroupMac } from "../ip/address.ts";
import { noCost, Service, type ServiceCost, serviceState, timeOf } from "../service/service.ts";
import { admits, editMasks, masksThatFit, reserve } from "./access.ts";
import { readAta, runAta, writeAta } from "./ata.ts";
import { configAnswer, configCommand, queryConfig } from "./config.ts";
import { extendedHeaderSize, readExtended, runExtended, writeFragment } from "./extended.ts";
import {
  type AoeError,
  aoeError,
  aoeType,
  aoeVersion,
  ataHeaderSize,
  command,
  configHeaderSize,
  type Header,
  headerSize,
  readHeader,
  refusal,
  response,
  sectorSize,
} from "./protocol.ts";
import { aoeStatistics, noStatistics, type RequestKind } from "./statistics.ts";
import { AoeTarget, type AoeTargetOptions, targetState } from "./target.ts";

/** A server's part in the network. */
export type AoeServerOptions = {
  readonly clock: Clock;
  readonly port: EthernetPort;
  /** Its address; see `parseMac`. */
  readonly mac: number;
  readonly targets: readonly AoeTargetOptions[];
  /** The longest payload of a frame: 1,500 (usually) to 65,500. Says how many sectors a request moves. */
  readonly mtu?: Bytes;
  /** What it costs; usually {@link noCost}. */
  readonly cost?: Partial<ServiceCost>;
  /** Messages that it says it queues: 1 to 65,535, usually 16. Clients hold themselves to it, the server does not. */
  readonly bufferCount?: number;
  /** Its firmware version, 0 to 65,535. */
  readonly firmware?: number;
  /** Sectors in an extended read at most: up to 2,048, usually 256; 0: there is no such command. */
  readonly extended?: number;
};

/** A request that was answered, or met with silence. */
export type AoeRequest = {
  /** The client's MAC address. */
  client: number;
  shelf: number;
  slot: number;
  kind: RequestKind;
  /** Where it starts and how much it is; 0 for what moves no sectors. */
  lba: number;
  sectors: number;
  arrived: Nanoseconds;
  answered: Nanoseconds;
};

const job = record({ shelf: u16, slot: u8, frame: bytes(), arrived: natural });
type Job = StateOf<typeof job>;

export const aoeServerState = record({
  targets: list(targetState),
  service: serviceState(job),
  statistics: aoeStatistics,
});
export type AoeServerState = StateOf<typeof aoeServerState>;

export class AoeServer implements EthernetCard {
  readonly mac: number;
  /** What {@link save} gives. */
  readonly state = aoeServerState;
  /** What decides how it goes on, beside its state and the disks' contents. */
  readonly configuration: string;
  readonly requests = new Probe<AoeRequest>("AoE requests");
  /** Counted since the start; for reading. */
  statistics = noStatistics();
  readonly #clock: Clock;
  readonly #port: EthernetPort;
  readonly #targets: AoeTarget[];
  readonly #service: Service<Job>;
  readonly #longest: Bytes;
  readonly #sectorCount: number;
  readonly #bufferCount: number;
  readonly #firmware: number;
  readonly #extended: number;

  /** @throws ConfigError if an option is out of range, or two targets have one address */
  constructor(options: AoeServerOptions) {
    const { clock, port, mac, mtu = 1500, cost, bufferCount = 16, firmware = 1, extended = 256 } = options;
    const check = (setting: string, value: number, lowest: number, highest: number) => {
      if (Number.isInteger(value) && value >= lowest && value <= highest) return value;
      throw new ConfigError(`aoe.${setting}`, value, `${lowest} to ${highest}`);
    };
    this.#clock = clock;
    this.#port = port;
    this.mac = mac;
    this.#longest = 14 + check("mtu", mtu, 1500, 65_500);
    this.#sectorCount = Math.floor((this.#longest - ataHeaderSize) / sectorSize);
    this.#bufferCount = check("bufferCount", bufferCount, 1, 0xffff);
    this.#firmware = check("firmware", firmware, 0, 0xffff);
    this.#extended = check("extended", extended, 0, 2048);
    this.#targets = options.targets.map((target) => new AoeTarget(target));
    const targets = options.targets.map(({ shelf, slot, disk }) => [shelf, slot, disk.sectors]);
    this.configuration = JSON.stringify({ mac, mtu, cost, bufferCount, firmware, extended, targets });
    const addresses = this.#targets.map(({ shelf, slot }) => `${shelf}.${slot}`);
    const twice = addresses.find((address, i) => addresses.indexOf(address) !== i);
    if (twice !== undefined) throw new ConfigError("aoe.targets", twice, "one target at an address");
    const run = (request: Job) => this.#answer(request);
    this.#service = new Service({ clock, name: "aoe", cost: { ...noCost, ...cost }, run });
    port.connect(this);
  }

  /** The requests that wait, are in work, and the most that ever waited. */
  get load(): { waiting: number; running: number; mostWaiting: number } {
    const { waiting, running, mostWaiting } = this.#service;
    return { waiting, running, mostWaiting };
  }

  /** A frame from the network. */
  receive(frame: Uint8Array): void {
    const { drops } = this.statistics;
    if (frame.length < 14 || readBig(frame, 12, 2) !== aoeType) drops.otherProtocol++;
    else if (frame.length < headerSize) drops.short++;
    else if (frame.length > this.#longest) drops.long++;
    else this.#accept(frame, readHeader(frame));
  }

  /** Without a link frames are lost on both ways: there is nothing to do about it. */
  link(): void {}

  /** Tells all clients of all targets, unasked, as servers do at their start [AoEr11 3.2]. */
  announce(): void {
    for (const target of this.#targets) {
      const args = configAnswer(configCommand.read, target.config, this.#offer);
      this.#reply({ from: broadcastMac, command: command.config, tag: 0 }, target, args);
    }
  }

  save(): AoeServerState {
    return {
      targets: this.#targets.map((target) => target.save()),
      service: this.#service.save(),
      statistics: structured(this.statistics),
    };
  }

  /** @throws StateError if `state` is of a server with other targets or threads */
  restore(state: AoeServerState): void {
    const same = (target: AoeTarget, i: number) =>
      target.shelf === state.targets[i]?.shelf && target.slot === state.targets[i]?.slot;
    if (state.targets.length !== this.#targets.length || !this.#targets.every(same)) {
      throw new StateError("aoe.targets", "they are not the targets here");
    }
    this.#service.restore(state.service);
    for (const [i, target] of this.#targets.entries()) target.restore(state.targets[i]);
    this.statistics = structured(state.statistics);
  }

  get #offer() {
    return { bufferCount: this.#bufferCount, firmware: this.#firmware, sectorCount: this.#sectorCount };
  }

  /** A whole header of AoE: for which targets is it, and is there a place in the queue? */
  #accept(frame: Uint8Array, header: Header): void {
    const { drops } = this.statistics;
    const mine = header.to === this.mac || header.to === broadcastMac;
    if (!mine || isGroupMac(header.from) || header.from === this.mac) return void drops.otherStation++;
    if (header.response) return void drops.response++;
    const targets = this.#targets.filter((target) => target.answersTo(header.major, header.minor));
    if (targets.length === 0) return void drops.noTarget++;
    if (frame.length < shortest(header)) return void drops.short++;
    for (const { shelf, slot, masks } of targets) {
      if (!admits(masks, header.from)) {
        drops.masked++;
        continue;
      }
      const request = { shelf, slot, frame: frame.slice(), arrived: this.#clock.now };
      if (!this.#service.submit(request, this.#timeOf(header, frame))) drops.queueFull++;
    }
  }

  /** What a request costs: disk time for sectors and for a flush, but not for a write that nobody waits for. */
  #timeOf(header: Header, frame: Uint8Array): Nanoseconds {
    const { cost } = this.#service;
    if (header.version !== aoeVersion) return timeOf(cost);
    if (header.command === command.ata) {
      const { kind, sectors, async } = readAta(frame);
      const refused = sectors > this.#sectorCount || (kind === "write" && async);
      const onDisk = kind === "read" || kind === "write" || kind === "flush";
      return timeOf(cost, onDisk && !refused ? sectors * sectorSize : undefined);
    }
    if (header.command === command.extended && this.#extended > 0) {
      const { sectors } = readExtended(frame);
      return timeOf(cost, sectors > 0 && sectors <= this.#extended ? sectors * sectorSize : undefined);
    }
    return timeOf(cost);
  }

  /** A request's time has passed. */
  #answer({ shelf, slot, frame, arrived }: Job): void {
    const header = readHeader(frame);
    const target = this.#targets.find((candidate) => candidate.shelf === shelf && candidate.slot === slot);
    if (target === undefined || frame.length < shortest(header)) return; // of a state that no server saved
    const [kind, lba, sectors] = this.#carryOut(header, frame, target);
    this.statistics.requests[kind]++;
    if (!this.requests.active) return;
    const client = header.from;
    this.requests.emit({ client, shelf, slot, kind, lba, sectors, arrived, answered: this.#clock.now });
  }

  #carryOut(header: Header, frame: Uint8Array, target: AoeTarget): [RequestKind, lba: number, sectors: number] {
    if (header.version !== aoeVersion) {
      this.#refuse(header, target, aoeError.version);
      return ["unknown", 0, 0];
    }
    switch (header.command) {
      case command.ata:
        return this.#ata(header, frame, target);
      case command.config:
        this.#config(header, frame, target);
        return ["config", 0, 0];
      case command.masks: {
        const { answer, list } = editMasks(frame, target.masks, masksThatFit(this.#longest));
        target.masks = list;
        this.#reply(header, target, answer);
        return ["masks", 0, 0];
      }
      case command.reserve: {
        const { answer, list } = reserve(frame, target.reserved, header.from);
        target.reserved = list;
        this.#reply(header, target, answer);
        return ["reserve", 0, 0];
      }
      case command.extended:
        if (this.#extended > 0) return this.#extendedRead(header, frame, target);
    }
    this.#refuse(header, target, aoeError.command);
    return ["unknown", 0, 0];
  }

  #ata(header: Header, frame: Uint8Array, target: AoeTarget): [RequestKind, lba: number, sectors: number] {
    const request = readAta(frame);
    const told: [RequestKind, number, number] = [request.kind, request.lba, request.sectors];
    // What a reserved target is may be asked by all, or nobody could find it.
    const answer =
      request.kind === "identify" || target.admits(header.from)
        ? runAta(request, frame, target.diskFor(header.from), this.#sectorCount)
        : aoeError.reserved;
    if (typeof answer === "number") {
      this.#refuse(header, target, answer);
      return told;
    }
    const { data, error } = answer;
    const reply = response(header, this.#source(target), ataHeaderSize + (data?.length ?? 0));
    writeAta(reply, frame, answer);
    if (error !== 0) this.statistics.ataErrors++;
    else if (request.kind === "read") this.statistics.bytesRead += request.sectors * sectorSize;
    else if (request.kind === "write") this.statistics.bytesWritten += request.sectors * sectorSize;
    this.#send(reply);
    return told;
  }

  #config(header: Header, frame: Uint8Array, target: AoeTarget): void {
    const { answer, text } = queryConfig(frame, target.config, this.#offer, target.admits(header.from));
    target.config = text;
    if (answer === null) this.statistics.silent++;
    else this.#reply(header, target, answer);
  }

  /** docs/aoe-extension.md. A read of no sectors is answered by one frame that tells the most that can be read. */
  #extendedRead(header: Header, frame: Uint8Array, target: AoeTarget): [RequestKind, lba: number, sectors: number] {
    const request = readExtended(frame);
    const told: [RequestKind, number, number] = ["extended", request.lba, request.sectors];
    const perFrame = Math.floor((this.#longest - extendedHeaderSize) / sectorSize);
    const fragments = target.admits(header.from)
      ? runExtended(request, target.diskFor(header.from).disk, this.#extended, perFrame)
      : aoeError.reserved;
    if (typeof fragments === "number") {
      this.#refuse(header, target, fragments);
      return told;
    }
    if (fragments.length === 0) {
      const reply = response(header, this.#source(target), extendedHeaderSize);
      const most = { lba: request.lba, sectors: this.#extended, data: new Uint8Array(0) };
      writeFragment(reply, request.id, most, 0, 0);
      this.#send(reply);
      return told;
    }
    for (const [index, fragment] of fragments.entries()) {
      const { data, sectors } = fragment;
      const reply = response(header, this.#source(target), extendedHeaderSize + (data?.length ?? 0));
      writeFragment(reply, request.id, fragment, index, fragments.length);
      if (data === null) this.statistics.holes += sectors;
      else this.statistics.bytesRead += data.length;
      this.#send(reply);
    }
    return told;
  }

  #source({ shelf, slot }: AoeTarget) {
    return { mac: this.mac, shelf, slot };
  }

  /** Sends the arguments of a response, or what was wrong. */
  #reply(header: Pick<Header, "from" | "command" | "tag">, target: AoeTarget, answer: Uint8Array | AoeError): void {
    if (typeof answer === "number") return this.#refuse(header, target, answer);
    const reply = response(header, this.#source(target), headerSize + answer.length);
    reply.set(answer, headerSize);
    this.#send(reply);
  }

  #refuse(header: Pick<Header, "from" | "command" | "tag">, target: AoeTarget, error: AoeError): void {
    this.statistics.aoeErrors++;
    this.#send(refusal(header, this.#source(target), error));
  }

  #send(frame: Uint8Array): void {
    this.statistics.frames++;
    this.#port.send(frame);
  }
}

/** The shortest frame of a command that this server knows. */
function shortest({ version, command: code }: Header): Bytes {
  if (version !== aoeVersion) return headerSize;
  if (code === command.ata) return ataHeaderSize;
  if (code === command.config) return configHeaderSize;
  if (code === command.extended) return extendedHeaderSize;
  return headerSize;
}

type Counters = { [name: string]: number | Counters };
/** A copy of counters, however deep. */
function structured<T extends Counters>(counters: T): T {
  const copy = Object.entries(counters).map(([name, value]) => [
    name,
    typeof value === "number" ? value : structured(value),
  ]);
  return Object.fromEntries(copy) as T;
}
