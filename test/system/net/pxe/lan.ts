/**
 * A switch with a machine that boots from it, and the server that it boots from: SeaBIOS starts iPXE out of the card's
 * ROM, and everything after that happens on the wire.
 *
 *     const lan = new BootLan({ files: { "boot.ipxe": "#!ipxe\nkernel program.elf\nboot\n" }, boot: { file: "boot.ipxe" } });
 *     lan.guest.screen("program.elf... ok", seconds(5));
 */
import assert from "node:assert/strict";
import { type BlockDevice, type Nanoseconds, us } from "@castaway/kit";
import {
  AoeServer,
  type BootRule,
  Capture,
  DhcpServer,
  Host,
  type Link,
  type LinkOptions,
  Network,
  type NetworkStop,
  parseMac,
  type Socket,
  type Switch,
  TftpServer,
} from "@castaway/net";
import { Machine, type MachineOptions, networkParty, OverlayDisk, type Transcript } from "castaway";
import { Guest } from "../../guests/guest.ts";
import { blob } from "../../guests/machine.ts";
import { readByTshark } from "../tshark.ts";

export const SERVER = "10.0.2.1";
export const CLIENT = "10.0.2.100";

export interface BootLanOptions {
  /** What the server has for TFTP. */
  readonly files?: Readonly<Record<string, Uint8Array | string>>;
  /** What DHCP tells iPXE to boot. */
  readonly boot: Pick<BootRule, "file" | "rootPath">;
  /** The disk at shelf 0, slot 0; what clients write stays with the server, each client's by itself. */
  readonly aoe?: BlockDevice;
  /** The local disk's image, which is booted if the network does not go on. */
  readonly disk?: Uint8Array;
  /** The machine's cable. */
  readonly link?: LinkOptions;
  /** When the server is plugged in; at power-on if left out. Infinity: never. */
  readonly serverAt?: Nanoseconds;
  /** The processor's model. */
  readonly model?: MachineOptions["model"];
  /** Virtual time that an access to a register of a device takes; see `Costs`. */
  readonly device?: Nanoseconds;
}

/**
 * iPXE waits by asking its card over and over, 260 instructions and a read of ICR a time, so a second of waiting costs
 * seconds here. Where a wait is what is tested the bus is this slow.
 */
export const SLOW_BUS = us(20);

/** What the server's probes and counters told. */
export class Server {
  readonly dhcp: DhcpServer;
  readonly tftp: TftpServer;
  readonly aoe: AoeServer | null;

  constructor(net: Network, lan: Switch, { files = {}, boot, aoe }: BootLanOptions, note: (what: string) => void) {
    const host = net.plug(lan, (place) => new Host({ ...place, mac: "52:54:00:00:00:01", address: SERVER }));
    const pool = { first: CLIENT, last: "10.0.2.199" };
    this.dhcp = new DhcpServer({ host, pool, router: SERVER, boot: [{ userClass: "iPXE", ...boot }] });
    const text = new TextEncoder();
    const contents = Object.entries(files).map(([name, file]) => [
      name,
      typeof file === "string" ? text.encode(file) : file,
    ]);
    this.tftp = new TftpServer({ host, files: Object.fromEntries(contents) });
    const targets = aoe && [{ shelf: 0, slot: 0, disk: aoe, overlay: () => new OverlayDisk(aoe) }];
    const mac = parseMac("52:54:00:00:00:02");
    this.aoe = targets ? net.plug(lan, (place) => new AoeServer({ ...place, mac, targets })) : null;
    this.dhcp.messages.on(({ type }) => note(`DHCP ${type}`));
    this.tftp.transfers.on(({ file, what }) => note(`TFTP ${file} ${what}`));
  }
}

export class BootLan {
  readonly net = new Network({ seed: 1 });
  readonly lan = this.net.switch({ ports: 4 });
  readonly guest: Guest;
  readonly #options: BootLanOptions;
  readonly #socket: Socket;
  readonly #capture = new Capture();
  readonly #start = performance.now();
  readonly #events: { readonly what: string; readonly at: Nanoseconds; readonly host: number }[] = [];
  #server: Server | null = null;

  constructor(options: BootLanOptions) {
    this.#options = options;
    const socket = (this.#socket = this.net.socket(this.lan, options.link));
    const pc = new Machine({
      firmware: { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") },
      memory: "64MiB",
      ...(options.model === undefined ? {} : { model: options.model }),
      boot: ["network", "disk"],
      networkCards: [{ port: socket, rom: blob("ipxe/pxe-e1000.rom") }],
      disks: options.disk === undefined ? [] : [options.disk],
      costs: options.device === undefined ? {} : { device: options.device },
    });
    const party = networkParty(pc);
    this.net.join(party, socket);
    this.#capture.watch(this.net.tap(this.lan, 0));
    this.guest = new Guest(pc, this.#start, (atMost) => {
      const { reason } = this.#run(atMost);
      return reason === "party" && party.stop !== null ? party.stop : { reason, detail: "" };
    });
    const end = pc.probes.networkCards[0]!.sent.on(() => {
      this.note("first frame", pc.now);
      end();
    });
    if (options.serverAt === undefined) this.#plugServer();
  }

  /** What the machine's cable did. */
  get link(): Link {
    return this.net.linkOf(this.#socket);
  }

  /** The server, which must be there by now. */
  get server(): Server {
    assert.ok(this.#server !== null, "there is a server");
    return this.#server;
  }

  /** Something happened now, or at the machine's time, which may be a window ahead. */
  note(what: string, at = this.net.now): void {
    this.#events.push({ what, at, host: performance.now() - this.#start });
  }

  /** Notes when `text` is printed there, under this name. */
  noteText(what: string, transcript: Transcript, text: string): void {
    const watch = transcript.shows(text);
    const end = watch.listen?.(() => {
      this.note(what, this.guest.pc.now);
      end?.();
    });
  }

  /** When it happened first. @throws Error if it did not */
  at(what: string): Nanoseconds {
    return this.#event(what).at;
  }

  /** What happened first under each of these names, in seconds of virtual time and of time here since power-on. */
  times(...names: string[]): string {
    const time = (name: string) => {
      const { at, host } = this.#event(name);
      return `${name} ${(at / 1e9).toFixed(2)} s (here ${(host / 1e3).toFixed(1)} s)`;
    };
    return names.map(time).join(", ");
  }

  /** What tshark reads on the machine's cable; null if it is not installed. @throws Error if it finds wrong frames */
  read(...fields: string[]): string[] | null {
    return readByTshark(this.#capture.bytes(), fields);
  }

  #event(name: string) {
    const event = this.#events.find(({ what }) => what === name);
    assert.ok(event !== undefined, `no "${name}" in: ${this.#events.map(({ what }) => what).join(", ")}`);
    return event;
  }

  #run(atMost: Nanoseconds): NetworkStop {
    const { serverAt = 0 } = this.#options;
    const wait = this.#server === null && serverAt > this.net.now ? serverAt - this.net.now : atMost;
    const stop = this.net.run(Math.min(wait, atMost));
    if (this.#server === null && this.net.now >= serverAt) this.#plugServer();
    return stop;
  }

  #plugServer(): void {
    this.note("server");
    this.#server = new Server(this.net, this.lan, this.#options, (what) => this.note(what));
  }
}
