/** `npm run system -- net [NAME] [--all]`: machines with their e1000 on a simulated network, see docs/system-tests.md. */
import type { Counts } from "../../scripts/counts.ts";
import { type Case, playCases } from "./cases.ts";
import type { SystemOptions } from "./cpu.ts";
import { readsByAoe, writesByAoe } from "./net/aoe.ts";
import { bootByCommand } from "./net/command.ts";
import { countersAgree, ethtool, linkDownAndUp } from "./net/counters.ts";
import { linuxByDhcp } from "./net/dhcp.ts";
import { oneClock } from "./net/one-clock.ts";
import { largePings, manyFragments, smallPings } from "./net/pings.ts";
import { netbootExample } from "./net/pxe/example.ts";
import { lateServer, lossyWire, noFile, noServer } from "./net/pxe/failures.ts";
import { networkBootedProgram } from "./net/pxe/program.ts";
import { diskOnAServer, diskOverALossyWire } from "./net/pxe/sanboot.ts";
import { savedInATransfer } from "./net/saved.ts";
import { throughput } from "./net/stream/throughput.ts";
import { threeMachines } from "./net/three-machines.ts";
import { twoMachinesInBothOrders } from "./net/two-machines.ts";

const cases: readonly Case<string>[] = [
  { name: "pxe", about: "a program by iPXE and TFTP, then the local disk", play: networkBootedProgram },
  { name: "sanboot", about: "a machine without a disk boots one on an AoE server", play: diskOnAServer },
  { name: "sanboot-loss", about: "the same by a root path, with 2 % loss", long: true, play: diskOverALossyWire },
  { name: "netboot", about: "the example of docs/netboot.md", play: netbootExample },
  { name: "pxe-no-server", about: "nobody answers iPXE, the disk is booted", play: noServer },
  { name: "pxe-no-file", about: "TFTP has no such file, the disk is booted", play: noFile },
  { name: "pxe-late", about: "the server is plugged in when iPXE has asked once", play: lateServer },
  { name: "pxe-loss", about: "the machine's cable loses 2 % of the frames", play: lossyWire },
  { name: "two-machines", about: "two machines with iPXE on one switch", play: twoMachinesInBothOrders },
  { name: "three-machines", about: "the example of docs/network.md", play: threeMachines },
  { name: "throughput", about: "a stream over 1 Gbit/s by the e1000", play: throughput },
  { name: "dhcp", about: "Linux gets, keeps and gives back an address", play: linuxByDhcp },
  { name: "ping", about: "two Linux machines, without and with losses", play: smallPings },
  { name: "ping-jumbo", about: "the same with large frames", play: largePings },
  { name: "ping-fragments", about: "the same with 41 fragments", long: true, play: manyFragments },
  { name: "counters", about: "Linux counts what is on the wires", play: countersAgree },
  { name: "link-down", about: "the cable is pulled and put in again", play: linkDownAndUp },
  { name: "ethtool", about: "ethtool counts that too, and tests the card", play: ethtool },
  { name: "saved", about: "all is saved in the middle of a transfer", play: savedInATransfer },
  { name: "aoe", about: "Linux reads a file by AoE", play: () => readsByAoe({ file: "random" }) },
  { name: "aoe-jumbo", about: "the same in large frames", play: () => readsByAoe({ file: "short", mtu: 9000 }) },
  { name: "aoe-loss", about: "the same with 2 % loss", play: () => readsByAoe({ file: "short", loss: 0.02 }) },
  {
    name: "aoe-jumbo-loss",
    about: "the long file in large frames with 2 % loss",
    long: true,
    play: () => readsByAoe({ file: "random", mtu: 9000, loss: 0.02 }),
  },
  {
    name: "aoe-long-loss",
    about: "the long file with 2 % loss",
    long: true,
    play: () => readsByAoe({ file: "random", loss: 0.02 }),
  },
  { name: "aoe-write", about: "Linux writes to its overlay", play: writesByAoe },
  { name: "one-clock", about: "a machine and its network on one clock, saved in a TFTP transfer", play: oneClock },
  { name: "command", about: "castaway boot, from a folder served by TFTP", play: bootByCommand },
];

export const systemNet = (options: SystemOptions): Promise<Counts> => playCases(cases, options, (said) => said);
