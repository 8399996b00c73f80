/** The commands that a drive knows: one row each. Every other opcode ends with ABRT. [ATA8-ACS 7] */
import type { Command, Kind, Parts } from "./command.ts";
import { identify, mostMultiple, mostTrimBlocks } from "./identify.ts";
import { queueErrorLog } from "./queue-error.ts";
import { setFeatures } from "./set-features.ts";
import { DEVICE, ERROR, failure, type Outcome, STATUS, signature, success, type TaskFile } from "./taskfile.ts";

const unqueued = { direction: "none", protocol: "none", medium: false } as const;

/** A command without data that cannot fail, and does `act`. */
const simple = (name: string, act: (parts: Parts, task: TaskFile) => Partial<Outcome> | undefined): Kind => ({
  ...unqueued,
  name,
  finish: (parts, { task }) => success(task, act(parts, task)),
});

/** A command without data that `act` may refuse with bits of ERROR. */
const refusable = (name: string, act: (parts: Parts, task: TaskFile) => number): Kind => ({
  ...unqueued,
  name,
  finish(parts, { task }) {
    const error = act(parts, task);
    return error === 0 ? success(task) : failure(task, error);
  },
});

type Moving = Pick<Kind, "protocol" | "direction"> & Partial<Kind> & { range: NonNullable<Kind["check"]> };

/** A read or write of the medium. */
const move = (name: string, { range, check, ...rest }: Moving): Kind => ({
  ...rest,
  name,
  medium: true,
  wide: range !== range28,
  check: (parts, command) => check?.(parts, command) || range(parts, command),
});

const multiple = {
  protocol: "pio",
  block: ({ settings }: Parts) => settings.multiple,
  check: ({ settings }: Parts) => (settings.multiple === 0 ? ERROR.ABRT : 0),
} as const;
const pio = { protocol: "pio" } as const;
const dma = { protocol: "dma" } as const;
const into = { direction: "in" } as const;
const out = { direction: "out" } as const;
const fua = { durable: () => true };
const verify: Partial<Kind> & Pick<Kind, "protocol" | "direction"> = {
  ...unqueued,
  medium: true,
  access: "read",
  finish: readThrough,
};
const queued = {
  protocol: "ncq",
  durable: ({ device }: TaskFile) => (device & DEVICE.FUA) !== 0,
} as const;

/** By opcode. Obsolete twins ("without retries") share a row's meaning. */
export const commands: { readonly [opcode: number]: Kind } = {
  6: { name: "DATA SET MANAGEMENT", protocol: "dma", direction: "out", medium: false, check: trimBlocks, accept: trim },
  16: simple("RECALIBRATE", () => undefined),
  32: move("READ SECTORS", { ...pio, ...into, range: range28 }),
  33: move("READ SECTORS", { ...pio, ...into, range: range28 }),
  36: move("READ SECTORS EXT", { ...pio, ...into, range: range48 }),
  37: move("READ DMA EXT", { ...dma, ...into, range: range48 }),
  39: {
    ...simple("READ NATIVE MAX ADDRESS EXT", ({ area }) => ({ lba: area.readNativeMax("48") })),
    ofNativeMax: true,
  },
  41: move("READ MULTIPLE EXT", { ...multiple, ...into, range: range48 }),
  47: {
    name: "READ LOG EXT",
    protocol: "pio",
    direction: "in",
    medium: false,
    check: logPages,
    produce: log,
    finish: logRead,
  },
  48: move("WRITE SECTORS", { ...pio, ...out, range: range28 }),
  49: move("WRITE SECTORS", { ...pio, ...out, range: range28 }),
  52: move("WRITE SECTORS EXT", { ...pio, ...out, range: range48 }),
  53: move("WRITE DMA EXT", { ...dma, ...out, range: range48 }),
  55: {
    ...refusable("SET MAX ADDRESS EXT", ({ area }, { lba, count }) => area.setMax("48", lba, (count & 1) === 1)),
    ofNativeMax: true,
  },
  57: move("WRITE MULTIPLE EXT", { ...multiple, ...out, range: range48 }),
  61: move("WRITE DMA FUA EXT", { ...dma, ...out, ...fua, range: range48 }),
  64: move("READ VERIFY SECTORS", { ...verify, range: range28 }),
  65: move("READ VERIFY SECTORS", { ...verify, range: range28 }),
  66: move("READ VERIFY SECTORS EXT", { ...verify, range: range48 }),
  96: move("READ FPDMA QUEUED", { ...queued, ...into, range: rangeQueued }),
  97: move("WRITE FPDMA QUEUED", { ...queued, ...out, range: rangeQueued }),
  112: simple("SEEK", () => undefined),
  144: simple("EXECUTE DEVICE DIAGNOSTIC", () => signature),
  145: refusable("INITIALIZE DEVICE PARAMETERS", setGeometry),
  196: move("READ MULTIPLE", { ...multiple, ...into, range: range28 }),
  197: move("WRITE MULTIPLE", { ...multiple, ...out, range: range28 }),
  198: refusable("SET MULTIPLE MODE", setMultiple),
  200: move("READ DMA", { ...dma, ...into, range: range28 }),
  201: move("READ DMA", { ...dma, ...into, range: range28 }),
  202: move("WRITE DMA", { ...dma, ...out, range: range28 }),
  203: move("WRITE DMA", { ...dma, ...out, range: range28 }),
  206: move("WRITE MULTIPLE FUA EXT", { ...multiple, ...out, ...fua, range: range48 }),
  224: { ...unqueued, name: "STANDBY IMMEDIATE", access: "flush", finish: standby },
  225: simple("IDLE IMMEDIATE", ({ settings }) => void (settings.power = "idle")),
  226: { ...unqueued, name: "STANDBY", access: "flush", finish: standby },
  227: simple("IDLE", ({ settings }) => void (settings.power = "idle")),
  229: simple("CHECK POWER MODE", ({ settings }) => ({ count: powerModes[settings.power] })),
  230: { ...unqueued, name: "SLEEP", access: "flush", finish: standby },
  231: { ...unqueued, name: "FLUSH CACHE", access: "flush", finish: flush },
  234: { ...unqueued, name: "FLUSH CACHE EXT", access: "flush", finish: flush },
  236: {
    name: "IDENTIFY DEVICE",
    ...pio,
    ...into,
    medium: false,
    produce: (parts, _task, _unit, into) => identify(parts, into),
  },
  239: { ...unqueued, name: "SET FEATURES", finish: setFeatures },
  248: { ...simple("READ NATIVE MAX ADDRESS", ({ area }) => lba28(area.readNativeMax("28"))), ofNativeMax: true },
};

