/** The option ROM in the network card's ROM BAR: SeaBIOS finds it there and starts it, then boots the disk. */
import { seconds } from "@castaway/kit";
import { PROMPT } from "./demo.ts";
import { Guest } from "./guest.ts";
import { blob, demoImage, machine } from "./machine.ts";

/** iPXE prints where its card is, and what of the firmware's services it found; Linux then drives the same card. */
export function ipxe(): Guest {
  const guest = new Guest(machine(demoImage(), { networkCards: [{ rom: blob("ipxe/pxe-e1000.rom") }] }));
  guest.screen(/iPXE .* 00:03\.0 .* PCI2\.10 PnP PMM/, seconds(10));
  const log = guest.serial(PROMPT, seconds(60));
  if (!/e1000 0000:00:03\.0 eth0: .* 52:54:00:12:34:56/.test(log)) throw new Error(`no eth0:\n${log}`);
  guest.pc.com1.type("poweroff -f\n");
  guest.poweredOff(seconds(30));
  return guest;
}
