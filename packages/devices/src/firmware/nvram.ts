/** What a PC's firmware finds in the RTC's memory about the board: the bytes that SeaBIOS reads, and their checksum. */
import { mib } from "@castaway/kit";

/** Where to boot from, as CMOS bytes 3D and 38 say it. */
export type BootDevice = "floppy" | "disk" | "cd" | "network";

export type NvramOptions = {
  /** RAM in bytes. */
  readonly ram: number;
  readonly cpus: number;
  /** At most three; the disk unless given. Paths in fw_cfg's `bootorder` come before them. */
  readonly boot?: readonly BootDevice[];
};

const BOOT = { floppy: 1, disk: 2, cd: 3, network: 4 };
const KIB = 1024;

/** Bytes of the memory by their index, for `Rtc`. */
export function nvram({ ram, cpus, boot = ["disk"] }: NvramOptions): Record<number, number> {
  const above1M = Math.min(0xffff, Math.floor(Math.max(0, ram - mib(1)) / KIB));
  const above16M = Math.min(0xffff, Math.floor(Math.max(0, ram - mib(16)) / (64 * KIB)));
  const [first = 0, second = 0, third = 0] = boot.map((device) => BOOT[device]);
  const bytes: Record<number, number> = {
    15: 0, // shutdown code
    16: 0, // no floppy drives
    20: 0x06, // equipment: coprocessor, pointing device
    ...word(0x15, 640), // KiB below 640 KiB
    ...word(0x17, above1M),
    ...word(0x30, above1M),
    ...word(0x34, above16M),
    56: (third << 4) | 1, // boot sectors of floppies need no signature
    61: first | (second << 4),
    95: cpus - 1,
  };
  let sum = 0;
  for (let at = 0x10; at <= 0x2d; at++) sum += bytes[at] ?? 0;
  return { ...bytes, 46: sum >> 8, 47: sum & 0xff };
}

function word(at: number, value: number): Record<number, number> {
  return { [at]: value & 0xff, [at + 1]: (value >> 8) & 0xff };
}
