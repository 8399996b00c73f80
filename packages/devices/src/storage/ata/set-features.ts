/** SET FEATURES: a command of commands. [ATA8-ACS "SET FEATURES"] */
import type { Command, Parts } from "./command.ts";
import { ERROR, failure, type Outcome, success } from "./taskfile.ts";

type Feature = (parts: Parts, count: number) => boolean;

/** The subcommands, by the features register; false refuses. */
const features: { readonly [feature: number]: Feature } = {
  2: ({ settings }) => (settings.writeCache = true),
  3: setTransferMode,
  16: (parts, count) => setSata(parts, count, true),
  85: ({ settings }) => !(settings.lookAhead = false),
  /** Whether settings outlive a soft reset: they always do here. */
  102: () => true,
  130: ({ settings, medium }) => medium.flush() && !(settings.writeCache = false),
  144: (parts, count) => setSata(parts, count, false),
  170: ({ settings }) => (settings.lookAhead = true),
};

export function setFeatures(parts: Parts, { task }: Command): Outcome {
  const feature = features[task.features & 0xff];
  return feature?.(parts, task.count & 0xff) ? success(task) : failure(task, ERROR.ABRT);
}

/** PIO default, PIO 0 to 4, multiword DMA 0 to 2, Ultra DMA 0 to 6. */
function setTransferMode({ settings }: Parts, mode: number): boolean {
  const known = mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c) || (mode >= 0x20 && mode <= 0x22);
  if (!known && !(mode >= 0x40 && mode <= 0x46)) return false;
  if (mode >= 0x20) settings.transferMode = mode; // PIO modes leave the selected DMA mode as it is
  return true;
}

/** Of the Serial ATA features only software settings preservation, 06h, can be set. [SATA 3.x 13.5] */
function setSata({ settings }: Parts, feature: number, on: boolean): boolean {
  if (feature !== 0x06) return false;
  settings.preserve = on;
  return true;
}
