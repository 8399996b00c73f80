/**
 * A hypervisor for a machine that has no network of its own: its first card is plugged into a small one, whose server gives
 * the firmware's iPXE the program.
 *
 *     const vmm = await buildVmm({ sources });
 *     const pc = await Machine.create({ firmware, networkCards: [{ rom }], disks: [disk], vmm });
 *     pc.run({ atMost: seconds(3) });                                 // SeaBIOS, iPXE, the hypervisor, the disk
 *     console.log(pc.symbolAt(pc.board.cpu.number("RIP")));           // deploy/streaming/Streaming#poll+1c
 */
import { ConfigError } from "@castaway/kit";
import { Lan } from "./lan.ts";
import type { MachineOptions } from "./options.ts";

/** A multiboot program, and if it knows them its symbols: `VmmImage` is one. */
export interface VmmProgram {
  readonly bytes: Uint8Array;
  /** The function or data that a linear address lies in. */
  symbolAt?(address: number): { readonly name: string; readonly address: number } | null;
}

/** The options with a network for the hypervisor, if there is one and no network that is given serves it. @throws ConfigError */
export function withVmm(options: MachineOptions): MachineOptions {
  const { vmm, vmmCommandLine = "", networkCards = [], beside } = options;
  if (vmm === undefined || beside !== undefined) return options;
  const [card, ...others] = networkCards;
  if (card?.rom === undefined || card.port !== undefined)
    throw new ConfigError(
      "vmm",
      "no such card",
      "a first network card with iPXE's ROM and no port: it is plugged in here",
    );
  const script = new TextEncoder().encode(`#!ipxe\nkernel vmm.elf ${vmmCommandLine}\nboot\n`);
  const lan = new Lan({ files: { "boot.ipxe": script, "vmm.elf": programOf(vmm).bytes }, bootFile: "boot.ipxe" });
  return {
    boot: ["network", "disk"],
    ...options,
    networkCards: [{ ...card, port: lan.ports[0] }, ...others],
    beside: lan,
  };
}

export const programOf = (vmm: Uint8Array | VmmProgram): VmmProgram =>
  vmm instanceof Uint8Array ? { bytes: vmm } : vmm;

/** An address as people read it: `main+1c`; null if no symbol has it. */
export function symbolOf(vmm: VmmProgram | null, address: number): string | null {
  const symbol = vmm?.symbolAt?.(address) ?? null;
  if (symbol === null) return null;
  const offset = address - symbol.address;
  return offset === 0 ? symbol.name : `${symbol.name}+${offset.toString(16)}`;
}
