/** Sizes of media in whole sectors. */
import { type Bytes, ConfigError } from "@castaway/kit";

/** Bytes a sector, unless a medium says otherwise. */
export const defaultSectorSize = 512;

/** @throws ConfigError unless it is 512 or 4096 */
export function checkSectorSize(sectorSize: number): number {
  if (sectorSize !== 512 && sectorSize !== 4096) throw new ConfigError("sector size", sectorSize, "512 or 4096");
  return sectorSize;
}

/**
 * How many sectors `size` bytes are.
 * @param pad whether a last sector that is not complete counts: read-only images then read zeros beyond their end. A
 *   writable medium must have whole sectors: there is no place for the rest of the last one
 * @throws ConfigError if there is no sector, or an incomplete one and `pad` is false
 */
export function wholeSectors(size: Bytes, sectorSize: number, pad: boolean, setting = "disk size"): number {
  if (size < 1) throw new ConfigError(setting, size, "at least one sector");
  if (!pad && size % sectorSize !== 0) throw new ConfigError(setting, size, `a multiple of ${sectorSize} bytes`);
  return Math.ceil(size / sectorSize);
}