/** SET MAX is one opcode with five meanings. [ATA8-ACS "SET MAX"] */
const setMaxCommands: { readonly [feature: number]: Kind } = {
  0: {
    ...refusable("SET MAX ADDRESS", ({ area }, task) => area.setMax("28", address28(task), (task.count & 1) === 1)),
    ofNativeMax: true,
  },
  1: { name: "SET MAX SET PASSWORD", ...pio, ...out, medium: false, accept: withPassword("setPassword") },
  2: refusable("SET MAX LOCK", ({ area }) => area.lock()),
  3: { name: "SET MAX UNLOCK", ...pio, ...out, medium: false, accept: withPassword("unlock") },
  4: refusable("SET MAX FREEZE LOCK", ({ area }) => area.freeze()),
};

const unknown: Kind = { ...unqueued, name: "unknown command", check: () => ERROR.ABRT };

/** The kind of a command, by its task file and what came before it. */
export function kindOf({ area, identity }: Parts, { command, features }: TaskFile): Kind {
  if (command === 0xf9) return setMaxCommands[area.armed ? 0 : features & 0xff] ?? unknown;
  const kind = commands[command] ?? unknown;
  return kind.protocol === "ncq" && !identity.ncq ? unknown : kind;
}

const address28 = ({ lba, device }: TaskFile): number => (device & 0xf) * 0x100_0000 + (lba % 0x100_0000);

/** An address where commands of 28 bits have it. */
function lba28(address: number): Pick<Outcome, "lba" | "device"> {
  const shown = Math.min(address, 0x0fff_ffff);
  return { lba: shown % 0x100_0000, device: DEVICE.LBA | Math.floor(shown / 0x100_0000) };
}

function within({ area }: Parts, command: Command, lba: number, sectors: number): number {
  command.lba = lba;
  command.sectors = sectors;
  return lba + sectors > area.visible ? ERROR.IDNF : 0;
}

function range28(parts: Parts, command: Command): number {
  const { task } = command;
  const sectors = task.count & 0xff || 0x100;
  if ((task.device & DEVICE.LBA) !== 0) return within(parts, command, address28(task), sectors);
  const { heads, track } = parts.settings;
  const sector = task.lba & 0xff;
  const head = task.device & 0xf;
  const cylinder = Math.floor((task.lba % 0x100_0000) / 0x100);
  if (sector === 0 || sector > track || head >= heads) return ERROR.IDNF;
  return within(parts, command, (cylinder * heads + head) * track + sector - 1, sectors);
}

function range48(parts: Parts, command: Command): number {
  const { count, lba, device } = command.task;
  if ((device & DEVICE.LBA) === 0) return ERROR.ABRT;
  return within(parts, command, lba, count || 0x1_0000);
}

/** Queued commands have the count in the features, and the tag in the count. [SATA 3.x 13.6] */
function rangeQueued(parts: Parts, command: Command): number {
  return within(parts, command, command.task.lba, command.task.features || 0x1_0000);
}

