/** What a host can set in a drive, and what a drive is made as. */
import { ConfigError, flag, natural, oneOf, record, type StateOf, u8 } from "@castaway/kit";

/** What SET FEATURES, SET MULTIPLE MODE and their like have set. */
export const settings = record({
  writeCache: flag,
  lookAhead: flag,
  /** Sectors a DRQ block of READ and WRITE MULTIPLE; 0: not allowed. */
  multiple: u8,
  /** As SET FEATURES 03h takes it: 40h to 46h are Ultra DMA 0 to 6. */
  transferMode: u8,
  /** Whether settings outlive COMRESET. [SATA 3.x 13.5] */
  preserve: flag,
  power: oneOf("active", "idle", "standby", "sleep"),
  /** The geometry that addresses by cylinder, head and sector mean. */
  heads: natural,
  track: natural,
});
export type Settings = StateOf<typeof settings>;

export const defaultSettings = (): Settings => ({
  writeCache: true,
  lookAhead: true,
  multiple: 16,
  transferMode: 0x45,
  preserve: true,
  power: "active",
  heads: 16,
  track: 63,
});

/** What a drive says of itself. */
export type Identity = {
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
  /** Whether it queues: FPDMA commands. */
  readonly ncq: boolean;
  readonly rotationRate: number;
};

export type IdentityOptions = Partial<Omit<Identity, "rotationRate">>;

/** @throws ConfigError if a text is too long for its words in IDENTIFY, or has characters that they cannot hold */
export function identity(options: IdentityOptions, rotationRate: number): Identity {
  const { model = "CASTAWAY DISK", serial = "CA0001", firmware = "1.0", ncq = true } = options;
  check("model", model, 40);
  check("serial", serial, 20);
  check("firmware", firmware, 8);
  return { model, serial, firmware, ncq, rotationRate };
}

function check(name: string, text: string, longest: number): void {
  const fits = text.length <= longest && /^[ -~]*$/.test(text);
  if (!fits) throw new ConfigError(`disk.${name}`, text, `up to ${longest} characters of printable ASCII`);
}
