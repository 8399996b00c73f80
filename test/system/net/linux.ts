/**
 * The demo disk's Linux on a simulated network, worked at its serial lines. It is booted once; every machine goes on from
 * there, with a MAC address of its own that is set in the guest, as `ip link set eth0 address` does.
 *
 *     const lab = new Lab();
 *     const [one, other] = lab.linuxes(2);
 *     lab.run(one, `ping -c 3 ${other.address}`);
 */
import { type EthernetPort, ms, type Nanoseconds, seconds } from "@castaway/kit";
import { type Link, type LinkOptions, Network, type Socket, type Switch } from "@castaway/net";
import { type Machine, type MachineOptions, networkParty } from "castaway";
import { PROMPT } from "../guests/demo.ts";
import { demoImage, machine } from "../guests/machine.ts";

/** How often it is looked whether a command has ended. */
const GLANCE: Nanoseconds = ms(1);

/** A wall with a link and nobody behind it. */
const wall = (): EthernetPort => ({ send: () => {}, connect: (card) => card?.link(true) });

type Booted = { readonly state: Uint8Array; readonly now: Nanoseconds };
const image = demoImage();
const boots = new Map<number, Booted>();

const build = (port: EthernetPort, options: Partial<MachineOptions>): Machine =>
  machine(image, { memory: "64MiB", ...options, networkCards: [{ port }] });

/** The demo disk at its prompt. */
function booted(cpus: number): Booted {
  const before = boots.get(cpus);
  if (before !== undefined) return before;
  const pc = build(wall(), { cpus });
  for (const [text, type] of [
    ["Switched to clocksource tsc\r", ""],
    [PROMPT, "dmesg -n 1; stty cols 1000\n"], // neither kernel nor line editor write into what commands print
  ]) {
    const until = pc.com1.shows(text);
    pc.com1.type(type);
    const stop = pc.run({ until, atMost: seconds(20) });
    if (stop.reason !== "watch") throw new Error(`no "${text}": ${stop.reason} ${stop.detail}`);
  }
  const made = { state: pc.saveState(), now: pc.now };
  boots.set(cpus, made);
  return made;
}

/** One Linux, and the line it is worked at. */
export class Linux {
  readonly pc: Machine;
  readonly socket: Socket;
  readonly link: Link;
  /** From 1. */
  readonly number: number;
  #commands = 0;
  #from = 0;
  #line = "";

  constructor(number: number, pc: Machine, socket: Socket, link: Link) {
    this.number = number;
    this.pc = pc;
    this.socket = socket;
    this.link = link;
  }

  /** Types a command, and one that tells its status. */
  start(line: string): void {
    this.#line = line;
    this.#from = this.pc.com1.text.length;
    this.pc.com1.type(`${line}; echo "<$?>$((${++this.#commands}))"\n`);
  }

  /** What the command printed if it has ended. @throws Error if its status is not 0 */
  output(): string | null {
    const shown = this.pc.com1.text.slice(this.#from);
    const end = new RegExp(`<(\\d+)>${this.#commands}\r\n${PROMPT}`).exec(shown);
    if (end === null) return null;
    if (end[1] !== "0") throw new Error(`"${this.#line}" ended with ${end[1]}:\n${shown}`);
    return shown.slice(shown.indexOf("\n") + 1, end.index);
  }

  /** The machine's address on the network, `"10.0.0.1"`, and its card's. */
  get address(): string {
    return `10.0.0.${this.number}`;
  }
  get mac(): string {
    return macOf(this.number);
  }

  /** For who wonders why it does not end. */
  get lastSeen(): string {
    return `"${this.#line}":\n${this.pc.com1.text.slice(this.#from)}`;
  }
}

const macOf = (number: number): string => `52:54:00:00:00:${number.toString(16).padStart(2, "0")}`;

export type LabOptions = { readonly seed?: number; readonly link?: LinkOptions; readonly ports?: number };

/** A switch, and what is plugged in. */
export class Lab {
  readonly net: Network;
  readonly lan: Switch;
  readonly machines: Linux[] = [];

  constructor({ seed = 1, link = {}, ports = 8 }: LabOptions = {}) {
    this.net = new Network({ seed, link });
    this.lan = this.net.switch({ ports });
  }

  /** A machine at its prompt, as if it had been booted here. */
  linux({ cpus = 1, ...options }: LinkOptions & { cpus?: number } = {}): Linux {
    const { state, now } = booted(cpus);
    if (this.net.now < now) this.net.run(now - this.net.now);
    const socket = this.net.socket(this.lan, options);
    const pc = build(socket, { cpus });
    pc.restoreState(state);
    this.net.join(networkParty(pc), socket);
    const linux = new Linux(this.machines.length + 1, pc, socket, this.net.linkOf(socket));
    this.machines.push(linux);
    return linux;
  }

  /** Several machines with addresses, links up. */
  linuxes(count: number, options: LinkOptions = {}): Linux[] {
    return Array.from({ length: count }, () => {
      const linux = this.linux(options);
      this.configure(linux);
      return linux;
    });
  }

  /** Gives eth0 its MAC address, the cable's MTU and an IP address, and waits for the link. */
  configure(linux: Linux): void {
    const { mtu } = linux.link.toA.settings;
    this.run(linux, `cd /sys/class/net/eth0; ip link set eth0 address ${linux.mac}; ip link set eth0 mtu ${mtu}`);
    this.run(linux, `ip addr add ${linux.address}/24 dev eth0; ip link set eth0 up`);
    this.run(linux, "until grep -q 1 carrier; do usleep 20000; done");
  }

  /** Runs until `met`. @throws Error with what the machines' lines show */
  until(what: string, atMost: Nanoseconds, met: () => boolean): void {
    const end = this.net.now + atMost;
    while (!met()) {
      if (this.net.now >= end)
        throw new Error(`no ${what}: ${this.machines.map((linux) => linux.lastSeen).join("\n")}`);
      const { reason } = this.net.run(GLANCE);
      if (reason !== "limit") throw new Error(`a machine stopped before ${what}`);
    }
  }

  /** Waits for the command that was started. @returns what it printed */
  finish(linux: Linux, atMost: Nanoseconds = seconds(60)): string {
    let output: string | null = null;
    this.until("end of a command", atMost, () => (output = linux.output()) !== null);
    return output!;
  }

  run(linux: Linux, line: string, atMost?: Nanoseconds): string {
    linux.start(line);
    return this.finish(linux, atMost);
  }
}
