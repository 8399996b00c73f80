/** A board that runs no code: ports, memory, interrupts and time are driven from outside, by {@link Action}s. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cpuState } from "@castaway/cpu";
import {
  blankDisk,
  type DiskTiming,
  FaultyDisk,
  hardDiskTiming,
  isKey,
  noTiming,
  type OverlayDisk,
  overlayState,
  ssdTiming,
} from "@castaway/devices";
import {
  decodeState,
  type EthernetCard,
  type EthernetPort,
  encodeState,
  list,
  type Plain,
  record,
} from "@castaway/kit";
import { Board, type BoardOptions } from "castaway";
import { root } from "../../../scripts/bundle.mjs";
import { type Action, bytesOf } from "./actions.ts";
import { assertHolds } from "./failure.ts";

const PAGE = 4096;
const RAM = 2 << 20;
const DISK = 8 << 20;

/** How a disk behaves. */
export type DiskKind = "instant" | "ssd" | "slow ssd" | "hard disk" | "faulty" | "4 KiB sectors";
export const DISK_KINDS: readonly DiskKind[] = ["instant", "ssd", "slow ssd", "hard disk", "faulty", "4 KiB sectors"];

/** What a board is made of. */
export interface Setup {
  readonly cpus: number;
  readonly msi: boolean;
  readonly disks: readonly DiskKind[];
  /** At most 2. */
  readonly networkCards: number;
  readonly display: boolean;
  /** One thing more to plug in. */
  readonly extra?: (board: Board) => void;
}

/** Timers that one wait may arm: so many, and one for every so many nanoseconds. The 8254 does it every 838 ns. */
const ARMINGS = 20_000;
const NANOSECONDS_AN_ARMING = 400;

const blob = (path: string) => new Uint8Array(readFileSync(join(root, "firmware-blobs", path)));
let images: Required<BoardOptions["firmware"]> | undefined;
const allImages = () => (images ??= { bios: blob("seabios/bios.bin"), videoBios: blob("seabios/vgabios-stdvga.bin") });

const timings: Record<DiskKind, () => DiskTiming> = {
  instant: () => noTiming,
  ssd: () => ssdTiming(),
  "slow ssd": () => ssdTiming({ depth: 2, bandwidth: 10e6 }),
  "hard disk": () => hardDiskTiming({ sectors: DISK / 512, spinUp: 1_000_000 }),
  faulty: () => ssdTiming({ depth: 4 }),
  "4 KiB sectors": () => ssdTiming(),
};

export class Bench {
  readonly setup: Setup;
  readonly board: Board;
  readonly #media: readonly OverlayDisk[];
  readonly #sockets: readonly Socket[];
  #resetWanted = false;
  /** What left the board since it was asked for: frames and characters, as one number. */
  #heard = 0;

  constructor(setup: Setup) {
    this.setup = setup;
    this.#media = setup.disks.map((kind) => blankDisk(DISK, { sectorSize: kind === "4 KiB sectors" ? 4096 : 512 }));
    this.#sockets = Array.from({ length: setup.networkCards }, () => new Socket((frame) => this.#hear(frame)));
    const disks = setup.disks.map((kind, n) => {
      const medium = kind === "faulty" ? faulty(this.#media[n]!) : this.#media[n]!;
      return { medium, timing: timings[kind]() };
    });
    const options: BoardOptions = {
      firmware: setup.display ? allImages() : { bios: allImages().bios },
      memory: RAM,
      executor: "evaluator",
      cpus: setup.cpus,
      msi: setup.msi,
      disks,
      networkCards: this.#sockets.map((port, n) => ({ mac: `52:54:00:12:34:5${6 + n}`, port })),
      boot: ["disk"],
      startDate: 951782399,
      serialConsole: false,
      exitPort: true,
    };
    const reset = () => {
      this.#resetWanted = true;
    };
    this.board = new Board(options, { reset, powerOff: () => {}, exit: () => {} });
    this.board.serialOutput.on((byte) => this.#hear(Uint8Array.of(byte)));
    setup.extra?.(this.board);
    this.board.reset();
  }
  #hear(bytes: Uint8Array): void {
    for (const byte of bytes) this.#heard = (Math.imul(this.#heard, 31) + byte + 1) >>> 0;
  }
  /** A number that stands for what left the board since the last call. */
  takeHeard(): number {
    const heard = this.#heard;
    this.#heard = 0;
    return heard;
  }

  /** Does one thing. @returns what was read, if it reads */
  do(action: Action): number | undefined {
    const { cpu } = this.board;
    const armings = cpu.clock.save().armings;
    const answer = this.#do(action);
    if (this.#resetWanted) {
      this.#resetWanted = false;
      this.board.reset();
    }
    const allowed = ARMINGS + (action[0] === "wait" ? Math.ceil(action[1] / NANOSECONDS_AN_ARMING) : 0);
    const armed = cpu.clock.save().armings - armings;
    assertHolds(
      armed <= allowed,
      "events",
      () => `${armed} timers were armed, ${allowed} are enough; pending: ${this.#pending()}`,
    );
    return answer;
  }
  #pending(): string {
    return this.board.clock.pending.map(({ name }) => name).join(", ");
  }

