/** The demo disk: Linux boots to its shell, checks its files, and switches the machine off. */
import { seconds } from "@castaway/kit";
import type { MachineOptions } from "castaway";
import { Guest } from "./guest.ts";
import { demoImage, machine } from "./machine.ts";

export const PROMPT = "castaway# ";

export function demo(options: Partial<MachineOptions>): Guest {
  const guest = new Guest(machine(demoImage(), options));
  playDemo(guest);
  return guest;
}

/** From power-on, or from wherever the disk is booted, to power off. */
export function playDemo(guest: Guest): void {
  guest.serial("DEMO-READY", seconds(60));
  guest.serial(PROMPT, seconds(10));
  guest.serial("CHECK-OK", seconds(60), "check\n");
  guest.pc.com1.type("poweroff -f\n");
  guest.poweredOff(seconds(30));
}
