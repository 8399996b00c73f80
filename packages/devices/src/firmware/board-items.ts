/** What fw_cfg says about the board, but for ACPI: items and files that SeaBIOS reads. */
import { high32, low32, writeLittle } from "@castaway/kit";
import { ascii, FW_CFG, little } from "./fw-cfg.ts";

export type BoardItems = {
  /** Processors: 1 to 16. */
  readonly cpus: number;
  /** The firmware's screen also goes to the first serial port. */
  readonly serialConsole?: boolean;
  /** The firmware shows its boot menu. */
  readonly bootMenu?: boolean;
};

/** The items without names. The 8254 is at input 2 of the I/O APIC. */
export function boardItems({ cpus, serialConsole = false, bootMenu = false }: BoardItems): Map<number, Uint8Array> {
  return new Map([
    [FW_CFG.NO_GRAPHIC, little(serialConsole ? 1 : 0, 2)],
    [FW_CFG.CPUS, little(cpus, 2)],
    [FW_CFG.BOOT_MENU, little(bootMenu ? 1 : 0, 2)],
    [FW_CFG.MAX_CPUS, little(cpus, 2)],
    [FW_CFG.IRQ0_OVERRIDE, little(1, 1)],
  ]);
}

export type MemoryRange = { readonly base: number; readonly size: number; readonly reserved?: boolean };

/** `etc/e820`: RAM from 0 up to `ram`, and further ranges. The firmware itself cuts out what lies below 1 MiB. */
export function e820(ram: number, ...more: readonly MemoryRange[]): Uint8Array {
  const ranges: readonly MemoryRange[] = [{ base: 0, size: ram }, ...more];
  const bytes = new Uint8Array(20 * ranges.length);
  for (const [index, { base, size, reserved = false }] of ranges.entries()) {
    for (const [word, value] of [low32(base), high32(base), low32(size), high32(size), reserved ? 2 : 1].entries()) {
      writeLittle(bytes, 20 * index + 4 * word, 4, value);
    }
  }
  return bytes;
}

/** `bootorder`: Open Firmware paths, the first to boot first: `/pci@i0cf8/*@4/drive@0/disk@0`; `HALT` ends the list. */
export function bootOrder(paths: readonly string[]): Uint8Array {
  return ascii(`${paths.join("\n")}\0`);
}

/** `etc/msr_feature_control`: what the firmware writes to IA32_FEATURE_CONTROL: 5 locks VMX on [SDM 3C 24.7]. */
export function featureControl(value = 5): Uint8Array {
  const bytes = new Uint8Array(8);
  writeLittle(bytes, 0, 4, value);
  return bytes;
}

/** `etc/boot-fail-wait`: milliseconds until the firmware tries to boot again; undefined: for ever, it stops. */
export function bootFailWait(milliseconds: number | undefined): Uint8Array {
  return little(milliseconds ?? 0xffffffff, 4);
}