  #do(action: Action): number | undefined {
    const { board } = this;
    switch (action[0]) {
      case "in":
        return answer(board.ports.read(action[1], action[2]), action[2]);
      case "out":
        board.ports.write(action[1], action[2], action[3]);
        return undefined;
      case "read":
        return this.#read(action[1], action[2]);
      case "write":
        this.#write(action[1], action[2], action[3]);
        return undefined;
      case "apic read":
        return answer(this.#apic(action[1])?.read(0xfee00000 + action[2], action[3]) ?? 0, action[3]);
      case "apic write":
        this.#apic(action[1])?.write(0xfee00000 + action[2], 4, action[3]);
        return undefined;
      case "acknowledge": {
        const apic = this.#apic(action[1]);
        return apic?.requested ? answer(apic.acknowledge(), 1) : undefined;
      }
      case "store":
        board.cpu.physical.dmaWrite(action[1], bytesOf(action[2]));
        return undefined;
      case "wait":
        board.clock.advanceTo(board.clock.now + action[1]);
        return undefined;
      case "type":
        board.keyboard.type(action[1]);
        return undefined;
      case "press":
        board.keyboard.press(...action.slice(1).filter(isKey));
        return undefined;
      case "serial":
        board.com1.receive(bytesOf(action[1]));
        return undefined;
      case "frame":
        this.#sockets[action[1]]?.card?.receive(bytesOf(action[2]));
        return undefined;
      case "link":
        this.#sockets[action[1]]?.card?.link(action[2] !== 0);
        return undefined;
      case "power button":
        board.acpi.pressPowerButton();
        return undefined;
      case "reset":
        board.reset();
        return undefined;
      case "hop":
        return undefined;
    }
  }
  #apic(processor: number) {
    return this.board.cpu.processors[processor % this.setup.cpus]!.apic;
  }

  /** As the bus carries it: pages one by one, 8 bytes as two times 4; devices may see any alignment. */
  #read(address: number, size: number): number {
    if (size === 8) {
      this.#read(address, 4);
      return this.#read(address + 4, 4);
    }
    if ((address % PAGE) + size <= PAGE) return answer(this.#readPage(address, size), size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + answer(this.#readPage(address + i, 1), 1);
    return value;
  }
  #readPage(address: number, size: number): number {
    const { physical } = this.board.cpu;
    const page = Math.floor(address / PAGE) % 2 ** 20;
    const host = physical.readHost[page]!;
    if (host === 0) return physical.handler(page).read(page * PAGE + (address % PAGE), size);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + physical.u8[host + (address % PAGE) + i]!;
    return value;
  }
  #write(address: number, size: number, value: number): void {
    if (size === 8) {
      this.#write(address, 4, value);
      return this.#write(address + 4, 4, value);
    }
    if ((address % PAGE) + size <= PAGE) return this.#writePage(address, size, value);
    for (let i = 0; i < size; i++) this.#writePage(address + i, 1, (value >>> (8 * i)) & 0xff);
  }
  #writePage(address: number, size: number, value: number): void {
    const { physical } = this.board.cpu;
    const page = Math.floor(address / PAGE) % 2 ** 20;
    const host = physical.writeHost[page]!;
    if (host === 0) return physical.handler(page).write(page * PAGE + (address % PAGE), size, value);
    for (let i = 0; i < size; i++) physical.u8[host + (address % PAGE) + i] = value >>> (8 * i);
  }

  /** The whole state: what processors, parts and media save. Checked against its shape when it is restored. */
  save(): Uint8Array {
    const { board } = this;
    return encodeState("bench", 1, {
      parts: board.parts.save(),
      media: this.#media.map((medium) => medium.save()),
      cpu: board.cpu.saveState(),
    } as unknown as Plain);
  }
  get #shape() {
    return record({ parts: this.board.parts.shape, media: list(overlayState), cpu: cpuState });
  }
  restore(saved: Uint8Array): void {
    const { board } = this;
    const { parts, media, cpu } = decodeState("bench", 1, this.#shape, saved);
    board.clock.restore(cpu.clock);
    for (const [n, medium] of this.#media.entries()) medium.restore(media[n]!);
    board.parts.restore(parts);
    board.cpu.restoreState(cpu);
  }
  /** The parts' and processors' states by name, to say what differs. */
  states(): Record<string, unknown> {
    const { board } = this;
    const media = Object.fromEntries(this.#media.map((medium, n) => [`medium${n}`, medium.save()]));
    return { ...board.parts.save(), ...media, cpu: this.board.cpu.saveState() };
  }
}

/** A socket in the wall: what is sent is heard, what arrives comes from an action. */
class Socket implements EthernetPort {
  card: EthernetCard | null = null;
  readonly send: (frame: Uint8Array) => void;
  constructor(send: (frame: Uint8Array) => void) {
    this.send = send;
  }
  connect(card: EthernetCard | null): void {
    this.card = card;
    card?.link(true);
  }
}

/** An answer is an unsigned number of the size that was asked for. */
function answer(value: number, size: number): number {
  const fits = Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size) && !Object.is(value, -0);
  assertHolds(fits, "answer", () => `${size} bytes were read as ${value}`);
  return value;
}

function faulty(medium: OverlayDisk): FaultyDisk {
  const disk = new FaultyDisk(medium);
  for (const lba of [5, 0x40, 0x3ff]) disk.unreadable.add(lba);
  for (const lba of [8, 0x40, 0x7fe]) disk.unwritable.add(lba);
  disk.unflushable = true;
  return disk;
}