/** READ VERIFY: reads without giving. */
function readThrough({ medium }: Parts, command: Command): Outcome {
  const piece = new Uint8Array(Math.min(command.sectors, 128) * medium.sectorSize);
  while (command.moved < command.sectors) {
    const wanted = Math.min(128, command.sectors - command.moved);
    const good = medium.read(command.lba + command.moved, piece.subarray(0, wanted * medium.sectorSize));
    command.moved += good;
    if (good < wanted) return unreadable(command);
  }
  return success(command.task);
}

/** A sector that cannot be read: the first one that was not moved. */
export const unreadable = (command: Command): Outcome => failure(command.task, ERROR.UNC, failingAddress(command));

/** The medium refused to take the first sector that was not moved: a fault of the device. */
export const unwritable = (command: Command): Outcome => deviceFault(command.task, failingAddress(command));

const deviceFault = (task: TaskFile, changes: Partial<Outcome> = {}): Outcome => {
  const outcome = failure(task, ERROR.ABRT, changes);
  return { ...outcome, status: outcome.status | STATUS.DF };
};

function failingAddress({ kind, task, lba, moved }: Command): Partial<Outcome> {
  if (kind.wide) return { lba: lba + moved };
  const { lba: low, device: high } = lba28(lba + moved);
  return { lba: low, device: (task.device & 0xf0) | high };
}

function flush({ medium }: Parts, { task }: Command): Outcome {
  return medium.flush() ? success(task) : deviceFault(task);
}

const powerModes = { active: 0xff, idle: 0x80, standby: 0x00, sleep: 0x00 };

/** STANDBY (IMMEDIATE) and SLEEP: nothing may be left in the cache of a disk that stands still. */
function standby({ settings, medium }: Parts, { kind, task }: Command): Outcome {
  if (!medium.flush()) return deviceFault(task);
  settings.power = kind.name === "SLEEP" ? "sleep" : "standby";
  return success(task);
}

function setMultiple({ settings }: Parts, task: TaskFile): number {
  const count = task.count & 0xff;
  if (count > mostMultiple || (count & (count - 1)) !== 0) return ERROR.ABRT;
  settings.multiple = count;
  return 0;
}

/** INITIALIZE DEVICE PARAMETERS, of ATA-5 and before: the geometry by which the host counts. */
function setGeometry({ settings }: Parts, { count, device }: TaskFile): number {
  if ((count & 0xff) === 0) return ERROR.ABRT;
  settings.track = count & 0xff;
  settings.heads = (device & 0xf) + 1;
  return 0;
}

/** [ATA8-ACS "DATA SET MANAGEMENT"] */
function trimBlocks({ medium }: Parts, command: Command): number {
  const { features, count } = command.task;
  command.sectors = count;
  const allowed = medium.discards && (features & 0xff) === 1 && count >= 1 && count <= mostTrimBlocks;
  return allowed ? 0 : ERROR.ABRT;
}

/** Ranges of 8 bytes: 48 bits of address, 16 bits of length; length 0 is no range. All are checked before any is done. */
function trim({ medium, area }: Parts, { task }: Command, data: Uint8Array): Outcome {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const ranges: [lba: number, sectors: number][] = [];
  for (let at = 0; at < data.length; at += 8) {
    const lba = view.getUint32(at, true) + view.getUint16(at + 4, true) * 0x1_0000_0000;
    const sectors = view.getUint16(at + 6, true);
    if (sectors === 0) continue;
    if (lba + sectors > area.visible) return failure(task, ERROR.IDNF, { lba });
    ranges.push([lba, sectors]);
  }
  const done = ranges.every(([lba, sectors]) => medium.discard(lba, sectors));
  return done ? success(task) : deviceFault(task);
}

/** READ LOG EXT: the directory, and page 10h. [ATA8-ACS "READ LOG EXT"] */
function logPages(_parts: Parts, command: Command): number {
  const { count, lba } = command.task;
  const address = lba & 0xff;
  const page = (Math.floor(lba / 0x100) & 0xff) + 0x100 * (Math.floor(lba / 0x1_0000_0000) & 0xff);
  command.sectors = 1;
  return count === 1 && page === 0 && (address === 0 || address === queueErrorLog) ? 0 : ERROR.ABRT;
}

function log({ queueError }: Parts, { lba }: TaskFile, _unit: number, into: Uint8Array): void {
  if ((lba & 0xff) === queueErrorLog) into.set(queueError.page);
  else {
    into.fill(0);
    into[0] = 1; // version
    into[2 * queueErrorLog] = 1; // page
  }
}

/** Who has read page 10h can go on. [SATA 3.x 13.6] */
function logRead({ queueError }: Parts, { task }: Command): Outcome {
  if ((task.lba & 0xff) === queueErrorLog) queueError.clear();
  return success(task);
}

/** SET MAX SET PASSWORD and UNLOCK: the password is words 1 to 16 of a sector. */
function withPassword(act: "setPassword" | "unlock"): NonNullable<Kind["accept"]> {
  return ({ area }, { task }, data) => {
    const error = area[act](data.subarray(2, 34));
    return error === 0 ? success(task) : failure(task, error);
  };
}
