/** IDENTIFY DEVICE: 256 words in which a drive says what it is and does. [ATA8-ACS "IDENTIFY DEVICE"] */
import type { CachedMedium } from "./cached-medium.ts";
import type { ProtectedArea } from "./protected-area.ts";
import type { Identity, Settings } from "./settings.ts";

/** The largest number of sectors that words 60-61 can say. */
const most28 = 0x0fff_ffff;
/** Geometry of old: 16,383 cylinders of 16 heads and 63 sectors, as large disks say. */
const mostCylinders = 16_383;
/** Blocks of 512 bytes that DATA SET MANAGEMENT takes at once. */
export const mostTrimBlocks = 8;
/** Commands that can be queued. */
export const queueDepth = 32;
/** Sectors a DRQ block, at most. */
export const mostMultiple = 16;

/** What IDENTIFY tells of. */
export type Told = {
  readonly identity: Identity;
  readonly settings: Settings;
  readonly area: ProtectedArea;
  readonly medium: CachedMedium;
};

/** Fills `into`, 512 bytes. */
export function identify({ identity, settings, area, medium }: Told, into: Uint8Array): void {
  into.fill(0);
  const word = (index: number, value: number) => {
    into[2 * index] = value;
    into[2 * index + 1] = value >>> 8;
  };
  const words = (index: number, count: number, value: number) => {
    for (let i = 0, rest = value; i < count; i++, rest = Math.floor(rest / 0x1_0000)) word(index + i, rest % 0x1_0000);
  };
  /** Texts have the first character of each pair in the high byte. */
  const text = (index: number, count: number, value: string) => {
    for (let i = 0; i < 2 * count; i++) into[2 * index + (i ^ 1)] = i < value.length ? value.charCodeAt(i) : 0x20;
  };

  const sectors = area.visible;
  const cylinders = Math.min(Math.floor(sectors / (16 * 63)), mostCylinders);
  word(0, 0x0040); // a fixed disk
  word(1, cylinders);
  word(3, 16);
  word(6, 63);
  text(10, 10, identity.serial);
  text(23, 4, identity.firmware);
  text(27, 20, identity.model);
  word(47, 0x8000 | mostMultiple);
  word(48, 0x4000);
  word(49, 0x0f00); // IORDY, LBA, DMA; standby timers are the drive's own
  word(50, 0x4000);
  word(53, 0x0007); // words 54-58, 64-70 and 88 are valid
  const current = Math.min(Math.floor(sectors / (settings.heads * settings.track)), 0xffff);
  word(54, current);
  word(55, settings.heads);
  word(56, settings.track);
  words(57, 2, current * settings.heads * settings.track);
  word(59, settings.multiple === 0 ? 0 : 0x0100 | settings.multiple);
  words(60, 2, Math.min(sectors, most28));
  word(63, 0x0007 | modeIn(settings, 0x20));
  word(64, 0x0003);
  for (const cycle of [65, 66, 67, 68]) word(cycle, 120);
  word(69, medium.discards ? 0x4020 : 0); // after TRIM reads are deterministic, and zeros
  if (identity.ncq) word(75, queueDepth - 1);
  word(76, identity.ncq ? 0x0102 : 0x0002); // first generation speed; NCQ
  word(78, 0x0040); // software settings preservation
  word(79, settings.preserve ? 0x0040 : 0);
  word(80, 0x01f0); // ATA/ATAPI-4 to ATA8-ACS
  word(82, 0x0468); // host-protected area, look-ahead, write cache, power management
  word(83, 0x7500); // FLUSH CACHE (EXT), 48-bit addresses, SET MAX security
  word(84, 0x4060); // FUA, general purpose logging
  word(85, 0x0408 | (settings.lookAhead ? 0x40 : 0) | (settings.writeCache ? 0x20 : 0));
  word(86, 0xb400 | (area.secured ? 0x0100 : 0));
  word(87, 0x4060);
  word(88, 0x007f | modeIn(settings, 0x40));
  words(100, 4, sectors);
  if (medium.discards) word(105, mostTrimBlocks);
  word(106, medium.sectorSize > 512 ? 0x5000 : 0x4000);
  if (medium.sectorSize > 512) words(117, 2, medium.sectorSize / 2);
  word(119, 0x4000);
  word(120, 0x4000);
  if (medium.discards) word(169, 0x0001); // TRIM
  word(217, identity.rotationRate);
  word(222, 0x101f); // Serial ATA
  word(255, 0x00a5);
  into[511] = -into.subarray(0, 511).reduce((sum, byte) => sum + byte, 0);
}

/** The selected mode of a kind (20h: multiword, 40h: Ultra DMA) as the high byte of words 63 and 88 shows it. */
function modeIn({ transferMode }: Settings, kind: number): number {
  return (transferMode & 0xf8) === kind ? 0x0100 << (transferMode & 7) : 0;
}
