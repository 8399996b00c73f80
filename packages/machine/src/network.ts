/**
 * Machines on a simulated network, each with a clock of its own, in lockstep with the others.
 *
 *     const net = new Network({ seed: 1 });
 *     const lan = net.switch();
 *     const pcs = [await machineOn(net, lan, { firmware, rom }), await machineOn(net, lan, { firmware, rom })];
 *     net.run(seconds(1));
 */
import { formatMac, type LinkOptions, type Network, type Party, type Switch } from "@castaway/net";
import type { Watch } from "./console.ts";
import { Machine, type MachineStop } from "./machine.ts";
import type { MachineOptions } from "./options.ts";

/** A machine as a network runs it. */
export interface MachineParty extends Party {
  readonly machine: Machine;
  /** Why the machine's last stretch ended: "limit", unless it ended the network's run. */
  readonly stop: MachineStop | null;
}

/**
 * A machine for `Network.join`.
 * @param until what ends the network's run when it is seen. A machine that is powered off does not end it, one that meets a
 *   breakpoint or is stuck does
 */
export function networkParty(
  machine: Machine,
  { until = [] }: { until?: Watch | readonly Watch[] } = {},
): MachineParty {
  let stop: MachineStop | null = null;
  return {
    machine,
    clock: machine.board.clock,
    get stop() {
      return stop;
    },
    get now() {
      return machine.now;
    },
    get waitsUntil() {
      return machine.waitsUntil;
    },
    get poweredOff() {
      return machine.poweredOff;
    },
    run: (time) => {
      stop = machine.run({ until, atMost: time - machine.now });
    },
  };
}

export interface LanMachineOptions extends Omit<MachineOptions, "networkCards"> {
  /** The network card's address. Default 52:54:00:12:34:56, and the next ones for further machines of the network. */
  readonly mac?: string;
  /** The network card's option ROM, see `loadNetworkRom`: with it the machine can boot from the network. */
  readonly rom?: Uint8Array;
  /** What its cable is like. */
  readonly link?: LinkOptions;
}

/** The first machine's address, as `Machine.create` has it. */
const firstMac = 0x5254_0012_3456;

/** Builds a machine, plugs its network card into a switch, and lets the network run it. @throws ConfigError */
export async function machineOn(
  net: Network,
  lan: Switch,
  { mac = formatMac(firstMac + net.sockets.length), rom, link, ...options }: LanMachineOptions,
): Promise<Machine> {
  const port = net.socket(lan, link);
  const machine = await Machine.create({ ...options, networkCards: [{ mac, rom, port }] });
  net.join(networkParty(machine), port);
  return machine;
}
