/** `npm run system -- pc [NAME] [--all]`: real guests on the whole machine; docs/system-tests.md says what each shows. */
import type { Machine, MachineOptions } from "castaway";
import type { Counts } from "../../scripts/counts.ts";
import { type Case, playCases } from "./cases.ts";
import type { SystemOptions } from "./cpu.ts";
import { debian } from "./guests/debian.ts";
import { demo } from "./guests/demo.ts";
import type { Guest } from "./guests/guest.ts";
import { ipxe } from "./guests/ipxe.ts";
import { demoImage, machine } from "./guests/machine.ts";
import { memtest } from "./guests/memtest.ts";
import { menu } from "./guests/menu.ts";
import { oracle } from "./guests/oracle.ts";
import { readme } from "./guests/readme.ts";

/** The demo disk under a copy-on-write overlay. */
export const demoMachine = (options: Partial<MachineOptions> = {}): Machine => machine(demoImage(), options);

const cases: readonly Case<Guest>[] = [
  { name: "demo", about: "demo disk to its shell, check, power off", play: () => demo({}) },
  { name: "demo-intx", about: "the same without MSI", play: () => demo({ msi: false }) },
  { name: "demo-smp", about: "the same with 4 processors", play: () => demo({ cpus: 4 }) },
  { name: "menu", about: "SYSLINUX's menu by keyboard", play: menu },
  { name: "ipxe", about: "iPXE out of the network card's ROM, then the disk", play: ipxe },
  { name: "readme", about: "the README's example", play: readme },
  { name: "oracle", about: "what Linux writes is on the disk; spoilt writes are noticed", play: oracle },
  { name: "memtest", about: "Memtest86+, tests 0 to 7 over 64 MiB", long: true, play: memtest },
  { name: "debian", about: "Debian 12 with GRUB and systemd", long: true, play: () => debian({}) },
  { name: "debian-smp", about: "the same with 2 processors", long: true, play: () => debian({ cpus: 2 }) },
];

export const systemPc = (options: SystemOptions): Promise<Counts> =>
  playCases(cases, options, (guest) => `${guest.measures()}, digest ${guest.pc.board.cpu.digest()}`);
