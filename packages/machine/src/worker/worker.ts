/**
 * The worker's side: `serveMachines` offers machines to whoever holds the other end. What it needs of the world an entry
 * file gives to it, since this package has neither clock nor files:
 *
 *     serveMachines({
 *       now: () => performance.now(),
 *       sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
 *       read: async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer()),
 *     });
 */
import { type Endpoint, expose, type ProxyMarked, proxy } from "comlink";
import type { Firmware } from "../board.ts";
import { Machine } from "../machine.ts";
import type { Disk } from "../options.ts";
import type { HostClock } from "../runner.ts";
import type { RemoteDisk, RemoteOptions, Source } from "./protocol.ts";
import { MachineService } from "./service.ts";

export interface WorkerHost extends HostClock {
  /** Reads what an address names: a URL in a browser, a path in Node. */
  read(address: string): Promise<Uint8Array>;
}

/** What a worker exposes: the place where machines are made. */
export interface MachineFactory {
  /** Builds a machine and switches it on; it stands until `run`. @throws ConfigError, and what `read` throws */
  create(options: RemoteOptions): Promise<MachineService & ProxyMarked>;
}

/** @param endpoint the way to the other side; default: the worker's own global scope */
export function serveMachines(host: WorkerHost, endpoint?: Endpoint): void {
  const factory: MachineFactory = {
    async create(options) {
      const machine = await Machine.create({
        ...options,
        firmware: await firmware(host, options.firmware),
        disks: await Promise.all((options.disks ?? []).map((each) => disk(host, each))),
      });
      return proxy(new MachineService(machine, host));
    },
  };
  expose(factory, endpoint);
}

const bytes = async (host: WorkerHost, source: Source) =>
  typeof source === "string" ? await host.read(source) : source;

async function firmware(host: WorkerHost, { bios, videoBios }: RemoteOptions["firmware"]): Promise<Firmware> {
  const system = await bytes(host, bios);
  return videoBios === undefined ? { bios: system } : { bios: system, videoBios: await bytes(host, videoBios) };
}

async function disk(host: WorkerHost, given: RemoteDisk | Source): Promise<Disk> {
  const { medium, ...rest } = typeof given === "object" && "medium" in given ? given : { medium: given };
  const name = typeof medium === "string" ? { name: medium } : {};
  return { ...name, ...rest, medium: await bytes(host, medium) };
}
